import re

import pytest
import torch

from rnncourse import results

PAGE = (results.root() / "book" / "atlas" / "unfold.md").read_text("utf8")
BUGS, RUNS = results.experiment("bugs_unfold"), results.load("bugs_unfold")["runs"]
CELLS = "\n".join(re.findall(r"^```\{code-cell\}.*?^```", PAGE, flags=re.S | re.M))
SECTIONS = re.split(r"^\(sec-atlas-unfold-\w+\)=\n", PAGE, flags=re.M)[1:-1]
EXERCISES = {"step": "rnn_step", "unfold": "unfold", "classify": "classify", "detect": "detect"}


@pytest.mark.parametrize("mistake", BUGS.TAKES)
def test_every_mistake_is_one_that_the_lab_can_name(mistake):
    assert mistake in {slip.switch for slip in getattr(BUGS.bank, EXERCISES[BUGS.TAKES[mistake]]).slips}


def test_the_right_run_and_every_mistake_are_stored_with_three_seeds():
    stored = [(run["case"]["task"], run["case"]["mistake"], len(run["values"])) for run in RUNS if "mistake" in run["case"]]
    assert stored == [(task, mistake, 3) for task, mistakes in {"language": BUGS.LANGUAGE, "vowels": BUGS.VOWELS}.items() for mistake in ("", *mistakes)]
    assert all(len(run["loss"]) == len(run["norm"]) > 2 for case in RUNS for run in case["values"])


def test_each_section_shows_one_mistake_of_its_own_and_tells_how_to_see_it():
    shown = [re.findall(r"^beside\((?:\"[\w ]+\", )?\"(\w+)\",", section, flags=re.M) for section in SECTIONS]
    assert len(shown) == len({mistake for mistake, in shown}) == 4 and {mistake for mistake, in shown} <= {*BUGS.TAKES}
    for heading in ("## ", "```diff", "**How to see it.**", "**What it looks like but is not.**"):
        assert all(section.count(f"\n{heading}") + section.startswith(heading) == 1 for section in SECTIONS)


def test_the_lines_that_are_shown_are_lines_that_run():
    shown = re.findall(r"^[-+] +(.*)$", "".join(re.findall(r"```diff\n(.*?)```", PAGE, flags=re.S)), flags=re.M)
    assert len(shown) == 2 * len(SECTIONS) and all(f" {line}\n" in CELLS for line in shown)


@pytest.mark.parametrize("mistake", BUGS.TAKES)
def test_a_mistake_changes_what_is_learned(mistake):
    task, outputs = (BUGS.vowels, 1) if mistake in BUGS.VOWELS else (BUGS.language, 12)
    weights = BUGS.draw(0, 8, outputs)
    right, wrong = (torch.autograd.grad(task(weights, BUGS.names()[0][:9], m)[0], weights[1])[0] for m in ("", mistake))
    assert not torch.allclose(right, wrong)


@pytest.mark.parametrize("name", re.findall(r"^\(sec-atlas-unfold-(\w+)\)=", PAGE, flags=re.M)[:-1])
def test_the_table_leads_to_each_section(name):
    label = f"sec-atlas-unfold-{name}"
    assert f"({label})=\n## " in PAGE and f" <{label}>` |" in PAGE.partition("(sec-atlas-unfold-table)=\n## At a glance\n")[2]
