"""Which cells of a submission are run, and in which order. It parses hostile text, so it belongs into a sandbox, and stands alone there."""

import ast
import json
import re
import symtable


CODE = 100_000  # characters of answers


class NoNotebook(ValueError):
    """The file is no notebook; the message says why."""


def assembled(data: bytes, template: list[dict]) -> dict:
    """The cells of a lab with a student's answers in their places.

    The lab's own cells are as they were released, whatever the submission has made of them. Cells that a student has added come along if an
    answer, or one of them that does, uses a name that they bind; they are run before the next answer.

    Parameters
    ----------
    data : bytes
        The notebook's file.
    template : list of dict
        The lab's cells that define something, in order: "label", "source", and "name", that of the exercise for an answer's cell, else None.

    Returns
    -------
    dict
        "cells", a list of (label, source); "lost" and "twice", the names of exercises whose cell is not there, or more than once: then
        the last one counts.

    Raises
    ------
    NoNotebook
        If the file cannot be read as one.
    """
    cells, names = code(data), [cell["name"] for cell in template if cell["name"]]
    found = {name: [i for i, cell in enumerate(cells) if cell["name"] == name] for name in names}
    answers = {name: cells[places[-1]]["source"] for name, places in found.items() if places}
    known = {cell["label"] for cell in template} | {i for places in found.values() for i in places}
    added = {i: cell["source"] for i, cell in enumerate(cells) if i not in known and cell["label"] not in known and cell["own"]}
    needed, before, run = wanted(list(answers.values()), added), -1, []
    for cell in template:
        if cell["name"] in answers:
            place = found[cell["name"]][-1]
            run += [(f"cell {i + 1}, added", added[i]) for i in sorted(needed) if before < i < place]
            before = max(before, place)
        run.append((cell["name"] or cell["label"], answers.get(cell["name"], cell["source"])))
    if sum(len(source) for _, source in run) > CODE + sum(len(cell["source"]) for cell in template):
        raise NoNotebook(f"its answers have more than {CODE:,} characters")
    return {"cells": run, "lost": [name for name in names if not found[name]], "twice": [name for name in names if len(found[name]) > 1]}


def code(data: bytes) -> list[dict]:
    """The code cells of a notebook: their id, the exercise whose answer they hold, their source, and whether no part of the lab owns them."""
    try:
        notebook = json.loads(data)
        if notebook.get("nbformat") != 4:
            raise NoNotebook("it has another notebook format than 4: save it with JupyterLab")
        cells = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
        return [_cell(cell) for cell in cells]
    except NoNotebook:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NoNotebook(f"it is no notebook ({type(error).__name__})") from None


def _cell(cell: dict) -> dict:
    source, marks = cell["source"], cell.get("metadata", {}).get("nbgrader", {})
    source = source if isinstance(source, str) else "".join(map(str, source))
    answers = marks.get("grade_id") if marks.get("solution") and isinstance(marks.get("grade_id"), str) else None
    tags = cell.get("metadata", {}).get("tags", [])
    return {"label": str(cell.get("id", "")), "name": answers, "source": source, "own": not marks and not {"define", "check", "run"} & {*map(str, tags)}}


def wanted(answers: list[str], added: dict[int, str]) -> set[int]:
    """The numbers of added cells that some answers use, by the names that the cells bind."""
    todo, kept = list(answers), set()
    while todo:
        asked = used(todo.pop())
        for i, source in added.items():
            if i not in kept and asked & bound(source):
                kept.add(i)
                todo.append(source)
    return kept


def used(source: str) -> set[str]:
    """The global names that a cell's code asks for; of what cannot be parsed, every word."""
    try:
        tables, found = [symtable.symtable(plain(source), "cell", "exec")], set()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r"[^\W\d]\w*", source))
    while tables:
        table = tables.pop()
        top = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top and not s.is_assigned() or s.is_global())}
        tables += table.get_children()
    return found


def bound(source: str) -> set[str]:
    """The names that a cell defines, imports or assigns at its top."""
    try:
        body = ast.parse(plain(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found


def plain(source: str) -> str:
    """Code without lines of magic."""
    return re.sub(r"^[ \t]*[%!].*$", "", source, flags=re.M)
