"""What of a lab's check may stand beside a submission: the code that calls an answer, and none of what it is compared with.

A check holds both. So the part that an exercise needs to be *run* is cut out of it, by the names that its ``call``, ``accept`` and ``lends``
use; and from the copy of the package that goes with it, the functions are missing that the exercise asks for.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from rnncourse.checks import Exercise
from rnncourse.results import PACKAGE

from .plain import NotPlain, dump

SHARED = ("writing", "toys")  # modules of the package that are parts of checks
RUNNING = ("title", "call", "returns", "accept", "settle", "lends", "forbids")  # what is needed of an exercise to run an answer
Names = dict[str, ast.stmt]


class Leaks(ValueError):
    """A driver would hold the answer to its own exercise."""


@cache
def module(path: Path) -> tuple[list[str], Names]:
    """The lines of a file, and the statement at its top that binds each name."""
    text, bound = path.read_text("utf8"), {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [(alias.asname or alias.name).split(".")[0] for alias in node.names]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        else:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            names = [n.id for target in targets if target for n in ast.walk(target) if isinstance(n, ast.Name)]
        bound |= dict.fromkeys(names, node)
    return text.splitlines(), bound


def used(node: ast.AST) -> list[str]:
    """The names that occur in some code."""
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]


def needed(files: dict[str, Path], start: Iterable[tuple[str, str]], stop: Iterable[tuple[str, str]] = ()) -> set[tuple[str, str]]:
    """All that some names depend on, as pairs (module, name); ``stop`` is not followed any further."""
    todo, found = list(start), set()
    while todo:
        where, name = todo.pop()
        node = module(files[where])[1].get(name)
        if node is None or (where, name) in found:
            continue
        found.add((where, name))
        if isinstance(node, ast.ImportFrom):
            source = (node.module or "").removeprefix("rnncourse").lstrip(".")
            todo += [(source, name)] * (source in files)
        elif not isinstance(node, ast.Import) and (where, name) not in stop:
            todo += [(where, other) for other in used(node)]
    return found


def cut(path: Path, names: set[str], frozen: Iterable[str] = ()) -> str:
    """The statements of a file that bind some names, in their order; ``frozen`` ones get their value from ``FROZEN``."""
    lines, bound = module(path)
    parts = []
    for node in dict.fromkeys(bound.values()):
        here = [name for name, other in bound.items() if other is node and name in names]
        if here and isinstance(node, ast.Import | ast.ImportFrom):
            kept = [alias for alias in node.names if (alias.asname or alias.name).split(".")[0] in here]
            parts.append(ast.unparse(type(node)(**{**dict(ast.iter_fields(node)), "names": kept})))
        elif here and set(here) <= set(frozen):
            parts += [f"{name} = FROZEN[{name!r}]" for name in here]
        elif here:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            parts.append("\n".join(lines[first - 1 : node.end_lineno]))
    return "\n\n".join(parts) + "\n"


def driver(lab: Path, check: object, name: str) -> tuple[dict[str, str], dict[str, object]]:
    """The driver of one exercise.

    Parameters
    ----------
    lab : Path
        The folder of its check.py.
    check : module
        The same, imported.
    name : str
        Of the exercise.

    Returns
    -------
    files : dict
        By module ("check", and those of `SHARED`) what is left of its source; "check" ends in a dictionary ``RUN``.
    frozen : dict
        Plain data that "check" finds as ``FROZEN``: names whose value is worked out with the help of a right answer.

    Raises
    ------
    Leaks
        If the right function of this exercise is among what is needed to run an answer.
    """
    files = {"check": lab / "check.py"} | {shared: PACKAGE / f"{shared}.py" for shared in SHARED}
    given = {k.arg: k.value for k in module(files["check"])[1][name].value.keywords if k.arg in RUNNING and k.arg != "settle"}
    truths = {exercise.truth.__name__: key for key, exercise in vars(check).items() if isinstance(exercise, Exercise)}
    start = [("check", n) for value in given.values() for n in used(value)]
    frozen = {n: vars(check)[n] for where, n in needed(files, start) if where == "check" and _is_plain(vars(check)[n])
              and any(other in truths for _, other in needed(files, [("check", n)]))}  # fmt: skip
    names = needed(files, start, stop=[("check", n) for n in frozen])
    own = {n for n, key in truths.items() if getattr(check, name).truth is getattr(check, key).truth}
    if held := own & {n for _, n in names}:
        raise Leaks(f"{name} cannot be run without {', '.join(held)}, its answer: move what needs it into settle")
    parts = {where: cut(path, {n for place, n in names if place == where}, frozen if where == "check" else ()) for where, path in files.items()}
    run = ", ".join(f"{key!r}: {ast.unparse(value)}" for key, value in given.items())
    settles = "settle" in {k.arg for k in module(files["check"])[1][name].value.keywords}
    parts["check"] += f"\nRUN = {{{run}, 'settles': {settles}}}\n"
    return parts, frozen


def _is_plain(thing: object) -> bool:
    try:
        return bool(dump(thing))
    except NotPlain:
        return False


def course(parts: dict[str, str], forbids: Iterable[str]) -> dict[str, str]:
    """The texts of the package by module, without what an exercise asks for, to stand beside a submission.

    Parameters
    ----------
    parts : dict
        What `driver` left of the modules of `SHARED`.
    forbids : iterable of str
        Dotted names; those of this package lose their code, so that it cannot be read either.
    """
    texts = {}
    for path in sorted(PACKAGE.glob("*.py")):
        gone = {n.rpartition(".")[2]: n for n in forbids if n.rpartition(".")[0] == f"rnncourse.{path.stem}"}
        text = parts.get(path.stem) or path.read_text("utf8")
        texts["rnncourse" if path.stem == "__init__" else f"rnncourse.{path.stem}"] = without(text, gone) if gone else text
    return texts


def without(text: str, gone: dict[str, str]) -> str:
    """Source in which some functions, and all methods of some classes, have no body left."""
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in gone:
            for f in [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef)]:
                f.body = ast.parse(f"raise NotImplementedError({f'{gone[node.name]} is not to be used here'!r})").body
            if isinstance(node, ast.ClassDef):
                node.body = [n for n in node.body if isinstance(n, ast.FunctionDef)] or ast.parse("pass").body
    return ast.unparse(tree)
