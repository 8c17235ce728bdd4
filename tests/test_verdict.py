"""What a submission earns: every right variant all of it, every wrong answer that the labs know less."""

import ast
import shutil
from functools import cache
from pathlib import Path

import pytest
from banks import SOLUTIONS, modules

from rnncourse.grading import drivers, verdict
from rnncourse.grading.labs import Lab

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is missing")]
LABS = sorted(path.parent.name for path in SOLUTIONS.glob("*/*.ipynb"))
TESTS = Path(__file__).parent


@cache
def lab(name):
    return Lab(name)


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
    return verdict.one(lab(lab_name), name, verdict.upto(name, cells), 3, 3, boxes(lab_name), 60.0)


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
                yield pytest.param(name, exercise, source, id=f"{name}-{exercise}-{i}", marks=[pytest.mark.check] * (i % 6 > 0))


@pytest.mark.parametrize("lab_name,name,source", [*bank()])
def test_a_wrong_answer_gets_less_than_full_marks(boxes, lab_name, name, source):
    mark = marked(boxes, lab_name, name, source)
    assert not mark["right"] and mark["earned"] == 0 and mark["how"] in ("done", "slow"), mark
    assert "defines no" not in mark["says"], mark


def test_nearly_the_whole_bank_is_tried():
    assert len([*bank()]) > 0.95 * sum(len([*wrong(name)]) for name in LABS) > 500
