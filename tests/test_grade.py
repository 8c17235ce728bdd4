"""A class is graded: once, whatever happens; marks by hand stay; who is late, ill-behaved or killed stops nobody."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from classes import HOSTILE, ROOT, by_grade_id, hand_in, notebook, solutions
from nbgrader.api import Gradebook

from rnncourse.grading import gradebook
from rnncourse.grading.gradebook import Class

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is missing")]
LAB = "unfold"
FULL = 20.0


def status():
    """What differs in the clone from what is committed."""
    return subprocess.run(["git", "status", "--porcelain", "--", "labs", "solutions", "rnncourse", "book"], cwd=ROOT, capture_output=True, text=True).stdout


BEFORE = status()


def command(folder, *arguments, status=0):
    """What `grade` prints."""
    done = subprocess.run([sys.executable, "-m", "rnncourse.grading", "grade", "--class", str(folder), LAB, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr[-2000:]
    return done.stdout


def book(folder):
    return Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "rnncourse")


def state(folder):
    """All that counts in a gradebook: scores, marks and comments by hand, penalties, and how many rows each table has."""
    with book(folder) as open_:
        rows = {}
        for submission in open_.assignment_submissions(LAB):
            one = submission.notebooks[0]
            grades = sorted((g.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade) for g in one.grades)
            comments = sorted((c.name, c.auto_comment or "", c.manual_comment or "") for c in one.comments)
            rows[submission.student_id] = (submission.score, str(submission.timestamp), one.late_submission_penalty, grades, comments)
        tables = [name for (name,) in open_.db.connection().exec_driver_sql("select name from sqlite_master where type = 'table'").all()]
        counts = {name: open_.db.connection().exec_driver_sql(f"select count(*) from {name}").scalar() for name in tables}
        told = {student: (v["marks"], v["digest"]) for student, v in gradebook.verdicts(open_, LAB).items()}
        assert open_.db.connection().exec_driver_sql("pragma integrity_check").scalar() == "ok"
    return rows, counts, told


def by_hand(folder, student, name, points, comment):
    """The instructor gives a mark and writes a comment, as formgrader does."""
    with book(folder) as open_:
        grade = open_.find_grade(f"check-{name}", LAB, LAB, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        open_.find_comment(name, LAB, LAB, student).manual_comment = comment
        open_.db.commit()


def runs(*each):
    """What runs of the grader print, each in a folder, and killed at a step."""
    command = [sys.executable, str(ROOT / "tests" / "kills.py"), LAB, *(f"{folder}:{stop}" for folder, stop in each)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def scores(folder):
    return {student: row[0] for student, row in state(folder)[0].items()}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Two students are graded, one of them by hand too; then three more hand in, and one hands in once more."""
    folder = tmp_path_factory.mktemp("class") / "autumn"
    hand_in(folder, "ada", LAB, notebook(LAB))
    hand_in(folder, "bob", LAB, notebook(LAB, ["rnn_step", "unfold"]))
    command(folder)
    assert scores(folder) == {"ada": FULL, "bob": 5.0}
    by_hand(folder, "bob", "shapes", 1.5, "nearly")
    hand_in(folder, "bob", LAB, notebook(LAB, ["rnn_step", "unfold", "shapes"], {"shapes": solutions(LAB)["shapes"] + "\n# again"}))
    hand_in(folder, "cleo", LAB, notebook(LAB, answers={"rnn_step": HOSTILE["patches torch"]}))
    hand_in(folder, "dan", LAB, notebook(LAB)).write_text("not a notebook")
    return folder


def copied(begun, tmp_path, name="class"):
    return Path(shutil.copytree(begun, tmp_path / name))


@pytest.fixture(scope="module")
def undisturbed(begun, tmp_path_factory):
    """The same class, graded without trouble, and the number of steps that took."""
    folder = copied(begun, tmp_path_factory.mktemp("undisturbed"))
    said = runs((folder, 0))
    assert "marks by hand stand as they were, and are not in these numbers: bob\n" in said
    return state(folder), int(re.search(r"steps (\d+) status 1", said)[1])


def test_marks_by_hand_stay_and_a_new_file_is_graded(undisturbed):
    (rows, _, _), _ = undisturbed
    assert {student: row[0] for student, row in rows.items()} == {"ada": FULL, "bob": 6.5, "cleo": FULL - 2, "dan": 0.0}
    assert ("check-shapes", 2.0, 1.5, None, True) in rows["bob"][3] and ("shapes", "", "nearly") in rows["bob"][4]


@pytest.mark.parametrize("part", range(4))
def test_a_grader_that_is_killed_at_any_step_loses_nothing_and_grades_nothing_twice(begun, undisturbed, tmp_path, part):
    wanted, steps = undisturbed
    moments = [1 + int(steps * (5 * part + i + random.Random(f"{part} {i}").random()) / 20) for i in range(5)]
    folders = [copied(begun, tmp_path, str(moment)) for moment in moments]
    said = runs(*(pair for folder, moment in zip(folders, moments) for pair in ((folder, moment), (folder, 0))))
    assert re.findall(r"ended by (\d+)", said) == ["9", "0"] * 5, said
    assert [state(folder) == wanted for folder in folders] == [True] * 5, moments


def test_a_grader_that_is_killed_takes_all_its_processes_along(tmp_path):
    hand_in(tmp_path / "c", "eve", LAB, notebook(LAB, answers={"rnn_step": HOSTILE["hangs"]}))
    grader = psutil.Popen([sys.executable, "-m", "rnncourse.grading", "grade", "--class", str(tmp_path / "c"), LAB], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not any("inside" in " ".join(p.cmdline()) for p in grader.children(recursive=True) if p.is_running() and p.status() != psutil.STATUS_ZOMBIE):
        assert time.monotonic() < deadline and grader.poll() is None
        time.sleep(0.2)
    started = grader.children(recursive=True)
    grader.kill(), grader.wait()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []


def test_who_works_together_is_run_once_and_both_get_the_mark(tmp_path):
    for student in ("ada", "bob", "cleo"):
        hand_in(tmp_path / "c", student, LAB, notebook(LAB, ["rnn_step"] if student != "cleo" else ["pad"], {}, lambda cells: cells["unfold"].update(id="same")))
    assert "graded in this run: 2 submissions" in command(tmp_path / "c", "--jobs", "1")
    assert scores(tmp_path / "c") == {"ada": 2.0, "bob": 2.0, "cleo": 2.0}
    assert "graded in this run: 0 submissions" in command(tmp_path / "c")


def test_a_regrade_tells_whose_mark_changes_by_how_much_and_why(begun, tmp_path):
    folder = copied(begun, tmp_path)
    hand_in(folder, "dan", LAB, notebook(LAB, ["pad"]))
    command(folder)
    with Class.at(folder).book() as open_:
        old = gradebook.verdicts(open_, LAB)["ada"]
        old["marks"]["pad"] |= {"earned": 0, "right": False, "says": "not right"}
        wrong = gradebook.VERDICTS.update().where(gradebook.VERDICTS.c.student == "ada").values(verdict=json.dumps(old))
        open_.db.execute(wrong), open_.db.commit()
    said = command(folder, "--again")
    assert "ada: 18 -> 20\n    Exercise 4, pad: 0 -> 2; was 'not right', now 'right'\n" in said and "bob:" not in said
    assert "No mark has changed." in command(folder, "--again") and scores(folder)["bob"] == 6.5


def test_an_interrupted_regrade_tells_all_changes_at_its_end(begun, tmp_path):
    folder = copied(begun, tmp_path)
    command(folder, status=1)
    with Class.at(folder).book() as open_:
        old = gradebook.verdicts(open_, LAB)
    old["ada"]["marks"]["pad"] |= {"earned": 0, "right": False, "says": "not right"}
    (folder / ".before-unfold.json").write_text(json.dumps(old))  # what the killed run left
    assert "ada: 18 -> 20\n" in command(folder, "--again", status=1)
    assert not (folder / ".before-unfold.json").exists()


def test_a_lost_graded_notebook_is_made_again(begun, tmp_path):
    folder = copied(begun, tmp_path)
    (folder / "autograded" / "ada" / LAB / f"{LAB}.ipynb").unlink()
    command(folder, status=1)
    assert (folder / "autograded" / "ada" / LAB / f"{LAB}.ipynb").is_file()


def test_nbgraders_own_grading_refuses_in_a_class_and_runs_nothing(begun, tmp_path):
    folder = copied(begun, tmp_path)
    made = notebook(LAB)
    by_grade_id(made)["rnn_step"].source += f"\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n"
    hand_in(folder, "eve", LAB, made)
    done = subprocess.run([sys.executable, "-m", "nbgrader", "autograde", LAB, "--student", "eve"], cwd=folder, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode != 0 and "submissions are graded in a sandbox" in done.stderr and not (tmp_path / "ran").exists()


def test_a_mark_by_hand_above_a_file_that_was_replaced_is_flagged(begun, tmp_path):
    folder = copied(begun, tmp_path)
    hand_in(folder, "bob", LAB, notebook(LAB, ["pad"]))
    command(folder, status=1)
    with book(folder) as open_:
        assert any(grade.needs_manual_grade and grade.manual_score is not None for one in open_.find_submission(LAB, "bob").notebooks for grade in one.grades)


def test_what_cannot_be_opened_is_told_without_a_traceback(begun, tmp_path):
    for name, text, says in (("nbgrader_config.py", "c = get_config(\n", "nbgrader_config.py cannot be read: SyntaxError"), ("gradebook.db", "no database", "if it is damaged, put your copy")):
        folder = copied(begun, tmp_path, name)
        (folder / name).write_text(text)
        done = subprocess.run([sys.executable, "-m", "rnncourse.grading", "grade", "--class", str(folder), LAB], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_an_attack_by_a_text_that_cannot_be_written_or_a_folder_of_an_odd_name_stops_nobody(tmp_path):
    made = notebook(LAB)
    by_grade_id(made)["rnn_step"].source += "\n# SURROGATE"
    path = hand_in(tmp_path / "c", "eve", LAB, made)
    path.write_text(path.read_text().replace("SURROGATE", "\\ud800"))
    hand_in(tmp_path / "c", "a\nb", LAB, made)
    hand_in(tmp_path / "c", "zoe", LAB, notebook(LAB, ["pad"]))
    said = command(tmp_path / "c", "--jobs", "1", status=1)
    assert scores(tmp_path / "c") == {"eve": FULL, "zoe": 2.0} and "not looked at: 'a\\nb'" in said


def test_a_late_submission_pays_what_the_settings_say(begun, tmp_path):
    folder = copied(begun, tmp_path)
    (folder / "submitted" / "dan").rename(folder / "dan")
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write('c.LateSubmissionPlugin.penalty_method = "zero"\n')
    hand_in(folder, "eve", LAB, notebook(LAB), "2026-11-21 10:00:00 UTC")
    command(folder, "--due", "2026-11-20 22:00")
    rows = state(folder)[0]
    assert rows["eve"][2] == FULL and rows["cleo"][2] is None
    with book(folder) as open_:
        assert open_.find_submission(LAB, "eve").score - open_.find_submission(LAB, "eve").late_submission_penalty == 0
    (folder / "submitted" / "eve" / LAB / "timestamp.txt").write_text("2026-11-20 23:00:00+01:00")  # an extension: nothing has to run again
    assert "graded in this run: 0" in command(folder) and state(folder)[0]["eve"][2] is None
    (folder / "submitted" / "eve" / LAB / "timestamp.txt").write_text("tomorrow")
    assert '"tomorrow"' in command(folder) and state(folder)[0]["eve"][2] is None


def test_a_class_inside_the_course_is_refused():
    done = subprocess.run([sys.executable, "-m", "rnncourse.grading", "grade", "--class", str(ROOT / "autumn"), LAB], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "outside of it" in done.stderr and not (ROOT / "autumn").exists()


def test_without_bubblewrap_nothing_is_begun_and_it_says_what_to_do(begun, tmp_path):
    folder, before = copied(begun, tmp_path), state(begun)
    done = subprocess.run([sys.executable, "-m", "rnncourse.grading", "grade", "--class", str(folder), LAB], cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PATH": str(tmp_path)})
    assert done.returncode == 2 and "apt install bubblewrap" in done.stderr and state(folder) == before


@pytest.mark.parametrize("arguments,says", [(["nothing"], "there is no lab 'nothing'"), (["unfold", "--jobs", "0"], "at least 1")])
def test_a_command_that_cannot_be_done_says_why(tmp_path, arguments, says):
    done = subprocess.run([sys.executable, "-m", "rnncourse.grading", "grade", "--class", str(tmp_path / "c"), *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_other_machines_workers_are_used_and_a_lost_one_is_made_good(begun, undisturbed, tmp_path):
    folder = copied(begun, tmp_path)
    dask = lambda *what: subprocess.Popen([sys.executable, "-m", "distributed.cli." + what[0], *what[1:]], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)  # noqa: E731
    place = tmp_path / "scheduler.json"
    processes = [dask("dask_scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", str(place))]
    try:
        worker = lambda: dask("dask_worker", "--scheduler-file", str(place), "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path))  # noqa: E731
        while not place.exists():
            time.sleep(0.1)
        processes += [worker(), worker()]
        killer = threading.Timer(12.0, processes[1].kill)
        killer.start()
        command(folder, "--dask", json.loads(place.read_text())["address"], status=1)
        killer.join()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert state(folder) == undisturbed[0]


def test_after_a_whole_run_the_course_is_as_it_was(begun):
    assert status() == BEFORE
