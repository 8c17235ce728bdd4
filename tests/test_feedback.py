"""What students get back: pages that hold marks, comments and words, and nothing that runs or loads."""

import base64
import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from rnncourse.grading import gradebook, notebooks
from rnncourse.grading.feedback import convert, converter, feedback, mistakes, solution
from rnncourse.grading.gradebook import Class
from rnncourse.grading.labs import COURSE, Lab
from rnncourse.grading.verdict import mark, refusal

pytestmark = pytest.mark.slow
EVIL = "</pre></textarea><script>alert(1)</script><img src=http://x.invalid onerror=alert(2)>"
LABS = sorted(path.parent.name for path in (COURSE / "solutions").glob("*/check.py"))


@pytest.fixture(scope="module")
def lab():
    return Lab("unfold")


@pytest.fixture(scope="module")
def toy(tmp_path_factory, lab):
    """Three students: one right, one hostile and wrong, one whose notebook is refused with a text of their own."""
    group = Class.at(tmp_path_factory.mktemp("class"))
    right = {"refused": "", "notes": [], "cells": [], "marks": {name: mark(e, "right", True) for name, e in lab.exercises.items()}}
    wrong = {name: mark(e, f"it says {EVIL}", details=EVIL, example=f"x = the drawn one {EVIL}") for name, e in lab.exercises.items()}
    hostile = right | {"cells": [(name, f'"""{EVIL}"""') for name in lab.exercises], "marks": wrong, "notes": [EVIL]}
    with group.book() as book:
        gradebook.register(book, lab)
        for student, verdict in {"ada": right, "<b>eve": hostile, "ref": refusal(lab, f"{EVIL} [a](javascript:alert(3))")}.items():
            notebooks.write(notebooks.graded(lab, verdict), group.folder / "autograded" / student / "unfold" / "unfold.ipynb")
            gradebook.save(book, lab, student, verdict, student, 1)
    return group


@pytest.fixture
def group(toy, tmp_path):
    shutil.copytree(toy.folder, tmp_path / "class")
    return Class.at(tmp_path / "class")


def page(group, student):
    return BeautifulSoup((group.folder / "feedback" / student / "unfold" / "unfold.html").read_text("utf8"), "html.parser")


def test_a_page_holds_marks_and_comments_as_they_are_now(group, lab):
    feedback(group, lab)
    with group.book() as book:
        notebook = book.find_submission_notebook("unfold", "unfold", "ada")
        next(g for g in notebook.grades if g.name == "check-rnn_step").manual_score = 0.5
        next(c for c in notebook.comments if c.name == "rnn_step").manual_comment = "Said in *person*"
        book.db.commit()
    assert feedback(group, lab) == (3, 0)
    assert "(Score: 18.5 / 20.0)" in page(group, "ada").h4.text and "Said in person" in page(group, "ada").text
    assert page(group, "ada").text.count("With what was given by hand") == 1 and "With what was given by hand: 0.5 of 2 points." in page(group, "ada").text


def test_the_page_of_what_could_not_be_graded_has_the_reason_alone_until_a_mark_is_given_by_hand(group, lab):
    feedback(group, lab)
    seen = page(group, "ref")
    assert "(not graded)" in seen.h4.text and "Score" not in seen.text and "ask how to hand it in once more" in seen.text and "Student's answer" not in seen.text
    with group.book() as book:
        book.find_grade("check-rnn_step", "unfold", "unfold", "ref").manual_score = 1
        book.db.commit()
    feedback(group, lab)
    assert "(Score: 1.0 / 20.0)" in page(group, "ref").h4.text and "With what was given by hand: 1 of 2 points." in page(group, "ref").text


def test_a_page_names_the_exercises_and_leaves_the_labs_texts_to_the_lab(group, lab):
    feedback(group, lab)
    links = [link.text for link in page(group, "<b>eve").find(id="toc").find_all("a")]
    assert links == [f"{exercise.title}: {name}" for name, exercise in lab.exercises.items()]
    assert not re.search(r"\$|\\frac", page(group, "ada").find(id="notebook").text) and "Exercise 8" in page(group, "ada").find(id="notebook").text


@pytest.mark.parametrize("passed", [False, True])
def test_the_drawn_input_is_handed_back_only_after_the_deadline(group, lab, passed):
    feedback(group, lab, deadline_passed=passed)
    assert ("the drawn one" in page(group, "<b>eve").text) is passed


@pytest.mark.parametrize("student", ["ada", "<b>eve", "ref"])
def test_attack_html_in_an_answer_a_message_or_a_reason_stays_text(group, lab, student):
    feedback(group, lab, deadline_passed=True)
    seen = page(group, student)
    assert not seen.find_all(["script", "iframe", "object", "base"]) and not seen.find_all("img")
    assert not [tag for tag in seen.find_all(True) if any(name.startswith("on") for name in tag.attrs)]
    assert not [tag for tag in seen.find_all(True) if re.match(r"(?!#|data:)", tag.get("href") or tag.get("src") or "#")]
    assert ("alert(1)" in seen.text) is (student != "ada")


def test_attack_a_page_forbids_its_browser_to_run_or_load_anything(group, lab):
    feedback(group, lab)
    policy = page(group, "ada").head.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy and "script" not in policy


def test_one_failure_is_listed_and_stops_nobody(group, lab, capsys):
    feedback(group, lab)
    (group.folder / "autograded" / "ada" / "unfold" / "unfold.ipynb").unlink()
    (group.folder / "autograded" / "ref" / "unfold" / "unfold.ipynb").write_text("{")
    assert feedback(group, lab) == (1, 2)
    told = capsys.readouterr().out
    assert "no feedback for 'ada': FileNotFoundError: autograded/ada/unfold/unfold.ipynb is not there: grade unfold again" in told and "'ref'" in told
    assert not (group.folder / "feedback" / "ada" / "unfold" / "unfold.html").exists()


@pytest.mark.parametrize("student", ["..", "../ada", "/tmp", ""])
def test_attack_a_student_whose_id_leaves_the_folder_gets_no_page(group, lab, student):
    with pytest.raises(ValueError, match="cannot name a folder"):
        convert(converter(group, lab, False), group.folder, student, "unfold")


@pytest.mark.parametrize("name", LABS)
def test_a_solution_holds_every_known_mistake_and_none_of_our_marks(tmp_path, name):
    lab = Lab(name)
    text = solution(lab, tmp_path / "deep" / "page.html").read_text("utf8")
    assert "SOLUTION" not in text and "### BEGIN" not in text
    seen = BeautifulSoup(text, "html.parser")
    assert [len(unfolds.find_all("li")) for unfolds in seen.find_all("details")] == [len(e.slips) for e in lab.exercises.values()]
    assert all(slip.says in seen.text for exercise in lab.exercises.values() for slip in exercise.slips)


def test_a_mistake_that_names_a_tag_is_shown_as_it_is(lab):
    exercise = replace(lab.exercises["pad"], slips=(replace(lab.exercises["pad"].slips[0], says="the <s> is lost & gone"),))
    assert "the &lt;s&gt; is lost &amp; gone" in mistakes(exercise)


def test_a_solution_may_run_its_own_script_alone(tmp_path, lab):
    text = solution(lab, tmp_path / "page.html").read_text("utf8")
    (script,) = BeautifulSoup(text, "html.parser").find_all("script")
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    assert not script.attrs and f"script-src 'sha256-{digest}'" in text


def test_formulas_of_a_solution_are_set_offline(tmp_path, lab, chromium):
    tab, asked, said = chromium.new_page(), [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.goto(Path(solution(lab, tmp_path / "page.html")).as_uri())
    tab.wait_for_selector("mjx-container svg")
    assert len(asked) == 1 and said == []
