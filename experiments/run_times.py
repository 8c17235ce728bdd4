"""How long each page of the book and each lab's solution computes: seconds of one core, each executed alone.

A seed is a repetition: what is computed is the same each time.
"""

import os
import resource
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from rnncourse import results


def pages() -> list[str]:
    """What is executed: the pages with cells and the solutions, as paths in the course's folder."""
    course = results.root()
    book = [path for path in sorted(course.glob("book/**/*.md")) if "file_format: mystnb" in path.read_text("utf8")[:200]]
    return [path.relative_to(course).as_posix() for path in [*book, *sorted(course.glob("solutions/*/*.ipynb"))]]


def seconds(path: Path) -> float:
    """CPU seconds of the kernel that runs a notebook, its start included."""
    notebook = jupytext.read(path) if path.suffix == ".md" else nbformat.read(path, as_version=4)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)  # the kernel counts once it has ended
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(seed: int, page: str) -> float:
    """CPU seconds of one page, a path in the course's folder."""
    os.environ["OMP_NUM_THREADS"] = "1"
    return round(seconds(results.root() / page), 1)


if __name__ == "__main__":
    results.record(__file__, cases=[{"page": page} for page in pages()], seeds=range(3), updates=0)
