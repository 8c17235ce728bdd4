"""A lab as its instructor has it: the checks, the hidden inputs, and the cells as they were released."""

import hashlib
import importlib.util
import sys
from functools import cached_property
from pathlib import Path
from types import ModuleType

import nbformat

from rnncourse.checks import Exercise
from rnncourse.results import PACKAGE

from .drivers import driver

COURSE = PACKAGE.parent


class Lab:
    """A lab of a course.

    Parameters
    ----------
    name : str
        Of its folder, such as "unfold".
    course : Path
        The folder that holds ``solutions`` and ``labs``.

    Attributes
    ----------
    exercises : dict of str to Exercise
        By the name of the student's function, in the notebook's order.
    template, others : list of dict
        See `rnncourse.grading.assemble.assembled`.
    seconds : float
        What one exercise may take.

    Raises
    ------
    FileNotFoundError
        If there is none of this name; the message says which there are.
    """

    def __init__(self, name: str, course: Path = COURSE):
        self.name, self.folder, self.released = name, course / "solutions" / name, course / "labs" / name
        if not (self.folder / "check.py").is_file():
            known = ", ".join(sorted(path.parent.name for path in (course / "solutions").glob("*/check.py")))
            raise FileNotFoundError(f"there is no lab {name!r} in {course}; there are {known or 'none'}")
        self.check, self.hidden = modules(self.folder)
        self.exercises = {key: value for key, value in vars(self.check).items() if isinstance(value, Exercise)}
        self.seconds = 5.0 + getattr(self.check, "SECONDS", 15)

    @cached_property
    def notebook(self) -> nbformat.NotebookNode:
        """As it was released."""
        return nbformat.read(self.released / f"{self.name}.ipynb", as_version=4)

    @cached_property
    def template(self) -> list[dict]:
        return self._cells(True)

    @cached_property
    def others(self) -> list[dict]:
        return self._cells(False)

    def _cells(self, define: bool) -> list[dict]:
        cells = [cell for cell in self.notebook.cells if cell.cell_type == "code" and ("define" in cell.metadata.get("tags", [])) == define]
        return [{"label": cell.id, "name": cell.metadata.get("nbgrader", {}).get("grade_id") if define else None, "source": cell.source} for cell in cells]

    @cached_property
    def version(self) -> str:
        """A digest of all that marks depend on here: the checks, the hidden inputs, the released cells, the package."""
        files = [self.folder / "check.py", self.folder / "hidden.py", self.released / f"{self.name}.ipynb", *sorted(PACKAGE.rglob("*.py"))]
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()

    @cached_property
    def given(self) -> set[str]:
        """The labels of the lab's own cells."""
        return {cell["label"] for cell in self.template if not cell["name"]}

    @cached_property
    def drivers(self) -> dict[str, dict]:
        """What is needed to run the answers to each exercise, see `rnncourse.grading.drivers.driver`."""
        given = [cell["source"] for cell in self.template if cell["label"] in self.given]
        return {name: driver(self.folder, self.check, name, given) for name in self.exercises}

    @cached_property
    def files(self) -> list[Path]:
        """Data that its cells read."""
        return [path for path in sorted(self.released.iterdir()) if path.is_file() and path.suffix not in (".py", ".ipynb", ".pyc")]


def modules(folder: Path, names: tuple[str, ...] = ("check", "hidden")) -> list[ModuleType]:
    """Modules of a lab. Those of other labs have the same names, so they are not left among the imported ones."""
    before, loaded = {name: sys.modules.pop(name, None) for name in names}, []
    try:
        for name in names:
            spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            sys.modules[name] = importlib.util.module_from_spec(spec)
            loaded.append(sys.modules[name])
            spec.loader.exec_module(loaded[-1])
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module:
                sys.modules[name] = module
    return loaded
