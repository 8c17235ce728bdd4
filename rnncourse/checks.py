"""Checks that name the mistake: a student's function beside a bank of known wrong ones.

An exercise is data: the right function with a switch for every known slip, and the inputs that tell them apart.
A check runs the student's function and, if it is wrong, looks for the fewest slips that do the same.
What runs the student's code (`rnncourse.traces`) and what judges it (`diagnose`) share nothing but plain data.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, combinations

import torch
from torch import Tensor

from .traces import describe, flat, forbidden, inner, is_leaf, lent, parts, trace


class CheckFailed(AssertionError):
    """An answer is wrong; the message says how, as far as is known."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows the message alone: where the check stands in our code is of no use to a student."""
        return [str(self)]


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
    line : str
        Where the slip raises an exception that others raise too: a regular expression for the student's line that raised it.
    """

    switch: str
    says: str
    read: str
    line: str = ""


def slips(page: str, *rows: tuple) -> tuple[Slip, ...]:
    """Slips from rows (switch, what is said), which may go on with a page, where it is another one, and a pattern for the student's line."""
    return tuple(Slip(switch, says, section or page, line or "") for switch, says, section, line in ((*row, None, None)[:4] for row in rows))


def plainly(answer: Callable, *case: object) -> object:
    """An exercise's ``call`` with tensors that belong to no graph: for data, and where what is written is itself a gradient."""
    return answer(*[a.detach() if isinstance(a, Tensor) else a for a in case])


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
    returns : tuple of str
        What the tensors that an answer returns are called: one name, or several in their order. Empty if it returns something else.
    accept : callable
        Brings the variants that the text allows (another order, a list for a tensor) to one form; given ``returns``, it gets a list.
    settle : callable
        The rest of that, ``settle(values, *case)``, where it takes what no answer may see: from the values of a trace to those that are
        compared. Then ``returns`` names the latter.
    forbids : tuple of str
        Dotted names that an answer must not use.
    lends : dict
        Right functions of earlier exercises by name: the answer sees these in place of the student's own.
    words : callable
        How a wrong value is told, ``words(name, at, wanted, got)``, where values stand for something else than numbers; "" for a number.
    axes : str
        What the axes of the result are called in messages, such as "t b h"; of several results, "t b h, b h".
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
    returns: tuple[str, ...] = ()
    accept: Callable = lambda result: result
    settle: Callable | None = None
    forbids: tuple[str, ...] = ()
    lends: dict[str, Callable] = field(default_factory=dict)
    words: Callable[[str, tuple[int, ...], float, float], str] = lambda name, at, wanted, got: ""
    axes: str = ""
    atol: float = 1e-4

    def __call__(self, answer: Callable, seed: int = 0) -> None:
        """Check an answer on the cases of one seed: print that it is right, or raise `CheckFailed`."""
        if not callable(answer):
            raise CheckFailed(f"{self.title}: expected a function, got {type(answer).__name__}")
        cases = self.cases(torch.Generator().manual_seed(seed))
        got = self.trace(answer, cases)
        if blank(got[0]):
            raise alone(NotImplementedError(got[0]["message"] or self.title))
        found = self.diagnose(got, cases)
        if found != []:
            raise CheckFailed(f"{self.title}: not yet.\n{self.explain(got, cases, found)}")
        print(f"{self.title}: right{f', {self.points} points' if self.points else ''}")
        if changed := [self.names()[i] for i in got[0]["changed"]]:
            print(f"(It changes {' and '.join(changed)} in place, also for whoever calls it: work on a copy where that matters.)")

    def trace(self, answer: Callable, cases: list[tuple]) -> list[dict]:
        """What an answer does with each case as plain data, then what it did with the first once more, at once and at the end.

        The only method that runs the student's code. While it runs, ``truth`` refuses to, under any name, unless it is itself the answer.
        """
        own = () if inner(answer) is self.truth else (self.truth,)
        with forbidden(self.forbids, self.title, own), lent(answer, self.lends):
            done = [trace(partial(self.call, answer), case, self.form) for case in self.order(cases)]
        return self.settled(done, cases)

    @staticmethod
    def order(cases: list[tuple]) -> list[tuple]:
        """The cases as they are run: the first at once again, and at the end."""
        return [cases[0], *cases, cases[0]]

    def form(self, result: object) -> object:
        """What an answer returned, in the one form in which answers are compared."""
        return self.accept(parts(result, *self.returns) if self.returns and not self.settle else result)

    def settled(self, done: list[dict], cases: list[tuple], settle: Callable | None = None) -> list[dict]:
        """The traces of cases in `order`, made ready by ``settle`` (`settle_one`): one for each case, then the two more of the first."""
        first, again, *others = [(settle or self.settle_one)(got, case) for got, case in zip(done, self.order(cases), strict=True)]
        return [first, *others[:-1], again, others[-1]]

    def settle_one(self, got: dict, case: tuple) -> dict:
        """One trace, ready to be compared."""
        return got | {"values": flat(self.settle(got["values"], *case))} if self.settle and "values" in got else got

    def diagnose(self, got: list[dict], cases: list[tuple]) -> list[Slip] | None:
        """[] for a right answer, the fewest slips that do the same as a wrong one on every case, None when no two of them do."""
        if not self.steady(got):
            return None
        for mix in chain.from_iterable(combinations(self.slips, n) for n in range(3)):
            if self.agree(got, cases, mix):
                return list(mix)
        return None

    def agree(self, got: list[dict], cases: list[tuple], mix: Sequence[Slip]) -> bool:
        """Whether some slips do what an answer did, up to the first exception or failed backward pass.

        An exception says little, since others raise it too: it is laid to one slip only, and to the line that raises it, if that is known.
        """
        for mine, known in zip(got, self.slipped(cases, mix)):
            if not same(mine, known, self.atol):
                return False
            if "type" in mine:
                return len(mix) == 1 and (not mine["code"] or re.search(mix[0].line, mine["code"]) is not None)
            if mine["grads"] is None:
                return True
        return True

    def steady(self, got: list[dict]) -> bool:
        """Whether an answer did with the first case, at once and at the end, what it had done with it at the beginning."""
        return all(a.get("type") == got[0].get("type") if "type" in a or "type" in got[0] else same(a, got[0], self.atol) for a in got[-2:])

    def twins(self, seed: int = 0) -> list[tuple[str, str]]:
        """Pairs of switches that the cases do not tell apart, "" for the right function: faults of the bank, looked for by tests."""
        cases = self.cases(torch.Generator().manual_seed(seed))
        done = {"": [*self.slipped(cases)]} | {slip.switch: [*self.slipped(cases, [slip])] for slip in self.slips}
        return [(a, b) for a, b in combinations(done, 2) if all(same(x, y, self.atol) for x, y in zip(done[a], done[b]))]

    def slipped(self, cases: list[tuple], slips: Sequence[Slip] = ()) -> Iterator[dict]:
        """What the right function does with each case, with some slips switched on."""
        known = partial(self.truth, **{slip.switch: True for slip in slips})
        return (self.settle_one(trace(partial(self.call, known), case, self.form), case) for case in cases)

    def names(self) -> list[str]:
        """What the arguments of a case are called."""
        names = [*inspect.signature(self.call).parameters][1:]
        return [*inspect.signature(self.truth).parameters] if names == ["case"] else names

    def explain(self, got: list[dict], cases: list[tuple], found: list[Slip] | None) -> str:
        """The message for a wrong answer: the slips that are known, and where it parts from the right one."""
        if not self.steady(got):
            return ("Called twice with the same arguments, it does two different things. Does it keep something between calls (a global "
                    "list, a default value that is a list, an attribute), change a global, draw random numbers, or read what torch.empty "
                    "holds?")
        if got[0].get("type") == "Forbidden":
            return got[0]["message"]
        case, mine, right = next((c, m, r) for c, m, r in zip(cases, got, self.slipped(cases)) if not same(m, r, self.atol))
        given = inspect.signature(self.truth).parameters
        called = ", ".join(f"{name} {describe(a)}" for name, a in zip(self.names(), case) if name in given)
        leaves = [name for name, a in zip(self.names(), case) for b in (a if isinstance(a, list) else [a]) if is_leaf(b)]
        named = [f"- {slip.says}. Read {slip.read} in the book." for slip in found or ()]
        told = self.difference(mine, right, leaves)
        seen = f"With {called}: {told}" if len(called) < 300 else f"{told[0].upper()}{told[1:]}\nThat is with {called}"
        return "\n".join([*named, seen] if found else [seen, f"Read {self.read} in the book."])

    def difference(self, got: dict, right: dict, leaves: Sequence[str] = ()) -> str:
        """How one trace departs from another: error, number of values, shape, first value, or gradient of one of ``leaves``."""
        if "type" in got:
            line = f"\n  in line {got['line']}: {got['code']}" if got["code"] else ""
            return got["message"] if got["type"] == "Unfit" else f"it raised {got['type']}: {got['message']}{line}"
        if len(got["values"]) != len(right["values"]):
            return f"it returned {len(got['values'])} value{'s' * (len(got['values']) != 1)}, expected {len(right['values'])}."
        names = self.returns or [f"value {i + 1}" if len(right["values"]) > 1 else "" for i in range(len(right["values"]))]
        for name, axes, mine, wanted in zip(names, [*self.axes.split(","), *[""] * len(names)], got["values"], right["values"]):
            if mine.shape != wanted.shape and mine.dim() == wanted.dim() == 1:
                return f"{name or 'it'} has {len(mine)} number{'s' * (len(mine) != 1)}, expected {len(wanted)}."
            if mine.shape != wanted.shape:
                order = ": the same axes in another order" if sorted(mine.shape) == sorted(wanted.shape) else ""
                return f"{name or 'it'} has shape {tuple(mine.shape)}, expected {tuple(wanted.shape)}{order}."
            off = ~torch.isclose(mine, wanted, atol=self.atol, rtol=self.atol, equal_nan=True)
            if off.any():
                at, axes = tuple(off.nonzero()[0].tolist()), axes.split()
                if said := self.words(name, at, wanted[at].item(), mine[at].item()):
                    return f"{said}."
                place = ", ".join(f"{a} = {k}" for a, k in zip(axes, at)) if len(axes) == len(at) else f"index {list(at)}"
                which = f"{f'in {name}, ' if name else ''}{int(off.sum())} of {off.numel()} values differ, first at {place}"
                return (f"{which if at else name or 'the number'}: expected {wanted[at]:.4g}, got {mine[at] + 0:.4g}"
                        f"{' (not a number; what torch.empty makes is that too, until it is filled)' * bool(mine[at].isnan())}.")
        if got["grads"] is None:
            return f"the values are right, but backward() would fail: {got['backward']}"
        for name, mine, wanted in zip(leaves, got["grads"], right["grads"]):
            if not near(mine, wanted, self.atol):
                how, why = ("no gradient", ": is the graph cut somewhere?") if mine is None or not mine.any() else ("another gradient than expected", ".")
                return f"the values are right, but {how} flows back to {name}{why}"
        return "the values are right, but not the gradients."


def blank(got: dict) -> bool:
    """Whether nothing was written yet: the NotImplementedError of the stub, not one of torch's."""
    return got.get("type") == "NotImplementedError" and (not got["code"] or got["code"].startswith("raise"))


def alone(error: Exception) -> Exception:
    """Have a notebook show the message alone, as for `CheckFailed`."""
    error._render_traceback_ = lambda: [f"{type(error).__name__}: {error}"]
    return error


def same(a: dict, b: dict, atol: float) -> bool:
    """Whether two traces agree: values and gradients within a tolerance, or the same exception."""
    if "type" in a or "type" in b:
        return (a.get("type"), a.get("message")) == (b.get("type"), b.get("message"))
    if any((x is None) != (y is None) or len(x or ()) != len(y or ()) for x, y in ((a[key], b[key]) for key in ("values", "grads"))):
        return False
    return all(near(x, y, atol) for key in ("values", "grads") for x, y in zip(a[key] or (), b[key] or ()))


def near(x: Tensor | None, y: Tensor | None, atol: float) -> bool:
    """Whether two values or gradients agree; None is a gradient that does not flow, which to training is as good as zeros."""
    if x is None or y is None:
        return all(g is None or not g.any() for g in (x, y))
    return x.shape == y.shape and torch.allclose(x, y, atol=atol, rtol=atol, equal_nan=True)


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
    elif guess not in choices if choices else not isinstance(guess, int | float):
        print(f"not a prediction: expected {f'one of {list(choices)}' if choices else 'a number'}, got {guess!r}")
    else:
        GUESSES[name] = guess
        print(f"noted: {guess!r}")


def compare(name: str, measured: object) -> None:
    """Show a prediction beside what was measured."""
    print(f"you predicted {GUESSES[name]!r}; measured: {measured!r}" if name in GUESSES else f"no prediction; measured: {measured!r}")
