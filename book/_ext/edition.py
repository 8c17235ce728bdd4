"""Everything that is handed out, made by one command (`make edition`) from the rendered book, in _build/edition/.

the book as a zip (open index.html), the book as a PDF, the zip for students, the wheel of `rnncourse` that the
downloaded notebooks get; the wheel lies in the rendered book as well, where they look for it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pdf import ROOT, pdf

from rnncourse import __version__
from rnncourse.grading.release import inside, packed, release

WHEEL = f"rnncourse-{__version__}-py3-none-any.whl"


def wheel(target: Path) -> Path:
    """The package, with what the chapters read in the course's folder as ``rnncourse/course``: experiments, their results, the labs' checks."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        shutil.copy(ROOT / "LICENSE", tree)
        shutil.copytree(ROOT / "rnncourse", tree / "rnncourse", ignore=shutil.ignore_patterns("__pycache__", "grading"))
        course = tree / "rnncourse" / "course"
        for file in sorted(path for pattern in ("experiments/*.py", "book/results/*", "solutions/*/check.py") for path in ROOT.glob(pattern)):
            (course / file.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, course / file.relative_to(ROOT))
        settings = (ROOT / "pyproject.toml").read_text("utf8")
        data = '[tool.setuptools.package-data]\nrnncourse = ["course/**/*"]\n\n[tool.setuptools]'
        (tree / "pyproject.toml").write_text(settings.replace("[tool.setuptools]", data, 1), "utf8")
        environment = os.environ | {"SOURCE_DATE_EPOCH": "1577836800"}
        subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--wheel-dir", target, tree], check=True, env=environment)
    return target / WHEEL


def edition(html: Path, target: Path) -> list[Path]:
    """Make all of it.

    Raises
    ------
    FileNotFoundError
        If the book is not built, or there is no Chromium for the PDF.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    made = [wheel(target), pdf(html, target / "rnn-course-book.pdf")]
    for file in made:  # the pages link to them
        shutil.copy(file, html / "_static")
    return [*made, packed(dict(inside(html)), target / "rnn-course-book.zip", "rnn-course-book"), release(ROOT, html, target / "rnn-course.zip")]


if __name__ == "__main__":
    for path in edition(ROOT / "_build" / "html", ROOT / "_build" / "edition"):
        print(f"{path.relative_to(ROOT)}, {path.stat().st_size / 2**20:.1f} MB")
