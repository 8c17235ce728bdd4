"""Checks that name the mistake: a student's function beside a bank of known wrong ones.

An exercise is data: the right function with a switch for every known slip, and the inputs that tell them apart.
A check runs the student's function and, if it is wrong, looks for the fewest slips that do the same.
What runs the student's code (`trace`) and what judges it (`diagnose`) share nothing but plain data.
"""

import importlib
import inspect
import linecache
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, combinations
from unittest import mock

import torch
from torch import Tensor


class CheckFailed(AssertionError):
    """An answer is wrong; the message says how, as far as is known."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows the message alone: where the check stands in our code is of no use to a student."""
        return [str(self)]


class Forbidden(RuntimeError):
    """An answer uses what its exercise asks the student to write."""


@dataclass(frozen=True)
class Slip:
    """One known way to get an exercise wrong.

    Attributes
    ----------
    switch : str
        The keyword argument of the exercise's ``truth`` that makes the mistake.
    says : str
        What the student is told: the mistake, then what is right.
    read : str
        Page and section of the book that explain it, such as "recurrence/cell.html#sec-cell".
    """

    switch: str
    says: str
    read: str


@dataclass(frozen=True)
class Exercise:
    """One exercise; calling it checks an answer: ``check.rnn_step(rnn_step)``.

    Attributes
    ----------
    title : str
        As in the notebook: "Exercise 1".
    points : int
    truth : callable
        The right function, with a keyword switch for every slip.
    slips : tuple of Slip
    cases : callable
        From a ``torch.Generator`` to a list of argument tuples: tensors, numbers, strings and lists of them, no code.
    read : str
        Page and section of the book that treat the subject.
    call : callable
        How a case becomes a call, ``call(answer, *case)``: where the arguments are not plain data, it builds them.
    accept : callable
        Brings the variants that the text allows (another order, a list for a tensor) to one form.
    forbids : tuple of str
        Dotted names that an answer must not use.
    lends : dict
        Right functions of earlier exercises by name: the answer sees these in place of the student's own.
    axes : str
        What the axes of the result are called in messages, such as "t b h".
    atol : float
        Values and gradients may differ by so much, and by as much relative to their size.
    """

    title: str
    points: int
    truth: Callable
    slips: tuple[Slip, ...]
    cases: Callable[[torch.Generator], list[tuple]]
    read: str
    call: Callable = lambda answer, *case: answer(*case)
    accept: Callable = lambda result: result
    forbids: tuple[str, ...] = ()
    lends: dict[str, Callable] = field(default_factory=dict)
    axes: str = ""
    atol: float = 1e-5

    def __call__(self, answer: Callable, seed: int = 0) -> None:
        """Check an answer on the cases of one seed: print that it is right, or raise `CheckFailed`."""
        if not callable(answer):
            raise CheckFailed(f"{self.title}: expected a function, got {type(answer).__name__}")
        cases = self.cases(torch.Generator().manual_seed(seed))
        got = self.trace(answer, cases)
        if got[0].get("type") == "NotImplementedError":
            raise NotImplementedError(got[0]["message"] or self.title)
        found = self.diagnose(got, cases)
        if found != []:
            raise CheckFailed(f"{self.title}: not yet.\n{self.explain(got, cases, found)}")
        print(f"{self.title}: right{f', {self.points} points' if self.points else ''}")

    def trace(self, answer: Callable, cases: list[tuple]) -> list[dict]:
        """What an answer does with each case, as plain data; the only part that runs the student's code."""
        with forbidden(self.forbids, self.title, answer), lent(answer, self.lends):
            return [trace(partial(self.call, answer), case, self.accept) for case in cases]

    def diagnose(self, got: list[dict], cases: list[tuple]) -> list[Slip] | None:
        """[] for a right answer, the fewest slips that do the same as a wrong one on every case, None when no two of them do."""
        for mix in chain.from_iterable(combinations(self.slips, n) for n in range(3)):
            if all(same(mine, known, self.atol) for mine, known in zip(got, self.slipped(cases, mix))):
                return list(mix)
        return None

    def slipped(self, cases: list[tuple], slips: Sequence[Slip] = ()) -> Iterator[dict]:
        """What the right function does with each case, with some slips switched on."""
        known = partial(self.truth, **{slip.switch: True for slip in slips})
        return (trace(partial(self.call, known), case, self.accept) for case in cases)

    def explain(self, got: list[dict], cases: list[tuple], found: list[Slip] | None) -> str:
        """The message for a wrong answer: the slips that are known, and where it parts from the right one."""
        case, mine, right = next((c, m, r) for c, m, r in zip(cases, got, self.slipped(cases)) if not same(m, r, self.atol))
        names = [*inspect.signature(self.call).parameters][1:]
        names = [*inspect.signature(self.truth).parameters] if names == ["case"] else names
        called = ", ".join(f"{name} {describe(a)}" for name, a in zip(names, case))
        parts = [f"- {slip.says}. Read {slip.read} in the book." for slip in found or ()]
        parts.append(f"With {called}: {self.difference(mine, right)}")
        return "\n".join(parts if found else [*parts, f"Read {self.read} in the book."])

    def difference(self, got: dict, right: dict) -> str:
        """How one trace departs from another: error, number of values, shape, first value, or gradient."""
        if "type" in got:
            line = f"\n  in line {got['line']}: {got['code']}" if got["code"] else ""
            return f"it raised {got['type']}: {got['message']}{line}"
        if len(got["values"]) != len(right["values"]):
            return f"it returned {len(got['values'])} values, expected {len(right['values'])}."
        for i, (mine, wanted) in enumerate(zip(got["values"], right["values"]), 1):
            which = f" (value {i} of {len(right['values'])})" if len(right["values"]) > 1 else ""
            if mine.shape != wanted.shape:
                return f"it returned shape {tuple(mine.shape)}, expected {tuple(wanted.shape)}{which}."
            off = ~torch.isclose(mine, wanted, atol=self.atol, rtol=self.atol)
            if off.any():
                at = tuple(off.nonzero()[0].tolist())
                axes = self.axes.split()
                place = ", ".join(f"{a} = {k}" for a, k in zip(axes, at)) if len(axes) == len(at) else f"index {list(at)}"
                return (f"{int(off.sum())} of {off.numel()} values differ{which}, first {f'at {place}' if at else 'the number itself'}: "
                        f"expected {wanted[at]:.4g}, got {mine[at]:.4g}.")
        return "the values are right, but the gradient does not flow back through them as it should: is the graph cut somewhere?"


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
        "values" and "grads", lists of float64 tensors (a gradient is None where nothing flows back);
        or "type", "message", "line" and "code" of an exception.
    """
    leaves = []

    def fresh(a):
        if isinstance(a, Tensor) and a.is_floating_point():
            leaves.append(a.detach().clone().requires_grad_())
            return leaves[-1] * 1.0  # not a leaf, so that an answer may work in place
        return a.clone() if isinstance(a, Tensor) else [fresh(b) for b in a] if isinstance(a, list) else a

    try:
        values = flat(accept(answer(*[fresh(a) for a in case])))
    except Exception as error:  # the student's: whatever it is, it becomes a message
        return caught(error)
    weights = torch.Generator().manual_seed(1)
    total = sum((v * torch.randn(v.shape, generator=weights, dtype=v.dtype)).sum() for v in values if v.requires_grad)
    grads = torch.autograd.grad(total, leaves, allow_unused=True) if isinstance(total, Tensor) else [None] * len(leaves)
    return {"values": [v.detach() for v in values], "grads": [g if g is None else g.double() for g in grads]}


def flat(result: object) -> list[Tensor]:
    """What a function returned as a list of float64 tensors: numbers, arrays, tensors, and nested sequences of them."""
    if isinstance(result, dict):
        result = [result[key] for key in sorted(result)]
    if isinstance(result, list | tuple) and not all(isinstance(r, int | float) for r in result):
        return [v for part in result for v in flat(part)]
    if result is None or isinstance(result, str):
        raise TypeError(f"it returned {'nothing: is a return missing?' if result is None else repr(result)}")
    return [torch.as_tensor(result).double()]


def caught(error: Exception) -> dict:
    """An exception as plain data: its type, its message, and the last line of the student's own code."""
    line, code, step = None, "", error.__traceback__
    while step:
        frame = step.tb_frame
        if "__name__" in frame.f_globals and not frame.f_globals["__name__"].startswith(("rnncourse", "torch", "check", "unittest")):
            line, code = step.tb_lineno, linecache.getline(frame.f_code.co_filename, step.tb_lineno).strip()
        step = step.tb_next
    return {"type": type(error).__name__, "message": str(error), "line": line, "code": code}


def same(a: dict, b: dict, atol: float) -> bool:
    """Whether two traces agree: values and gradients within a tolerance, or the same exception."""
    if "type" in a or "type" in b:
        return (a.get("type"), a.get("message")) == (b.get("type"), b.get("message"))

    def near(x, y):
        if x is None or y is None:
            return all(g is None or not g.any() for g in (x, y))  # nothing flows, or zeros: no difference to training
        return x.shape == y.shape and torch.allclose(x, y, atol=atol, rtol=atol, equal_nan=True)

    return len(a["values"]) == len(b["values"]) and all(near(x, y) for key in ("values", "grads") for x, y in zip(a[key], b[key]))


@contextmanager
def forbidden(names: Sequence[str], title: str, answer: Callable) -> Iterator[None]:
    """Make some library functions and classes raise while an answer is run, under whatever name it knows them."""
    with ExitStack() as stack:
        for name in names:
            module, _, attribute = name.rpartition(".")
            owner = importlib.import_module(module)
            thing = getattr(owner, attribute)

            def refuse(*args, _name=name, **kwargs):
                raise Forbidden(f"{title} asks you to write this yourself: {_name} is not to be used here")

            if isinstance(thing, type):
                for method in ("__init__", "forward"):
                    stack.enter_context(mock.patch.object(thing, method, refuse))
            else:
                stack.enter_context(mock.patch.object(owner, attribute, refuse))
                known = getattr(answer, "__globals__", {})
                aliases = {key: refuse for key, value in known.items() if value is thing}
                stack.enter_context(mock.patch.dict(known, aliases))
        yield


@contextmanager
def lent(answer: Callable, functions: dict[str, Callable]) -> Iterator[None]:
    """Let an answer see the right functions of earlier exercises under their names."""
    with mock.patch.dict(getattr(answer, "__globals__", {}), functions):
        yield


def describe(a: object) -> str:
    """An argument in a message: small whole-number tensors and plain things whole, others by their shape."""
    if isinstance(a, Tensor):
        return f"= {a.tolist()}" if a.numel() <= 8 and not a.is_floating_point() else f"{tuple(a.shape)}"
    return f"= [{', '.join(describe(b) for b in a)}]" if isinstance(a, list) else f"= {a!r}"


GUESSES: dict[str, object] = {}


def predict(name: str, guess: object, choices: Sequence | None = None) -> None:
    """Note a prediction, which earns nothing; `compare` shows it beside what is measured.

    Parameters
    ----------
    name : str
    guess : number, or one of ``choices``
        None as long as there is none.
    choices : sequence, optional
    """
    if guess is None:
        print(f"no prediction yet: replace None by {f'one of {list(choices)}' if choices else 'a number'}")
    elif choices and guess not in choices:
        raise ValueError(f"guess: expected one of {list(choices)}, got {guess!r}")
    else:
        GUESSES[name] = guess
        print(f"noted: {guess!r}")


def compare(name: str, measured: object) -> None:
    """Show a prediction beside what was measured."""
    print(f"you predicted {GUESSES[name]!r}; measured: {measured!r}" if name in GUESSES else f"no prediction; measured: {measured!r}")
