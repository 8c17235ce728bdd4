"""The release: what is in the zip for students, what can never be, and that it works where they unpack it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rnncourse.grading.release import Leak, blank, guard, release

ROOT = Path(__file__).parents[1]
GIVEN, ANSWER = "a = 1", "return a"  # too short to be told from other code line by line
ASKED = "# Exercise 1: a toy (1 point)\ndef f(a):\n    {}"
SOLVED = ASKED.format(f"### BEGIN SOLUTION\n    {ANSWER}  # why\n    ### END SOLUTION")
STUB = ASKED.format('# YOUR CODE HERE\n    raise NotImplementedError("Exercise 1: a toy")')


def notebook(*sources, **about):
    def cell(source):
        meta = {"nbgrader": {"solution": True, "grade": False, "grade_id": "f"}} if source.startswith("# Exercise") else {}
        return {"cell_type": "code", "id": f"a{len(source)}", "metadata": meta, "outputs": [], "execution_count": None, "source": source.splitlines(keepends=True)} | about

    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell(source) for source in ("# Lab 1: a toy", *sources)]})


@pytest.fixture
def course(tmp_path):
    """A toy course with a lab, its solution, a package and a rendered book."""
    files = {"pyproject.toml": "", "requirements-labs.txt": "", "LICENSE": "", "Makefile": "", "submitted/ada/toy/toy.ipynb": "x",
             "rnncourse/cells.py": "", "rnncourse/grading/verdict.py": "", "rnncourse/__pycache__/cells.pyc": "",
             "solutions/toy/toy.ipynb": notebook(GIVEN, SOLVED),
             "solutions/toy/check.py": "", "solutions/toy/hidden.py": "hidden", "solutions/toy/right.py": "right",
             "labs/toy/toy.ipynb": notebook(GIVEN, STUB), "labs/toy/check.py": "", "labs/toy/hidden.py": "hidden", "labs/toy/runs.log": "x",
             "labs/toy/handed_in/toy.ipynb": "x", "labs/toy/.ipynb_checkpoints/toy.ipynb": "x",
             "html/index.html": "", "html/book/recurrence/cell.html": "", "html/.buildinfo": ""}  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf8")
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    return tmp_path


def released(course):
    return release(course, course / "html", course / "out" / "rnn.zip")


def test_a_release_holds_labs_package_and_book_and_nothing_else(course):
    assert zipfile.ZipFile(released(course)).namelist() == [f"rnn-course/{name}" for name in (
        "LICENSE", "README.md", "book/book/recurrence/cell.html", "book/index.html", "labs/toy/check.py", "labs/toy/toy.ipynb", "pyproject.toml",
        "requirements-labs.txt", "rnncourse/cells.py")]  # fmt: skip


def test_two_releases_of_one_state_are_the_same_to_the_byte(course):
    first = released(course).read_bytes()
    for path in course.rglob("*"):
        os.utime(path, (10**9, 10**9))
    assert released(course).read_bytes() == first
    assert {info.date_time[0] for info in zipfile.ZipFile(course / "out" / "rnn.zip").infolist()} == {2020}


@pytest.mark.parametrize("place", ["labs/toy/toy.ipynb", "html/_sources/labs/toy/toy.ipynb"])
@pytest.mark.parametrize("source", [SOLVED, ASKED.format(ANSWER), f"{STUB}\n# {ANSWER}", SOLVED.replace("### ", "## ")])
def test_a_lab_that_holds_an_answer_is_not_released(course, place, source):
    (course / place).parent.mkdir(parents=True, exist_ok=True)
    (course / place).write_text(notebook(GIVEN, source), "utf8")
    with pytest.raises(Leak, match=r"toy.ipynb is not what solutions/ makes .* \(cell 3\)"):
        released(course)
    assert not (course / "out").exists()


@pytest.mark.parametrize("sources,cell", [((GIVEN, STUB, ANSWER), 4), ((GIVEN,), 3)])
def test_a_lab_with_a_cell_too_many_or_too_few_is_not_released(course, sources, cell):
    (course / "labs/toy/toy.ipynb").write_text(notebook(*sources), "utf8")
    with pytest.raises(Leak, match=f"cell {cell}"):
        released(course)


def test_another_file_of_a_lab_is_the_solutions_own(course):
    (course / "labs/toy/check.py").write_text("# the answer", "utf8")
    with pytest.raises(Leak, match="labs/toy/check.py is not the file solutions/toy/check.py"):
        released(course)


@pytest.mark.parametrize("name,text,says", [("toy/toy.ipynb", notebook(GIVEN, SOLVED), "cell 3"), ("toy/hidden.py", "x", "toy/hidden.py belongs to no lab"),
                                            ("toy/mine.ipynb", notebook(GIVEN, STUB), "toy/mine.ipynb belongs to no lab"), ("toy/toy.ipynb", notebook(GIVEN, STUB), None)])  # fmt: skip
def test_a_lab_that_the_book_offers_is_looked_through_too(course, name, text, says):
    (course / "html" / "_static" / "labs").mkdir(parents=True)
    with zipfile.ZipFile(course / "html" / "_static" / "labs" / "toy.zip", "w") as archive:
        archive.writestr(name, text)
    if says is None:
        assert released(course).exists()
        return
    with pytest.raises(Leak, match=says):
        released(course)


def test_one_answer_copied_into_a_real_lab_is_noticed(tmp_path):
    name, made = "labs/unfold/unfold.ipynb", blank(ROOT)
    guard(made, {name: ROOT / name})
    solved, lab = (json.loads((ROOT / folder / "unfold" / "unfold.ipynb").read_text("utf8")) for folder in ("solutions", "labs"))
    place, answer = next((n, cell) for n, cell in enumerate(solved["cells"]) if "def rnn_step(" in "".join(cell["source"]))
    lab["cells"][place]["source"] = [line for line in answer["source"] if "###" not in line]
    (tmp_path / "unfold.ipynb").write_text(json.dumps(lab), "utf8")
    with pytest.raises(Leak, match=rf"cell {place + 1}\)"):
        guard(made, {name: tmp_path / "unfold.ipynb"})


def test_a_lab_that_somebody_has_worked_in_is_not_released(course):
    (course / "labs/toy/toy.ipynb").write_text(notebook("f()", execution_count=3), "utf8")
    with pytest.raises(Leak, match="was run"):
        released(course)


def test_a_link_is_not_released(course):
    (course / "rnncourse/link.py").symlink_to(course / "solutions/toy/hidden.py")
    assert "rnn-course/rnncourse/link.py" not in zipfile.ZipFile(released(course)).namelist()


@pytest.mark.parametrize("gone,says", [("html/index.html", "make book"), ("labs/toy/toy.ipynb", "make labs"), ("labs/toy/check.py", "make labs"), ("LICENSE", "LICENSE")])
def test_what_is_missing_is_named(course, gone, says):
    (course / gone).unlink()
    with pytest.raises(FileNotFoundError, match=says):
        released(course)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The release of the real course, with a book of one page, where a student has unpacked it."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "index.html").write_text("")
    with zipfile.ZipFile(release(ROOT, folder, folder / "rnn.zip")) as archive:
        archive.extractall(folder / "student")
    return folder / "student" / "rnn-course"


def test_every_lab_is_released_and_the_readme_names_it(unpacked):
    labs = {path.parent.name for path in ROOT.glob("solutions/*/check.py")}
    text = (unpacked / "README.md").read_text("utf8")
    for lab in labs:
        assert (unpacked / "labs" / lab / f"{lab}.ipynb").is_file() and f"`labs/{lab}/{lab}.ipynb`" in text
    assert text.index("labs/arrive/") < text.index("labs/unfold/") < text.index("labs/translation/")


def test_nothing_of_the_grading_is_released(unpacked):
    names = {path.name for path in unpacked.rglob("*")}
    assert not names & {"grading", "hidden.py", "right.py", "solutions", "__pycache__"}


@pytest.mark.slow
def test_the_package_of_a_release_installs_and_hands_in(unpacked, tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", tmp_path, unpacked], check=True, capture_output=True)
    assert (tmp_path / "rnncourse" / "cells.py").is_file() and not (tmp_path / "rnncourse" / "grading").exists()
    done = subprocess.run([sys.executable, "-m", "rnncourse.hand_in", "arrive.ipynb"], cwd=unpacked / "labs" / "arrive", capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(unpacked)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (unpacked / "labs" / "arrive" / "handed_in" / "arrive.ipynb").is_file() and "The file to upload" in done.stdout
