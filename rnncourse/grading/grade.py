"""A class's submissions, run and judged by several workers; whatever happens, each is graded once or not at all."""

import ctypes
import hashlib
import os
import signal
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import torch
from nbgrader.utils import parse_utc
from tqdm import tqdm

from . import gradebook, notebooks
from .gradebook import Class
from .labs import Lab
from .sandbox import NoSandbox
from .verdict import BIGGEST, judge, refusal

PR_SET_PDEATHSIG = 1


class Unreadable(ValueError):
    """A submitted file that is not looked at; the message says why."""


@dataclass(frozen=True)
class Submission:
    """What some students handed in: the same file, if they worked as a pair.

    Attributes
    ----------
    students : tuple of str
    data : bytes
    why : str
        Why there is none.
    """

    students: tuple[str, ...]
    data: bytes
    why: str = ""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data + self.why.encode()).hexdigest()


def content(root: Path, *steps: str) -> bytes:
    """A file under a folder, of which no step may be a link.

    Raises
    ------
    Unreadable
        If it is no plain file, or too big.
    """
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for step in steps:
            inner = os.open(step, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
            os.close(place)
            place = inner
        with open(os.dup(place), "rb") as file:
            data = file.read(BIGGEST + 1)
    except (OSError, TypeError) as error:
        raise Unreadable(f"it is no plain file ({getattr(error, 'strerror', error)})") from None
    finally:
        os.close(place)
    if len(data) > BIGGEST:
        raise Unreadable(f"it has more than {BIGGEST >> 20} MB")
    return data


def submissions(group: Class, lab: Lab) -> Iterator[Submission]:
    """What was handed in, one for each different file."""
    found = {}
    for folder in sorted((group.folder / "submitted").glob(f"*/{lab.name}")):
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


@cache
def loaded(lab: str) -> Lab:
    """A lab, once for each worker."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return Lab(lab)


def work(lab: str, one: Submission, seed: int, unsafe: bool) -> dict:
    """What a worker does: a verdict on one submission. It knows nothing of the gradebook."""
    if one.why:
        return refusal(loaded(lab), one.why)
    own = int.from_bytes(hashlib.sha256(f"{seed} {one.students[0]}".encode()).digest()[:4])
    return judge(loaded(lab), one.data, seed, own, unsafe)


def die_with(parent: int) -> None:
    """Have the kernel kill this worker when the grader ends, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's


def workers(jobs: int, scheduler: str | None) -> Executor:
    """Processes of this machine, or of those that a Dask scheduler knows."""
    if scheduler:
        from distributed import Client

        return Client(scheduler).get_executor(pure=False)
    return ProcessPoolExecutor(jobs, get_context("spawn"), die_with, (os.getpid(),))


def verdicts(lab: str, todo: list[Submission], seed: int, unsafe: bool, jobs: int, scheduler: str | None) -> Iterator[tuple[Submission, dict]]:
    """Verdicts as they come. A submission that ends its worker is tried once more, alone."""
    left = list(todo)
    for parts in ([todo], [[one] for one in todo]):
        for part in parts:
            part = [one for one in part if one in left]
            if not part:
                continue
            with workers(jobs, scheduler) as pool:
                futures = {pool.submit(work, lab, one, seed, unsafe): one for one in part}
                for future in as_completed(futures):
                    if not isinstance(future.exception(), BrokenProcessPool):
                        left.remove(futures[future])
                        yield futures[future], future.result()
    for one in left:
        yield one, refusal(loaded(lab), "it ended the process that should judge it, twice")


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
    with group.book() as book:
        gradebook.register(book, lab, due)
        before, everything = gradebook.verdicts(book, lab.name), [*submissions(group, lab)]
        todo = [one for one in everything if again or any(before.get(s, {}).get("digest") != one.digest for s in one.students)]
        with tqdm(total=len(todo), unit=" submissions", disable=None) as bar:
            for one, verdict in verdicts(lab.name, todo, group.seed, unsafe, min(jobs, len(todo)), scheduler):
                for student in one.students:
                    notebooks.write(notebooks.graded(lab, verdict), group.folder / "autograded" / student / lab.name / f"{lab.name}.ipynb")
                    gradebook.save(book, lab, student, verdict, one.digest, group.seed, time_of(group, student, lab.name), group.config)
                bar.update()
        after = gradebook.verdicts(book, lab.name)
    print(table(lab, after, len(todo)))
    if again:
        print("\n".join(changes(before, after)) or "No mark has changed.")
    return int(any(verdict["refused"] for verdict in after.values()))


def earned(verdict: dict) -> float:
    """The points of a submission."""
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
    lines += [f"not graded: {student}: {verdict['refused']}" for student, verdict in verdicts.items() if verdict["refused"]]
    return "\n".join(lines)


def changes(before: dict[str, dict], after: dict[str, dict]) -> Iterator[str]:
    """Whose mark a regrade has changed, by how much and why."""
    for student, new in after.items():
        old = before.get(student)
        if old is None or earned(old) == earned(new):
            continue
        yield f"{student}: {earned(old):g} -> {earned(new):g}"
        for name, mark in new["marks"].items():
            was = old["marks"].get(name)
            if was is None or was["earned"] != mark["earned"]:
                yield f"    {mark['title']}, {name}: {was['earned'] if was else 0:g} -> {mark['earned']:g}; was {was['says'] if was else 'not there'!r}, now {mark['says']!r}"


def run(group: Class, lab: Lab, **how: object) -> int:
    """`grade`, with messages for whoever typed the command."""
    try:
        return grade(group, lab, **how)
    except NoSandbox as why:
        print(f"Nothing more is graded: {why}", file=sys.stderr)
        return 2
