"""The page on a class: its numbers, on tables that can be solved by eye, and what stands on it."""

import shutil

import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from rnncourse.checks import Exercise, Slip
from rnncourse.grading import gradebook, overview
from rnncourse.grading.gradebook import Class
from rnncourse.grading.labs import Lab
from rnncourse.grading.overview import OUTCOMES, discrimination, distinct, outcome, page, rest, seen, stacks
from rnncourse.grading.verdict import mark, refusal

BANK = Exercise("Exercise 1", 2, sum, (Slip("late", "a step too late", "x"), Slip("early", "a step too early", "x"), Slip("cut", "the graph is cut", "x")), list, "x")


def verdict(refused="", digest="", **marks):
    """From exercises to True, False or the switches of known mistakes."""
    told = {name: mark(BANK, "not right", right is True, slips=[s for s in BANK.slips if s.switch in str(right)]) for name, right in marks.items()}
    return {"refused": refused, "notes": [], "cells": [], "marks": told, "digest": digest or str(marks)}


def test_an_equal_file_counts_once_and_a_refused_one_not_at_all():
    found = {"a": verdict(digest="1", x=True), "b": verdict(digest="1", x=True), "c": verdict(digest="2", x=False), "d": verdict("no notebook", digest="3")}
    assert [one["digest"] for one in distinct(found)] == ["1", "2"]


@pytest.mark.parametrize("key, made", [("right", mark(BANK, "right", True)), ("not right", mark(BANK, "not right")), ("not done", mark(BANK, "not done yet")),
                                       ("not run", mark(BANK, "it did not end", how="slow")), ("not run", mark(BANK, "its process ended", how="dead"))])  # fmt: skip
def test_an_exercise_ends_in_one_of_four_ways(key, made):
    assert outcome(made) == key and key in OUTCOMES


def test_mistakes_are_told_in_words_the_most_frequent_first_and_only_those_seen():
    judged = [verdict(x="late"), verdict(x="early late"), verdict(x="early late"), verdict(x=True), verdict(y=True)]
    assert seen(judged, "x", BANK) == [("a step too late", 3), ("a step too early", 2)]


def test_a_mistake_that_has_left_the_bank_is_not_told():
    old = verdict(x="late")
    old["marks"]["x"]["slips"] = ["gone", "cut", "cut"]
    assert seen([old], "x", BANK) == [("the graph is cut", 1)]


def test_the_rest_is_the_points_of_the_other_exercises():
    judged = [verdict(x=True, y=True, z=True), verdict(x=False, y=True, z=False), verdict(y=True)]
    assert rest(judged, "x") == ([True, False], [4, 2])


@pytest.mark.parametrize("right, others, r", [([0, 0, 1, 1], [1, 1, 5, 5], 1), ([1, 1, 0, 0], [1, 1, 5, 5], -1), ([0, 1, 0, 1], [1, 1, 5, 5], 0),
                                              ([0, 0, 0, 1], [0, 0, 0, 9], 1), ([1, 1], [3, 4], None), ([0, 0], [3, 4], None), ([0, 1], [3, 3], None)])  # fmt: skip
def test_discrimination_of_tables_that_can_be_solved_by_eye(right, others, r):
    found = discrimination([bool(x) for x in right], others)
    assert found is None if r is None else found == pytest.approx(r)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), min_size=2, max_size=50))
def test_discrimination_is_the_point_biserial_correlation(rows):
    right, others = np.array([a for a, _ in rows]), np.array([b / 2 for _, b in rows])
    found = discrimination(right.tolist(), others.tolist())
    if found is not None:
        p = right.mean()
        by_hand = (others[right].mean() - others[~right].mean()) / others.std() * np.sqrt(p * (1 - p))
        assert found == pytest.approx(by_hand, abs=1e-9)
    else:
        assert right.all() or not right.any() or len(set(others)) == 1


def test_each_value_is_a_dot_and_many_equal_ones_are_a_bar():
    few, many = stacks({"right": [1, 1, 3], "not right": [2]}, "points", 4), stacks({"": [1] * 60 + [2]}, "points", 4)
    assert sorted(len(ax.collections[0].get_offsets()) for ax in few.axes) == [1, 3]
    assert not many.axes[0].collections and sorted(bar.get_height() for bar in many.axes[0].patches) == [1, 60]


# ---- the page itself


@pytest.fixture(scope="module")
def lab():
    return Lab("unfold")


@pytest.fixture(scope="module")
def toy(tmp_path_factory, lab):
    """Four students with 0, 1, 2 and all exercises right, a pair, and one with a hostile id who is refused for a hostile reason."""
    group = Class.at(tmp_path_factory.mktemp("class"))
    with group.book() as book:
        gradebook.register(book, lab)
        for student, n in {"s0": 0, "s1": 1, "s2": 2, "s8": 8, "pair": 8}.items():
            made = {name: mark(e, "right" if i < n else "not right", i < n, slips=e.slips[:1] * (i >= n)) for i, (name, e) in enumerate(lab.exercises.items())}
            told = {"refused": "", "notes": [], "cells": [], "marks": made}
            gradebook.save(book, lab, student, told, f"{n}", 1)
        gradebook.save(book, lab, "<i>ref", refusal(lab, "it is <script>"), "r", 1)
    return group


@pytest.fixture
def group(toy, tmp_path):
    shutil.copytree(toy.folder, tmp_path / "class")
    return Class.at(tmp_path / "class")


def shown(group, lab):
    return BeautifulSoup(page(group, lab, group.folder / "deep" / "page.html").read_text("utf8"), "html.parser")


@pytest.mark.slow
def test_a_page_tells_what_was_counted_and_names_nobody_but_who_could_not_be_graded(group, lab):
    text = " ".join(shown(group, lab).text.split())
    assert "handed in: 6; notebooks that could be graded: 5. Equal files, as those of pairs, count once in the shares, which are of 4" in text
    assert "it is <script>: <i>ref" in text and "Median 5 of 20 points" in text and "With fewer than 20 submissions" in text
    assert text.count("not worked out for fewer than 20 submissions") == 1
    assert not {"s0", "s1", "s2", "s8"} & set(text.split())


@pytest.mark.slow
def test_the_table_has_the_shares_and_each_mistake_its_own(group, lab):
    seen = shown(group, lab)
    rows = [[cell.text for cell in row.find_all("td")] for row in seen.find("table").find_all("tr")[1:]]
    assert rows[0] == ["Exercise 1", "rnn_step", "75%", "25%", "0%", "0%"] and len(rows) == len(lab.exercises)
    assert lab.exercises["rnn_step"].slips[0].says in seen.text and lab.exercises["rnn_step"].slips[1].says not in seen.text


@pytest.mark.slow
def test_a_mark_by_hand_moves_the_totals_and_not_the_shares(group, lab):
    with group.book() as book:
        book.find_grade("check-rnn_step", "unfold", "unfold", "<i>ref").manual_score = 2
        book.find_grade("check-summary", "unfold", "unfold", "s8").manual_score = 1
        book.db.commit()
    text = " ".join(shown(group, lab).text.split())
    assert "given by hand: 2." in text and "Median 3.5 of 20 points" in text and "75%" in text


@pytest.mark.slow
def test_a_page_runs_and_loads_nothing_and_every_picture_has_words(group, lab, monkeypatch):
    monkeypatch.setattr(overview, "FEW", 3)
    seen = shown(group, lab)
    assert not seen.find_all(["script", "link", "img", "iframe"]) and "default-src 'none'" in seen.head.find("meta", {"http-equiv": True})["content"]
    assert len(seen.find_all("svg")) == 2 + len(lab.exercises) and all(svg["role"] == "img" and svg["aria-label"].strip() for svg in seen.find_all("svg"))
    assert not seen.find_all("i")


@pytest.mark.slow
def test_a_class_of_which_nothing_could_be_graded_has_a_page_too(tmp_path, lab):
    group = Class.at(tmp_path / "class")
    with group.book() as book:
        gradebook.register(book, lab)
    assert "handed in: 0;" in shown(group, lab).text and not shown(group, lab).find(class_="warn")
    with group.book() as book:
        gradebook.save(book, lab, "ref", refusal(lab, "too big"), "r", 1)
    assert "too big: ref" in shown(group, lab).text
