"""What of a check may stand beside a submission."""

import re

import pytest
from banks import SOLUTIONS, modules

from rnncourse.grading.drivers import Leaks, course, driver, without

LABS = sorted(path.parent.name for path in SOLUTIONS.glob("*/*.ipynb"))
EXERCISES = [pytest.param(lab, name, id=f"{lab}-{name}") for lab in LABS for name in modules(lab).exercises]


@pytest.mark.parametrize("lab,name", EXERCISES)
def test_a_driver_holds_no_answer_but_of_earlier_exercises(lab, name):
    made = driver(SOLUTIONS / lab, modules(lab).check, name)
    texts, names = "\n".join([made["driver"], *made["course"].values()]), [*modules(lab).exercises]
    for other in names[names.index(name) :]:
        exercise = modules(lab).exercises[other]
        assert not re.search(rf"\b(def|class) {exercise.truth.__name__}\b", texts) or exercise.truth.__module__ == "builtins", other
        assert not any(slip.says in texts for slip in exercise.slips)
    for forbidden in made["forbids"]:
        where, _, what = forbidden.rpartition(".")
        if where.startswith("rnncourse"):
            assert "is not to be used here" in re.search(rf"\n(?:def|class) {what}\b(.*?)(?=\n\S|\Z)", made["course"][where], re.S)[1]


def test_a_function_is_gone_and_what_surrounds_it_stays():
    text = 'from a import b\n\ndef f(x, y=1):\n    """Doc."""\n    return x\n\nclass C:\n    z = 1\n\n    def g(self):\n        return 2\n\ndef h():\n    return f(3)\n'
    left = without(text, {"f": "a.f", "C": "a.C"})
    assert "return x" not in left and "return 2" not in left and "Doc" not in left
    assert "def f(x, y=1):\n    raise NotImplementedError('a.f is not to be used here')" in left and "return f(3)" in left


def test_the_whole_package_is_there_but_for_parts_of_checks_and_grading():
    texts = course({"writing": "", "toys": ""}, ())
    assert {"rnncourse", "rnncourse.cells", "rnncourse.writing"} <= set(texts) and not any("grading" in name for name in texts)
    assert texts["rnncourse.toys"] == ""


CHECK = '''
from rnncourse.checks import Exercise
def right(x): return x
def call(answer, x): return answer(x){leak}
f = Exercise(title="Exercise 1", points=1, truth=right, slips=(), cases=lambda g: [(1,)], read="", call=call)
'''  # fmt: skip


def test_a_check_that_needs_the_answer_to_run_one_is_refused(tmp_path):
    for leak in ("", " - right(x)"):
        folder = tmp_path / str(len(leak))
        folder.mkdir()
        (folder / "check.py").write_text(CHECK.format(leak=leak))
        exec((folder / "check.py").read_text(), space := {})
        check = type("check", (), space)
        if leak:
            with pytest.raises(Leaks, match="f cannot be run without right"):
                driver(folder, check, "f")
        else:
            assert "def right" not in driver(folder, check, "f")["driver"]
