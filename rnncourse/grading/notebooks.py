"""The graded notebook, as the instructor sees it in formgrader and the student gets it back: the lab's cells, the answers, and what was said of them."""

import os
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from .labs import Lab

LATER = "after the deadline"  # the tag of an output that is handed back only then


def graded(lab: Lab, verdict: dict) -> nbformat.NotebookNode:
    """A notebook of the released cells, with the answers that were run and what was said of them.

    What a student wrote stands in code cells, where it is shown as text; nothing that a student's code printed or displayed is there.
    """
    answers = dict(map(tuple, verdict["cells"]))
    notebook, added, cells = nbformat.from_dict(lab.notebook), [*verdict["cells"]], []
    notebook.metadata["refused"] = bool(verdict["refused"])
    why = f"This notebook could not be graded: {verdict['refused']}. Open your file in JupyterLab, save it, and ask how to hand it in once more."
    if lines := [why] * bool(verdict["refused"]) + verdict["notes"]:
        cells.append(new_markdown_cell("\n\n".join(lines), id="report"))
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("solution"):
            labels = [label for label, _ in added]
            if meta.grade_id in labels:
                here = labels.index(meta.grade_id)
                cells += helpers(lab, added[:here])
                del added[: here + 1]
            cell.source = answers.get(meta.grade_id, cell.source)
        if meta.get("grade"):
            mark = verdict["marks"][meta.grade_id.removeprefix("check-")]
            cell.outputs, cell.metadata["earned"] = said(mark), mark["earned"]
        cells.append(cell)
    return nbformat.from_dict(notebook | {"cells": cells + helpers(lab, added)})


def helpers(lab: Lab, added: list[tuple[str, str]]) -> list:
    """Cells that a student has added, each with its label as its id."""
    return [new_code_cell(source, id=label.replace(", ", "-").replace(" ", "-")) for label, source in added if label not in lab.given]


def said(mark: dict) -> list:
    """The words for one exercise, as a check cell's outputs."""
    points = f", {mark['earned']} of {mark['points']} points" if mark["points"] else ""
    text = f"{mark['title']}: {mark['says']}{points}\n{mark['details']}".strip() + "\n"
    outputs = [new_output("stream", name="stdout", text=text)]
    if mark["example"]:
        later = f"One input on which it is wrong:\n{mark['example']}\n"
        outputs.append(new_output("display_data", data={"text/plain": later}, metadata={"tags": [LATER]}))
    return outputs


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(nbformat.writes(notebook) + "\n", "utf8")
    os.replace(part, path)
