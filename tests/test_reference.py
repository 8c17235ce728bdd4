"""The reference pages: links lead somewhere, nothing is named twice or forgotten, sources can be found."""

import re
import unicodedata
from collections import Counter

import pytest
import yaml
from pybtex.database import parse_file

from rnncourse import cells, results

BOOK = results.root() / "book"
PAGES = {name: (BOOK / f"{name}.md").read_text("utf8") for name in ("reference/notation", "reference/glossary", "reference/courses", "bibliography")}
NOTATION, GLOSSARY, COURSES, _ = PAGES.values()
EVERYTHING = "\n".join(path.read_text("utf8") for path in sorted(BOOK.rglob("*.md")))
LABELS = set(re.findall(r"^(?:\(|\$\$ \(|:label: )([\w-]+)(?:\)=|\)|)$", EVERYTHING, re.M))
TITLED = set(re.findall(r"^\(([\w-]+)\)=\n#+ (?!.*\$[^$]*[_\\])", EVERYTHING, re.M))  # a link shows c_{t-1} of a title as it is typed
BIB = parse_file(str(BOOK / "references.bib")).entries
SLIDES = {"guigue": 24, "tp6": 15, "ucl": 35, "sharif": 42}


def table(text, label):
    """The rows of the first table after a label, as lists of cells."""
    lines = text.split(f"({label})=\n", 1)[1].splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("|"))
    last = next((n for n, line in enumerate(lines) if n > first and not line.startswith("|")), len(lines))
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[first + 2 : last]]


def roles(text, role):
    """What stands behind a role, as (words or "", target)."""
    return [(words.strip(), target) for words, target in re.findall(rf"\{{{role}\}}`(?:([^`<]*)<)?([^`<>]+)>?`", text)]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    here = BOOK / f"{name}.md"
    assert {target for words, target in roles(PAGES[name], "ref") if words} <= LABELS
    assert {target for words, target in roles(PAGES[name], "ref") if not words} <= TITLED, "a link to no heading, or to one with a formula, needs words"
    assert {target for _, target in roles(PAGES[name], "eq")} <= LABELS
    missing = [doc for _, doc in roles(PAGES[name], "doc") if not list((here.parent / doc).resolve().parent.glob(f"{doc.split('/')[-1]}.*"))]
    assert missing == []


@pytest.mark.parametrize("course", SLIDES)
def test_every_slide_of_a_course_is_in_its_map_once(course):
    rows = table(COURSES, f"sec-courses-{course}")
    titles = [row[0] for row in rows]
    assert all(titles) and len(set(titles)) == len(rows) == SLIDES[course]
    assert [row[0] for row in rows if not row[1] and "(heading)" not in row[0]] == []


def test_every_exercise_that_the_map_names_is_in_its_lab():
    named = re.findall(r"\{doc\}`Lab (\d) <../../labs/(\w+)/\w+>`(?:, exercises? ([\d, and to]*\d))?", COURSES)
    assert len(named) > 50
    for number, lab, exercises in named:
        notebook = (BOOK.parent / "labs" / lab / f"{lab}.ipynb").read_text("utf8")
        last = max(map(int, re.findall(r'"\| (\d+) ', notebook)))
        assert f'"# Lab {number}: ' in notebook and all(int(n) <= last for n in re.findall(r"\d+", exercises)), (lab, exercises)


def terms():
    """The glossary's entries: term, French words, text."""
    inside = GLOSSARY.split("```{glossary}\n")[1].split("\n```")[0]
    entries = [re.fullmatch(r"(\S.*)\n  \*fr\.\* (.+?)\. (.+)", entry) for entry in inside.split("\n\n")]
    assert all(entries), "an entry is a term, and indented its French words, a full stop and a text"
    return [entry.groups() for entry in entries]


def test_the_glossary_is_sorted_and_each_term_is_taught_somewhere():
    words = [term for term, _, _ in terms()]
    assert len(words) >= 90 and words == sorted(set(words), key=str.casefold)
    assert [term for term, _, text in terms() if not roles(text, "ref")] == []


def test_the_french_table_is_the_glossary_turned_round():
    def plain(row):
        return unicodedata.normalize("NFD", row[0].casefold()).encode("ascii", "ignore"), row[1]

    turned = sorted(([word, term] for term, french, _ in terms() for word in french.split(", ")), key=plain)
    assert table(GLOSSARY, "sec-glossary-french") == turned


def test_every_letter_of_a_course_stands_in_its_column():
    courses = yaml.safe_load((BOOK / "notation.yml").read_text("utf8"))["courses"]
    rows = [row for part in ("cell", "gradients", "gates", "writing") for row in table(NOTATION, f"sec-notation-{part}")]
    for place, (name, course) in zip((-4, -3, -2, -1), courses.items(), strict=True):
        column = {re.sub(r"^\((.*)\)$", r"\1", letter) for letter in re.findall(r"\$([^$]+)\$", " ".join(row[place] for row in rows))}
        assert {*course["symbols"].values()} - column == set(), name
    signs = " ".join(" ".join(row) for row in table(NOTATION, "sec-notation-sizes"))
    assert all(course["times"] in signs for course in courses.values())


def test_the_shapes_in_the_table_are_those_of_the_cell():
    shapes = {row[0].strip("$"): row[1].strip("$") for row in table(NOTATION, "sec-notation-cell")}
    cell, sizes = cells.RNN(3, 4), {3: "D", 4: "H"}
    for name, letter in {"W_xh": "W_{xh}", "W_hh": "W_{hh}", "b": "b"}.items():
        assert shapes[letter] == f"({', '.join(sizes[n] for n in getattr(cell, name).shape)})"


@pytest.mark.parametrize("key", BIB)
def test_a_source_can_be_found(key):
    entry = BIB[key]
    assert "author" in entry.persons and {"title", "year"} <= {*entry.fields}
    assert {"doi", "url", "isbn"} & {*entry.fields} or "No DOI" in entry.fields.get("note", "")
    assert re.fullmatch(r"(19|20)\d\d", entry.fields["year"])
    assert re.fullmatch(r"10\.\d{4,5}/\S*[^\s.,]", entry.fields.get("doi", "10.1000/none")), "a DOI alone, without https"


def test_no_source_is_there_twice_or_for_nothing():
    dois = Counter(entry.fields["doi"].lower() for entry in BIB.values() if "doi" in entry.fields)
    assert [doi for doi, times in dois.items() if times > 1] == []
    cited = {key for keys in re.findall(r"\{cite:?\w*\}`([^`]+)`", EVERYTHING) for key in re.split(r"\s*,\s*", keys)}
    assert cited == {*BIB}
