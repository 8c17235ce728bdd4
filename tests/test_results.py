import json

import pytest

from rnncourse import results

EXPERIMENTS = sorted((results.root() / "experiments").glob("*.py"))


@pytest.fixture
def code(tmp_path):
    def write(text, name="a.py"):
        path = tmp_path / name
        path.write_text(text)
        return results.fingerprint([path])

    return write


def test_comments_docstrings_and_layout_do_not_count(code):
    assert code("def f(x):\n    return x+1\n") == code('"""New."""\ndef f( x ):\n    "Doc."\n    # why\n    return (x + 1)\n')


def test_a_changed_number_counts(code):
    assert code("x = 1") != code("x = 2")


def test_a_chapter_stands_for_its_code_cells(code):
    page = "# Title\n\n{}\n\n```{{code-cell}} python\n:tags: [hide-input]\nx = {}\n```\n"
    assert code(page.format("words", 1), "a.md") == code(page.format("other words", 1), "a.md") != code(page.format("words", 2), "a.md")


@pytest.mark.parametrize("text, needs", [
    ("from rnncourse import plots", {"__init__", "plots", "cells"}),
    ("from rnncourse.unfold import last", {"__init__", "unfold", "cells"}),
    ("import rnncourse.gradients", {"__init__", "gradients", "unfold", "cells"}),
    ("import torch", set()),
])  # fmt: skip
def test_imports_are_followed_to_the_bottom(text, needs, tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text(text)
    seen = []
    monkeypatch.setattr(results, "_canonical", lambda tree: "")
    uses = results._uses
    monkeypatch.setattr(results, "_uses", lambda tree, path: seen.append(path.stem) or uses(tree, path))
    results.fingerprint([tmp_path / "a.py"])
    assert set(seen) == {"a"} | needs


def test_stored_results_and_their_experiment_are_part_of_a_chapter(code, tmp_path):
    name = EXPERIMENTS[0].stem
    assert len({code("x = 1"), code(f"x = results.load({name!r})"), code(f"x = results.experiment({name!r})")}) == 3


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_stored_results_are_those_of_the_code_as_it_stands(path):
    stored = results.load(path.stem)
    assert stored["hash"] == results.fingerprint([path]), f"stale: run python experiments/{path.name}"
    assert all(len(run["values"]) == len(stored["seeds"]) >= 3 for run in stored["runs"])


def test_recording_writes_a_value_for_each_case_and_seed(tmp_path, monkeypatch, capsys):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "book" / "results").mkdir(parents=True)
    path = tmp_path / "experiments" / "double.py"
    path.write_text("def run(seed, x):\n    return 2 * x + seed\n")
    monkeypatch.chdir(tmp_path)
    results.record(str(path), [{"x": 1}, {"x": 5}], range(3), updates=0)
    stored = results.load("double")
    assert [run["values"] for run in stored["runs"]] == [[2, 3, 4], [10, 11, 12]]
    assert stored["hash"] == results.fingerprint([path]) and json.dumps(stored) and "machine" in stored


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="^name: expected one of"):
        results.load("nothing")
