import re

import pytest

from rnncourse import results

PAGE = (results.root() / "book" / "atlas" / "translation.md").read_text("utf8")
BUGS, RUNS = results.experiment("bugs_translation"), results.load("bugs_translation")["runs"]
CELLS = "\n".join(re.findall(r"^```\{code-cell\}.*?^```", PAGE, flags=re.S | re.M))


EXERCISES = {"collate": "collate", "encode": "encode", "loss": "translation_loss", "greedy": "greedy"}  # by the names of the right functions


@pytest.mark.parametrize("mistake, exercise", BUGS.MISTAKES.items())
def test_every_mistake_is_one_that_the_lab_can_name(mistake, exercise):
    assert mistake in {slip.switch for slip in getattr(BUGS.bank, EXERCISES[exercise]).slips}


def test_the_score_that_stops_at_the_shorter_is_one_too():
    assert "cut" in {slip.switch for slip in BUGS.bank.by_length.slips}


def test_each_mistake_was_run_with_three_seeds_of_as_many_updates_as_the_right_run():
    runs = {run["case"].get("mistake"): run["values"] for run in RUNS}
    assert {*runs} == {None, "", *BUGS.MISTAKES}
    assert {(len(values), len(run["loss"]), len(run["encoder"])) for name, values in runs.items() if name is not None for run in values} == {(3, 50, 50)}


@pytest.mark.parametrize("name", [*BUGS.MISTAKES, "zip"])
def test_each_section_says_how_to_see_it_and_what_it_is_not(name):
    section = re.split(r"^\(sec-", PAGE.partition(f"(sec-atlas-translation-{name.replace('_', '-')})=\n")[2], flags=re.M)[0]
    assert section.startswith("## ") and "```diff" in section and "**How to see it.**" in section and "**What it looks like but is not.**" in section


def test_the_lines_that_are_shown_are_lines_that_run():
    shown = re.findall(r"^[-+] (.*)$", "".join(re.findall(r"```diff\n(.*?)```", PAGE, flags=re.S)), flags=re.M)
    assert len(shown) >= 10 and all(line in CELLS for line in shown)


def test_no_number_that_is_asked_for_was_learned():
    learned, asked = BUGS.corpus()
    assert len({*asked}) == 100 and {len(str(n)) for n in asked} == {2, 3, 4} and not {*learned} & {*asked}


@pytest.mark.parametrize("name", re.findall(r"^\(sec-atlas-translation-([\w-]+)\)=", PAGE, flags=re.M)[:-1])
def test_the_table_leads_to_each_section(name):
    label = f"sec-atlas-translation-{name}"
    assert f"({label})=\n## " in PAGE and f" <{label}>` |" in PAGE.partition("(sec-atlas-translation-table)=\n## At a glance\n")[2]


def test_what_is_tested_in_sight_has_the_names_of_the_lab():
    seen = "".join(re.findall(r"^```\{code-cell\} python\n(?!:tags:)(.*?)^```", PAGE, flags=re.S | re.M))
    named = re.findall(r"^(\w+) = partial\(", PAGE, flags=re.M)
    assert len(named) >= 3 and all(f"{name}(" in seen and getattr(BUGS.bank, name).slips for name in named)
