"""A class's submissions, graded and written down: each once or not at all, whatever happens meanwhile."""

import hashlib
import json
import os
import statistics
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from nbgrader.api import Gradebook
from sqlalchemy.exc import StatementError
from tqdm import tqdm

from . import gradebook, notebooks
from .gradebook import Class
from .labs import Lab
from .roster import SAFE
from .sandbox import NoSandbox, command
from .sources import Unreadable, content
from .verdict import refusal
from .workers import Submission, verdicts


def submissions(group: Class, lab: Lab) -> tuple[list[Submission], list[str]]:
    """What was handed in, one for each different file; and folders that are no student's."""
    found, odd = {}, []
    for folder in sorted((group.folder / "submitted").glob(f"*/{lab.name}")):
        if not SAFE.fullmatch(folder.parent.name):
            odd.append(folder.parent.name)
            continue
        try:
            one = Submission((), content(group.folder, "submitted", folder.parent.name, lab.name, f"{lab.name}.ipynb"))
        except Unreadable as why:
            one = Submission((), b"", str(why))
        found.setdefault(one.digest, (one, []))[1].append(folder.parent.name)
    return [Submission(tuple(students), one.data, one.why) for one, students in found.values()], odd


def grade(group: Class, lab: Lab, jobs: int = 1, again: bool = False, unsafe: bool = False, scheduler: str | None = None, due: datetime | None = None) -> int:
    """Grade what is not graded yet, or all of it ``again``; print what came of it.

    Parameters
    ----------
    group : Class
    lab : Lab
    jobs : int
        Workers of this machine.
    again : bool
        Also what was graded before; then it is told whose mark has changed, by how much and why.
    unsafe : bool
        Without a sandbox.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers are used.
    due : datetime, optional
        The deadline, for nbgrader.

    Returns
    -------
    int
        Exit status: 0, or 1 if there is a submission that could not be graded.
    """
    if not (unsafe or scheduler):
        command(None)  # without bubblewrap nothing is begun
    everything, odd = submissions(group, lab)
    version = hashlib.sha256(f"{lab.version} {group.secret}".encode()).hexdigest()
    with group.book() as book:
        gradebook.register(book, lab, due)
        before = remembered(group, lab, gradebook.verdicts(book, lab.name)) if again else {}
        new, older = undone(book, group, lab, everything, version)
        todo = [one for one in everything if one in new or again and one in older] or (everything if again else [])
        left = grade_all(book, group, lab, todo, verdicts(lab.name, todo, group.secret, unsafe, jobs, scheduler), version)
        gradebook.late(book, group, lab.name)
        after = gradebook.verdicts(book, lab.name)
        hand = sorted(one.student.id for one in book.assignment_submissions(lab.name) if gradebook.by_hand(one))
        names = {one.id: f"{one.id} ({one.first_name or ''} {one.last_name or ''})".replace("( ", "(").replace(" ()", "") for one in book.students}
    print(table(lab, after, len(todo), names))
    if hand:
        print(f"marks by hand stand as they were, and are not in these numbers: {', '.join(names[student] for student in hand)}")
    print(*(f"not looked at: {name!a} is no name for a student's folder" for name in odd), *left, sep="\n", end="\n" if odd or left else "")
    if again:
        print("\n".join(changes(before, after)) or "No mark has changed.")
        remembering(group, lab).unlink(missing_ok=True)
    elif old := len(older):
        print(f"graded with another version of the lab, or another seed: {old} submissions; to grade them anew: --again, or AGAIN=1")
    return int(bool(odd or left) or any(verdict["refused"] for verdict in after.values()))


def undone(book: Gradebook, group: Class, lab: Lab, everything: list[Submission], version: str) -> tuple[list[Submission], list[Submission]]:
    """What is not graded, or whose graded notebook is gone; and what was graded with another version of the lab."""
    known, new, older = gradebook.verdicts(book, lab.name), [], []
    for one in everything:
        states = [known.get(student, {}) for student in one.students]
        if any(state.get("digest") != one.digest for state in states) or not all(notebook_of(group, student, lab).is_file() for student in one.students):
            new.append(one)
        elif any(state["version"] != version for state in states):
            older.append(one)
    return new, older


def notebook_of(group: Class, student: str, lab: Lab) -> Path:
    """Where a graded notebook lies."""
    return group.folder / "autograded" / student / lab.name / f"{lab.name}.ipynb"


def grade_all(book: Gradebook, group: Class, lab: Lab, todo: list[Submission], coming: Iterator[tuple[Submission, dict]], version: str) -> list[str]:
    """Write down verdicts as they come; why some did not, if others did."""
    done = 0
    with tqdm(total=len(todo), unit=" submissions", disable=None) as bar:
        try:
            for done, (one, verdict) in enumerate(coming, 1):
                for student in one.students:
                    keep(book, group, lab, student, verdict, one.digest, version)
                bar.update()
        except NoSandbox as why:
            if not done:
                raise
            return [str(why)]
    return []


def remembering(group: Class, lab: Lab) -> Path:
    """Where the verdicts before a regrade are kept until its changes are told."""
    return group.folder / f".before-{lab.name}.json"


def remembered(group: Class, lab: Lab, now: dict[str, dict]) -> dict[str, dict]:
    """The verdicts before a regrade, also where it was interrupted."""
    file = remembering(group, lab)
    if not file.exists():
        part = file.with_suffix(".part")
        part.write_text(json.dumps(now), "utf8")
        os.replace(part, file)
    return json.loads(file.read_text("utf8"))


def keep(book: Gradebook, group: Class, lab: Lab, student: str, verdict: dict, digest: str, version: str) -> None:
    """Write down a verdict; of one that cannot be written, that it cannot."""
    try:
        notebooks.write(notebooks.graded(lab, verdict), notebook_of(group, student, lab))
        gradebook.save(book, lab, student, verdict, digest, version)
    except (ValueError, TypeError, StatementError) as error:
        if verdict["refused"]:
            raise
        keep(book, group, lab, student, refusal(lab, f"what it says cannot be written down ({type(error).__name__})"), digest, version)


def earned(verdict: dict) -> float:
    """The points of a submission, whenever it came."""
    return sum(mark["earned"] for mark in verdict["marks"].values())


def table(lab: Lab, verdicts: dict[str, dict], new: int, names: dict[str, str]) -> str:
    """The class in a few lines, with students by their ``names``."""
    most, graded = sum(e.points for e in lab.exercises.values()), [v for v in verdicts.values() if not v["refused"]]
    lines = [f"{lab.name}: {len(verdicts)} students, graded in this run: {new} submissions"]
    if graded:
        sums = [*map(earned, graded)]
        lines.append(f"points of {most}{f', of the {len(graded)} that could be graded' if len(graded) < len(verdicts) else ''}: median {statistics.median(sums):g}, from {min(sums):g} to {max(sums):g}")
        for name, exercise in lab.exercises.items():
            share = sum(v["marks"][name]["right"] for v in graded) / len(graded)
            lines.append(f"  {exercise.title:12} {name:24} {share:4.0%} of the students right")
    if late := [names[student] for student, v in verdicts.items() if v["penalty"]]:
        lines.append(f"late, and paying for it: {', '.join(late)}")
    lines += [f"look at {names[student]}, {name}: it {mark['look']}" for student, v in verdicts.items() for name, mark in v["marks"].items() if mark["look"]]
    refused = [f"not graded: {names[student]}: {verdict['refused']}" for student, verdict in verdicts.items() if verdict["refused"]]
    lines += [*refused, "Ask for these files once more and collect again, or give a mark by hand."] if refused else []
    return "\n".join(lines)


def changes(before: dict[str, dict], after: dict[str, dict]) -> Iterator[str]:
    """Whose mark a regrade has changed, by how much and why."""
    for student, new in after.items():
        old = before.get(student)
        if old is None or (earned(old), old["penalty"]) == (earned(new), new["penalty"]):
            continue
        late = f" (for being late {old['penalty']:g} -> {new['penalty']:g} less)" if old["penalty"] != new["penalty"] else ""
        yield f"{student}: {earned(old):g} -> {earned(new):g}{late}"
        for name, mark in new["marks"].items():
            was = old["marks"].get(name)
            if was is None or was["earned"] != mark["earned"]:
                yield f"    {mark['title']}, {name}: {was['earned'] if was else 0:g} -> {mark['earned']:g}; was {was['says'] if was else 'not there'!r}, now {mark['says']!r}"
