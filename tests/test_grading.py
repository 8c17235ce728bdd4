"""nbgrader in a course of its own: a right, a half right and an empty submission get the marks that they should."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
LAB = "unfold"


def grade_ids(notebook):
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if cell.metadata.get("nbgrader")}


def nbgrader(folder, *arguments):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls the bare command alembic
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | {"PATH": path})
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The lab, released and registered; `submit` writes a student's notebook with some exercises solved."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copytree(ROOT / "solutions" / LAB, folder / "solutions" / LAB, ignore=shutil.ignore_patterns("__pycache__"))
    nbgrader(folder, "generate_assignment", LAB)
    full = grade_ids(nbformat.read(ROOT / "solutions" / LAB / f"{LAB}.ipynb", as_version=4))
    points = {name: full[f"check-{name}"].metadata.nbgrader.points for name, cell in full.items() if cell.metadata.nbgrader.solution}

    def submit(student, solved=(), change=lambda cells: None, doubled=()):
        notebook = nbformat.read(folder / "labs" / LAB / f"{LAB}.ipynb", as_version=4)
        cells = grade_ids(notebook)
        for name in solved:
            cells[name].source = re.sub(r"\n *### (BEGIN|END) SOLUTION", "", full[name].source)
        change(cells)
        for name in doubled:  # as JupyterLab's button does: with its grade id, but an id of its own
            place = notebook.cells.index(cells[name])
            notebook.cells.insert(place, nbformat.from_dict(cells[name] | {"id": f"{cells[name].id}-again"}))
        target = folder / "submitted" / student / LAB
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{LAB}.ipynb")

    return SimpleNamespace(folder=folder, submit=submit, points=points, marks={})


@pytest.fixture(scope="module")
def graded(course):
    """Submissions of seven students, graded in one go; `marks` by student and exercise."""
    names = [*course.points]

    def tagged(cells):
        for name in names:
            cells[f"check-{name}"].metadata.tags = ["run", "skip-execution", "raises-exception"]

    def rewritten(cells):
        for name in names:
            cells[f"check-{name}"].source = "pass"
            cells[f"check-{name}"].metadata.nbgrader.points = 100

    def chatty(cells):
        for name in names:
            cells[name].source += (f"\n_{name} = {name}\n\ndef {name}(*args, **kwargs):\n    import sys\n"
                                   f"    print('a library is old', file=sys.stderr)\n    return _{name}(*args, **kwargs)\n")

    course.submit("doubled", names, doubled=[names[0], f"check-{names[1]}"])
    course.submit("right", names)
    course.submit("half", names[::2])
    course.submit("empty")
    course.submit("tagged", change=tagged)
    course.submit("rewritten", change=rewritten)
    course.submit("chatty", names, change=chatty)
    nbgrader(course.folder, "autograde", LAB)
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course.folder / 'gradebook.db'}") as book:
        for student in ("doubled", "right", "half", "empty", "tagged", "rewritten", "chatty"):
            grades = book.find_submission_notebook(LAB, LAB, student).grades
            course.marks[student] = {grade.name.removeprefix("check-"): grade.auto_score for grade in grades}
    return course


def test_a_right_submission_gets_every_mark(graded):
    assert graded.marks["right"] == graded.points


def test_a_doubled_cell_costs_nothing_and_stops_nobody_else(graded):
    assert graded.marks["doubled"] == graded.points


def test_a_half_right_submission_gets_the_marks_of_its_right_half(graded):
    solved = [*graded.points][::2]
    assert graded.marks["half"] == {name: points * (name in solved) for name, points in graded.points.items()}


@pytest.mark.parametrize("student", ["empty", "tagged", "rewritten"])
def test_a_submission_without_answers_gets_none_whatever_its_check_cells_say(graded, student):
    assert graded.marks[student] == dict.fromkeys(graded.points, 0)


def test_a_warning_costs_nothing(graded):
    assert graded.marks["chatty"] == graded.points


@pytest.mark.parametrize("student", ["right", "half", "empty"])
def test_what_trains_or_draws_is_not_run_again(graded, student):
    cells = nbformat.read(graded.folder / "autograded" / student / LAB / f"{LAB}.ipynb", as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    ran = [cell for cell in code if "run" in cell.metadata.get("tags", [])]
    assert ran and all(cell.execution_count is None and cell.outputs == [] for cell in ran)
    assert all(cell.execution_count for cell in code if cell not in ran)


def test_students_get_the_checks_as_released_and_no_hidden_file(graded):
    for student in graded.marks:
        files = {path.name for path in (graded.folder / "autograded" / student / LAB).iterdir()} - {"__pycache__"}
        assert files == {path.name for path in (graded.folder / "labs" / LAB).iterdir()}
        assert not {"hidden.py", "right.py"} & files
