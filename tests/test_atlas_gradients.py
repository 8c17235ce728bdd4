import re

import pytest
import torch

from rnncourse import results

PAGE = (results.root() / "book" / "atlas" / "gradients.md").read_text("utf8")
BUGS, RUNS = results.experiment("bugs_gradients"), results.load("bugs_gradients")["runs"]
CELLS = "\n".join(re.findall(r"^```\{code-cell\}.*?^```", PAGE, flags=re.S | re.M))
SECTIONS = re.split(r"^\(sec-atlas-gradients-\w+\)=\n", PAGE, flags=re.M)[1:-1]
EXERCISES = {"windows": "truncated", "by hand": "weight_gradients", "linear": "clip"}
TASKS = {mistake: task for task, mistakes in BUGS.OF.items() for mistake in mistakes}


@pytest.mark.parametrize("mistake", TASKS)
def test_every_mistake_is_one_that_the_lab_can_name(mistake):
    assert mistake in {slip.switch for slip in getattr(BUGS.bank, EXERCISES[TASKS[mistake]]).slips}


def test_the_right_run_and_every_mistake_are_stored_with_three_seeds():
    stored = [(run["case"]["task"], run["case"]["mistake"], len(run["values"])) for run in RUNS if "mistake" in run["case"]]
    assert stored == [(task, mistake, 3) for task, mistakes in BUGS.OF.items() for mistake in ("", *mistakes)]
    assert all(len(run["loss"]) == len(run["norm"]) > 2 for case in RUNS for run in case["values"])


def test_each_section_shows_one_mistake_of_its_own_and_tells_how_to_see_it():
    shown = [re.findall(r"^beside\((?:\"[\w ]+\", )?\"(\w+)\",", section, flags=re.M) for section in SECTIONS]
    assert len(shown) == len({mistake for mistake, in shown}) == 4 and {mistake for mistake, in shown} <= {*TASKS}
    for heading in ("## ", "```diff", "**How to see it.**", "**What it looks like but is not.**"):
        assert all(section.count(f"\n{heading}") + section.startswith(heading) == 1 for section in SECTIONS)


def test_the_lines_that_are_shown_are_lines_that_run():
    shown = re.findall(r"^[-+] +(.*)$", "".join(re.findall(r"```diff\n(.*?)```", PAGE, flags=re.S)), flags=re.M)
    assert len(shown) == 2 * len(SECTIONS) and all(f" {line}\n" in CELLS for line in shown)


@pytest.mark.parametrize("mistake, differs", [("retained", "steps"), ("reset", "loss"), ("each", "norm"), ("lost", "after"), ("after", "norm"),
                                              ("last_only", "norm"), ("now", "norm")])  # fmt: skip
def test_a_mistake_changes_what_is_stored(mistake, differs):
    right, wrong = (BUGS.run(0, m, TASKS[mistake], updates=5) for m in ("", mistake))
    assert right[differs] != wrong[differs]


@pytest.mark.parametrize("task", BUGS.OF)
def test_the_first_updates_are_still_the_stored_ones(task):
    stored = next(run["values"][0] for run in RUNS if run["case"] == {"mistake": "", "task": task})
    now = BUGS.run(0, "", task, updates=10)
    assert now["loss"][:2] == pytest.approx(stored["loss"][:2], rel=1e-3)


@pytest.mark.parametrize("name", re.findall(r"^\(sec-atlas-gradients-(\w+)\)=", PAGE, flags=re.M)[:-1])
def test_the_table_leads_to_each_section(name):
    label = f"sec-atlas-gradients-{name}"
    assert f"({label})=\n## " in PAGE and f" <{label}>` |" in PAGE.partition("(sec-atlas-gradients-table)=\n## At a glance\n")[2]
