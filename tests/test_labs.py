"""Every lab: its form, what is shipped of it, and its checks against the answers that they know."""

import ast
import inspect
import itertools
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from banks import hidden, modules

from rnncourse.checks import CheckFailed, same

ROOT = Path(__file__).parents[1]
LABS = sorted(path.parent.name for path in ROOT.glob("solutions/*/*.ipynb"))
ROLES = {"define", "check", "run"}
FIGURE = "nbval-ignore-output"
UNIX = {"resource", "fcntl", "pwd", "grp", "termios", "pty", "tty", "syslog", "posix", "crypt"}
STUDENTS = [*ROOT.glob("rnncourse/*.py"), *ROOT.glob("solutions/*/check.py")]


def notebook(lab, folder=ROOT / "solutions"):
    return nbformat.read(folder / lab / f"{lab}.ipynb", as_version=4)


EXERCISES = [pytest.param(lab, name, id=f"{lab}-{name}") for lab in LABS for name in modules(lab).exercises]
SLIPS = [pytest.param(lab, name, slip, id=f"{lab}-{name}-{slip.switch}")
         for lab in LABS for name, exercise in modules(lab).exercises.items() for slip in exercise.slips]  # fmt: skip


def solution(source):
    """What stands between the marks, as lines."""
    return re.search(r"### BEGIN SOLUTION\n(.*?)\n *### END SOLUTION", source, re.S)[1].splitlines()


def by_grade_id(cells):
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells if "nbgrader" in cell.metadata}


def generate(target):
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "*", "--force", "--no-db", "--quiet"]
    done = subprocess.run([*command, f"--CourseDirectory.release_directory={target}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("labs"))


@pytest.fixture(autouse=True)
def algorithms():
    yield
    if torch.are_deterministic_algorithms_enabled():  # by a lab's first cell
        torch.use_deterministic_algorithms(False)


def shipped(folder):
    files = (path for lab in folder.iterdir() if lab.is_dir() for path in lab.rglob("*") if path.is_file())
    junk = {"__pycache__", ".ipynb_checkpoints", "handed_in"}
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if not junk & set(path.parts)}


# What is shipped


def test_the_labs_are_what_the_solutions_make_now(made):
    new, stored = shipped(made), shipped(ROOT / "labs")
    assert sorted(stored) == sorted(new), "say: make labs"
    assert [name for name in new if stored[name] != new[name]] == [], "say: make labs"


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_ships_its_notebook_and_its_checks_and_nothing_that_is_hidden(lab, made):
    names = {path.name for path in (made / lab).rglob("*")}
    assert {f"{lab}.ipynb", "check.py"} <= names
    assert not names & {"hidden.py", "right.py"}


@pytest.mark.parametrize("lab", LABS)
def test_nothing_of_a_solution_stands_in_the_lab(lab, made):
    text = "\n".join(cell.source for cell in notebook(lab, made).cells)
    assert "SOLUTION" not in text
    secret = {line.split("#")[0].strip() for cell in by_grade_id(notebook(lab).cells).values() if cell.metadata.nbgrader.solution
              for line in solution(cell.source)}  # fmt: skip
    shown = {line.split("#")[0].strip() for line in text.splitlines()}
    assert {line for line in secret & shown if len(line) > 25} == set()


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_has_no_outputs(lab, made):
    code = [cell for cell in notebook(lab, made).cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("lab", LABS)
def test_a_stub_names_its_exercise_and_keeps_signature_and_docstring(lab, made):
    blank = by_grade_id(notebook(lab, made).cells)
    for name in modules(lab).exercises:
        title = blank[name].source.splitlines()[0].removeprefix("# ").split(" (")[0]
        function = next(node for node in ast.parse(blank[name].source).body if getattr(node, "name", "") == name)
        assert ast.get_docstring(function)
        last = function.body[-1]  # of a class: its last method
        last = last.body[-1] if isinstance(last, ast.FunctionDef) else last
        assert ast.unparse(last) == f"raise NotImplementedError({title!r})"


# The form


@pytest.mark.parametrize("lab", LABS)
@pytest.mark.parametrize("folder", ["solutions", "labs"])
def test_every_cell_has_a_readable_id_and_every_code_cell_one_role(lab, folder):
    cells = notebook(lab, ROOT / folder).cells
    assert len({cell.id for cell in cells}) == len(cells)
    for cell in cells:
        assert re.fullmatch(r"[a-z]+([-_][a-z0-9]+)*", cell.id), cell.id
        tags = cell.metadata.get("tags", [])
        assert (len(ROLES & set(tags)) == 1 and set(tags) <= ROLES | {FIGURE}) if cell.cell_type == "code" else not tags, cell.id
        assert set(cell.metadata) <= {"tags", "nbgrader"} | ({"deletable", "editable"} if folder == "labs" else set()), cell.id


@pytest.mark.parametrize("lab", LABS)
@pytest.mark.parametrize("folder", ["solutions", "labs"])
def test_a_notebook_says_nothing_about_the_machine_it_was_made_on(lab, folder):
    assert notebook(lab, ROOT / folder).metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_begins_with_its_title_and_the_version_that_it_needs(lab):
    first, cells = notebook(lab).cells[0], [cell for cell in notebook(lab).cells if cell.cell_type == "code"]
    assert first.cell_type == "markdown" and first.source.startswith("# Lab ")
    assert cells[0].metadata.tags == ["define"]
    assert "rnncourse.reproducible(0)" in cells[0].source and re.search(r'^rnncourse\.needs\("[\d.]+"\)$', cells[0].source, re.M)


@pytest.mark.parametrize("lab,name", EXERCISES)
def test_the_cells_of_an_exercise_agree_with_its_check(lab, name):
    exercise, cells = modules(lab).exercises[name], by_grade_id(notebook(lab).cells)
    answer, check = cells[name], cells[f"check-{name}"]
    assert re.match(rf"# {exercise.title}: .+ \({exercise.points} points?, \w+\)\n", answer.source)
    assert (answer.metadata.tags, check.metadata.tags) == (["define"], ["check"])
    assert check.source == f"check.{name}({name})" and check.metadata.nbgrader.points == exercise.points
    kinds = [{key: cell.metadata.nbgrader[key] for key in ("grade", "solution", "locked", "task")} for cell in (answer, check)]
    assert kinds == [{"grade": False, "solution": True, "locked": False, "task": False},
                     {"grade": True, "solution": False, "locked": True, "task": False}]


@pytest.mark.parametrize("lab", LABS)
def test_every_cell_that_counts_belongs_to_an_exercise(lab):
    names = modules(lab).exercises
    assert set(by_grade_id(notebook(lab).cells)) == {*names, *(f"check-{name}" for name in names)}


# The checks


@pytest.mark.parametrize("lab,name", EXERCISES)
def test_every_section_that_a_message_names_is_in_the_book(lab, name):
    exercise = modules(lab).exercises[name]
    for read in {exercise.read, *(slip.read for slip in exercise.slips)}:
        page, label = read.split("#")
        assert f"({label})=" in (ROOT / "book" / page).with_suffix(".md").read_text("utf8").splitlines(), read


@pytest.mark.parametrize("lab,name,slip", SLIPS)
def test_a_known_slip_is_named(lab, name, slip):
    exercise = modules(lab).exercises[name]
    with pytest.raises(CheckFailed, match=re.escape(slip.says)) as failed:
        exercise(partial(exercise.truth, **{slip.switch: True}))
    assert str(failed.value).count("\n- ") == 1, "it is taken for a mixture"


@pytest.mark.parametrize("lab,name,slip", SLIPS)
def test_a_known_slip_does_not_pass_the_hidden_tests(lab, name, slip):
    exercise = modules(lab).exercises[name]
    pairs = zip(*(hidden(modules(lab), name, f, 7) for f in (partial(exercise.truth, **{slip.switch: True}), exercise.truth)))
    assert not all(same(mine, right, exercise.atol) for mine, right in pairs)


@pytest.mark.parametrize("lab,name", EXERCISES)
def test_the_right_function_gives_values_and_has_a_switch_for_every_slip(lab, name):
    exercise = modules(lab).exercises[name]
    assert all("values" in case for case in exercise.slipped(exercise.cases(torch.Generator().manual_seed(0))))
    switches = [key for key, value in inspect.signature(exercise.truth).parameters.items() if value.kind == value.KEYWORD_ONLY]
    assert sorted(switches) == sorted(slip.switch for slip in exercise.slips)


@pytest.mark.parametrize("lab,name", EXERCISES)
def test_the_cases_tell_every_slip_from_the_right_answer_and_from_each_other(lab, name):
    exercise = modules(lab).exercises[name]
    assert [exercise.twins(seed) for seed in (0, 1, 2)] == [[], [], []]


@pytest.mark.slow
@pytest.mark.parametrize("lab,name", EXERCISES)
def test_no_two_slips_together_pass_for_right(lab, name):
    exercise = modules(lab).exercises[name]
    cases = exercise.cases(torch.Generator().manual_seed(0))
    right = [*exercise.slipped(cases)]
    for pair in itertools.combinations(exercise.slips, 2):
        assert not all(same(mine, known, exercise.atol) for mine, known in zip(exercise.slipped(cases, pair), right)), pair


@pytest.mark.slow
@pytest.mark.parametrize("step", [45, pytest.param(9, marks=pytest.mark.check)])
@pytest.mark.parametrize("lab,name", EXERCISES)
def test_two_slips_together_are_named(lab, name, step):
    exercise = modules(lab).exercises[name]
    cases = exercise.cases(torch.Generator().manual_seed(0))
    for pair in [*itertools.combinations(exercise.slips, 2)][::step]:
        got = exercise.trace(partial(exercise.truth, **{slip.switch: True for slip in pair}), cases)
        found = exercise.diagnose(got, cases)
        if any("type" in mine for mine in got):  # an exception says little: it is laid to one slip, or to none
            assert found is None or len(found) == 1
        else:
            assert 0 < len(found) <= 2 and exercise.agree(got, cases, found)


@pytest.mark.parametrize("lab,name", EXERCISES)
def test_hidden_tests_are_the_same_for_a_seed_and_others_for_another(lab, name):
    once, again, other = (hidden(modules(lab), name, modules(lab).exercises[name].truth, seed) for seed in (5, 5, 6))
    assert all(same(a, b, 0) for a, b in zip(once, again, strict=True))
    assert name == "transient" or not all(same(a, b, 0) for a, b in zip(once, other, strict=True))  # its sizes are the same for every seed


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("lab,name", EXERCISES)
def test_right_answers_pass_the_check_and_the_hidden_tests(lab, name, seed):
    exercise = modules(lab).exercises[name]
    assert modules(lab).right.RIGHT[name], "no right answer that looks different"
    for answer in [exercise.truth, *modules(lab).right.RIGHT[name]]:
        exercise(answer, seed)
        pairs = zip(*(hidden(modules(lab), name, f, seed) for f in (answer, exercise.truth)), strict=True)
        assert all(same(mine, right, exercise.atol) for mine, right in pairs), answer


def passed(lab, made, solved, monkeypatch):
    """The check cells that pass when some exercises are solved; the others have to say that theirs is not done."""
    full, space, names = by_grade_id(notebook(lab).cells), {"__name__": "__main__"}, set()
    monkeypatch.setitem(sys.modules, "check", modules(lab).check)
    monkeypatch.chdir(ROOT / "solutions" / lab)
    for cell in notebook(lab, made).cells:
        if cell.cell_type != "code" or "run" in cell.metadata.tags:
            continue
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        name = grade_id.removeprefix("check-")
        try:
            exec(compile(full[grade_id].source if grade_id in solved else cell.source, cell.id, "exec"), space)
            names |= {name} if grade_id != name else set()
        except NotImplementedError as error:
            assert grade_id != name and str(error) and str(error) in full[name].source.splitlines()[0]
    return names


@pytest.mark.parametrize("lab,name", EXERCISES)
def test_an_exercise_alone_earns_its_points_and_no_others(lab, name, made, monkeypatch):
    assert passed(lab, made, {name}, monkeypatch) == {name}


@pytest.mark.parametrize("lab", LABS)
def test_a_blank_lab_earns_nothing_and_a_full_one_everything(lab, made, monkeypatch):
    names = set(modules(lab).exercises)
    assert passed(lab, made, set(), monkeypatch) == set()
    assert passed(lab, made, names, monkeypatch) == names


# In a real kernel


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
def test_every_cell_of_a_blank_lab_runs_or_says_which_exercise_is_missing(lab, made, tmp_path):
    shutil.copytree(made / lab, tmp_path, dirs_exist_ok=True)
    blank = notebook(lab, made)
    NotebookClient(blank, allow_errors=True, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}},
                   extra_arguments=["--Application.log_level=ERROR"]).execute()
    stubs = set(re.findall(r'raise NotImplementedError\("(.*)"\)', "\n".join(cell.source for cell in blank.cells)))
    for cell in (cell for cell in blank.cells if cell.cell_type == "code"):
        errors = [(output.ename, output.evalue) for output in cell.outputs if output.output_type == "error"]
        assert all(name == "NotImplementedError" and message in stubs for name, message in errors), (cell.id, errors)
        assert errors or "check" not in cell.metadata.tags, cell.id
        assert not [o for o in cell.outputs if o.get("name") == "stderr"], cell.id


@pytest.mark.slow
@pytest.mark.parametrize("processor", [{}, pytest.param({"ATEN_CPU_CAPABILITY": "default"}, marks=pytest.mark.check)], ids=["this one", "the plainest"])
def test_the_stored_outputs_are_what_the_solutions_print_now(processor):
    files = [str(ROOT / "solutions" / lab / f"{lab}.ipynb") for lab in LABS]
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings=", "-q", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | processor)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


@pytest.mark.check  # nbval compares what they print in each `make test`
def test_executing_the_solutions_again_leaves_no_difference(tmp_path):
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions", ignore=shutil.ignore_patterns("__pycache__"))
    files = [f"solutions/{lab}/{lab}.ipynb" for lab in LABS]
    command = [sys.executable, "-m", "nbconvert", "--config", str(ROOT / "nbgrader_config.py"), "--execute", "--inplace", *files]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    for lab in LABS:
        stored, new = notebook(lab), notebook(lab, tmp_path / "solutions")
        for cell in [*stored.cells, *new.cells]:
            if FIGURE in cell.metadata.get("tags", []):
                cell.outputs = []  # another processor or matplotlib may draw it a hair differently
        assert new == stored, "say: make solutions"


# What a student's machine need not have


@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_students_file_uses_nothing_that_windows_lacks(path):
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)]
        assert not {str(name).split(".")[0] for name in names} & UNIX
        assert not (isinstance(node, ast.Attribute) and node.attr in {"fork", "forkpty", "setsid", "killpg", "SIGKILL"})
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"(/bin/)?(ba)?sh\b", node.value))


def test_what_a_student_imports_works_where_the_modules_of_unix_are_missing():
    theirs = "torch, numpy, matplotlib.pyplot, matplotlib.backends.backend_svg, IPython, ipywidgets, nbclient, nbformat, faker"
    ours = [f"rnncourse.{path.stem}" for path in ROOT.glob("rnncourse/*.py") if path.stem != "__init__"]
    code = f"""
import importlib, sys, os, {theirs}
import jupyter_client.manager
for name in {sorted(UNIX)}:
    sys.modules[name] = None
del os.fork, os.forkpty
for name in {sorted(ours)}:
    importlib.import_module(name)
for lab in {LABS}:
    sys.path.insert(0, os.path.join("solutions", lab))
    importlib.import_module("check")
    del sys.modules["check"], sys.path[0]
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
