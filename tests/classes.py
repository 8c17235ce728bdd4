"""What the tests and benchmarks of grading share: a class that hands in."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]


@cache
def solutions(lab: str) -> dict[str, str]:
    """The right answers of a lab, by exercise."""
    cells = nbformat.read(ROOT / "solutions" / lab / f"{lab}.ipynb", as_version=4).cells
    found = {cell.metadata.nbgrader.grade_id: cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")}
    return {name: re.sub(r"\n *### (BEGIN|END) SOLUTION", "", source) for name, source in found.items()}


def by_grade_id(notebook: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id")}


def notebook(lab: str, solved: Iterable[str] | None = None, answers: dict[str, str] = {}, change: Callable = lambda cells: None) -> nbformat.NotebookNode:
    """A student's notebook: the exercises in ``solved`` (None: all) are right, ``answers`` are taken as they are, ``change`` gets its cells by grade id."""
    made = nbformat.read(ROOT / "labs" / lab / f"{lab}.ipynb", as_version=4)
    cells, right = by_grade_id(made), solutions(lab)
    for name in right if solved is None else solved:
        cells[name].source = right[name]
    for name, source in answers.items():
        cells[name].source = source
    change(cells)
    return made


def hand_in(folder: Path, student: str, lab: str, made: nbformat.NotebookNode, time: str = "2026-11-20 10:00:00 UTC") -> Path:
    """Put a notebook where the grader finds it."""
    target = folder / "submitted" / student / lab
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{lab}.ipynb").write_text(nbformat.writes(made), "utf8")
    (target / "timestamp.txt").write_text(time)
    return target / f"{lab}.ipynb"


# Answers to Exercise 1 of Lab 1 that try to get more than they earn, or to harm: each earns nothing.
STEP = "def rnn_step(x_t, h, W_xh, W_hh, b):\n"
HOSTILE = {
    "exits": "import os\nos._exit(0)\n",
    "exits when called": STEP + "    import os\n    os._exit(0)\n",
    "leaves": STEP + "    raise SystemExit(0)\n",
    "hangs": "while True:\n    pass\n",
    "allocates": STEP + "    import torch\n    return torch.ones(1 << 31)\n",
    "forks": STEP + "    import os\n    while True:\n        try: os.fork()\n        except OSError: pass\n",
    "prints": STEP + "    for _ in range(200):\n        print('x' * 10**6)\n",
    "displays": STEP + "    get_ipython().displayhook(4.0)\n    return h\n",
    "patches torch": "import torch\ntorch.allclose = torch.equal = lambda *a, **k: True\ntorch.Tensor.__eq__ = lambda a, b: True\n" + STEP + "    return h\n",
    "patches builtins": "import builtins\nbuiltins.all = builtins.any = builtins.isinstance = lambda *a: True\n" + STEP + "    return h\n",
    "patches the tracing": "import rnncourse.traces as t\nt.trace = lambda *a, **k: {'values': [], 'grads': [], 'changed': []}\n" + STEP + "    return h\n",
    "patches the checks": "import sys\nimport rnncourse.checks as c\nc.same = c.near = lambda *a: True\n" + STEP + "    return h\n",
    "writes to every pipe": STEP + "    import os\n    for fd in range(3, 256):\n        try: os.write(fd, b'done    ' + b'\\0' * 80)\n        except OSError: pass\n    return h\n",
    "kills its parent": STEP + "    import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)\n",
}
