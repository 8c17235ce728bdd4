"""Who is in a class, and whom a path or a line of a list names. Nobody is guessed: what may be two students' is nobody's."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

SAFE = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,99}")
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<tail>.*)", re.S)
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<number>\d+)_\d+_(?P<tail>.+)", re.S)
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"})  # no accent that could be taken off
GROUP = re.compile(r"[^-]*(?:\d|gr[ou]+p|team)[^-]*-(?P<name>.+)", re.I | re.S)  # "Group 2-Ada Lovelace" of Moodle; "Anne-Marie Lee" has no group
NOISE = re.compile(r"(lab|final|copy)?\d{0,3}|v\d{1,3}")  # words of a file's name that tell of no person
COLUMNS = {  # of a class list in English, French, German, Spanish, Italian, Portuguese, in the order in which they are asked
    "student": ("student", "student id", "id number", "numero d identification", "numero d etudiant", "id nummer", "matrikelnummer", "numero de id", "numero de identificacion",
                "codice identificativo", "matricola", "numero de identificacao", "numero de identificacao id", "sis user id", "sis login id", "username", "nom d utilisateur",
                "anmeldename", "nombre de usuario", "nome de usuario", "nome de utilizador"),
    "name": ("full name", "nom complet", "vollstandiger name", "nombre completo", "nome completo", "name"),
    "first_name": ("first name", "first names", "given name", "prenom", "prenoms", "vorname", "nombre", "nombres", "nome", "nome proprio"),
    "last_name": ("last name", "surname", "family name", "nom", "nom de famille", "nachname", "apellido s", "apellidos", "apellido", "cognome", "apelido", "apelidos", "sobrenome"),
    "email": ("email address", "email", "e mail", "adresse de courriel", "courriel", "adresse e mail", "adresse mail", "adresse electronique", "e mail adresse",
              "direccion de correo", "direccion de correo electronico", "direccion de email", "correo electronico", "correo", "indirizzo email", "indirizzo e mail",
              "endereco de email", "endereco de e mail", "sis login id"),
    "lms_user_id": ("lms user id", "id", "user id"),
}  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a name without case, accents and signs: what is left of "Ó Briain_Anne-Marie" is o, briain, anne, marie."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    return re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c)))


def safe(ids: Iterable[str]) -> dict[str, str]:
    """From each id to one that can name a folder: what cannot stand there becomes "-".

    Raises
    ------
    ValueError
        If two become the same.
    """
    made = {}
    for student in ids:
        plain = "".join(c for c in unicodedata.normalize("NFKD", student) if not unicodedata.combining(c))
        folder = re.sub(r"^\.|[^A-Za-z0-9._@+-]", "-", plain)
        if other := made.get(folder):
            raise ValueError(f"{other!r} and {student!r} would both get the folder {folder}: change one of the two ids")
        made[folder] = student
    return {student: folder for folder, student in made.items()}


def lms(part: str) -> re.Match | None:
    """What an LMS has put in front of a student's file, if it has: "name", "number", and "tail", the student's own words."""
    return MOODLE.fullmatch(part) or CANVAS.fullmatch(part)


def digits(key: Iterable[str]) -> int:
    """How long the longest word is that has a digit; 0 if none has."""
    return max((len(word) for word in key if re.search(r"\d", word)), default=0)


def person(name: str) -> str:
    """The name that an LMS has written, without that of a group in front."""
    return head["name"] if (head := GROUP.fullmatch(name)) else name


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
        self.people, self.keys, self.own, self.numbers = people, {}, {}, {}
        same = Counter(student.casefold() for student in people)
        for student, told in people.items():
            if not SAFE.fullmatch(student):
                raise ValueError(f"{student!r} cannot be a student's id, which names a folder: letters, digits and . _ @ + - may be in it, and no dot in front")
            if same[student.casefold()] > 1:
                raise ValueError(f"{student} is the id of two students of the class list: each needs one of their own")
            first, last, email = (words(told.get(key) or "") for key in ("first_name", "last_name", "email"))
            login, number = words((told.get("email") or "").partition("@")[0]), told.get("lms_user_id") or ""
            name = first + last or login * (len(login) > 1)
            keys = (words(student), words(number), email, name, ["".join(first + last)], ["".join(last + first)], login)
            self.own[student] = {word for key in keys for word in key} | {*first, *last}
            for key in keys:
                if any(key):
                    self.keys.setdefault(key[0], []).append((Counter(key), student, key is login))
            self.numbers.setdefault(number, set()).add(student)

    def named(self, text: str, lab: str = "") -> set[str]:
        """The students whom a text names: by a whole name, id, login or e-mail address, and without a word that is not theirs.

        The lab's name, and words such as "final", are nobody's. A single word of letters, which may be somebody's first name, has to stand
        alone; a long id with digits counts beside anything. Who is named by some words gives way to who is named by these and more.
        """
        have = Counter(words(text[:255]))
        rest = {word for word in have if not NOISE.fullmatch(word)} - {*words(lab)}
        theirs = lambda key, student: rest <= (self.own[student] if len(key) > 1 or digits(key) else {*key})  # noqa: E731
        found = [(key, student) for word in have for key, student, login in self.keys.get(word, ()) if key == have or key <= have
                 and not all(word.isdecimal() and len(word) < 4 for word in key)  # such a number stands in many a file's name
                 and (not login or digits(key) > 4 or theirs(key, student))]  # fmt: skip
        sure = any(key == have or digits(key) > 4 or theirs(key, student) for key, student in found)
        return {student for key, student in found if sure and not any(key < other for other, _ in found)}

    def written(self, name: str) -> set[str]:
        """The students of whom an LMS's words are the whole name, or the id. A login is not looked for: it may be the first name of somebody else."""
        have = Counter(words(name[:255]))
        return {student for word in have for key, student, login in self.keys.get(word, ()) if key == have and not login}

    def behind(self, part: str, lab: str = "") -> set[str]:
        """The students whom a part of a path names. Where an LMS wrote the names, only its own words count: a student may call a file like another student."""
        if part in self.people or not (head := lms(part)):
            return {part} if part in self.people else self.named(part, lab)
        named = self.written(head["name"]) or self.written(person(head["name"]))
        if head.re is MOODLE:  # its number is the submission's
            return named
        named, numbered = named or self.written(f"{head['name']} {head['number']}"), self.numbers.get(head["number"], set())
        return named & numbered or (named | numbered if numbered else {student for student in named if not self.people[student].get("lms_user_id")})

    def authors(self, path: str, lab: str = "") -> set[str]:
        """The students whom the path of a lab's file names: its folders do, or if they name nobody, the file."""
        *folders, name = path.split("/")
        found = set()
        for folder in folders:
            found |= self.behind(folder, lab)
            if lms(folder):
                return found
        return found or self.behind(name.rpartition(".")[0], lab)


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
