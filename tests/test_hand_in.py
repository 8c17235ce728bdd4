"""The command that makes the file to upload: what it finds, what it refuses, what it writes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from rnncourse import hand_in
from rnncourse.hand_in import Refused

ROOT = Path(__file__).parents[1]
LABS = sorted(path.parent.name for path in ROOT.glob("solutions/*/*.ipynb"))
CHECK = """
from rnncourse.checks import Exercise

def both(a, *, off=False):
    return 2 * a + off

cases = lambda g: [(2.0,)]
twice = Exercise(title="Exercise 1", points=3, truth=both, slips=(), cases=cases, read="recurrence/cell.html#sec-cell")
thrice = Exercise(title="Exercise 2", points=4, truth=lambda a: 3 * a, slips=(), cases=cases, read="recurrence/cell.html#sec-cell")
"""


def check_cell(name, points, source=None, **more):
    meta = {"schema_version": 3, "grade": True, "solution": False, "locked": True, "task": False, "points": points}
    meta |= {"grade_id": f"check-{name}"} | more
    return new_code_cell(source or f"check.{name}({name})", metadata={"nbgrader": meta, "tags": ["check"]})


def lab(twice="def twice(a):\n    return 2 * a", thrice="def thrice(a):\n    return 3 * a"):
    return new_notebook(cells=[new_markdown_cell("# Lab"), new_code_cell("import check"), new_code_cell(twice), check_cell("twice", 3),
                               new_code_cell(thrice), check_cell("thrice", 4)])  # fmt: skip


EXERCISES = {"twice": SimpleNamespace(title="Exercise 1", points=3), "thrice": SimpleNamespace(title="Exercise 2", points=4)}


def look(notebook, errors=()):
    return hand_in.look(notebook, EXERCISES, dict(errors))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "check.py").write_text(CHECK)
    return tmp_path


def save(folder, notebook, name="lab.ipynb"):
    nbformat.write(notebook, folder / name)
    return folder / name


# What it finds


def test_a_lab_whose_checks_ran_earns_all_points():
    assert [(found.right, found.says, found.details) for found in look(lab())] == [(True, "right", ()), (True, "right", ())]
    assert hand_in.report(look(lab())).endswith("2 of 2 right, 7 of 7 points. Marks come from fresh inputs of the same kind.")


@pytest.mark.parametrize("error,says", [
    (("NotImplementedError", "Exercise 2: three times"), "not done yet"),
    (("CheckFailed", "Exercise 2: not yet.\n- too small\nWith a = 2.0: ..."), "not yet"),
    (("NameError", "name 'torhc' is not defined"), "NameError: name 'torhc' is not defined"),
    (("TooSlow", "it took more than 300 seconds"), "it took more than 300 seconds"),
    (("NotRun", "it was not run"), "it was not run")])  # fmt: skip
def test_an_error_in_a_check_cell_costs_its_points_and_is_told(error, says):
    twice, thrice = look(lab(), {5: error})
    assert (twice.right, thrice.right, thrice.says) == (True, False, says)
    assert "Exercise 2, thrice: 0 of 4, " + says in hand_in.report([twice, thrice])
    assert "3 of 7 points" in hand_in.report([twice, thrice])


def test_what_a_check_says_of_a_wrong_answer_is_passed_on():
    _, thrice = look(lab(), {5: ("CheckFailed", "Exercise 2: not yet.\n- too small\nWith a = 2.0: ...")})
    assert thrice.details == ("- too small", "With a = 2.0: ...")


def test_an_error_elsewhere_costs_nothing():
    assert all(found.right for found in look(lab(), {4: ("ZeroDivisionError", "")}))


def test_a_lost_check_cell_is_named():
    notebook = lab()
    del notebook.cells[3]
    assert (look(notebook)[0].right, look(notebook)[0].says) == (False, "its check cell is lost")


def test_a_check_cell_that_was_typed_again_does_not_count():
    notebook = lab()
    notebook.cells[3] = new_code_cell("check.twice(twice)")
    assert look(notebook)[0].says == "its check cell is lost"


def test_a_doubled_check_cell_is_named_and_the_last_one_counts():
    notebook = lab()
    notebook.cells.append(check_cell("twice", 3))
    assert "stands 2 times" in look(notebook)[0].details[0] and look(notebook)[0].right
    assert not look(notebook, {6: ("NameError", "")})[0].right


def answered():
    """A lab whose answer cells carry their grade ids, as released ones do."""
    notebook = lab()
    for name, place in (("twice", 2), ("thrice", 4)):
        notebook.cells[place].metadata.nbgrader = {"grade_id": name, "grade": False, "solution": True}
    return notebook


def test_a_doubled_answer_cell_is_named():
    notebook = answered()
    notebook.cells.insert(2, notebook.cells[2])
    assert "its answer cell stands 2 times" in look(notebook)[0].details[0] and look(notebook)[0].right


def test_an_answer_that_cannot_be_read_is_told_instead_of_what_follows_from_it():
    errors = {4: ("SyntaxError", "expected ':' (line 3)"), 5: ("NameError", "name 'thrice' is not defined")}
    assert look(answered(), errors)[1].says == "SyntaxError: expected ':' (line 3)"


@pytest.mark.parametrize("limit", ["0", "-3", "soon"])
def test_a_limit_that_is_no_time_is_refused(limit, capsys):
    with pytest.raises(SystemExit):
        hand_in.main(["lab.ipynb", "--limit", limit])
    assert "expected a number of seconds" in capsys.readouterr().err or limit == "-3"


@pytest.mark.parametrize("cell", [
    check_cell("twice", 3, "pass"), check_cell("twice", 3, "check.twice(check.twice.truth)"), check_cell("twice", 3, "check.twice("),
    check_cell("twice", 30), check_cell("twice", 3, grade=False), check_cell("twice", 3, "twice = lambda a: 2 * a\ncheck.twice(twice)"),
    new_markdown_cell("check.twice(twice)", metadata=check_cell("twice", 3).metadata)])  # fmt: skip
def test_a_changed_check_cell_is_named_and_earns_nothing(cell):
    notebook = lab()
    notebook.cells[3] = cell
    assert (look(notebook)[0].right, look(notebook)[0].says) == (False, "its check cell was changed")


def test_a_comment_or_a_space_does_not_change_a_check_cell():
    notebook = lab()
    notebook.cells[3].source = "# mine\ncheck.twice( twice )\n"
    assert look(notebook)[0].right


@pytest.mark.parametrize("source", ["", "pass", "def twice_(a):\n    return 2 * a", "if twice == 3:\n    pass", "print(twice)"])
def test_an_exercise_that_the_notebook_does_not_define_is_named(source):
    assert "nothing in the notebook defines twice" in look(lab(twice=source), {3: ("NameError", "")})[0].details


@pytest.mark.parametrize("source", ["twice = lambda a: 2 * a", "class twice:\n    pass", "from mine import twice", "twice: object = abs",
                                    "if True:\n    def twice(a): ...", "%time 1\ndef twice(a): ..."])  # fmt: skip
def test_any_way_to_define_a_function_will_do(source):
    assert look(lab(twice=source))[0].details == ()


def test_a_lab_without_marks_says_so():
    found = hand_in.look(lab(), {"twice": SimpleNamespace(title="Exercise 1", points=0)}, {3: ("NotImplementedError", "")})
    assert "was changed" in hand_in.report(found)  # its cell says 3
    notebook = lab()
    notebook.cells[3].metadata.nbgrader.points = 0
    found = hand_in.look(notebook, {"twice": SimpleNamespace(title="Exercise 1", points=0)}, {})
    assert hand_in.report(found) == "Exercise 1, twice: no marks, right\nVisible checks: 1 of 1 right, this lab has no marks."


# What it refuses


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json", '{"a": 1}', "<<<<<<< HEAD\n{}\n", '{"worksheets": [], "nbformat": 99}',
                                  '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'])  # fmt: skip
def test_what_is_not_a_notebook_is_refused_politely(folder, text, capsys):
    (folder / "lab.ipynb").write_text(text)
    assert hand_in.main([str(folder / "lab.ipynb")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Not handed in: ") and "is not a notebook" in error and "Traceback" not in error
    assert not (folder / "handed_in").exists()


@pytest.mark.parametrize("name", ["gone.ipynb", "check.py", "."])
def test_a_wrong_path_is_refused_politely(folder, name, capsys):
    assert hand_in.main([str(folder / name)]) == 1
    assert "Not handed in: " in capsys.readouterr().err


def test_a_notebook_away_from_its_lab_is_refused(tmp_path):
    with pytest.raises(Refused, match=r"no check\.py"):
        hand_in.hand_in(save(tmp_path, lab()))


def test_a_broken_check_file_is_refused(folder):
    (folder / "check.py").write_text("import nowhere_to_be_found")
    with pytest.raises(Refused, match="ModuleNotFoundError"):
        hand_in.hand_in(save(folder, lab()))


def test_the_students_own_file_is_never_overwritten(folder):
    with pytest.raises(Refused, match="--out"):
        hand_in.hand_in(save(folder, lab()), out=folder)


def test_a_kernel_that_does_not_start_is_told_without_a_traceback(folder, monkeypatch, capsys):
    monkeypatch.setattr(hand_in, "run", lambda *_: (_ for _ in ()).throw(RuntimeError("no kernel")))
    assert hand_in.main([str(save(folder, lab()))]) == 1
    assert "python -m rnncourse" in capsys.readouterr().err and not (folder / "handed_in").exists()


# What it writes


def test_the_file_is_written_whole_or_not_at_all(folder, monkeypatch):
    hand_in.write(lab(), folder / "handed_in" / "lab.ipynb")
    before = (folder / "handed_in" / "lab.ipynb").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        hand_in.write(lab("pass"), folder / "handed_in" / "lab.ipynb")
    assert (folder / "handed_in" / "lab.ipynb").read_bytes() == before
    assert [path.name for path in (folder / "handed_in").iterdir()] == ["lab.ipynb"]


def test_a_folder_that_cannot_be_written_is_told(folder, monkeypatch, capsys):
    monkeypatch.setattr(hand_in, "run", lambda *_: {})
    (folder / "handed_in").write_text("a file is in the way")
    assert hand_in.main([str(save(folder, lab()))]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_help_says_what_is_written_and_where(capsys):
    with pytest.raises(SystemExit, match="0"):
        hand_in.main(["--help"])
    text = capsys.readouterr().out
    assert "handed_in/arrive.ipynb" in text and "--out DIR" in text and "exit status" in text


# In a real kernel


@pytest.mark.slow
def test_a_lab_is_run_again_from_top_to_bottom_and_written_with_fresh_outputs(folder):
    notebook = lab(thrice="# ≠ 3a\ndef thrice(a):\n    return 2 * a")
    old = [nbformat.v4.new_output("stream", text="old")]
    notebook.cells.insert(2, new_code_cell("import os\nprint(sorted(os.listdir()))", outputs=old))
    notebook.cells.insert(3, new_code_cell("1 / 0", metadata={"tags": ["skip-execution"]}))
    before = save(folder, notebook).read_bytes()
    command = [sys.executable, "-m", "rnncourse.hand_in", "lab.ipynb", "--out", "to upload"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "cell 3 of 7: 1 / 0  [ZeroDivisionError]" in done.stdout
    assert "Exercise 1, twice: 3 of 3, right\nExercise 2, thrice: 0 of 4, not yet\n" in done.stdout
    assert "1 of 2 right, 3 of 7 points" in done.stdout
    assert (folder / "lab.ipynb").read_bytes() == before
    written = json.loads((folder / "to upload" / "lab.ipynb").read_text("utf8"))
    assert "check.py" in written["cells"][2]["outputs"][0]["text"][0]
    assert [cell["source"] for cell in written["cells"]] == [cell["source"] for cell in json.loads(before)["cells"]]
    assert not (folder / "handed_in").exists()


@pytest.mark.slow
@pytest.mark.parametrize("body,limit,says", [  # a limit that a slow machine's import of torch keeps
    ("while True: pass", "20", "it took more than 20 seconds"), ("import os; os._exit(1)", "300", "it was not run")])  # fmt: skip
def test_an_endless_loop_or_a_dead_kernel_costs_one_exercise_and_not_the_file(folder, body, limit, says, capsys):
    assert hand_in.main([str(save(folder, lab(thrice=f"def thrice(a):\n    {body}"))), "--limit", limit]) == 0
    assert f"Exercise 1, twice: 3 of 3, right\nExercise 2, thrice: 0 of 4, {says}\n" in capsys.readouterr().out
    assert (folder / "handed_in" / "lab.ipynb").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.check] * (name in ("decoding", "translation"))) for name in LABS])  # the two that train longest
def test_every_solution_can_be_handed_in_with_all_points(name, tmp_path, capsys):
    shutil.copytree(ROOT / "solutions" / name, tmp_path, ignore=shutil.ignore_patterns("right.py", "hidden.py"), dirs_exist_ok=True)
    assert hand_in.main([str(tmp_path / f"{name}.ipynb")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^Visible checks: (\d+) of \1 right", said, re.M) and not re.search(r"  \[.*\]$", said, re.M), said
