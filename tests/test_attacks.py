"""Hostile notebooks: each is contained, its author gets at most the honest mark, and the next one's mark is untouched."""

import json
import os
import shutil
import time

import nbformat
import pytest
from classes import HOSTILE, ROOT, STEP, by_grade_id, notebook, solutions

from rnncourse.grading import grade
from rnncourse.grading.gradebook import Class
from rnncourse.grading.labs import Lab
from rnncourse.grading.verdict import BIGGEST, judge, odd

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is missing")]
LABS = sorted(path.parent.name for path in (ROOT / "solutions").glob("*/*.ipynb"))
LAB = Lab("unfold")
LAB.seconds = 5.0
REST = 18  # what the other exercises of the lab earn
RIGHT = solutions("unfold")["rnn_step"]


def earned(data):
    """What a notebook, or the bytes of one, earns: the verdict, and all points."""
    verdict = judge(LAB, data if isinstance(data, bytes) else nbformat.writes(data).encode(), 11, 12)
    return verdict, sum(mark["earned"] for mark in verdict["marks"].values())


def step(source):
    """The mark for an answer to Exercise 1, beside right ones to the others."""
    verdict, points = earned(notebook("unfold", answers={"rnn_step": source}))
    return verdict["marks"]["rnn_step"], points


@pytest.fixture(autouse=True)
def the_next_submission_is_untouched():
    yield
    assert earned(notebook("unfold", ["rnn_step"]))[1] == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_an_attack_from_an_answer_costs_its_exercise_alone(name):
    mark, points = step(HOSTILE[name])
    assert not mark["right"] and points == REST


# What it looks for


SEARCH = """
import os, sys
found = []
for where, folders, names in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(where, f) not in ("/proc", "/usr", sys.prefix, sys.base_prefix)]
    found += [name for name in names if name in ("hidden.py", "check.py", "right.py", "gradebook.db", "seed") or name.endswith(".ipynb")]
"""


def said(source):
    """What an answer finds, told by the exception that it raises."""
    return step(source)[0]["details"]


def test_an_attack_finds_no_solution_nor_hidden_test_nor_gradebook_nor_other_submission():
    assert "it raised KeyError: 'found []'" in said(SEARCH + STEP + "    raise KeyError(f'found {found}')\n")


def test_an_attack_finds_no_right_function_in_memory():
    look = ("import gc, types\nfound = sorted({f.__code__.co_name for f in gc.get_objects() if isinstance(f, types.FunctionType)} & NAMES)\n"
            + STEP + "    raise KeyError(f'found {found}')\n")  # fmt: skip
    names = {exercise.truth.__name__ for exercise in LAB.exercises.values()}
    assert "found []" in said(f"NAMES = {names}\n" + look)
    assert "found ['right_step']" in said(f"NAMES = {names}\ndef right_step(): pass\n" + look)  # it would see one


def test_an_attack_finds_no_text_of_what_the_exercise_asks_for():
    look = "    import sys\n    text = sys.meta_path[0].texts['rnncourse.cells'].split('class RNN')[1].split('class ')[0]\n    raise KeyError('found ' + str([' @ ' in text, 'is not to be used here' in text]))\n"
    assert "found [False, True]" in said(STEP + look)


def test_an_attack_cannot_have_the_hidden_inputs_told_to_its_author():
    leak = "SEEN = []\n" + STEP + "    SEEN.append(x_t.tolist())\n    raise KeyError(str(SEEN))\n"
    hidden = LAB.hidden.rnn_step(11)[0][0].tolist()
    mark, _ = step(leak)
    assert str(hidden[0][0])[:6] not in json.dumps(mark) and "KeyError" in mark["details"]


def test_an_attack_that_keeps_the_hidden_inputs_for_the_visible_run_finds_nothing():
    keep = ("    import os\n    kept = open('/tmp/kept').read() if os.path.exists('/tmp/kept') else ''\n    open('/tmp/kept', 'a').write(str(x_t.tolist()))\n"
            "    raise KeyError(kept)\n")  # fmt: skip
    hidden = str(LAB.hidden.rnn_step(11)[0][0].tolist()[0][0])[:6]
    frames = "import sys\nframe = sys._getframe()\nwhile 'job' not in frame.f_locals: frame = frame.f_back\nraise KeyError(str(frame.f_locals['job']['cases']))\n"
    assert hidden not in json.dumps(step(STEP + keep)[0]) and hidden not in json.dumps(step(frames)[0])


# What comes back


@pytest.mark.parametrize("value", ["torch.zeros(2_000_000, 0)", "torch.zeros(10**8, 0)", "torch.zeros(0, 2**62, 2**62)", "torch.zeros(10**6)", "[torch.zeros(0)] * 10**5",
                                   "torch.full((2, 5), torch.nan)", "torch.zeros(2, 5).to_sparse()", "torch.zeros(2, 5, dtype=torch.complex64)"])  # fmt: skip
def test_an_attack_by_what_is_returned_is_small_and_wrong(value):
    mark, points = step("import torch\n" + STEP + f"    return {value}\n")
    assert points == REST and len(json.dumps(mark)) < 10_000


def test_an_attack_by_a_long_or_odd_message_is_cut():
    mark, _ = step(STEP + "    raise type('x' * 10**5, (Exception,), {})('\\x1b[2J\\ud800<b>' + 'y' * 10**7)\n")
    assert len(json.dumps(mark)) < 10_000 and "\x1b" not in mark["details"]
    json.dumps(mark, ensure_ascii=False).encode("utf8")


def test_an_attack_with_forged_gradients_earns_nothing():
    forged = "import torch\ntorch.autograd.grad = lambda *a, **k: []\n" + RIGHT.replace("def rnn_step", "def right_one")
    assert step(forged + f"\n{STEP}    return right_one(x_t, h, W_xh, W_hh, b).detach().requires_grad_()\n")[0]["earned"] == 0


def test_an_attack_on_what_measures_a_matrix_earns_nothing():
    made = notebook("gradients", ["power_norms"], {"transient": "import torch\ntorch.linalg.eigvals = lambda W: torch.zeros(len(W))\ndef transient(n):\n    return 2 * torch.ones(n, n)\n"})
    assert judge(Lab("gradients"), nbformat.writes(made).encode(), 1, 1)["marks"]["transient"]["earned"] == 0


@pytest.mark.parametrize("source", ["import threading\n", "import torch\ncore = torch._C\n", "import subprocess\n", "eval('1')\n", "import importlib\n",
                                    "getattr(str, 'up' + 'per')\n", "from builtins import __import__\n"])  # fmt: skip
def test_an_attack_may_lie_behind_some_names_and_the_instructor_is_told_to_look(source):
    mark, points = step(source + RIGHT)
    assert mark["right"] and mark["look"].startswith("names ") and points == REST + 2


def test_an_attack_that_lies_behind_a_name_in_another_answer_is_told_too():
    tool = "import threading\nTOOL = threading\n" + STEP + "    return 1\n"
    verdict, points = earned(notebook("unfold", answers={"rnn_step": tool, "unfold": "TOOL\n" + solutions("unfold")["unfold"]}))
    assert points == REST and verdict["marks"]["unfold"]["look"] == "names threading"


def test_the_right_answers_are_nothing_to_look_at():
    assert not any(odd([("", source)]) for lab in LABS for source in solutions(lab).values())


def test_an_attack_by_very_much_code_is_refused():
    assert "more than 100,000 characters" in earned(notebook("unfold", answers={"pad": " " * 200_000}))[0]["refused"]


# What it may not use


@pytest.mark.parametrize("body", [
    "from torch.nn import RNNCell as Other\n", "import torch.nn as quite\nOther = quite.RNNCell\n", "import torch\nOther = getattr(torch.nn, 'RNN' + 'Cell')\n",
    "import importlib\nOther = importlib.import_module('torch.nn.modules.rnn').RNNCell\n"])  # fmt: skip
def test_an_attack_with_a_forbidden_class_earns_nothing_and_is_told(body):
    use = "    cell = Other(x_t.shape[1], h.shape[1])\n    cell.weight_ih.data, cell.weight_hh.data, cell.bias_ih.data, cell.bias_hh.data = W_xh.T, W_hh.T, b, 0 * b\n    return cell(x_t, h)\n"
    mark, points = step(body + STEP + use)
    assert points == REST and "RNNCell is not to be used here" in mark["details"]


@pytest.mark.parametrize("function", ["torch.rnn_tanh_cell", "torch._VF.rnn_tanh_cell", "torch.ops.aten.rnn_tanh_cell", "torch._C._VariableFunctions.rnn_tanh_cell"])
def test_an_attack_with_a_forbidden_operation_of_torchs_core_earns_nothing_and_is_told(function):
    mark, points = step(STEP + f"    import torch\n    return {function}(x_t, h, W_xh.T, W_hh.T, b, 0 * b)\n")
    assert points == REST and "is not to be used here" in mark["details"]


# The notebook itself


def metadata(cells):
    for name, cell in cells.items():
        cell.metadata.nbgrader.points = 100
        cell.metadata.tags = ["skip-execution", "raises-exception", "run"]
        if name.startswith("check-"):
            cell.source = "pass"


def doubled(cells):
    cells["check-rnn_step"].metadata.nbgrader.grade_id = "check-unfold"


def removed(cells):
    for name in [*cells]:
        if name.startswith("check-"):
            cells[name].update(cell_type="markdown", source="gone", metadata={})
            cells[name].pop("outputs"), cells[name].pop("execution_count")


@pytest.mark.parametrize("change", [metadata, doubled, removed], ids=lambda f: f.__name__)
def test_an_attack_on_the_labs_own_cells_changes_no_mark(change):
    assert earned(notebook("unfold", ["rnn_step", "pad"], change=change))[1] == 4


def test_an_attack_by_a_removed_answer_earns_nothing_for_it_and_the_report_says_so():
    made = notebook("unfold")
    made.cells.remove(by_grade_id(made)["pad"])
    verdict, points = earned(made)
    assert points == REST + 2 - 2 and "was removed" in verdict["marks"]["pad"]["says"]


def test_an_attack_by_a_doubled_answer_is_told_and_the_last_one_counts():
    made = notebook("unfold", ["pad"])
    cell = by_grade_id(made)["rnn_step"]
    made.cells.append(nbformat.from_dict(cell | {"id": "again", "source": RIGHT}))
    verdict, points = earned(made)
    assert points == 4 and verdict["notes"] == ["the cell of rnn_step stands there more than once: the last that defines it counts"]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"[" * 10**6, b'{"nbformat": 4, "cells": ' + b"[" * 10**5, b"\xff" * 1000, b'{"nbformat": 3}'], ids=lambda data: repr(data[:12]))
def test_an_attack_by_what_is_no_notebook_gets_a_report(data):
    verdict, points = earned(data)
    assert points == 0 and verdict["refused"] and verdict["cells"] == []


def huge(cells):
    """A right notebook among many more cells."""
    more = "".join(f'{{"cell_type": "code", "source": "{source}", "metadata": {{}}}},' for source in cells)
    return nbformat.writes(notebook("unfold")).replace('"cells": [', f'"cells": [{more}', 1).encode()


def test_an_attack_by_a_huge_notebook_is_parsed_within_limits():
    began, data = time.monotonic(), huge([""] * 400_000)
    verdict, points = earned(data)
    assert BIGGEST / 2 < len(data) < BIGGEST and (verdict["refused"], points) in (("", REST + 2), ("it could not be read", 0)) and time.monotonic() - began < 60


def test_an_attack_by_a_notebook_whose_cells_need_each_other_is_parsed_within_limits():
    began = time.monotonic()
    verdict, points = earned(huge(["rnn_step = n0", *(f"n{i} = n{i + 1}" for i in range(50_000))]))
    assert points == 0 and verdict["refused"] in ("it could not be read", "its answers have more than 100,000 characters") and time.monotonic() - began < 40


@pytest.mark.parametrize("made", [notebook("gates"), nbformat.v4.new_notebook()], ids=["another lab", "empty"])
def test_a_notebook_of_another_lab_is_refused_and_not_begun_is_not(made):
    assert "is it the notebook of another lab?" in earned(made)[0]["refused"]
    verdict, points = earned(notebook("unfold", []))
    assert (verdict["refused"], points) == ("", 0) and {mark["says"] for mark in verdict["marks"].values()} == {"not done yet"}


# Its file


def handed(tmp_path, make):
    group = Class.at(tmp_path / "class")
    folder = group.folder / "submitted" / "eve" / "unfold"
    folder.mkdir(parents=True)
    make(folder / "unfold.ipynb")
    return grade.submissions(group, LAB)[0][0]


def secret(path):
    (path.parents[3] / "other.ipynb").write_text("{}")
    return path.parents[3] / "other.ipynb"


@pytest.mark.parametrize("make", [lambda path: path.symlink_to(secret(path)), lambda path: os.mkfifo(path), lambda path: path.mkdir(), lambda path: None,
                                  lambda path: (path.touch(), os.truncate(path, BIGGEST + 1)), lambda path: path.symlink_to("/dev/zero")],
                         ids=["link", "pipe", "folder", "none", "huge", "device"])  # fmt: skip
def test_an_attack_by_a_file_that_is_none_is_not_even_read(tmp_path, make):
    one = handed(tmp_path, make)
    assert one.data == b"" and (one.why.startswith("it is no plain file") or one.why == "it has more than 32 MB")


def test_an_attack_by_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path):
    other = tmp_path / "other" / "unfold"
    other.mkdir(parents=True)
    (other / "unfold.ipynb").write_text("{}")
    group = Class.at(tmp_path / "class")
    (group.folder / "submitted").mkdir()
    (group.folder / "submitted" / "eve").symlink_to(other.parent)
    assert [one.data for one in grade.submissions(group, LAB)[0]] == [b""]
