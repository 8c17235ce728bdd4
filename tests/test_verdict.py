"""What a submission earns: every right variant all of it, every wrong answer that the labs know less."""

import ast
import shutil
import time
from functools import cache
from pathlib import Path

import pytest
import nbformat
from banks import SOLUTIONS, modules
from classes import notebook, solutions
from nbformat.v4 import new_code_cell

from rnncourse.grading import drivers, verdict
from rnncourse.grading.assemble import assembled
from rnncourse.grading.labs import Lab

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is missing")]
LABS = sorted(path.parent.name for path in SOLUTIONS.glob("*/*.ipynb"))
TESTS = Path(__file__).parent


@cache
def lab(name):
    made = Lab(name)
    made.seconds = 60.0
    return made


@pytest.fixture(scope="module")
def boxes():
    """A sandbox for each lab, kept open."""
    open_ = {}
    yield lambda name: open_.setdefault(name, verdict.Boxes(lab(name), False))
    for box in open_.values():
        box.close()


def marked(boxes, lab_name, name, source):
    """The mark for an answer in its place in the lab."""
    cells = [(cell["name"] or cell["label"], source if cell["name"] == name else cell["source"]) for cell in lab(lab_name).template]
    place = [label for label, _ in cells].index(name)
    return verdict.one(lab(lab_name), name, cells[: place + 1], 3, 3, boxes(lab_name), time.monotonic() + 180)


# Every right variant, every wrong answer


def variants():
    for name in LABS:
        for exercise, answers in modules(name).right.RIGHT.items():
            yield from (pytest.param(name, exercise, i, id=f"{name}-{exercise}-{i}") for i in range(len(answers)))


@pytest.mark.parametrize("lab_name,name,i", [*variants()])
def test_a_right_answer_that_looks_different_gets_full_marks(boxes, lab_name, name, i):
    source = (SOLUTIONS / lab_name / "right.py").read_text("utf8") + f"\n{name} = RIGHT[{name!r}][{i}]\n"
    mark = marked(boxes, lab_name, name, source)
    assert (mark["earned"], mark["says"]) == (lab(lab_name).exercises[name].points, "right"), mark


def wrong(name):
    """The bank of wrong answers of a lab, as source: exercise, text; those that stand in a function's decorator."""
    path = TESTS / f"test_lab_{name}.py"
    text = path.read_text("utf8") if path.exists() else ""
    for node in ast.parse(text).body:
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "wrong":
                node.decorator_list = [d for d in node.decorator_list if not (isinstance(d, ast.Call) and getattr(d.func, "id", "") == "wrong")]
                needed = {n for _, n in drivers.needed({"it": path}, [("it", n) for n in drivers.used(ast.unparse(node))])}
                exercise = decorator.args[0].value
                yield exercise, f"{drivers.cut(path, needed - {node.name})}\n{ast.unparse(node)}\n{exercise} = {node.name}\n"


def bank():
    for name in LABS:
        for i, (exercise, source) in enumerate(wrong(name)):
            if not {"modules", "LAB", "pytest"} & drivers.used(source):
                yield pytest.param(name, exercise, source, id=f"{name}-{exercise}-{i}", marks=[pytest.mark.check] * (i % 12 > 0))


@pytest.mark.parametrize("lab_name,name,source", [*bank()])
def test_a_wrong_answer_gets_less_than_full_marks(boxes, lab_name, name, source):
    mark = marked(boxes, lab_name, name, source)
    assert not mark["right"] and mark["earned"] == 0 and mark["how"] in ("done", "slow"), mark
    assert "defines no" not in mark["says"], mark


def test_nearly_the_whole_bank_is_tried():
    assert len([*bank()]) > 0.95 * sum(len([*wrong(name)]) for name in LABS) > 500


def test_magic_that_only_takes_the_time_costs_nothing(boxes):
    assert marked(boxes, "unfold", "rnn_step", "%%time\n" + solutions("unfold")["rnn_step"])["right"]


def test_the_hidden_sizes_of_a_matrix_that_grows_differ_from_seed_to_seed_and_are_odd_too():
    drawn = [[n for (n,) in lab("gradients").hidden.transient(seed)] for seed in range(99)]
    assert len({*map(str, drawn)}) == 9 and all(6 in sizes and any(n % 2 for n in sizes) and max(sizes) < 12 for sizes in drawn)


def test_a_helper_behind_its_answer_is_run_for_it_in_the_sandbox_too():
    made = notebook("unfold", answers={"rnn_step": "def rnn_step(*case):\n    return helper(*case)\n"})
    place = next(i for i, cell in enumerate(made.cells) if cell.id == "rnn_step")
    made.cells.insert(place + 1, new_code_cell("if True:\n    def helper(x_t, h, W_xh, W_hh, b):\n        return torch.tanh(x_t @ W_xh + h @ W_hh + b)\n"))
    marks = verdict.judge(lab("unfold"), nbformat.writes(made).encode(), 1, 1)["marks"]
    assert sum(mark["earned"] for mark in marks.values()) == 20, marks["rnn_step"]


# What a submission may take


class Clock:
    """In the place of sandboxes: a run takes ``takes(job)`` seconds of a clock of its own, or what it is allowed."""

    def __init__(self, monkeypatch, takes):
        self.lab, self.takes, self.now, self.jobs = Lab("unfold"), takes, 0.0, {}
        monkeypatch.setattr(verdict, "time", self)

    def monotonic(self):
        return self.now

    def run(self, job, seconds, apart=False):
        self.jobs[job["name"]] = [label for label, _ in job["cells"]]
        self.now += min(seconds, took := self.takes(job))
        return ("slow", None) if took > seconds else ("done", {"errors": {}, "done": None})

    def marks(self, *added, **answers):
        made = notebook("unfold", answers=answers)
        made.cells[:0] = map(new_code_cell, added)
        return verdict.judged(self.lab, assembled(nbformat.writes(made).encode(), self.lab.template, self.lab.others), 1, 1, self)


@pytest.mark.parametrize("seconds", [0.5, 6.0, 19.0, 99.0])
def test_all_runs_of_a_submission_together_take_at_most_three_times_what_one_may(monkeypatch, seconds):
    clock = Clock(monkeypatch, lambda job: seconds)
    assert {mark["how"] for mark in clock.marks().values()} <= {"done", "slow"} and 8 * min(seconds, 2) <= clock.now <= 3 * clock.lab.seconds


def test_three_answers_that_hang_leave_some_time_to_the_others(monkeypatch):
    clock = Clock(monkeypatch, lambda job: 99 if job["name"] in ("rnn_step", "unfold", "shapes") else 0.9)
    assert [mark["how"] for mark in clock.marks().values()] == ["slow"] * 3 + ["done"] * 5


def test_an_answer_for_which_no_time_is_left_is_something_to_look_at():
    mark = verdict.one(lab("unfold"), "rnn_step", [], 1, 1, None, time.monotonic())
    assert (mark["how"], mark["earned"]) == ("late", 0) and mark["look"].startswith("was not run")


def test_what_is_slow_is_run_again_only_for_an_answer_that_uses_it(monkeypatch):
    clock = Clock(monkeypatch, lambda job: 9 * ("rnn_step" in dict(job["cells"])))
    marks = clock.marks()
    assert clock.jobs["rnn_step"] == ["rnn_step"] and clock.jobs["unfold"] == ["unfold"] and not any(mark["how"] == "late" for mark in marks.values())
    clock.marks(unfold="def unfold(): return rnn_step()")
    assert clock.jobs["unfold"] == ["rnn_step", "unfold"]


def test_what_an_answer_that_hangs_has_imported_is_there_for_the_next(monkeypatch):
    clock = Clock(monkeypatch, lambda job: 99 * (job["name"] == "rnn_step"))
    clock.marks("import numpy as np", rnn_step="import numpy as np\ndef rnn_step(): return np", unfold="def unfold(): return np")
    assert clock.jobs["unfold"] == ["cell 1, added", "rnn_step", "unfold"] and clock.jobs["shapes"] == ["unfold", "shapes"]
