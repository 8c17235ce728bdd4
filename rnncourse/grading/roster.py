"""Who is in a class, and whom a path or a line of a list names. Nobody is guessed: what may be two students' is nobody's."""

import csv
import re
import unicodedata
from collections import Counter
from pathlib import Path

SAFE = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,99}")
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<tail>.*)", re.S)
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<number>\d+)_\d+_(?P<tail>.+)", re.S)
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"})  # no accent that could be taken off
COLUMNS = {  # of a class list, in the order in which they are asked
    "student": ("student", "student id", "id number", "numero d identification", "numero d etudiant", "sis user id", "sis login id", "username", "nom d utilisateur"),
    "name": ("full name", "nom complet", "name"),
    "first_name": ("first name", "first names", "given name", "prenom", "prenoms"),
    "last_name": ("last name", "surname", "family name", "nom", "nom de famille"),
    "email": ("email address", "email", "e mail", "adresse de courriel", "courriel", "adresse e mail", "adresse mail", "adresse electronique", "sis login id"),
    "lms_user_id": ("lms user id", "id", "user id"),
}


def words(text: str) -> list[str]:
    """The words of a name without case, accents and signs: what is left of "Ó Briain_Anne-Marie" is o, briain, anne, marie."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    return re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c)))


def lms(part: str) -> re.Match | None:
    """What an LMS has put in front of a student's file, if it has: "name", "number", and "tail", the student's own words."""
    return MOODLE.fullmatch(part) or CANVAS.fullmatch(part)


class ClassList:
    """The students of a class.

    Parameters
    ----------
    people : dict
        By id what nbgrader keeps of each: first_name, last_name, email, lms_user_id.

    Raises
    ------
    ValueError
        If an id cannot name a folder.
    """

    def __init__(self, people: dict[str, dict[str, str]]):
        self.people, self.keys, self.numbers = people, {}, {}
        same = Counter(student.casefold() for student in people)
        for student, told in people.items():
            if not SAFE.fullmatch(student):
                raise ValueError(f"{student!r} cannot be a student's id, which names a folder: letters, digits and . _ @ + - may be in it, and no dot in front")
            if same[student.casefold()] > 1:
                raise ValueError(f"{student} is the id of two students of the class list: each needs one of their own")
            first, last, email = (words(told.get(key) or "") for key in ("first_name", "last_name", "email"))
            login, number = words((told.get("email") or "").partition("@")[0]), told.get("lms_user_id") or ""
            for key in (words(student), words(number), email, login, first + last, ["".join(first + last)], ["".join(last + first)]):
                if any(key):
                    self.keys.setdefault(key[0], []).append((Counter(key), student))
            self.numbers.setdefault(number, set()).add(student)

    def named(self, text: str) -> set[str]:
        """The students all of whose words stand in a text, in any order. Who is named by some words gives way to who is named by these and more."""
        have = Counter(words(text[:255]))
        weak = lambda key: all(word.isdecimal() and len(word) < 4 for word in key)  # noqa: E731  such a number stands in many a file's name
        found = [(key, student) for word in have for key, student in self.keys.get(word, ()) if key == have or key <= have and not weak(key)]
        return {student for key, student in found if not any(key < other for other, _ in found)}

    def behind(self, part: str) -> set[str]:
        """The students whom a part of a path names. Where an LMS wrote the names, only its own words count: a student may call a file like another student."""
        if part in self.people or not (head := lms(part)):
            return {part} if part in self.people else self.named(part)
        named, numbered = self.named(head["name"]), self.numbers.get(head["number"], set())
        return named & numbered or (named | numbered if head.re is CANVAS else named)  # Canvas's number is the student's, Moodle's the submission's

    def authors(self, path: str) -> set[str]:
        """The students whom a path names: its folders do, or if they name nobody, the file."""
        *folders, name = path.split("/")
        found = set()
        for folder in folders:
            found |= self.behind(folder)
            if lms(folder):
                return found
        return found or self.behind(name.rpartition(".")[0])


def table(path: Path) -> list[tuple[int, list[str]]]:
    """The lines of a CSV file that are not empty, with their numbers; the separator is found out.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    try:
        text = path.read_text("utf-8-sig")
        first = re.sub(r'"[^"]*"', "", text.strip().partition("\n")[0])
        reader = csv.reader(text.splitlines(keepends=True), delimiter=max(",;\t", key=first.count))
        return [(reader.line_num, cells) for row in reader if any(cells := [cell.strip() for cell in row])]
    except FileNotFoundError:
        raise ValueError(f"there is no {path}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as a list ({error}): save it as CSV in UTF-8") from None


def roster(path: Path) -> dict[str, dict[str, str]]:
    """The students of a class list: Moodle's, Canvas's gradebook, or columns student, first_name, last_name, email, lms_user_id.

    Returns
    -------
    dict
        By id what the list tells of first_name, last_name, email, lms_user_id. The id is the first that there is of our own column, the
        institution's number, the login, the e-mail and the LMS's number.

    Raises
    ------
    ValueError
        If it is no class list, or a student has no id.
    """
    (_, header), *rows = table(path) or [(0, [])]
    names = [" ".join(words(cell)) for cell in header]
    canvas, found = {"student", "id"} <= set(names), {}
    for line, cells in rows:
        row = dict(zip(names, cells))
        if canvas:  # its column "Student" is a name; the line below the header is about the assignments
            row["name"] = row.pop("student", "")
            if row["name"].lower().startswith("points possible") or not row["name"]:
                continue
        told = {key: next((row[name] for name in known if row.get(name)), "") for key, known in COLUMNS.items()}
        student = told["student"] or told["email"] or told["lms_user_id"]
        if not student:
            raise ValueError(f"line {line} of {path} tells no id of a student; there are the columns {', '.join(header)}")
        if student in found:
            raise ValueError(f"line {line} of {path}: {student} is there already")
        found[student] = _told(told)
    if not found:
        raise ValueError(f"{path} holds no students: the first line should name columns, such as student, first_name, last_name, email")
    return found


def _told(told: dict[str, str]) -> dict[str, str]:
    """What nbgrader keeps; a whole name is split, and a login that is no e-mail left out."""
    last, comma, first = told["name"].partition(",")
    if not comma:
        first, _, last = told["name"].rpartition(" ")
    kept = {"first_name": told["first_name"] or first.strip(), "last_name": told["last_name"] or last.strip(),
            "email": told["email"] if "@" in told["email"] else "", "lms_user_id": told["lms_user_id"]}  # fmt: skip
    return {key: value for key, value in kept.items() if value}


def pairs(path: Path, people: ClassList) -> dict[str, tuple[str, ...]]:
    """From each student of a list of pairs to all of the pair. A line holds two or more ids, e-mails or names.

    Raises
    ------
    ValueError
        If a line names nobody, or somebody who is in another pair.
    """
    teams = {}
    for line, cells in table(path):
        found = [people.named(cell) for cell in cells if cell]
        for cell, students in zip(filter(None, cells), found):
            if len(students) != 1:
                who = f"may be {' or '.join(sorted(students))}" if students else "is nobody of the class"
                raise ValueError(f"line {line} of {path}: {cell!r} {who}. Give two ids, e-mails or names a line, and no header")
        team = tuple(sorted(set().union(*found)))
        if taken := [student for student in team if student in teams]:
            raise ValueError(f"line {line} of {path}: {taken[0]} is in another pair already")
        teams |= dict.fromkeys(team, team)
    return teams
