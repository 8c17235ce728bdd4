"""Which cells of a submission are run."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from rnncourse.grading.assemble import NoNotebook, assembled

TEMPLATE = [{"label": "imports", "name": None, "source": "import torch"}, {"label": "a", "name": "first", "source": "# first"},
            {"label": "given", "name": None, "source": "GIVEN = 1"}, {"label": "b", "name": "second", "source": "# second"}]  # fmt: skip


def answer(name, source, **cell):
    return new_code_cell(source, metadata={"tags": ["define"], "nbgrader": {"grade_id": name, "solution": True, "grade": False}}, **cell)


def ran(*cells):
    return assembled(nbformat.writes(new_notebook(cells=list(cells))).encode(), TEMPLATE)


FIRST, SECOND = answer("first", "def first(): return 1", id="a"), answer("second", "def second(): return first()", id="b")
PLAIN = [("imports", "import torch"), ("first", FIRST.source), ("given", "GIVEN = 1"), ("second", SECOND.source)]


def test_answers_stand_in_the_places_of_the_labs_own():
    assert ran(FIRST, SECOND) == {"cells": PLAIN, "lost": [], "twice": []}


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
    assert cells == [PLAIN[0], ("cell 1, added", "WIDTH = 3"), *PLAIN[1:3], ("cell 4, added", helper.source), ("second", uses.source)]


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
    assert assembled(json.dumps({"nbformat": 4, "cells": [cell]}).encode(), TEMPLATE)["lost"] == ["first", "second"]
