"""A class's submissions, graded and written down: each once or not at all, whatever happens meanwhile."""

import hashlib
import statistics
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.utils import parse_utc
from sqlalchemy.exc import StatementError
from tqdm import tqdm

from . import gradebook, notebooks
from .gradebook import Class
from .labs import Lab
from .roster import SAFE
from .sandbox import command
from .sources import Unreadable, content
from .verdict import refusal
from .workers import Submission, verdicts


def submissions(group: Class, lab: Lab) -> Iterator[Submission]:
    """What was handed in, one for each different file."""
    found = {}
    for folder in sorted((group.folder / "submitted").glob(f"*/{lab.name}")):
        if not SAFE.fullmatch(folder.parent.name):
            print(f"not looked at: {folder.parent.name!a} is no name for a student's folder")
            continue
        try:
            one = Submission((), content(group.folder, "submitted", folder.parent.name, lab.name, f"{lab.name}.ipynb"))
        except Unreadable as why:
            one = Submission((), b"", str(why))
        found.setdefault(one.digest, (one, []))[1].append(folder.parent.name)
    yield from (Submission(tuple(students), one.data, one.why) for one, students in found.values())


def time_of(group: Class, student: str, lab: str) -> datetime | None:
    """When a student handed in, as nbgrader has it: in timestamp.txt."""
    try:
        return parse_utc(content(group.folder, "submitted", student, lab, "timestamp.txt")[:100].decode().strip())
    except (Unreadable, ValueError, OverflowError):
        return None


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
    with group.book() as book:
        gradebook.register(book, lab, due)
        before, everything = gradebook.verdicts(book, lab.name), [*submissions(group, lab)]
        todo, version = [one for one in everything if any(before.get(s, {}).get("digest") != one.digest for s in one.students)], hashlib.sha256(f"{lab.version} {group.secret}".encode()).hexdigest()
        older = [one for one in everything if any(before.get(s, {}).get("version") != version for s in one.students)]
        if again:  # one that was interrupted goes on
            todo = older or everything
        with tqdm(total=len(todo), unit=" submissions", disable=None) as bar:
            for one, verdict in verdicts(lab.name, todo, group.secret, unsafe, jobs, scheduler):
                for student in one.students:
                    keep(book, group, lab, student, verdict, one.digest, version)
                bar.update()
        after = gradebook.verdicts(book, lab.name)
    print(table(lab, after, len(todo)))
    if again:
        print("\n".join(changes(before, after)) or "No mark has changed.")
    elif old := len(set(older) - set(todo)):
        print(f"graded with another version of the lab, or another seed: {old} submissions; to grade them anew: --again, or AGAIN=1")
    return int(any(verdict["refused"] for verdict in after.values()))


def keep(book: Gradebook, group: Class, lab: Lab, student: str, verdict: dict, digest: str, version: str) -> None:
    """Write down a verdict; of one that cannot be written, that it cannot."""
    try:
        notebooks.write(notebooks.graded(lab, verdict), group.folder / "autograded" / student / lab.name / f"{lab.name}.ipynb")
        gradebook.save(book, lab, student, verdict, digest, version, time_of(group, student, lab.name), group.config)
    except (ValueError, TypeError, StatementError) as error:
        if verdict["refused"]:
            raise
        keep(book, group, lab, student, refusal(lab, f"what it says cannot be written down ({type(error).__name__})"), digest, version)


def earned(verdict: dict) -> float:
    """The points of a submission, whenever it came."""
    return sum(mark["earned"] for mark in verdict["marks"].values())


def table(lab: Lab, verdicts: dict[str, dict], new: int) -> str:
    """The class in a few lines."""
    most, graded = sum(e.points for e in lab.exercises.values()), [v for v in verdicts.values() if not v["refused"]]
    lines = [f"{lab.name}: {len(verdicts)} students, graded in this run: {new} submissions"]
    if graded:
        sums = [*map(earned, graded)]
        lines.append(f"points of {most}: median {statistics.median(sums):g}, from {min(sums):g} to {max(sums):g}")
        for name, exercise in lab.exercises.items():
            share = sum(v["marks"][name]["right"] for v in graded) / len(graded)
            lines.append(f"  {exercise.title:12} {name:24} {share:4.0%} right")
    lines += [f"look at {student}, {name}: it {mark['look']}" for student, v in verdicts.items() for name, mark in v["marks"].items() if mark["look"]]
    lines += [f"not graded: {student}: {verdict['refused']}" for student, verdict in verdicts.items() if verdict["refused"]]
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
