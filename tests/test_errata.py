"""The errata of the lectures: every item says what the slide has, what is true, shows it, links on, and has a status."""

import re

import pytest

from rnncourse.results import root

TEXT = (root() / "book" / "reference" / "errata.md").read_text("utf8")
STATUS = re.findall(r"^\| ([^|]+?) \| [^|]+ \|$", TEXT.split("(sec-errata-guigue)=")[0], re.M)[1:]
ITEMS = {found[1]: found[0] for found in re.finditer(r"^\((err-[a-z0-9-]+)\)=\n### .*?(?=^\(err-|^\(sec-errata|\Z)", TEXT, re.S | re.M)}


def test_there_are_items_of_all_four_courses():
    assert {name.split("-")[1] for name in ITEMS} == {"guigue", "tp6", "ucl", "sharif"} and len(ITEMS) >= 53
    assert TEXT.count("\n### ") == len(ITEMS)


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_has_slide_truth_evidence_link_and_status(item):
    text = ITEMS[item]
    openers = re.findall(r"^\*\*(The slides?|The sheet|True is|Right is|More)\*\*", text, re.M)
    assert [opener in ("True is", "Right is") for opener in openers] == [False, True, False] and openers[-1] == "More"
    code = "".join(re.findall(r"^```\{code-cell\} python\n(.*?)^```", text, re.S | re.M))
    assert ("assert " in code or "raise AssertionError" in code) and "print(" in code
    more = text.split("**More**")[1]
    assert "{ref}`" in more and re.search(r"\*Status:\* (.+)", more)[1].startswith(tuple(STATUS))


def test_every_status_is_explained_and_used():
    assert all(any(f"*Status:* {status}" in text for text in ITEMS.values()) for status in STATUS) and len(STATUS) == 6


def test_what_is_a_choice_is_called_right():
    assert [name for name, text in ITEMS.items() if "*Status:* a choice" in text and "**Right is**" not in text] == []


@pytest.mark.parametrize("item", ITEMS)
def test_a_cell_of_an_item_is_short(item):
    cells = re.findall(r"^```\{code-cell\} python\n(.*?)^```", ITEMS[item].split("**More**")[0], re.S | re.M)
    assert cells and all(len(cell.splitlines()) <= 15 for cell in cells)
