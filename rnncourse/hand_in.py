"""Make the file that a student uploads: run a lab once more in a fresh kernel, and say what its visible checks find.

``python -m rnncourse.hand_in LAB.ipynb``
"""

import argparse
import ast
import asyncio
import importlib.util
import logging
import os
import re
import sys
import textwrap
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

try:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError
    from nbformat import NotebookNode

    from .checks import Exercise
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not here. Enter the environment of the course first (README, The student); python -m rnncourse says what is missing.")

FRESH = "take a fresh copy of the lab and move your answers into it"


class Refused(Exception):
    """The notebook cannot be handed in; the message says why, and what to do."""


@dataclass(frozen=True)
class Finding:
    """What the notebook earns for one exercise, and what is wrong with its cells.

    Attributes
    ----------
    name : str
        Of the function that the exercise asks for.
    exercise : Exercise
    right : bool
        Its check cell is as it should be and ran without an error.
    says : str
        "right", "not done yet", "not yet", or what else happened.
    details : tuple of str
        What the check says of a wrong answer, and what is wrong with the cells.
    """

    name: str
    exercise: Exercise
    right: bool
    says: str
    details: tuple[str, ...] = ()


def read(path: Path) -> NotebookNode:
    """The notebook as it was saved; `Refused` if it is none."""
    if not path.exists():
        raise Refused(f"there is no file {path}. In which folder are you? Here it is {Path.cwd()}")
    if path.is_dir() or path.suffix != ".ipynb":
        raise Refused(f"{path} is not a notebook: the name of a notebook ends in .ipynb")
    try:
        with warnings.catch_warnings(action="ignore"):  # cells without an id get one
            notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises a good many kinds
        raise Refused(f"{path} is not a notebook that can be read ({type(error).__name__}). Open it in JupyterLab, save it there and try "
                      f"again; if it does not open, {FRESH}") from error
    return notebook


def declared(folder: Path) -> dict[str, Exercise]:
    """The exercises that the lab's ``check.py`` declares, by the name of the student's function."""
    path = folder / "check.py"
    if not path.exists():
        raise Refused(f"there is no check.py in {folder.resolve()}. The notebook has to stay in the folder of its lab")
    spec = importlib.util.spec_from_file_location("check", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Refused(f"{path} does not run ({type(error).__name__}: {error}). Put the lab's own check.py in its place") from error
    return {name: value for name, value in vars(module).items() if isinstance(value, Exercise)}


def run(notebook: NotebookNode, folder: Path, limit: int) -> dict[int, tuple[str, str]]:
    """Run all cells in a fresh kernel, with a line of progress for each; the outputs go into the notebook.

    Parameters
    ----------
    notebook : NotebookNode
    folder : Path
        Where the kernel works: the lab's own.
    limit : int
        Seconds a cell may take; then it is interrupted and the next one runs.

    Returns
    -------
    dict
        From the index of a cell that did not end well to the name and the text of its error.
    """
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]
    errors = dict.fromkeys(code, ("NotRun", "it was not run"))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)

    def begin(cell, cell_index):
        first = textwrap.shorten(cell.source.strip().splitlines()[0], 60, placeholder=" ...")
        print(f"cell {code.index(cell_index) + 1} of {len(code)}: {first}", end="", flush=True)

    def end(cell, cell_index, execute_reply):
        reply = execute_reply["content"]
        errors[cell_index] = (reply["ename"], reply["evalue"]) if reply["status"] == "error" else None
        print(f"  [{reply['ename']}]" if errors[cell_index] else "", flush=True)

    client = NotebookClient(
        notebook, timeout=limit, interrupt_on_timeout=True, allow_errors=True, kernel_name="python3", record_timing=False,
        error_on_timeout={"ename": "TooSlow", "evalue": f"it took more than {limit} seconds", "traceback": []}, store_widget_state=False,
        shutdown_kernel="immediate", extra_arguments=["--Application.log_level=ERROR"], resources={"metadata": {"path": str(folder)}},
        skip_cells_with_tag="", on_cell_execute=begin, on_cell_executed=end, log=logging.Logger("quiet", logging.CRITICAL))
    try:
        client.execute()
    except DeadKernelError:
        print("  [the kernel died here, often for want of memory; what follows was not run]")
    return {index: error for index, error in errors.items() if error}


def look(notebook: NotebookNode, exercises: Mapping[str, Exercise], errors: Mapping[int, tuple[str, str]]) -> list[Finding]:
    """What the notebook earns for each exercise, after a run that left ``errors`` (see `run`)."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return [_look(notebook, name, exercise, errors, code) for name, exercise in exercises.items()]


def _look(notebook: NotebookNode, name: str, exercise: Exercise, errors: Mapping[int, tuple[str, str]], code: str) -> Finding:
    line, details = f"check.{name}({name})", []
    cells = [i for i, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == f"check-{name}"]
    if not re.search(rf"^\s*(?:(?:async\s+)?def|class)\s+{name}\b|^\s*{name}\s*(?::[^=\n]+)?=(?!=)|\bimport\b.*\b{name}\b", code, re.M):
        details.append(f"nothing in the notebook defines {name}")
    if not cells:
        return Finding(name, exercise, False, "its check cell is lost", (*details, FRESH))
    if len(cells) > 1:
        details.append(f"its check cell stands {len(cells)} times: keep one; here the last one counts")
    answers = [i for i, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == name]
    if len(answers) > 1:
        details.append(f"its answer cell stands {len(answers)} times: keep one; here the last one counts")
    broken = [errors[i] for i in answers if i in errors]
    cell = notebook.cells[cells[-1]]
    if not _reads(cell, line) or cell.metadata.nbgrader.get("points") != exercise.points or not cell.metadata.nbgrader.get("grade"):
        return Finding(name, exercise, False, "its check cell was changed", (*details, f"its one line should be {line}; if it is, {FRESH}"))
    error, message = errors.get(cells[-1], ("", ""))
    if not error:
        return Finding(name, exercise, True, "right", tuple(details))
    if error == "CheckFailed":
        return Finding(name, exercise, False, "not yet", (*details, *message.splitlines()[1:]))
    if error == "NameError" and broken:  # the cell that should define it did not run
        error, message = broken[-1]
        details.append("so says the cell that should define it")
    says = {"NotImplementedError": "not done yet", "NotRun": message, "TooSlow": message}.get(error, f"{error}: {message}")
    return Finding(name, exercise, False, says, tuple(details))


def _reads(cell: NotebookNode, line: str) -> bool:
    """Whether a cell holds this line of code, and besides it at most comments."""
    try:
        return cell.cell_type == "code" and ast.dump(ast.parse(cell.source)) == ast.dump(ast.parse(line))
    except SyntaxError:
        return False


def report(findings: list[Finding]) -> str:
    """The findings in lines, and the sum of the points."""
    lines = []
    for found in findings:
        points = f"{found.exercise.points * found.right} of {found.exercise.points}" if found.exercise.points else "no marks"
        lines += [f"{found.exercise.title}, {found.name}: {points}, {found.says}", *(f"    {detail}" for detail in found.details)]
    earned, most = sum(found.exercise.points * found.right for found in findings), sum(found.exercise.points for found in findings)
    total = f"{earned} of {most} points. Marks come from fresh inputs of the same kind." if most else "this lab has no marks."
    return "\n".join([*lines, f"Visible checks: {sum(found.right for found in findings)} of {len(findings)} right, {total}"])


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes((nbformat.writes(notebook) + "\n").encode("utf8"))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def hand_in(path: Path, out: Path | None = None, limit: int = 300) -> Path:
    """Run a lab, print what its checks find and write the file to upload.

    Parameters
    ----------
    path : Path
        The student's notebook, in the folder of its lab.
    out : Path, optional
        Folder of the file to upload; ``handed_in`` beside the notebook if None.
    limit : int
        Seconds a cell may take.

    Returns
    -------
    Path
        The file to upload.

    Raises
    ------
    Refused
        If there is nothing to run or nowhere to write; the message is for the student.
    """
    target = (out or path.parent / "handed_in") / path.name
    if target.resolve() == path.resolve():
        raise Refused("--out is the folder of the notebook itself; choose another, so that your own file stays as it is")
    notebook = read(path)
    exercises = declared(path.parent)
    print(f"{path.name}, as saved at {time.strftime('%H:%M on %d %B', time.localtime(path.stat().st_mtime))}")
    try:
        errors = run(notebook, path.parent, limit)
    except Exception as error:  # the student's own errors are not among these
        raise Refused(f"the kernel failed ({type(error).__name__}: {error}). Is this machine ready? python -m rnncourse") from error
    print(report(look(notebook, exercises, errors)))
    try:
        write(notebook, target)
    except OSError as error:
        raise Refused(f"{target} cannot be written ({error.strerror}). Is it open elsewhere? --out names another folder") from error
    return target


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, at least 1; got {text!r}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rnncourse.hand_in", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Run a lab from top to bottom in a fresh kernel, list the points of its visible checks\nand write the file to upload. "
        "Save the notebook first. Your own file is not changed.",
        epilog="example, typed in the folder of the lab:\n  python -m rnncourse.hand_in arrive.ipynb\nwrites handed_in/arrive.ipynb\n\n"
        "exit status: 0 if the file was written (also when answers are missing or wrong), 1 if not")
    parser.add_argument("lab", metavar="LAB.ipynb", type=Path, help="your notebook, in the folder of its lab, beside check.py")
    parser.add_argument("--out", metavar="DIR", type=Path,
                        help="folder for the file to upload (if not given, handed_in beside the notebook)")
    parser.add_argument("--limit", metavar="SECONDS", type=_seconds, default=300, help="what one cell may take (%(default)s)")
    chosen = parser.parse_args(arguments)
    sys.stdout.reconfigure(errors="replace")
    if sys.platform == "win32":  # the kernel's sockets want this kind of event loop
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    try:
        target = hand_in(chosen.lab, chosen.out, chosen.limit)
    except Refused as why:
        print(f"Not handed in: {why}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing was written.", file=sys.stderr)
        return 1
    print(f"The file to upload: {target.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
