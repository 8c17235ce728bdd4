"""Put what an LMS hands out where the grader looks for it: one file for each student, found by the words of its path."""

import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from .gradebook import Class, transaction
from .labs import Lab
from .roster import MOODLE, SAFE, ClassList, lms, pairs as listed_pairs, person, roster as listed, safe, words
from .sources import File, Unreadable, content, files, shown

TOTAL = 8 << 30  # bytes that are read of a source


@dataclass(frozen=True)
class Collected:
    """What was found.

    Attributes
    ----------
    lab : str
    taken : dict of str to str
        From a student to the path of the file that counts.
    missing : list of (str, str)
        Students of whom there is nothing at all, with their names.
    earlier : list of str
        Students of whom there is nothing new, but something from before.
    renamed : list of (str, str)
        Ids of the class list that cannot name a folder, with those that stand for them.
    double : dict of str to list of str
        The paths of a student, or of a pair, who have more than one; the first counts.
    unmatched, refused : list of (str, str)
        Paths, with the reason why the file is nobody's, or is not looked at.
    """

    lab: str
    taken: dict[str, str] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    double: dict[str, list[str]] = field(default_factory=dict)
    unmatched: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def collect(group: Class, lab: Lab, source: Path, roster: Path | None = None, pairs: Path | None = None) -> Collected:
    """Copy what students handed in to ``submitted/STUDENT/LAB/LAB.ipynb`` of a class, with the file's time in timestamp.txt beside it.

    Of several files of a student, one whose name holds the lab's counts before others, and the latest of them. What was collected before
    is replaced where it differs.

    Parameters
    ----------
    group : Class
    lab : Lab
    source : Path
        A folder, or an LMS's zip; for its times see `rnncourse.grading.sources.files`.
    roster : Path, optional
        The LMS's class list (CSV), which is entered in the gradebook. Without it the gradebook's students are the class; if there are none,
        their ids are taken from the paths.
    pairs : Path, optional
        A CSV of two or more ids, e-mails or names a line: the file of one of them is that of all.

    Returns
    -------
    Collected

    Raises
    ------
    ValueError
        If the source or a list cannot be used; the message says why.
    """
    people, renamed = entered(group, roster)
    out, sets = Collected(lab.name, renamed=renamed), {}
    with files(source) as found:
        out.refused.extend((file.path, file.why) for file in found if file.why)
        ours = [file for file in found if not file.why and not of_another(file.path, lab)]
        authors = {file: people.authors(file.path, lab.name) for file in ours} if people.people else own_names(ours, lab.name)
        known = people if people.people else ClassList({student: {} for students in authors.values() for student in students})
        teams, two = listed_pairs(pairs, known) if pairs else {}, namesakes(authors)
        for file, students in authors.items():
            whose = {teams.get(student, (student,)) for student in students}
            if len(whose) == 1 and file not in two:
                sets.setdefault(*whose, []).append(file)
            elif len(whose) > 1:
                out.unmatched.append((file.path, f"it may be of {' or '.join(sorted(students)[:5])}"))
            else:
                out.unmatched.append((file.path, "two of Moodle's folders have this name, so it is two students'" if students else "its path names nobody of the class"))
        copy(group, lab.name, sets, out)
    for student, told in sorted(people.people.items()):
        if student not in out.taken and (group.folder / "submitted" / student / lab.name / f"{lab.name}.ipynb").exists():
            out.earlier.append(student)
        elif student not in out.taken:
            out.missing.append((student, f"{told['first_name']} {told['last_name']}".strip()))
    return out


def entered(group: Class, roster: Path | None) -> tuple[ClassList, list[tuple[str, str]]]:
    """The students of a class list, entered in the gradebook, and whose ids had to be changed; without a list, those who are there."""
    told = listed(roster) if roster else {}
    ids = safe(told)
    told = {ids[student]: about for student, about in told.items()}
    ClassList(told)  # before anything is written
    with group.book() as book:
        with transaction(book):
            for student, about in told.items():
                book.update_or_create_student(student, **about)
        keys = ("first_name", "last_name", "email", "lms_user_id")
        people = ClassList({s.id: {key: getattr(s, key) or "" for key in keys} for s in book.students if s.id in told or not roster})
    return people, [(student, folder) for student, folder in ids.items() if student != folder]


def namesakes(authors: dict[File, set[str]]) -> set[File]:
    """The files of one name under two of Moodle's numbers, side by side: they are two students'."""
    found = {}
    for file, students in authors.items():
        parts = file.path.split("/")
        if heads := [(n, head["number"]) for n, part in enumerate(parts) if (head := MOODLE.fullmatch(part))]:
            for student in students:
                found.setdefault((student, *parts[: heads[0][0]]), {}).setdefault(heads[0][1], []).append(file)
    return {file for numbers in found.values() if len(numbers) > 1 for files in numbers.values() for file in files}


def of_another(path: str, lab: Lab) -> bool:
    """Whether a path is nbgrader's of another lab: STUDENT/gates/gates.ipynb."""
    *_, folder, name = ("", *path.split("/"))
    return name == f"{folder}.ipynb" and folder != lab.name and folder in {other.name for other in lab.folder.parent.iterdir()}


def own_names(files: list[File], lab: str) -> dict[File, set[str]]:
    """The ids that files have without a class list: each the first part of its path, less those parts that are the same in all."""
    parts = {}
    for file in files:
        *folders, name = file.path.split("/")
        parts[file] = [*filter(None, (own_name(part, lab) for part in (*folders, name.rpartition(".")[0])))]
    while len(parts) > 1 and all(len(part) > 1 for part in parts.values()) and len({part[0] for part in parts.values()}) == 1:
        parts = {file: part[1:] for file, part in parts.items()}
    return {file: {part[0]} if part and SAFE.fullmatch(part[0]) else set() for file, part in parts.items()}


def own_name(part: str, lab: str) -> str:
    """What is left of a part of a path without the lab's name, a number behind that, and an LMS's additions."""
    if head := lms(part):
        part = person(head["name"]) if head.re is MOODLE else f"{head['name']}_{head['number']}"  # Moodle's number is another for each lab
    part = re.sub(rf"(^|[\W_]+){re.escape(lab)}([\W_]+\d*\W*)?$|^{re.escape(lab)}[\W_]+", "", part, flags=re.I)
    return part if SAFE.fullmatch(part) else "-".join(words(part))


def copy(group: Class, lab: str, sets: dict[tuple[str, ...], list[File]], out: Collected) -> None:
    """Choose the file of each student or pair and copy it."""
    left = TOTAL
    for team, found in sorted(sets.items()):
        found.sort(key=lambda file: (*rank(file.path, lab, file.time), file.path), reverse=True)
        if len(found) > 1:
            out.double[", ".join(team)] = [file.path for file in found]
        try:
            data = found[0].read()
            left -= len(data)
            if left < 0:
                raise Unreadable(f"all files together have more than {TOTAL >> 30} GB")
        except Unreadable as why:
            out.refused.append((found[0].path, str(why)))
            continue
        for student in team:
            put(group, student, lab, data, found[0].time)
            out.taken[student] = found[0].path


def rank(path: str, lab: str, time: datetime) -> tuple[bool, datetime, int]:
    """What decides between files of one student; last the number that Canvas gives to another attempt: unfold-2.ipynb."""
    name = path.rpartition("/")[2]
    head, attempt = lms(name), re.search(r"-(\d{1,4})\.ipynb$", name)
    return lab in "".join(words(head["tail"] if head else name)), time, int(attempt[1]) if attempt else 1


def put(group: Class, student: str, lab: str, data: bytes, time: datetime) -> None:
    """Write a submission; nothing is touched where the same bytes stand there already."""
    folder = group.folder / "submitted" / student / lab
    try:
        if content(group.folder, "submitted", student, lab, f"{lab}.ipynb") == data and (folder / "timestamp.txt").exists():
            return
    except Unreadable:  # there is none yet
        pass
    folder.mkdir(parents=True, exist_ok=True)
    for name, new in (("timestamp.txt", f"{time:%Y-%m-%d %H:%M:%S} UTC\n".encode()), (f"{lab}.ipynb", data)):  # last the notebook: by it a next run sees what is done
        part = folder / f".{name}.part"
        part.write_bytes(new)
        os.replace(part, folder / name)


def report(collected: Collected) -> str:
    """What was found, in lines for the instructor."""
    left = len(collected.missing) + len(collected.earlier)
    of = f" of {len(collected.taken) + left}" if left else ""
    before = f"; of {len(collected.earlier)} there is nothing new, but an earlier file" if collected.earlier else ""
    lines = [f"{collected.lab}: files of {len(collected.taken)}{of} students{before}"]
    double = [(team, f"{first[-60:]} counts, not {', '.join(other[-60:] for other in others)}") for team, (first, *others) in collected.double.items()]
    for title, rows in (("ids that cannot name a folder, and what stands for them", collected.renamed), ("missing", collected.missing), ("more than one file", double),
                        ("nobody's", collected.unmatched), ("not looked at", collected.refused)):  # fmt: skip
        lines += [f"{title}: {len(rows)}"] * bool(rows) + [f"  {shown(name)}: {shown(why)}".removesuffix(": ") for name, why in rows[:50]]
        lines += [f"  ... and {len(rows) - 50} more"] * (len(rows) > 50)
    return "\n".join(lines)
