"""The zip that students get: labs, package and rendered book, and nothing of the answers."""

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

TOP = "rnn-course"
FILES = ("pyproject.toml", "requirements-labs.txt", "LICENSE")
SECRET = {"hidden.py", "right.py"}
README = """# Recurrent networks: the book and the labs

Open `book/index.html` in a browser: that is the book. It needs no network and no server. Where a check says
"Read recurrence/cell.html#sec-cell in the book", the page `book/book/recurrence/cell.html` is meant, which you reach from the book's list of contents.

## Once

Python 3.11, 3.12 or 3.13 is needed, on Windows, macOS or Linux. Open a terminal in this folder, the one that holds `pyproject.toml`.

| | |
|---|---|
| make an environment | `py -m venv .venv` on Windows, else `python3 -m venv .venv` |
| enter it, Windows | `.venv\\Scripts\\activate` |
| enter it, macOS, Linux | `. .venv/bin/activate` |
| install, Windows and macOS | `python -m pip install -r requirements-labs.txt` |
| install, Linux | `python -m pip install -r requirements-labs.txt --extra-index-url https://download.pytorch.org/whl/cpu` |
| is all well? | `python -m rnncourse` |

The second address on Linux has the small build of PyTorch; leave it out where it is blocked. For a Mac with an Intel processor the line is in
`requirements-labs.txt`. If you move the folder, remove `.venv` and begin again.

## Each time

Enter the environment, type `jupyter lab`, and open a lab in the list of files:
{labs}.
Fill in a function, run the check under it, and read what it says. When you are done, save the notebook and type

```
python -m rnncourse.hand_in {example}
```

It runs the lab afresh, lists the points that the visible checks give, and tells where the file lies that you upload.

Code is under the MIT licence, text under CC BY 4.0: see `LICENSE`.
"""


class Leak(ValueError):
    """The release would hold something else than the labs as solutions/ makes them: an answer, or work that somebody has done in it."""


def release(course: Path, html: Path, target: Path) -> Path:
    """Write the zip for students. Two releases of the same files are the same to the byte.

    Parameters
    ----------
    course : Path
        The folder that holds ``labs``, ``solutions`` and ``rnncourse``.
    html : Path
        The rendered book.
    target : Path
        The zip, which is replaced.

    Returns
    -------
    Path
        ``target``.

    Raises
    ------
    FileNotFoundError
        If something that belongs into it is not there.
    Leak
        If something is there that does not belong into it; nothing is written then.
    """
    found = shipped(course, html)
    guard(blank(course), found)
    labs = [f"labs/{lab}/{lab}.ipynb" for lab in order(course)]
    found["README.md"] = README.format(labs=",\n".join(f"`{lab}`" for lab in labs), example=labs[:2][-1]).encode()
    return packed(found, target, TOP)


def packed(found: dict[str, Path | bytes], target: Path, top: str) -> Path:
    """Write a zip of some files by their names, all under ``top``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with zipfile.ZipFile(part, "w") as archive:
        for name, file in sorted(found.items()):
            info = zipfile.ZipInfo(f"{top}/{name}", (2020, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16  # the same wherever it is made
            archive.writestr(info, file if isinstance(file, bytes) else file.read_bytes(), zipfile.ZIP_DEFLATED)
    os.replace(part, target)
    return target


def shipped(course: Path, html: Path) -> dict[str, Path | bytes]:
    """The files of a release by their names in it."""
    if not (html / "index.html").is_file():
        raise FileNotFoundError(f"there is no rendered book in {html}: say make book first")
    labs = {name: path for name, path in inside(course / "labs") if (course / "solutions" / name).is_file() and path.name not in SECRET}
    for check in course.glob("solutions/*/check.py"):
        for name in (f"{check.parent.name}/{check.parent.name}.ipynb", f"{check.parent.name}/check.py"):
            if name not in labs:
                raise FileNotFoundError(f"there is no labs/{name}: say make labs first")
    package = {name: path for name, path in inside(course / "rnncourse") if name.split("/")[0] != "grading"}
    return {f"labs/{name}": path for name, path in labs.items()} | {f"rnncourse/{name}": path for name, path in package.items()} | {
        f"book/{name}": path for name, path in inside(html)} | {name: course / name for name in FILES}  # fmt: skip


def inside(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a folder, without what is hidden, linked or made by the way."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") or part in ("__pycache__", "handed_in") for part in parts):
            yield "/".join(parts), path


def order(course: Path) -> list[str]:
    """The labs in the order of their titles: "# Lab 3: ..."."""
    titles = {path.stem: cells(path.read_bytes())[0][1] for path in sorted((course / "labs").glob("*/*.ipynb"))}
    return sorted(titles, key=lambda lab: ([int(n) for n in re.findall(r"^# Lab (\d+)", titles[lab])], lab))


def cells(notebook: bytes) -> list[tuple[bool, str]]:
    """Of each cell whether it was run, and its source."""
    return [(bool(cell.get("execution_count") or cell.get("outputs")), "".join(cell["source"])) for cell in json.loads(notebook)["cells"]]


def blank(course: Path) -> dict[str, list[str] | bytes]:
    """The files of all labs as ``solutions`` makes them: of a notebook the sources of its cells, with stubs in place of the answers."""
    import nbformat
    from nbgrader.preprocessors import ClearSolutions
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    step = next(step for step in config.GenerateAssignment.preprocessors if issubclass(step, ClearSolutions))(config=config)
    made = {name: path.read_bytes() for name, path in inside(course / "solutions") if path.name not in SECRET}
    for name, data in made.items():
        if name.endswith(".ipynb"):
            notebook, _ = step.preprocess(nbformat.reads(data.decode("utf8"), 4), {})
            made[name] = [cell.source for cell in notebook.cells]
    return made


def guard(made: dict[str, list[str] | bytes], found: dict[str, Path | bytes]) -> None:
    """Raise `Leak` if a lab, or the book's copy of one, was run or is another than the one that is ``made``."""
    for name, path in found.items():
        for folder in ("labs/", "book/_sources/labs/"):
            if name.startswith(folder):
                _guard(made, name, name.removeprefix(folder), path.read_bytes())
        if name.startswith("book/_static/labs/") and name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
                for member in archive.namelist():
                    _guard(made, f"{name}, {member}", member, archive.read(member))


def _guard(made: dict[str, list[str] | bytes], name: str, lab: str, data: bytes) -> None:
    mend = "move your work out of labs/ and say make labs book"
    if lab not in made:
        raise Leak(f"{name} belongs to no lab: {mend}")
    if not lab.endswith(".ipynb"):
        if data != made[lab]:
            raise Leak(f"{name} is not the file solutions/{lab}: {mend}")
        return
    run, sources = zip(*cells(data))
    if any(run):
        raise Leak(f"{name} was run, so that it may hold answers: {mend}")
    if odd := [n for n, pair in enumerate(zip_longest(sources, made[lab]), 1) if pair[0] != pair[1]]:
        raise Leak(f"{name} is not what solutions/ makes of this lab, and may hold an answer (cell {odd[0]}): {mend}")
