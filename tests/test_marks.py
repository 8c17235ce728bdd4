"""The marks as tables for an LMS: every number is the gradebook's, and no cell is a formula."""

import csv
import shutil
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncourse.grading.gradebook import Class, transaction
from rnncourse.grading.marks import harmless, marks, number

STUDENTS = {"ada": ("Ada", "Lovelace", "4711"), "bob": ("=cmd|'/c calc'!A0", "Blé, Jr.", None), "eve": ("Eve", "Zed", None)}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Two labs of two cells; ada has handed in both, bob one and late, eve none."""
    group = Class.at(tmp_path_factory.mktemp("class"))
    with group.book() as book, transaction(book):
        for lab, most in (("one", 4), ("two", 6)):
            book.add_assignment(lab, duedate=datetime(2026, 11, 1))
            book.add_notebook(lab, lab)
            for cell in "ab":
                book.add_grade_cell(f"check-{cell}", lab, lab, max_score=most / 2, cell_type="code")
                book.add_solution_cell(cell, lab, lab)
        for student, (first, last, lms) in STUDENTS.items():
            book.add_student(student, first_name=first, last_name=last, lms_user_id=lms, email=f"{student}@x.org")
        for student, lab, scores in (("ada", "one", (2, 1)), ("ada", "two", (3, 0)), ("bob", "one", (1, 0))):
            book.add_submission(lab, student, timestamp=datetime(2026, 11, 2 if student == "bob" else 1))
            for cell, score in zip("ab", scores):
                book.find_grade(f"check-{cell}", lab, lab, student).auto_score = score
    return group


@pytest.fixture
def group(toy, tmp_path):
    shutil.copytree(toy.folder, tmp_path / "class")
    return Class.at(tmp_path / "class")


def change(group, student, lab, penalty=None, **values):
    with group.book() as book:
        grade = book.find_grade("check-a", lab, lab, student)
        for name, value in values.items():
            setattr(grade, name, value)
        grade.notebook.late_submission_penalty = penalty
        book.db.commit()


def table(group, form, labs=None):
    path = marks(group, labs, form, group.folder / "deep" / "marks.csv")
    with path.open(encoding="utf8", newline="") as file:
        return [*csv.reader(file)]


@pytest.mark.slow
def test_moodle_gets_a_line_a_student_and_nothing_where_nothing_was_handed_in(group):
    head, *rows = table(group, "moodle")
    assert head == ["ID number", "Email address", "one", "two", "feedback comments"]
    assert rows == [["bob", "bob@x.org", "1", "", ""], ["ada", "ada@x.org", "3", "3", ""], ["eve", "eve@x.org", "", "", ""]]


@pytest.mark.slow
def test_canvas_gets_its_five_columns_and_the_points_possible(group):
    head, possible, *rows = table(group, "canvas", ["two"])
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "two"]
    assert possible == ["    Points Possible", "", "", "", "", "6"]
    assert rows[1] == ["Lovelace, Ada", "4711", "ada", "ada", "", "3"] and [row[-1] for row in rows] == ["", "3", ""]


@pytest.mark.slow
def test_a_mark_by_hand_counts_in_place_of_the_automatic_one_and_extra_credit_beside_it(group):
    assert table(group, "plain", ["one"])[2] == ["ada", "Ada", "Lovelace", "one", "3", "4", "0", "0", "no"]
    change(group, "ada", "one", manual_score=0.5)
    assert table(group, "plain", ["one"])[2][4:] == ["1.5", "4", "0", "0", "yes"]
    change(group, "ada", "one", manual_score=None, extra_credit=0.25)
    assert table(group, "plain", ["one"])[2][4:] == ["3.25", "4", "0", "0", "yes"]


@pytest.mark.slow
@pytest.mark.parametrize("penalty, left", [(0.25, "0.75"), (1, "0"), (5, "0")])
def test_a_late_penalty_is_taken_off_and_leaves_no_less_than_nothing(group, penalty, left, monkeypatch):
    monkeypatch.setattr("rnncourse.grading.marks.late", lambda *_: None)  # the penalty is set here
    change(group, "bob", "one", penalty)
    (row,) = [row for row in table(group, "plain", ["one"]) if row[0] == "bob"]
    assert row[4:] == [left, "4", "86400", number(penalty), "no"]


@pytest.mark.slow
def test_comments_by_hand_go_with_moodles_marks(group):
    with group.book() as book:
        book.find_comment("b", "two", "two", "ada").manual_comment = "=well done"
        book.find_comment("a", "one", "one", "bob").auto_comment = "No response."
        book.db.commit()
    assert [row[-1] for row in table(group, "moodle")[1:]] == ["", "two, b: =well done", ""]


@pytest.mark.slow
def test_an_unknown_lab_or_form_is_named(group):
    with pytest.raises(ValueError, match="labs: three is not in the gradebook; there are one, two"):
        table(group, "plain", ["three"])
    with pytest.raises(ValueError, match="form: there is no 'excel'; there are moodle, canvas, plain"):
        table(group, "excel")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["canvas", "plain"])
def test_attack_a_name_that_is_a_formula_is_text(group, form):
    assert not [cell for row in table(group, form) for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]


@given(st.text())
def test_attack_no_cell_begins_as_a_formula_and_others_stay_as_they_are(text):
    cell = harmless(text)
    assert cell in (text, f"'{text}") and not cell.strip().startswith(("=", "+", "-", "@"))
    assert cell == text or text.strip()[0] in "=+-@＝＋－＠"


@given(st.integers(0, 10**6), st.integers(0, 9999))
def test_a_number_is_written_with_its_digits_and_no_more(whole, part):
    value = whole + part / 10000
    assert float(number(value)) == pytest.approx(value, abs=1e-9) and not number(value).endswith(".")
    assert "." in number(value) or part == 0


def test_a_file_that_could_not_be_graded_has_an_empty_field_and_is_told(group, capsys, monkeypatch):
    monkeypatch.setattr("rnncourse.grading.marks.verdicts", lambda book, lab: {"bob": {"refused": "it is no notebook"}})
    (row,) = [row for row in table(group, "plain", ["one"]) if row[0] == "bob"]
    assert row[4] == "" and "left empty: bob, one" in capsys.readouterr().out
