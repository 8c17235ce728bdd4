"""What an answer does, as plain data: values and gradients, or the exception that came instead.

Only this module runs a student's code. It knows of no exercise, and of right and wrong nothing.
"""

import importlib
import inspect
import linecache
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from types import CodeType
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Forbidden(RuntimeError):
    """An answer uses what its exercise asks the student to write."""


class Unfit(TypeError):
    """An answer returned something that cannot be compared: such as nothing, a text, or a list in the place of a tensor."""


def trace(answer: Callable, case: tuple, accept: Callable = lambda result: result) -> dict:
    """Run a function on a case: its values and gradients, or the exception that came instead, as plain data.

    Parameters
    ----------
    answer : callable
    case : tuple
        Floating-point tensors in it, also in lists, get a gradient.
    accept : callable
        Applied to what the function returns.

    Returns
    -------
    dict
        "values" and "grads", lists of float64 tensors (a gradient is None where nothing flows back), and "changed", the places of the
        arguments that were changed in place. Where backward fails, "grads" is None and "backward" says why.
        Or "type", "message", "line" and "code" of an exception.
    """
    leaves = []

    def fresh(a):
        if is_leaf(a):
            leaves.append(a.detach().clone().requires_grad_())
            return leaves[-1] * 1.0  # not a leaf, so that an answer may work in place
        return a.clone() if isinstance(a, Tensor) else [fresh(b) for b in a] if isinstance(a, list) else a

    with torch.enable_grad():
        arguments = [fresh(a) for a in case]
        try:
            values = flat(accept(answer(*arguments)))
            if not torch.is_grad_enabled():
                raise Unfit("it leaves gradients turned off, so that nothing learns from then on; with torch.no_grad(): turns them on again")
        except (Exception, SystemExit) as error:  # the student's: whatever it is, it becomes a message
            return caught(error)
        done = {"values": [v.detach() for v in values], "changed": [i for i, a in enumerate(arguments) if not untouched(a, case[i])]}
        weights = torch.Generator().manual_seed(1)
        total = sum((v * torch.randn(v.shape, generator=weights, dtype=v.dtype)).sum() for v in values if v.requires_grad)
        try:
            grads = torch.autograd.grad(total, leaves, allow_unused=True) if isinstance(total, Tensor) else [None] * len(leaves)
        except RuntimeError as error:  # something that the backward pass needs was overwritten
            return done | {"grads": None, "backward": str(error).split(": [")[0]}
    return done | {"grads": [g if g is None else g.double() for g in grads]}


def is_leaf(a: object) -> bool:
    """Whether an argument of a case gets a gradient."""
    return isinstance(a, Tensor) and a.is_floating_point()


def untouched(a: object, b: object) -> bool:
    """Whether an argument is still what it was."""
    if isinstance(a, list):
        return len(a) == len(b) and all(untouched(x, y) for x, y in zip(a, b))
    return torch.equal(a, b) if isinstance(a, Tensor) else True


def flat(result: object) -> list[Tensor]:
    """What a function returned as a list of float64 tensors: numbers, arrays, tensors, and nested sequences of them."""
    if isinstance(result, dict):
        result = [result[key] for key in sorted(result)]
    if isinstance(result, list | tuple) and not all(isinstance(r, int | float) for r in result):
        return [v for part in result for v in flat(part)]
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    try:
        return [torch.as_tensor(result.copy() if isinstance(result, np.ndarray) else result).cpu().double()]
    except (TypeError, ValueError, RuntimeError):
        raise Unfit(f"it returned {kind(result)}, expected a tensor") from None


def parts(result: object, *names: str) -> list[Tensor]:
    """The tensors that an answer should return, by their names: a pair for two names, a bare tensor for one.

    Raises
    ------
    Unfit
        If it is another number of things, or one of them is not a tensor or an array.
    """
    if result is None:
        raise Unfit(f"it returned nothing, expected {' and '.join(names)}: is a return missing?")
    result = [result] if len(names) == 1 else result
    if not isinstance(result, list | tuple) or len(result) != len(names):
        raise Unfit(f"it returned {kind(result)}, expected {' and '.join(names)}")
    for name, value in zip(names, result):
        if not isinstance(value, Tensor | np.ndarray):
            raise Unfit(f"{name} is {kind(value)}, expected a tensor")
    return list(result)


def caught(error: BaseException) -> dict:
    """An exception as plain data: its type, its message, and the last line of the student's own code."""
    line, code, home, step = None, "", None, error.__traceback__
    while step:
        frame = step.tb_frame
        module = frame.f_globals.get("__name__", "")
        if home is None and not module.startswith(("rnncourse", "torch", "check", "unittest")):
            home = module  # where the answer stands: what it calls in numpy and elsewhere is not the student's line
        if module == home:
            line, code = step.tb_lineno, linecache.getline(frame.f_code.co_filename, step.tb_lineno).strip()
        step = step.tb_next
    return {"type": type(error).__name__, "message": str(error), "line": line, "code": code}


class Watched(TorchFunctionMode):
    """While it is on, some functions of torch's core raise, however they are reached, and fresh memory holds no number by luck.

    Parameters
    ----------
    refused : dict
        What is said, by the function's last name: under ``torch``, ``torch._VF``, ``torch.ops`` and in default arguments it is the same.
    """

    def __init__(self, refused: dict[str, str]):
        super().__init__()
        self.refused = refused

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "").split(".")[0]
        if name in self.refused:
            raise Forbidden(self.refused[name])
        result = func(*args, **kwargs or {})
        if name in ("empty", "empty_like", "new_empty"):
            real = result.is_floating_point() or result.is_complex()
            result.detach().fill_(torch.nan if real else result.dtype == torch.bool or torch.iinfo(result.dtype).max)
        return result


@contextmanager
def forbidden(names: Sequence[str], title: str, own: Sequence[Callable] = ()) -> Iterator[None]:
    """Make some library functions and classes raise while an answer is run, under whatever name it knows them.

    Python functions, those of ``own`` too, get other code for that time, classes other methods, and torch's core is watched.
    This is no sandbox. An answer can still copy a function's code before the check, or read the file that it stands in:
    who grades without looking has to keep the checks from being imported at all.
    """
    things = [(name, at(name)) for name in names] + [(f"the check's {f.__name__}", f) for f in own if inspect.isfunction(f)]
    refused = {}
    with ExitStack() as stack:
        for name, thing in things:
            says = f"{title} asks you to write this yourself: {name} is not to be used here"

            def refuse(*args, _says=says, **kwargs):
                raise Forbidden(_says)

            if isinstance(thing, type):
                for method in {"__init__", *(key for key, value in vars(thing).items() if inspect.isfunction(value) and key[0] != "_")}:
                    stack.enter_context(mock.patch.object(thing, method, refuse))
            elif inspect.isfunction(thing):
                stack.callback(setattr, thing, "__code__", thing.__code__)
                thing.__code__ = refusal(thing.__code__, says)
            else:
                refused[name.rpartition(".")[2]] = says
        stack.enter_context(Watched(refused))
        yield


def at(name: str) -> object:
    """What a dotted name stands for."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def refusal(code: CodeType, says: str) -> CodeType:
    """Code that raises `Forbidden`, to stand in the place of a function's own."""

    def refuse(*args, **kwargs):
        from rnncourse.traces import Forbidden  # the globals are those of the function
        raise Forbidden("SAYS")

    consts = tuple(says if c == "SAYS" else c for c in refuse.__code__.co_consts)
    return refuse.__code__.replace(co_consts=consts, co_freevars=code.co_freevars)


@contextmanager
def lent(answer: Callable, functions: dict[str, Callable]) -> Iterator[None]:
    """Let an answer see the right functions of earlier exercises under their names."""
    with mock.patch.dict(namespace(answer), functions):
        yield


def namespace(answer: Callable) -> dict:
    """The global names that an answer sees, also if it is decorated, partial, a method, a class or a module of torch."""
    answer = inner(answer)
    for way in (answer, getattr(answer, "forward", None), getattr(answer, "__init__", None), getattr(answer, "__call__", None)):
        if hasattr(inspect.unwrap(way), "__globals__"):
            return inspect.unwrap(way).__globals__
    return {}


def inner(answer: Callable) -> Callable:
    """The function inside a partial one."""
    while isinstance(answer, partial):
        answer = answer.func
    return answer


def describe(a: object) -> str:
    """An argument in a message, after its name: small whole-number tensors and plain things whole, others by their shape."""
    if isinstance(a, Tensor):
        return f"= {a.tolist()}" if a.numel() <= 8 and not a.is_floating_point() else f"{tuple(a.shape)}"
    return f"= [{', '.join(describe(b).removeprefix('= ') for b in a)}]" if isinstance(a, list) else f"= {a!r}"


def kind(a: object) -> str:
    """What an answer returned, in a message."""
    if isinstance(a, Tensor | np.ndarray):
        return f"{'a tensor' if isinstance(a, Tensor) else 'an array'} of shape {tuple(a.shape)}"
    name = type(a).__name__
    return f"a tuple of {len(a)} thing{'s' * (len(a) != 1)}" if isinstance(a, tuple) else f"a{'n' * (name[0] in 'aeiou')} {name}"
