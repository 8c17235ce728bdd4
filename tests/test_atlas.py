"""The atlas: six pages of mistakes, each with the experiment that makes them, the stored runs and the lab. First what all pages share."""

import re

import pytest
import torch

from rnncourse import results

EXERCISES = {"step": "rnn_step", "windows": "truncated", "by hand": "weight_gradients", "linear": "clip", "lstm": "LSTM", "adding": "adding_data",
             "bias": "set_forget_bias", "loss": "translation_loss"}  # where an experiment has another word for the lab's function  # fmt: skip


class Page:
    """A page, its experiment and what that stored; `takes` has the exercise of each mistake."""

    def __init__(self, lab):
        self.lab, self.bugs, self.runs = lab, results.experiment(f"bugs_{lab}"), results.load(f"bugs_{lab}")["runs"]
        self.text = (results.root() / "book" / "atlas" / f"{lab}.md").read_text("utf8")
        self.cells = "".join(re.findall(r"^```\{code-cell\} python\n(.*?)^```", self.text, flags=re.S | re.M))
        parts = re.split(rf"^\(sec-atlas-{lab}-([\w-]+)\)=\n", self.text, flags=re.M)
        self.sections = dict(zip(parts[1::2], parts[2::2]))
        self.table = self.sections.pop("table")
        self.takes = getattr(self.bugs, "TAKES", {}) or getattr(self.bugs, "MISTAKES", {}) or {m: task for task, some in self.bugs.OF.items() for m in some}


def on(*pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.lab)


PAGES = unfold, gradients, gates, language, decoding, translation = [*map(Page, ("unfold", "gradients", "gates", "language", "decoding", "translation"))]
OF = {"unfold": {"language": unfold.bugs.LANGUAGE, "vowels": unfold.bugs.VOWELS}, "gradients": gradients.bugs.OF, "gates": gates.bugs.OF,
      "language": {"": language.takes}, "decoding": {e: [m for m, of in decoding.takes.items() if of == e] for e in decoding.takes.values()},
      "translation": {"": translation.takes}}  # the mistakes of each task that is run  # fmt: skip


@on(*PAGES)
def test_every_mistake_is_one_that_the_lab_can_name(page):
    assert {*page.takes.items()} <= {(slip.switch, e) for e in page.takes.values() for slip in getattr(page.bugs.bank, EXERCISES.get(e, e)).slips}


@on(*PAGES)
def test_the_right_runs_and_every_mistake_are_stored_with_three_seeds_and_one_short_run(page):
    stored = [run["case"] for run in page.runs if "updates" not in run["case"]]
    told = [(case.get("task", case.get("exercise", "")), case.get("mistake", "")) for case in stored]
    assert sorted(told) == sorted((task, mistake) for task, mistakes in OF[page.lab].items() for mistake in ("", *mistakes))
    assert len(page.runs) == len(stored) + 1 and all(len(run["values"]) == 3 for run in page.runs)


@on(unfold, gradients, gates, language, translation)
def test_every_curve_has_its_points(page):
    assert all(len(run["loss"]) == len(run["norm"]) > 2 for case in page.runs for run in case["values"])


@on(*PAGES)
def test_each_section_says_how_to_see_it_and_what_it_is_not(page):
    for heading in ("## ", "```diff", "**How to see it.**", "**What it looks like but is not.**"):
        assert {name: f"\n{section}".count(f"\n{heading}") for name, section in page.sections.items()} == dict.fromkeys(page.sections, 1)


@on(*PAGES)
def test_the_lines_that_are_shown_are_lines_that_run(page):
    shown = re.findall(r"^[-+] (.*)$", "".join(re.findall(r"```diff\n(.*?)```", page.text, flags=re.S)), flags=re.M)
    assert len(shown) == 2 * len(page.sections) + {"gates": 4, "decoding": 1, "translation": 1}.get(page.lab, 0)  # some are of several lines
    assert [line for line in shown if not re.search(rf"^ *{re.escape(line)}$", page.cells, flags=re.M)] == []


@on(*PAGES)
def test_the_table_leads_to_each_section(page):
    assert page.table.startswith("## At a glance\n") and all(section.startswith("## ") for section in page.sections.values())
    assert [name for name in page.sections if f" <sec-atlas-{page.lab}-{name}>` |" not in page.table] == []


@on(unfold, gradients, gates)
def test_each_section_shows_one_mistake_of_its_own(page):
    shown = [re.findall(r"^beside\((?:\"[\w ]+\", )?\"(\w+)\",", section, flags=re.M) for section in page.sections.values()]
    assert len(shown) == len({mistake for mistake, in shown}) == 4 and {mistake for mistake, in shown} <= {*page.takes}


@on(language, translation)
def test_each_mistake_has_its_section(page):
    assert {*page.sections} == {name.replace("_", "-") for name in page.takes} | ({"zip"} if page is translation else set())


@on(language, translation)
def test_each_mistake_was_run_for_as_many_updates_as_the_right_run(page):
    part = "encoder" if page is translation else "norm"
    assert {(len(run["loss"]), len(run[part])) for case in page.runs if "updates" not in case["case"] for run in case["values"]} == {(50, 50)}


@on(language, decoding, translation)
def test_what_is_tested_in_sight_has_the_names_of_the_lab(page):
    seen = "".join(re.findall(r"^```\{code-cell\} python\n(?!:tags:)(.*?)^```", page.text, flags=re.S | re.M))
    named = re.findall(r"^(\w+) = partial\(", page.text, flags=re.M)
    assert len(named) >= 3 and all(f"{name}(" in seen and getattr(page.bugs.bank, name).slips for name in named)


# unfold
@pytest.mark.parametrize("mistake", unfold.takes)
def test_a_mistake_of_unfold_changes_what_is_learned(mistake):
    task, outputs = (unfold.bugs.vowels, 1) if mistake in unfold.bugs.VOWELS else (unfold.bugs.language, 12)
    weights = unfold.bugs.draw(0, 8, outputs)
    right, wrong = (torch.autograd.grad(task(weights, unfold.bugs.names()[0][:9], m)[0], weights[1])[0] for m in ("", mistake))
    assert not torch.allclose(right, wrong)


# gradients
@pytest.mark.parametrize("mistake, differs", [("retained", "steps"), ("reset", "loss"), ("each", "norm"), ("lost", "after"), ("after", "norm"),
                                              ("last_only", "norm"), ("now", "norm")])  # fmt: skip
def test_a_mistake_of_gradients_changes_what_is_stored(mistake, differs):
    right, wrong = (gradients.bugs.run(0, m, gradients.takes[mistake], updates=5) for m in ("", mistake))
    assert right[differs] != wrong[differs]


@pytest.mark.parametrize("task", gradients.bugs.OF)
def test_the_first_updates_of_gradients_are_still_the_stored_ones(task):
    stored = next(run["values"][0] for run in gradients.runs if run["case"] == {"mistake": "", "task": task})
    assert gradients.bugs.run(0, "", task, updates=10)["loss"][:2] == pytest.approx(stored["loss"][:2], rel=1e-3)


# gates
def test_three_of_the_gates_are_written_wrong_and_mended():
    assert {sign: re.findall(rf"^{sign} (\w) = ", gates.sections["softmax"], flags=re.M) for sign in ("-", r"\+")} == {"-": [*"fio"], r"\+": [*"fio"]}


@pytest.mark.parametrize("task, mistake", [(task, mistake) for task, mistakes in gates.bugs.OF.items() for mistake in mistakes])
def test_a_mistake_of_gates_changes_what_is_learned(task, mistake):
    right, wrong = (gates.bugs.run(0, m, task, updates=2)["norm"] for m in ("", mistake))
    assert right != pytest.approx(wrong, rel=1e-3)


# language
def test_without_a_mistake_both_ways_to_train_are_one(monkeypatch):
    bugs, batch, told = language.bugs, torch.randint(2, 9, (6, 4)), []
    right = bugs.right
    monkeypatch.setattr(bugs, "right", lambda exercise, mistake, *given: right(exercise, "", *given))
    for mistake in ("", "inverted"):  # by train_step, and over the loss
        torch.manual_seed(0)
        model = bugs.models.LanguageModel(9, 4, 5)
        adam = torch.optim.Adam(model.parameters(), 0.1)
        told.append([bugs.update(model, adam, batch, mistake) for _ in range(3)])
    assert sum(told[0], ()) == pytest.approx(sum(told[1], ()), rel=1e-4)


# decoding
def test_each_mistake_of_decoding_is_shown_in_one_of_five_sections():
    assert {*decoding.takes} <= {*re.findall(r'made\["(\w+)"\]', decoding.cells)}
    assert {*decoding.sections} == {"goes-on", "ended-lost", "stale-states", "times", "crossing"}


def test_each_place_of_decoding_has_its_value():
    places = {"generate_beam": decoding.bugs.WIDTHS, "best_hypothesis": decoding.bugs.EXPONENTS, "p_nucleus": decoding.bugs.MASSES}
    assert all({len(row) for run in case["values"] for row in run.values()} == {len(places[case["case"]["exercise"]])} for case in decoding.runs)


# translation
def test_the_score_that_stops_at_the_shorter_is_one_too():
    assert "cut" in {slip.switch for slip in translation.bugs.bank.by_length.slips}


def test_no_number_that_is_asked_for_was_learned():
    learned, asked = translation.bugs.corpus()
    assert len({*asked}) == 100 and {len(str(n)) for n in asked} == {2, 3, 4} and not {*learned} & {*asked}
