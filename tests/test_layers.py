"""The arrows of the package point only downwards, as its docstring draws them."""

import ast
import re

import pytest

import rnncourse
from rnncourse.results import PACKAGE

LAYERS = [[word.split(" ")[0] for word in re.split(r"\s{2,}", line)] for line in re.findall(r"^    (\w.*)$", rnncourse.__doc__, re.M)]
HEIGHT = {name: len(LAYERS) - i for i, line in enumerate(LAYERS) for name in line}
MODULES = sorted(p for p in PACKAGE.glob("*.py") if not p.stem.startswith("__"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("rnncourse")):
            module = (node.module or "").removeprefix("rnncourse").lstrip(".")
            yield from [module] if module else [alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").exists()]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_a_module_imports_only_from_below(path):
    assert path.stem in HEIGHT, "draw it in the docstring of rnncourse"
    assert all(HEIGHT[name] < HEIGHT[path.stem] for name in imported(path) if name != path.stem)


def test_the_drawing_names_only_what_exists():
    assert set(HEIGHT) == {p.stem for p in MODULES}
