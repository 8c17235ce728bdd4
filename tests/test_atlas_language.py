import re

import pytest
import torch

from rnncourse import results

PAGE = (results.root() / "book" / "atlas" / "language.md").read_text("utf8")
BUGS, RUNS = results.experiment("bugs_language"), results.load("bugs_language")["runs"]
CELLS = "\n".join(re.findall(r"^```\{code-cell\}.*?^```", PAGE, flags=re.S | re.M))


@pytest.mark.parametrize("mistake, exercise", BUGS.MISTAKES.items())
def test_every_mistake_is_one_that_the_lab_can_name(mistake, exercise):
    assert mistake in {slip.switch for slip in getattr(BUGS.bank, exercise).slips}


def test_each_mistake_was_run_with_three_seeds_of_as_many_updates_as_the_right_run():
    runs = {run["case"].get("mistake"): run["values"] for run in RUNS}
    assert {*runs} == {None, "", *BUGS.MISTAKES}
    assert {(len(values), len(run["loss"]), len(run["norm"])) for name, values in runs.items() if name is not None for run in values} == {(3, 50, 50)}


@pytest.mark.parametrize("mistake", BUGS.MISTAKES)
def test_each_mistake_has_its_section(mistake):
    assert f"(sec-atlas-language-{mistake.replace('_', '-')})=\n## " in PAGE


def test_the_lines_that_are_shown_are_lines_that_run():
    shown = re.findall(r"^[-+] (.*)$", "".join(re.findall(r"```diff\n(.*?)```", PAGE, flags=re.S)), flags=re.M)
    assert len(shown) == 2 * len(BUGS.MISTAKES) and all(line in CELLS for line in shown)


def test_without_a_mistake_both_ways_to_train_are_one(monkeypatch):
    right, batch, told = BUGS.right, torch.randint(2, 9, (6, 4)), []
    monkeypatch.setattr(BUGS, "right", lambda exercise, mistake, *given: right(exercise, "", *given))
    for mistake in ("", "inverted"):  # by train_step, and over the loss
        torch.manual_seed(0)
        model = BUGS.models.LanguageModel(9, 4, 5)
        adam = torch.optim.Adam(model.parameters(), 0.1)
        told.append([BUGS.update(model, adam, batch, mistake) for _ in range(3)])
    assert sum(told[0], ()) == pytest.approx(sum(told[1], ()), rel=1e-4)


@pytest.mark.parametrize("name", re.findall(r"^\(sec-atlas-language-([\w-]+)\)=", PAGE, flags=re.M)[:-1])
def test_the_table_leads_to_each_section(name):
    label = f"sec-atlas-language-{name}"
    assert f"({label})=\n## " in PAGE and f" <{label}>` |" in PAGE.partition("(sec-atlas-language-table)=\n## At a glance\n")[2]


def test_what_is_tested_in_sight_has_the_names_of_the_lab():
    seen = "".join(re.findall(r"^```\{code-cell\} python\n(?!:tags:)(.*?)^```", PAGE, flags=re.S | re.M))
    named = re.findall(r"^(\w+) = partial\(", PAGE, flags=re.M)
    assert len(named) >= 3 and all(f"{name}(" in seen and getattr(BUGS.bank, name).slips for name in named)
