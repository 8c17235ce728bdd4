"""What the tests of labs share: a lab's own modules, and a list of wrong answers."""

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from rnncourse.checks import CheckFailed, Exercise, same

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"


@functools.cache
def modules(lab: str) -> SimpleNamespace:
    """The lab's check, hidden and right; `exercises` by name. Other labs have modules of the same names."""
    sys.path.insert(0, str(SOLUTIONS / lab))
    try:
        loaded = {name: importlib.import_module(name) for name in ("check", "hidden", "right")}
    finally:
        sys.path.pop(0)
        for name in ("check", "hidden", "right"):
            sys.modules.pop(name, None)
    exercises = {name: value for name, value in vars(loaded["check"]).items() if isinstance(value, Exercise)}
    return SimpleNamespace(exercises=exercises, **loaded)


def noting(bank: list) -> Callable:
    """A decorator that notes a wrong answer in ``bank``, with the slips that name it; none where the lab does not know it, or it cannot be compared."""

    def wrong(exercise, *switches):
        def note(answer):
            bank.append(pytest.param(exercise, answer, set(switches), id=f"{exercise}-{len(bank)}-{'-'.join(switches) or 'refused'}"))
            return answer

        return note

    return wrong


def hidden(lab: SimpleNamespace, name: str, answer: Callable, seed: int) -> list[dict]:
    """What an answer does on the hidden inputs of a seed."""
    return lab.exercises[name].trace(answer, getattr(lab.hidden, name)(seed))


def refused(lab: SimpleNamespace, name: str, answer: Callable, switches: set[str]) -> None:
    """A wrong answer is refused with the words of just these slips, and the hidden tests see it too."""
    exercise = lab.exercises[name]
    with pytest.raises(CheckFailed) as failed:
        exercise(answer)
    said = {slip.switch for slip in exercise.slips if slip.says in str(failed.value)}
    assert said == switches, str(failed.value)
    got, wanted = (hidden(lab, name, f, 3) for f in (answer, exercise.truth))
    assert not all(same(a, b, exercise.atol) for a, b in zip(got, wanted))
