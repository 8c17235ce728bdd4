import re

import pytest

from rnncourse import results

PAGE = (results.root() / "book" / "atlas" / "decoding.md").read_text("utf8")
BUGS, RUNS = results.experiment("bugs_decoding"), results.load("bugs_decoding")["runs"]
CELLS = "\n".join(re.findall(r"^```\{code-cell\}.*?^```", PAGE, flags=re.S | re.M))


@pytest.mark.parametrize("mistake, exercise", BUGS.MISTAKES.items())
def test_every_mistake_is_one_that_the_lab_can_name(mistake, exercise):
    assert mistake in {slip.switch for slip in getattr(BUGS.bank, exercise).slips}


def test_each_mistake_was_run_with_three_seeds_and_has_its_right_run():
    runs = {(run["case"]["exercise"], run["case"].get("mistake", "")): run["values"] for run in RUNS if "updates" not in run["case"]}
    assert {*runs} == {(exercise, "") for exercise in BUGS.MISTAKES.values()} | {(exercise, mistake) for mistake, exercise in BUGS.MISTAKES.items()}
    places = {"generate_beam": BUGS.WIDTHS, "best_hypothesis": BUGS.EXPONENTS, "p_nucleus": BUGS.MASSES}
    assert all(len(values) == 3 and {len(row) for run in values for row in run.values()} == {len(places[name])} for (name, _), values in runs.items())


@pytest.mark.parametrize("mistake", BUGS.MISTAKES)
def test_each_mistake_is_shown(mistake):
    assert f'made["{mistake}"]' in CELLS


@pytest.mark.parametrize("name", ["goes-on", "ended-lost", "stale-states", "times", "crossing"])
def test_each_section_says_how_to_see_it_and_what_it_is_not(name):
    section = re.split(r"^\(sec-", PAGE.partition(f"(sec-atlas-decoding-{name})=\n")[2], flags=re.M)[0]
    assert section.startswith("## ") and "```diff" in section and "**How to see it.**" in section and "**What it looks like but is not.**" in section


def test_the_lines_that_are_shown_are_lines_that_run():
    shown = re.findall(r"^[-+] (.*)$", "".join(re.findall(r"```diff\n(.*?)```", PAGE, flags=re.S)), flags=re.M)
    assert len(shown) >= 10 and all(line in CELLS for line in shown)


@pytest.mark.parametrize("name", re.findall(r"^\(sec-atlas-decoding-([\w-]+)\)=", PAGE, flags=re.M)[:-1])
def test_the_table_leads_to_each_section(name):
    label = f"sec-atlas-decoding-{name}"
    assert f"({label})=\n## " in PAGE and f" <{label}>` |" in PAGE.partition("(sec-atlas-decoding-table)=\n## At a glance\n")[2]


def test_what_is_tested_in_sight_has_the_names_of_the_lab():
    seen = "".join(re.findall(r"^```\{code-cell\} python\n(?!:tags:)(.*?)^```", PAGE, flags=re.S | re.M))
    named = re.findall(r"^(\w+) = partial\(", PAGE, flags=re.M)
    assert len(named) >= 3 and all(f"{name}(" in seen and getattr(BUGS.bank, name).slips for name in named)
