"""The instructor's guide: what it tells to type can be typed, and what it says of files is so."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from rnncourse.grading.__main__ import main, parser
from rnncourse.grading.labs import Lab

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "book/instructor/grading.md").read_text("utf8")
MARKS = (ROOT / "book/instructor/marks.md").read_text("utf8")
README, DOCKERFILE, MAKEFILE = ((ROOT / name).read_text("utf8") for name in ("README.md", "Dockerfile", "Makefile"))
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)


def commands(text, start):
    """The command lines that begin with some words, also behind another command, without comments."""
    blocks = [body for kind, body in FENCE.findall(text) if "{" not in kind] + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if re.search(rf"(^|\s){re.escape(start)}\s", line)]
    return [shlex.split(start + line.partition(start)[2], comments=True) for line in lines]


def variables(target):
    """The variables that a target of the Makefile takes, also through those that it needs and in what its recipe names."""
    rule = re.search(rf"^{re.escape(target)}:([^\n#]*)[^\n]*\n((?:[\t ][^\n]*\n)*)", MAKEFILE, re.M)
    assert rule, f"there is no make {target}"
    names, todo = set(), re.findall(r"\$\(?([A-Z_]+)\b|\bcall need,([A-Z]+)", rule[2])
    while todo:
        name = "".join(todo.pop())
        if name not in names:
            names.add(name)
            todo += re.findall(r"\$\(?([A-Z_]+)\b|\bcall need,([A-Z]+)", "".join(re.findall(rf"^{name} *[:?]?= *(.*)", MAKEFILE, re.M)))
    return names.union(*(variables(need) for need in rule[1].split() if re.search(rf"^{re.escape(need)}:", MAKEFILE, re.M)))


TYPED = [tuple(line) for text in (GUIDE, MARKS, README) for line in commands(text, "make")]


@pytest.mark.parametrize("line", [*dict.fromkeys(TYPED)], ids=" ".join)
def test_what_the_guide_and_the_readme_make_can_be_made_with_these_variables(line):
    _, target, *given = line if "=" not in line[1] else ("make", "setup", *line[1:])
    assert {word.partition("=")[0] for word in given} <= variables(target)


def test_commands_are_found_and_a_wrong_variable_would_be_seen():
    assert {line[1] for line in TYPED} >= {"release", "collect", "grade", "statistics", "look", "feedback", "marks", "solution"}
    assert {"CLASS", "LAB", "FROM", "ROSTER", "PAIRS", "PYTHON"} <= variables("collect") and "DUE" not in variables("collect") | variables("feedback")


def test_every_target_for_the_instructor_is_in_the_guide():
    told = set(re.findall(r"^([a-z]+): (?:setup|book)  ## .*\n\t\$\(GRADING\)", MAKEFILE, re.M))
    assert told and told <= {line[1] for line in commands(GUIDE, "make")}


def test_what_the_guide_calls_directly_is_understood():
    found = commands(GUIDE, "python -m rnncourse.grading")
    assert found and all(parser().parse_args(line[3:]) for line in found if len(line) > 3)


def test_every_option_that_the_guide_names_is_one():
    text = "".join(line for line in GUIDE.splitlines(keepends=True) if not re.match(r"docker |dask |sudo ", line))
    flags = set(re.search(r"^docker run .*", GUIDE, re.M)[0].split()) | {"--user", "--cap-drop", "--cap-add"}  # Docker's
    of_ours = {option for choice in parser()._subparsers._group_actions[0].choices.values() for option in choice._option_string_actions}
    assert set(re.findall(r"(?<=`)--[a-z-]+", text)) - flags <= of_ours
    assert "--unsafe" in text


def test_what_the_programs_messages_promise_is_in_the_guide():
    assert "/etc/apparmor.d/bwrap" in GUIDE and "apt install bubblewrap" in GUIDE and "docker run" in GUIDE


def test_the_container_has_what_the_flags_are_for():
    assert "USER grader" in DOCKERFILE and "bubblewrap" in DOCKERFILE and "--cap-drop ALL" in GUIDE
    assert 11 <= int(re.search(r"^FROM python:3\.(\d+)", DOCKERFILE, re.M)[1]) <= 13
    copied = [name for line in re.findall(r"^COPY --chown=grader (.*) \S+$", DOCKERFILE, re.M) for name in line.split()]
    assert {"Makefile", "rnncourse", "solutions", "labs"} <= set(copied) and all((ROOT / name).exists() for name in copied)


def test_the_viva_takes_five_minutes_and_asks_six_kinds_of_questions():
    rows = re.findall(r"^\| (\d):(\d\d)–(\d):(\d\d) \|.*\| (.*) \|$", MARKS, re.M)
    times = [(60 * int(a) + int(b), 60 * int(c) + int(d)) for a, b, c, d, _ in rows]
    assert times[0][0] == 0 and times[-1][1] == 300 and all(end == begin for (_, end), (begin, _) in zip(times, times[1:]))
    assert len(rows) == 7 and [row[4] for row in rows][1:] == re.findall(r"^\| ([a-z ]+) \| .* \| .* \| .* \|$", MARKS, re.M)[1:]


def test_the_mistakes_that_the_viva_plants_are_in_the_bank():
    planted = re.findall(r'"(\w+)"', re.search(r"^planted = (.*)", MARKS, re.M)[1])
    assert planted and set(planted) <= {slip.switch for slip in Lab("gates").exercises["LSTM"].slips}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is missing")
def test_a_class_holds_the_files_that_the_guide_tells_of(tmp_path):
    told = re.search(r"^\| in the class's folder .*\n\|-.*\n((?:\|.*\n)*)", GUIDE, re.M)[1]
    names = {name.rstrip("/") for line in told.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    group, handed = tmp_path / "autumn", tmp_path / "downloads"
    handed.mkdir()
    (handed / "eve_unfold.ipynb").write_text("{}")
    assert main(["collect", "--class", str(group), "unfold", str(handed)]) == 0
    assert main(["grade", "--class", str(group), "unfold", "--jobs", "1"]) == 1  # it is no notebook
    for line in ("feedback unfold", "marks --form moodle", "statistics unfold"):
        command, *rest = line.split()
        assert main([command, "--class", str(group), *rest]) == 0
    assert {path.name for path in group.iterdir()} - {"__pycache__"} == names


# --- the plan ---

PLAN = (ROOT / "book/instructor/plan.md").read_text("utf8")
CHAPTERS = [str(path.relative_to(ROOT / "book").with_suffix("")) for part in ("recurrence", "gradients", "gates", "language", "generation") for path in (ROOT / "book" / part).glob("*.md")]
LABS = {"Unfold": "unfold", "Gradients": "gradients", "Gates": "gates", "Text": "language", "Decoding and evaluation": "decoding"}


def test_each_day_of_the_short_plan_adds_up():
    for day in PLAN.split("(sec-plan-days)=")[1].split("day | | what |")[1:]:
        rows = [tuple(map(int, row)) for row in re.findall(r"^\| (\d+):(\d\d) \| (\d+) min \|", day, re.M)]
        starts = [60 * hour + minute for hour, minute, _ in rows]
        assert len(rows) > 8 and [start + row[2] for start, row in zip(starts, rows)][:-1] == starts[1:]


@pytest.mark.parametrize("page", CHAPTERS + [f"../labs/{lab}/{lab}" for lab in ("arrive", "translation", *LABS.values())])
def test_the_plan_tells_the_times_of_every_chapter_and_lab(page):
    assert f"| {{running}}`{page}` |" in PLAN


def test_every_chapter_is_in_the_long_plan_and_in_the_sums():
    long = PLAN.split("(sec-plan-weeks)=")[1].split("(sec-plan-days)=")[0]
    total = next(line for line in PLAN.splitlines() if line.startswith("| **all** |"))
    assert all(f"{{doc}}`../{page}`" in long and total.count(page) == 2 for page in CHAPTERS)


@pytest.mark.parametrize("lab, numbers", re.findall(r"\*([A-Z][a-z ]+)\*, exercises ([\d, toand]+)", PLAN))
def test_the_exercises_that_the_plan_names_are_in_the_lab(lab, numbers):
    lesson = (ROOT / "labs" / LABS[lab] / f"{LABS[lab]}.ipynb").read_text("utf8")
    assert all(f"## Exercise {number}:" in lesson for number in re.findall(r"\d+", numbers))
