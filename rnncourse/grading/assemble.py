"""Which cells of a submission are run, and in which order. It parses hostile text, so it belongs into a sandbox, and stands alone there."""

import ast
import json
import re
import symtable
from collections.abc import Iterator
from functools import cache


CODE = 100_000  # characters of answers
TAGS = {"define", "check", "run"}  # of a lab's cells


class NoNotebook(ValueError):
    """The file is no notebook; the message says why."""


def assembled(data: bytes, template: list[dict], others: list[dict] | tuple = ()) -> dict:
    """The cells of a lab with a student's answers in their places.

    The lab's own cells are as they were released, whatever the submission has made of them. Cells that a student has added, or changed, come
    along if an answer, or one of them that does, uses a name that they bind and the lab's own do not.

    Parameters
    ----------
    data : bytes
        The notebook's file.
    template, others : list of dict
        The lab's code cells in order, those that define something and those that do not: "label", "source", and "name", that of the exercise
        for an answer's cell, else None.

    Returns
    -------
    dict
        "cells", a list of (label, source); by exercise "ends", how many of these are run for it, and "uses", the labels of those whose names
        it needs; "lost" and "twice", the names of exercises whose cell is not there, or more than once: then the last that defines it counts.

    Raises
    ------
    NoNotebook
        If the file cannot be read as one, is that of another lab, or holds too much.
    """
    cells, names = code(data), [cell["name"] for cell in template if cell["name"]]
    found = {name: [i for i, cell in enumerate(cells) if cell["name"] == name] for name in names}
    if not any(found.values()):
        raise NoNotebook("none of this lab's exercises is in it: is it the notebook of another lab?")
    places = {name: next((i for i in reversed(there) if name in bound(cells[i]["source"])), there[-1]) for name, there in found.items() if there}
    labels, given = {cell["label"] for cell in (*template, *others)}, {cell["label"]: cell["source"] for cell in template if not cell["name"]}
    theirs = set().union(*(bound(cell["source"]) for cell in (*template, *others) if not cell["name"]))
    sources = {added(i): cell["source"] for i, cell in enumerate(cells)} | given | {name: cells[i]["source"] for name, i in places.items()}
    own = {i: cell for i, cell in enumerate(cells) if i not in places.values()}
    binds = {added(i): bound(cell["source"]) - {cell["name"]} - (theirs if owned(cell, labels) else set()) for i, cell in own.items()}
    needed = set().union(*(wanted(name, sources, binds) for name in places))
    run, ends = ordered(cells, template, places, needed, labels)
    if sum(len(source) for _, source in run) > CODE + sum(len(cell["source"]) for cell in template):
        raise NoNotebook(f"its answers have more than {CODE:,} characters")
    binds = {label: bound(source) - (set() if label in given else theirs) for label, source in sources.items() if label in {*given, *places, *needed}}
    return {"cells": run, "ends": ends, "uses": {name: sorted(wanted(name, sources, binds)) for name in places},
            "lost": [name for name in names if not found[name]], "twice": [name for name in names if len(found[name]) > 1]}  # fmt: skip


def ordered(cells: list[dict], template: list[dict], places: dict[str, int], needed: set[str], labels: set[str]) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """The cells in the order in which they are run, and how many of them for each exercise: up to the lab's next cell behind its answer, its check."""
    run, ends, before = [], {}, -1
    for cell in template:
        name, here = cell["name"], places.get(cell["name"])
        if here is None:
            run.append((name or cell["label"], cell["source"]))
        else:
            after = next((i for i in range(here + 1, len(cells)) if owned(cells[i], labels) or i in places.values()), len(cells))
            for i in range(min(before + 1, here), after):
                if i == here:
                    run.append((name, cells[i]["source"]))
                elif i > before and added(i) in needed:
                    run.append((added(i), cells[i]["source"]))
            before = max(before, after - 1)
        ends |= {name: len(run)} if name else {}
    return run, ends


def added(i: int) -> str:
    """The label of a cell of the student's own."""
    return f"cell {i + 1}, added"


def owned(cell: dict, labels: set[str]) -> bool:
    """Whether a cell is the lab's, changed or not: by its id, as a check, or, where a program has dropped the ids, by its tags. A copy has another id."""
    return cell["label"] in labels or cell["check"] or not cell["label"] and cell["tagged"]


def code(data: bytes) -> list[dict]:
    """The code cells of a notebook: their id, the exercise whose answer they hold, their source, whether they are checks, and whether they have a lab's tags."""
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
    tags = {*map(str, cell.get("metadata", {}).get("tags", []))}
    return {"label": str(cell.get("id", "")), "name": answers, "source": source, "check": bool(marks.get("grade")), "tagged": bool(tags & TAGS)}


def wanted(exercise: str, sources: dict[str, str], binds: dict[str, set[str]]) -> set[str]:
    """The labels of cells that an exercise uses, by the names that they bind; one that imports all of a module binds whatever there is."""
    todo, kept = [exercise], set()
    while todo:
        asked = used(sources[todo.pop()]) | {exercise}
        new = {label for label, names in binds.items() if label not in kept and (names & asked or "*" in names)}
        kept |= new
        todo += new - {exercise}
    return kept


def tables(source: str) -> Iterator[symtable.SymbolTable]:
    """The tables of a cell's names: that of its top, then those of its functions."""
    todo = [symtable.symtable(parsable(source), "cell", "exec")]
    while todo:
        yield (table := todo.pop())
        todo += table.get_children()


@cache
def used(source: str) -> set[str]:
    """The global names that a cell's code asks for; of what cannot be parsed, every word."""
    try:
        return {s.get_name() for table in tables(source) for s in table.get_symbols()
                if s.is_referenced() and (table.get_type() == "module" and not s.is_assigned() or s.is_global())}  # fmt: skip
    except Exception:  # hostile code stops the parsing in many ways
        return set(re.findall(r"[^\W\d]\w*", source))


@cache
def bound(source: str) -> set[str]:
    """The global names that a cell's code defines, imports, assigns, or puts something into, wherever; "*" stands for those of a whole module."""
    try:
        found = {s.get_name() for table in tables(source) for s in table.get_symbols()
                 if (s.is_assigned() or s.is_imported()) and (table.get_type() == "module" or s.is_declared_global())}  # fmt: skip
        for node in ast.walk(ast.parse(parsable(source))):
            if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
                while isinstance(node, ast.Attribute | ast.Subscript):
                    node = node.value
                found |= {node.id} if isinstance(node, ast.Name) else set()
            elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                found.add("*")
        return found
    except Exception:  # hostile code stops the parsing in many ways
        return set()


def parsable(source: str) -> str:
    """Code as it is, or, if that is no Python, what a notebook makes of it."""
    try:
        ast.parse(source)
        return source
    except SyntaxError:
        return plain(source)


def plain(source: str) -> str:
    """What a notebook makes of a cell: Python, whose magic is calls. Time that is taken, and output that is kept, concern nobody here."""
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(re.sub(r"\A\s*%%(time|capture)\b.*", "", source))
