"""The marks of a class as a table that an LMS, or a spreadsheet, takes."""

import csv
from collections.abc import Iterator
from pathlib import Path

from nbgrader.api import Assignment, Gradebook, Student, SubmittedAssignment

from .gradebook import Class, by_hand, late, verdicts

FORMS = ("moodle", "canvas", "plain")
FORMULA = tuple("=+-@＝＋－＠")  # with one of these in front, a spreadsheet takes a cell for a formula
Handed = dict[tuple[str, str], SubmittedAssignment]  # by student and lab


def marks(group: Class, labs: list[str] | None, form: str, target: Path) -> Path:
    """Write the marks as CSV, in UTF-8: the gradebook's, with marks by hand, extra credit and late penalties, never below 0.

    Parameters
    ----------
    group : Class
    labs : list of str, optional
        All that are in the gradebook if None.
    form : str
        "moodle" and "canvas": a line for each student, a column for each lab. "plain": a line for each student and lab.
    target : Path
        The file to write.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    ValueError
        If there is no such form, or no such lab in the gradebook; the message says which there are.
    """
    if form not in FORMS:
        raise ValueError(f"form: there is no {form!r}; there are {', '.join(FORMS)}")
    with group.book() as book:
        wanted = chosen(book, labs)
        students = sorted(book.students, key=lambda s: (s.last_name or "", s.first_name or "", s.id))
        handed = {(one.student.id, lab.name): one for lab in wanted for one in marked(book, group, lab.name)}
        rows = {"moodle": moodle, "canvas": canvas, "plain": plain}[form](students, wanted, handed)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([harmless(cell) for cell in row] for row in rows)
    return target


def chosen(book: Gradebook, labs: list[str] | None) -> list[Assignment]:
    """Labs of the gradebook by their names, or all."""
    known = {one.name: one for one in book.assignments}
    if lost := [name for name in labs or () if name not in known]:
        raise ValueError(f"labs: {', '.join(lost)} is not in the gradebook; there are {', '.join(known) or 'none: grade one first'}")
    return [known[name] for name in known if labs is None or name in labs]


def marked(book: Gradebook, group: Class, lab: str) -> Iterator[SubmittedAssignment]:
    """The submissions that have a mark; of those that could not be graded it is told that they have none yet."""
    late(book, group, lab)
    refused = {student for student, verdict in verdicts(book, lab).items() if verdict["refused"]}
    for one in book.assignment_submissions(lab):
        if one.student.id in refused and not by_hand(one):
            print(f"left empty: {one.student.id}, {lab}: the file could not be graded, and no mark is given by hand")
        else:
            yield one


def points(one: SubmittedAssignment | None) -> str:
    """The mark of a submission; empty where there is none, which an LMS leaves as it is."""
    return "" if one is None else number(max(0.0, one.score - one.late_submission_penalty))


def number(value: float) -> str:
    """With at most four digits after the point, and none that say nothing."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def harmless(cell: str) -> str:
    """A cell that no spreadsheet executes: a name such as ``=cmd()`` gets an apostrophe in front."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULA) else cell


def moodle(students: list[Student], labs: list[Assignment], handed: Handed) -> list[list[str]]:
    """Moodle's import finds a student by the ID number or by the e-mail address; which one is chosen there."""
    rows = [["ID number", "Email address", *[lab.name for lab in labs], "feedback comments"]]
    for student in students:
        mine = [handed.get((student.id, lab.name)) for lab in labs]
        rows.append([student.id, student.email or "", *[points(one) for one in mine], "\n".join(line for one in mine if one for line in comments(one))])
    return rows


def canvas(students: list[Student], labs: list[Assignment], handed: Handed) -> list[list[str]]:
    """Canvas's import finds a student by its own number, or else by one of the two other ids; it asks for these columns in this order."""
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *[lab.name for lab in labs]],
            ["    Points Possible", "", "", "", "", *[number(lab.max_score) for lab in labs]]]  # fmt: skip
    for student in students:
        name = ", ".join(filter(None, (student.last_name, student.first_name))) or student.id
        rows.append([name, student.lms_user_id or "", student.id, student.id, "", *[points(handed.get((student.id, lab.name))) for lab in labs]])
    return rows


def plain(students: list[Student], labs: list[Assignment], handed: Handed) -> list[list[str]]:
    """All that the gradebook knows of a mark. ``by_hand`` is yes where a mark given by hand is part of it."""
    rows = [["student", "first_name", "last_name", "lab", "points", "of", "late_seconds", "penalty", "by_hand"]]
    for lab in labs:
        for student in students:
            one = handed.get((student.id, lab.name))
            late = [number(one.total_seconds_late), number(one.late_submission_penalty), "yes" if by_hand(one) else "no"] if one else [""] * 3
            rows.append([student.id, student.first_name or "", student.last_name or "", lab.name, points(one), number(lab.max_score), *late])
    return rows


def comments(one: SubmittedAssignment) -> list[str]:
    """What was written by hand about a submission, a line for each cell."""
    told = [(comment.name, comment.manual_comment) for notebook in one.notebooks for comment in notebook.comments]
    return [f"{one.assignment.name}, {name}: {text}" for name, text in told if text]
