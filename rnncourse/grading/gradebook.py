"""What is kept of a class: nbgrader's gradebook, and in it, beside nbgrader's own tables, the verdict on each submission."""

import json
import os
import secrets
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from unittest import mock

from nbgrader.api import Comment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties, NbGraderPreprocessor
from nbgrader.utils import compute_checksum
from sqlalchemy import Column, MetaData, String, Table, Text, delete, insert, select
from sqlalchemy.exc import DatabaseError, SAWarning
from traitlets.config import Config, PyFileConfigLoader

from .labs import COURSE, Lab
from .sources import Unreadable, content, when

VERDICTS = Table("rnncourse_verdict", MetaData(), Column("student", String(128), primary_key=True), Column("lab", String(128), primary_key=True),
                 Column("digest", String(64)), Column("version", String(64)), Column("verdict", Text))  # fmt: skip
CONFIG = '''# nbgrader's settings for this class; see the instructor's guide. Written once: from now on this file is yours.
from rnncourse.grading.gradebook import InTheSandbox

c = get_config()
c.Autograde.sanitize_preprocessors = [InTheSandbox]  # nbgrader's own autograde, also formgrader's button, runs what students wrote with your rights
c.CourseDirectory.course_id = "rnncourse"
c.CourseDirectory.source_directory = {source!r}
c.CourseDirectory.release_directory = {released!r}
# c.CourseDirectory.db_url = "postgresql://..."           # another database than gradebook.db
# c.LateSubmissionPlugin.penalty_method = "zero"           # what a late submission costs; "none" if not given
'''


class InTheSandbox(NbGraderPreprocessor):
    """In the place of nbgrader's own grading, which has no sandbox."""

    def preprocess(self, nb: object, resources: object) -> None:
        raise RuntimeError("nothing was run: submissions are graded in a sandbox, by make grade; see the instructor's guide")


@dataclass(frozen=True)
class Class:
    """A class's folder, outside of the course's.

    Attributes
    ----------
    folder : Path
        It holds, as nbgrader has it, submitted/STUDENT/LAB/LAB.ipynb, autograded/, feedback/ and gradebook.db; and nbgrader_config.py and seed.
    config : Config
        What nbgrader_config.py says.
    """

    folder: Path
    config: Config

    @classmethod
    def at(cls, folder: Path, new: bool = True) -> "Class":
        """That of a folder, which is made if it is not there and may be ``new``."""
        folder = folder.resolve()
        if folder == COURSE or COURSE in folder.parents:
            raise ValueError(f"{folder} is inside the course: a class's data belong in a folder of their own, outside of it")
        if not new and not any((folder / name).exists() for name in ("submitted", "gradebook.db", "nbgrader_config.py")):
            raise ValueError(f"{folder} is no class's folder: collect something first, or is the name mistyped?")
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "nbgrader_config.py"
        if not file.exists():
            file.write_text(CONFIG.format(source=str(COURSE / "solutions"), released=str(COURSE / "labs")), "utf8")
        try:
            return cls(folder, PyFileConfigLoader(file.name, path=str(folder)).load_config())
        except Exception as error:  # it is a program, and anybody's
            raise ValueError(f"{file} cannot be read: {type(error).__name__}: {error}") from error

    @property
    def secret(self) -> str:
        """What the hidden inputs are drawn from: made once, in the file ``seed``."""
        file = self.folder / "seed"
        if not file.exists():
            part = file.with_suffix(".part")
            part.write_text(secrets.token_hex(16) + "\n")
            part.chmod(0o600)
            os.replace(part, file)
        return file.read_text().strip()

    @contextmanager
    def book(self) -> Iterator[Gradebook]:
        """Its gradebook, open."""
        course = CourseDirectory(config=self.config, root=str(self.folder))
        file = self.folder / "gradebook.db"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader calls the bare command alembic
        try:
            with mock.patch.dict(os.environ, PATH=path):
                if course.db_url == f"sqlite:///{file}" and not file.exists():  # a half made one would stay half made
                    part = file.with_suffix(".part")
                    part.unlink(missing_ok=True)
                    Gradebook(f"sqlite:///{part}", course.course_id).close()
                    os.replace(part, file)
                opened = Gradebook(course.db_url, course.course_id)
            VERDICTS.create(opened.engine, checkfirst=True)
        except DatabaseError as error:
            raise ValueError(f"the gradebook {course.db_url} cannot be opened: {error.orig}; if it is damaged, put your copy in its place") from error
        with opened as book:
            yield book


@contextmanager
def transaction(book: Gradebook) -> Iterator[None]:
    """All or nothing: nbgrader's methods, each of which would commit, only flush."""
    with mock.patch.object(book.db, "commit", book.db.flush), warnings.catch_warnings(action="ignore", category=SAWarning):  # of nbgrader's own queries
        try:
            yield
        except BaseException:
            book.db.rollback()
            raise
    book.db.commit()


def register(book: Gradebook, lab: Lab, due: datetime | None = None) -> None:
    """Enter a lab, its cells and their points; those that are there already are brought up to date."""
    with transaction(book):
        book.update_or_create_assignment(lab.name, **({"duedate": due} if due else {}))
        book.update_or_create_notebook(lab.name, lab.name)
        for cell in lab.notebook.cells:
            if not (meta := cell.metadata.get("nbgrader")):
                continue
            place = (meta.grade_id, lab.name, lab.name)
            if meta.grade:
                book.update_or_create_grade_cell(*place, max_score=meta.points, cell_type=cell.cell_type)
            if meta.solution:
                book.update_or_create_solution_cell(*place)
            book.update_or_create_source_cell(*place, source=cell.source, cell_type=cell.cell_type, locked=meta.locked, checksum=compute_checksum(cell))


def verdicts(book: Gradebook, lab: str) -> dict[str, dict]:
    """The verdicts on a lab so far, by student, with the "digest" of what was graded, the "version" of what it was graded with, and the "penalty" for being late."""
    late = {one.student.id: one.late_submission_penalty for one in book.assignment_submissions(lab)}
    rows = book.db.execute(select(VERDICTS).where(VERDICTS.c.lab == lab).order_by(VERDICTS.c.student)).all()
    return {row.student: json.loads(row.verdict) | {"digest": row.digest, "version": row.version, "penalty": late[row.student]} for row in rows}


def save(book: Gradebook, lab: Lab, student: str, verdict: dict, digest: str, version: str) -> None:
    """Write down what a submission earned, in one transaction. Marks and comments that were given by hand stay as they are."""
    mine = (VERDICTS.c.student == student, VERDICTS.c.lab == lab.name)
    with transaction(book):
        book.update_or_create_student(student)
        book.update_or_create_submission(lab.name, student)
        notebook = book.find_submission_notebook(lab.name, lab.name, student)
        replaced = book.db.execute(select(VERDICTS.c.digest).where(*mine)).scalar() not in (None, digest)
        for name, mark in verdict["marks"].items():
            _grade(book, notebook, f"check-{name}", mark["earned"], bool(verdict["refused"] or mark["look"]), replaced)
            _comment(book, notebook, name, verdict["refused"] or ("No response." if mark["says"] == "not done yet" else None))
        book.db.execute(delete(VERDICTS).where(*mine))
        told = json.dumps({key: verdict[key] for key in ("refused", "notes", "marks")})
        book.db.execute(insert(VERDICTS).values(student=student, lab=lab.name, digest=digest, version=version, verdict=told))


def late(book: Gradebook, group: Class, lab: str) -> None:
    """Bring up to date when each submission came and what being late costs: the deadline, the rule and marks by hand may have changed since it was graded."""
    with transaction(book):
        submissions = book.assignment_submissions(lab)
        for submission in submissions:
            submission.timestamp = time_of(group, submission.student.id, lab)
        book.db.flush()
        book.db.expire_all()  # sums are worked out by the database
        for submission in submissions:
            for notebook in submission.notebooks:
                notebook.late_submission_penalty = _penalty(submission.student.id, notebook, submission.total_seconds_late, group.config)


def time_of(group: Class, student: str, lab: str) -> datetime | None:
    """When a student handed in, as nbgrader has it: in timestamp.txt. One that cannot be read is told, and counts as in time."""
    place = ("submitted", student, lab, "timestamp.txt")
    try:
        return when(content(group.folder, *place)[:100].decode())
    except Unreadable:
        return None
    except ValueError as why:
        print(f"{'/'.join(place)}: {why}; until then {student} counts as in time")
        return None


def _grade(book: Gradebook, notebook: SubmittedNotebook, name: str, earned: float, look: bool, replaced: bool) -> None:
    """One automatic mark; the instructor is asked to ``look`` at it, or at the mark by hand that stands above one that has changed, or on a file that was ``replaced``."""
    grade = next((g for g in notebook.grades if g.name == name), None)
    if grade is None:  # the exercise is younger than the submission
        cell = next(cell for cell in notebook.notebook.grade_cells if cell.name == name)
        grade = Grade(cell_id=cell.id, notebook=notebook)
        book.db.add(grade)
    changed = grade.manual_score is not None and (replaced or grade.auto_score not in (None, earned))
    grade.needs_manual_grade = look or changed or (grade.manual_score is not None and grade.auto_score is not None and grade.needs_manual_grade)
    grade.auto_score = earned


def _comment(book: Gradebook, notebook: SubmittedNotebook, name: str, says: str | None) -> None:
    comment = next((c for c in notebook.comments if c.name == name), None)
    if comment is None:
        cell = next(cell for cell in notebook.notebook.solution_cells if cell.name == name)
        comment = Comment(cell_id=cell.id, notebook=notebook)
        book.db.add(comment)
    comment.auto_comment = says


def by_hand(submission: SubmittedAssignment) -> bool:
    """Whether a mark or extra credit that was given by hand is a part of what a submission earns."""
    return any(grade.manual_score is not None or grade.extra_credit for notebook in submission.notebooks for grade in notebook.grades)


def _penalty(student: str, notebook: SubmittedNotebook, late: float, config: Config) -> float | None:
    """What being late costs, as nbgrader's plugin has it: not below nothing, nor above what was earned."""
    if late <= 0:
        return None
    step = AssignLatePenalties(config=config)
    step.init_plugin()
    penalty = step.plugin_inst.late_submission_penalty(student, notebook.score, late)
    return penalty if penalty is None else min(max(0.0, penalty), notebook.score)
