import re

import pytest
import torch

from rnncourse import results

PAGE = (results.root() / "book" / "atlas" / "gates.md").read_text("utf8")
BUGS, RUNS = results.experiment("bugs_gates"), results.load("bugs_gates")["runs"]
CELLS = "\n".join(re.findall(r"^```\{code-cell\}.*?^```", PAGE, flags=re.S | re.M))
SECTIONS = re.split(r"^\(sec-atlas-gates-\w+\)=\n", PAGE, flags=re.M)[1:-1]
EXERCISES = {"lstm": "LSTM", "forward": "forward", "adding": "adding_data", "bias": "set_forget_bias"}


@pytest.mark.parametrize("mistake", BUGS.TAKES)
def test_every_mistake_is_one_that_the_lab_can_name(mistake):
    assert mistake in {slip.switch for slip in getattr(BUGS.bank, EXERCISES[BUGS.TAKES[mistake]]).slips}


def test_the_right_run_and_every_mistake_are_stored_with_three_seeds():
    stored = [(run["case"]["task"], run["case"]["mistake"], len(run["values"])) for run in RUNS if "mistake" in run["case"]]
    assert stored == [(task, mistake, 3) for task, mistakes in BUGS.OF.items() for mistake in ("", *mistakes)]
    assert all(len(run["loss"]) == len(run["norm"]) > 2 for case in RUNS for run in case["values"])


def test_each_section_shows_one_mistake_of_its_own_and_tells_how_to_see_it():
    shown = [re.findall(r"^beside\((?:\"[\w ]+\", )?\"(\w+)\",", section, flags=re.M) for section in SECTIONS]
    assert len(shown) == len({mistake for mistake, in shown}) == 4 and {mistake for mistake, in shown} <= {*BUGS.TAKES}
    for heading in ("## ", "```diff", "**How to see it.**", "**What it looks like but is not.**"):
        assert all(section.count(f"\n{heading}") + section.startswith(heading) == 1 for section in SECTIONS)


def test_the_lines_that_are_shown_are_lines_that_run():
    shown = re.findall(r"^[-+] +(.*)$", "".join(re.findall(r"```diff\n(.*?)```", PAGE, flags=re.S)), flags=re.M)
    assert len(shown) == 2 * len(SECTIONS) + 4 and all(f" {line}\n" in CELLS for line in shown)


def test_three_of_the_gates_are_written_wrong_and_mended():
    assert {sign: re.findall(rf"^{sign} (\w) = ", SECTIONS[0], flags=re.M) for sign in ("-", r"\+")} == {"-": [*"fio"], r"\+": [*"fio"]}


@pytest.mark.parametrize("task, mistake", [(task, mistake) for task, mistakes in BUGS.OF.items() for mistake in mistakes])
def test_a_mistake_changes_what_is_learned(task, mistake):
    right, wrong = (BUGS.run(0, m, task, updates=2)["norm"] for m in ("", mistake))
    assert right != pytest.approx(wrong, rel=1e-3)


@pytest.mark.parametrize("name", re.findall(r"^\(sec-atlas-gates-(\w+)\)=", PAGE, flags=re.M)[:-1])
def test_the_table_leads_to_each_section(name):
    label = f"sec-atlas-gates-{name}"
    assert f"({label})=\n## " in PAGE and f" <{label}>` |" in PAGE.partition("(sec-atlas-gates-table)=\n## At a glance\n")[2]
