"""What a notebook remembers is forgotten when an answer changes."""

import pytest

CELLS = {
    "answer": "def answer(n):\n    return n + 1",
    "class": "class Cell:\n    def step(self, n):\n        return answer(n)",
    "given": "RUNS = []\nfrom rnncourse.remember import remembered\n\n\n@remembered\ndef inner(n):\n    RUNS.append('inner')\n    return [Cell().step(m) for m in range(n)]",
    "outer": "@remembered\ndef outer(n, by=1):\n    RUNS.append('outer')\n    return (lambda: sum(inner(n)) * by)()",
}


@pytest.fixture
def space():
    space = {"__name__": "__main__"}
    for cell in CELLS.values():
        exec(cell, space)
    return space


def test_a_result_is_worked_out_once_for_each_argument(space):
    assert [space["outer"](2), space["outer"](2), space["outer"](3), space["outer"](2, by=2)] == [3, 3, 6, 6]
    assert space["RUNS"] == ["outer", "inner", "outer", "inner", "outer"]


def test_an_answer_defined_anew_is_used_however_far_below_it_is(space):
    assert space["outer"](2) == 3
    exec("def answer(n):\n    return n + 5", space)
    assert space["outer"](2) == space["outer"](2) == 11
    assert space["RUNS"] == ["outer", "inner"] * 2


@pytest.mark.parametrize("cell", ["class", "given", "outer"])
def test_any_cell_may_be_run_again(space, cell):
    space["outer"](2)
    exec(CELLS[cell], space)
    assert space["outer"](2) == 3 and space["RUNS"][-1] == ("inner" if cell != "outer" else "outer")


def test_what_the_function_does_not_use_makes_no_difference(space):
    space["outer"](2)
    exec("def other(n):\n    return n", space)
    assert space["outer"](2) == 3 and len(space["RUNS"]) == 2


def test_an_exception_is_not_remembered(space):
    exec("def answer(n):\n    raise NotImplementedError", space)
    for _ in range(2):
        with pytest.raises(NotImplementedError):
            space["outer"](2)
