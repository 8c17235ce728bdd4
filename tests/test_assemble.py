"""Which cells of a submission are run."""

import ast
import json
import re
from types import SimpleNamespace

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from rnncourse import hand_in
from rnncourse.grading.assemble import NoNotebook, assembled, bound

TEMPLATE = [{"label": "imports", "name": None, "source": "import torch"}, {"label": "a", "name": "first", "source": "# first"},
            {"label": "given", "name": None, "source": "GIVEN = 1"}, {"label": "b", "name": "second", "source": "# second"}]  # fmt: skip
OTHERS = [{"label": "check-first", "name": None, "source": "check.first(first)"}, {"label": "play", "name": None, "source": "mark = first()"},
          {"label": "check-second", "name": None, "source": "check.second(second)"}]  # fmt: skip


def answer(name, source, **cell):
    return new_code_cell(source, metadata={"tags": ["define"], "nbgrader": {"grade_id": name, "solution": True, "grade": False}}, **cell)


def ran(*cells):
    return assembled(nbformat.writes(new_notebook(cells=list(cells))).encode(), TEMPLATE, OTHERS)


FIRST, SECOND = answer("first", "def first(): return 1", id="a"), answer("second", "def second(): return first()", id="b")
PLAIN = [("imports", "import torch"), ("first", FIRST.source), ("given", "GIVEN = 1"), ("second", SECOND.source)]


def test_answers_stand_in_the_places_of_the_labs_own():
    uses = {"first": ["first"], "second": ["first", "second"]}
    assert ran(FIRST, SECOND) == {"cells": PLAIN, "ends": {"first": 2, "second": 4}, "uses": uses, "lost": [], "twice": []}


def test_what_a_submission_made_of_the_labs_cells_does_not_count():
    given = new_code_cell("GIVEN = 2", id="given", metadata={"tags": ["define"]})
    check = new_code_cell("1 / 0", metadata={"tags": ["check"], "nbgrader": {"grade_id": "check-first", "grade": True, "solution": False, "points": 99}})
    assert ran(given, FIRST, check, SECOND, new_markdown_cell("def first(): pass"))["cells"] == PLAIN


def test_the_order_of_the_answers_is_the_labs():
    assert ran(SECOND, FIRST)["cells"] == PLAIN


def test_a_lost_answer_is_told_and_the_labs_empty_one_is_run():
    done = ran(SECOND)
    assert done["lost"] == ["first"] and done["cells"][1] == ("first", "# first")


def test_of_two_answers_the_last_one_counts_and_it_is_told():
    done = ran(answer("first", "old"), FIRST, SECOND)
    assert done["twice"] == ["first"] and done["cells"] == PLAIN


def test_an_added_cell_comes_along_where_an_answer_needs_it():
    helper, other = new_code_cell("def helper(): return WIDTH"), new_code_cell("WIDTH = 3")
    unused, late = new_code_cell("i = 2\nfor i in range(10**9): pass"), new_code_cell("helper2 = 1")
    uses = answer("second", "def second():\n    i = helper2 = helper()\n    return [i for i in range(i)] + [helper2]", id="b")
    cells = ran(other, unused, FIRST, helper, uses, late)["cells"]
    assert cells == [PLAIN[0], ("cell 1, added", "WIDTH = 3"), PLAIN[1], ("cell 4, added", helper.source), PLAIN[2], ("second", uses.source)]


def test_an_added_cell_with_magic_in_it_comes_along():
    helper = new_code_cell("%matplotlib inline\nimport numpy as np\n!ls")
    assert ("cell 1, added", helper.source) in ran(helper, answer("first", "def first(): return np.ones(1)", id="a"), SECOND)["cells"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"nbformat": 3}', b'{"nbformat": 4}', b'{"nbformat": 4, "cells": 3}', b'{"nbformat": 4, "cells": [[]]}',
                                  b'{"nbformat": 4, "cells": [{"cell_type": "code"}]}', b"[" * 100_000, b"\xff\xfe", b"PK\x03\x04",
                                  b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}'])  # fmt: skip
def test_what_is_no_notebook_is_refused(data):
    with pytest.raises(NoNotebook):
        assembled(data, TEMPLATE)


@pytest.mark.parametrize("metadata", [{"nbgrader": {"grade_id": ["first"], "solution": True}}, {"tags": [{}]}, {"tags": ["define", 3]}])
def test_strange_metadata_do_no_harm(metadata):
    cell = {"cell_type": "code", "source": ["def first():\n", " pass"], "metadata": metadata}
    assert assembled(json.dumps({"nbformat": 4, "cells": [cell, SECOND]}).encode(), TEMPLATE)["lost"] == ["first"]


@pytest.mark.parametrize("cells", [[], [answer("third", "def third(): return 3")], [new_code_cell("def first(): return 1", id="a")]],
                         ids=["empty", "another lab", "lost its marks"])  # fmt: skip
def test_a_notebook_without_any_answers_cell_is_refused(cells):
    with pytest.raises(NoNotebook, match="none of this lab's exercises is in it: is it the notebook of another lab?"):
        ran(*cells)


def test_a_notebook_whose_answers_are_not_begun_is_none_of_another_lab():
    assert ran(answer("second", "# second", id="b"))["lost"] == ["first"]


# What hand_in accepts


def check(name):
    marks = {"grade_id": f"check-{name}", "grade": True, "solution": False, "points": 1}
    return new_code_cell(f"check.{name}({name})", id=f"check-{name}", metadata={"tags": ["check"], "nbgrader": marks})


def visible(cells):
    """What `hand_in` finds right: all cells are run in their order, the checks among them."""
    notebook, space, errors = new_notebook(cells=cells), {"check": SimpleNamespace(first=right, second=right)}, {}
    for i, cell in enumerate(cells):
        try:
            exec(re.sub("^[%!].*", "", cell.source, flags=re.M), space)
        except Exception as error:
            errors[i] = (type(error).__name__, str(error))
    return {found.name: found.right for found in hand_in.look(notebook, {name: SimpleNamespace(title="", points=1) for name in ("first", "second")}, errors)}


def right(function):
    assert function() == 1


def graded(cells):
    """What the grader finds right, for the same checks."""
    made, found = ran(*cells), {}
    for name in ("first", "second"):
        space = {}
        for _, source in made["cells"][: made["ends"][name]]:
            try:
                exec(re.sub("^[%!].*", "", source, flags=re.M), space)
            except Exception:
                continue
        try:
            right(space[name])
            found[name] = True
        except Exception:
            found[name] = False
    return found


USES = answer("first", "def first(): return helper()", id="a")
HELPERS = ["def helper(): return 1", "if True:\n    def helper(): return 1", "try:\n    import nowhere as helper\nexcept ImportError:\n    helper = lambda: 1",
           "with open('/dev/null') as file:\n    helper = lambda: 1", "for helper in [lambda: 1]: pass", "helper, *rest = lambda: 1, 2", "print(helper := lambda: 1)",
           "[helper := (lambda: n) for n in (0, 1)]", "match {'a': lambda: 1}:\n    case {'a': helper}: pass", "from operator import truth\nhelper = lambda: +truth(3)",
           "class helper(int):\n    def __new__(cls): return 1", "def make():\n    global helper\n    helper = lambda: 1\nmake()", "helper: object = lambda: 1",
           "while True:\n    helper = lambda: 1\n    break", "%matplotlib inline\nhelper = lambda: (8\n  % 7)", "from math import *\nhelper = lambda: 1"]  # fmt: skip


@pytest.mark.parametrize("source", HELPERS)
@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("more", [{}, {"metadata": {"tags": ["define"]}}, {"metadata": {"tags": ["run"]}}], ids=["added", "copied", "copied run"])
def test_a_helper_before_or_behind_its_answer_is_there_for_the_check(source, place, more):
    cells = [GIVEN, USES, check("first"), SECOND, check("second")]
    cells.insert(place, new_code_cell(source, **more))
    assert visible(cells) == graded(cells) == {"first": True, "second": True}


GIVEN = new_code_cell("GIVEN = 1", id="given", metadata={"tags": ["define"]})


@pytest.mark.parametrize("cells,first", [
    ([GIVEN, USES, check("first"), new_code_cell("helper = lambda: 1")], False),
    ([new_code_cell("GIVEN = 1\nhelper = lambda: 1", id="given"), USES, check("first")], True),
    ([new_code_cell("mark = 3\nhelper = lambda: 1", id="play", metadata={"tags": ["run"]}), USES, check("first")], True),
    ([answer("first", "helper = lambda: 1", id="a"), answer("first", USES.source), check("first")], True),
    ([answer("first", USES.source, id="a"), answer("first", "helper = lambda: 1"), check("first")], True),
    ([answer("first", "", id="a"), new_code_cell("def first(): return 1"), check("first")], True),
    ([answer("first", "def first(): return 2", id="a"), new_code_cell("first = lambda: 1"), check("first")], True),
    ([new_code_cell("TABLE = {}"), new_code_cell("TABLE[0] = 1"), answer("first", "def first(): return TABLE[0]", id="a"), check("first")], True),
    ([new_code_cell("def helper(): return SIZE"), new_code_cell("SIZE = 1"), USES, check("first")], True),
    ([answer("first", "def first(): return 1", id="a"), check("first"), new_code_cell("def first(): return 2")], True),
    ([USES, new_code_cell("helper = lambda: 1"), new_code_cell("helper = lambda: 2"), check("first")], False),
], ids=lambda a: None if isinstance(a, list) else a)  # fmt: skip
def test_the_visible_checks_and_the_grader_agree_on_what_is_there(cells, first):
    assert visible(cells)["first"] == graded(cells)["first"] == first


@given(st.permutations([new_code_cell(source) for source in HELPERS[:3]]), st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_wherever_helpers_stand_the_visible_checks_and_the_grader_agree(helpers, places):
    cells = [USES, check("first"), answer("second", "def second(): return helper()", id="b"), check("second")]
    for place, helper in sorted(zip(places, helpers), key=lambda pair: -pair[0]):
        cells.insert(place, helper)
    assert visible(cells) == graded(cells)


def test_cells_of_the_lab_that_a_program_has_stripped_of_ids_are_the_labs():
    cells = [{"cell_type": "code", "source": source, "metadata": {"tags": ["define"]}} for source in ("GIVEN = 2", "GIVEN = 3")]
    bare = json.dumps({"nbformat": 4, "cells": [*cells, {k: v for k, v in answer("second", "def second(): return GIVEN").items() if k != "id"}]})
    assert [source for _, source in assembled(bare.encode(), TEMPLATE)["cells"]] == ["import torch", "# first", "GIVEN = 1", "def second(): return GIVEN"]


def test_of_what_took_long_an_exercise_needs_what_it_uses_by_name():
    cells = ran(new_code_cell("WIDTH = 3"), FIRST, answer("second", "def second(): return WIDTH", id="b"))
    assert cells["uses"] == {"first": ["first"], "second": ["cell 1, added", "second"]}
    cells = ran(answer("first", "import torch\ndef first(): pass", id="a"), answer("second", "def second(): return torch", id="b"))
    assert cells["uses"]["second"] == ["imports", "second"]


def test_names_inside_functions_are_not_bound():
    assert bound("def f(x):\n    y = [z for z in x]\n    return lambda w: w\nclass C:\n    a = 1") == {"f", "C"}
