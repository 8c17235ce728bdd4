"""The arrows of the package point only downwards, as its docstrings draw them."""

import ast
import re

import pytest

import rnncourse
import rnncourse.grading
from rnncourse.results import PACKAGE

FOLDERS = {"rnncourse": (PACKAGE, rnncourse.__doc__), "rnncourse.grading": (PACKAGE / "grading", rnncourse.grading.__doc__)}


def heights(drawing):
    """How high each module stands in a drawing."""
    layers = [[word.split(" ")[0] for word in re.split(r"\s{2,}", line)] for line in re.findall(r"^    (\w.*)$", drawing, re.M)]
    return {name: len(layers) - i for i, line in enumerate(layers) for name in line}


def modules(folder):
    return sorted(path for path in folder.glob("*.py") if not path.stem.startswith("__"))


def imported(path, package):
    """The modules of its own package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom) and (node.level == 1 or (node.module or "").startswith(package) or (path.parent / f"{node.module}.py").exists()):
            module = (node.module or "").removeprefix(package).lstrip(".")
            yield from [module] if module else [alias.name for alias in node.names if (path.parent / f"{alias.name}.py").exists()]


@pytest.mark.parametrize("package,path", [pytest.param(package, path, id=f"{package}.{path.stem}") for package, (folder, _) in FOLDERS.items() for path in modules(folder)])
def test_a_module_imports_only_from_below(package, path):
    height = heights(FOLDERS[package][1])
    assert path.stem in height, f"draw it in the docstring of {package}"
    assert all(height[name] < height[path.stem] for name in imported(path, package) if name != path.stem)


@pytest.mark.parametrize("package", FOLDERS)
def test_the_drawing_names_only_what_exists(package):
    folder, drawing = FOLDERS[package]
    assert set(heights(drawing)) == {path.stem for path in modules(folder)}


def test_nothing_outside_of_grading_imports_it():
    assert not [path.name for path in modules(PACKAGE) if "grading" in {name.split(".")[0] for name in imported(path, "rnncourse")}]
