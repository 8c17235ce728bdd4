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

from .assemble import plain, used
from .plain import NotPlain, dump

SHARED = ("writing", "toys")  # modules of the package that are parts of checks
RUNNING = ("call", "accept", "lends")  # the parts of an exercise that are code, and needed to run an answer
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
            todo += [(where, other) for other in used(ast.unparse(node))]
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


def driver(lab: Path, check: object, name: str, given: Iterable[str] = ()) -> dict:
    """What is needed to run the answers to one exercise, as plain data: a part of a sandbox's job.

    Parameters
    ----------
    lab : Path
        The folder of its check.py.
    check : module
        The same, imported.
    name : str
        Of the exercise.
    given : iterable of str
        The lab's own cells.

    Returns
    -------
    dict
        "driver", what is left of the check's source, which ends in a dictionary ``RUN`` of the exercise's ``call``, ``accept`` and ``lends``;
        "frozen", names that it finds in ``FROZEN``, since their value is worked out with the help of a right answer; "course", the
        texts of the package (`course`), and "kept", those of modules that are whole while the given cells are run, since these need what the
        exercise forbids; "title" and "forbids" of the exercise, and "returns", empty where only the judge knows it.

    Raises
    ------
    Leaks
        If the right function of this exercise is among what is needed to run an answer.
    """
    exercise, files = getattr(check, name), {"check": lab / "check.py"} | {shared: PACKAGE / f"{shared}.py" for shared in SHARED}
    code = {key: value for key, value in keywords(files["check"], name).items() if key in RUNNING}
    truths = {other.truth.__name__ for other in vars(check).values() if isinstance(other, Exercise)}
    start = [("check", n) for value in code.values() for n in used(ast.unparse(value))]
    frozen = {n: vars(check)[n] for where, n in needed(files, start) if where == "check" and _is_plain(vars(check)[n])
              and truths & {other for _, other in needed(files, [("check", n)])}}  # fmt: skip
    names = needed(files, start, stop=[("check", n) for n in frozen])
    if exercise.truth.__name__ in {n for _, n in names}:
        raise Leaks(f"{name} cannot be run without {exercise.truth.__name__}, its answer: move what needs it into settle")
    parts = {where: cut(path, {n for place, n in names if place == where}, frozen if where == "check" else ()) for where, path in files.items()}
    run = ", ".join(f"{key!r}: {ast.unparse(value)}" for key, value in code.items())
    kept = {module for module, _, function in (n.rpartition(".") for n in exercise.forbids) if f"{module}.{function}".removeprefix("rnncourse.") in at_once(given)}
    return {"driver": f"{parts.pop('check')}\nRUN = {{{run}}}\n", "frozen": frozen, "course": course(parts, exercise.forbids), "title": exercise.title,
            "kept": {module: (PACKAGE / f"{module.rpartition('.')[2]}.py").read_text("utf8") for module in kept},
            "returns": () if exercise.settle else exercise.returns, "forbids": exercise.forbids}  # fmt: skip


def at_once(cells: Iterable[str]) -> set[str]:
    """The attributes, such as bilingual.pairs, that cells use while they are run, also in functions of theirs that they call there."""
    body = ast.parse(plain("\n".join(cells))).body
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    todo, found = [node for node in body if node not in functions.values()], set()
    while todo:
        walked = [*ast.walk(todo.pop())]
        found |= {ast.unparse(node) for node in walked if isinstance(node, ast.Attribute)}
        todo += [functions.pop(node.id) for node in walked if isinstance(node, ast.Name) and node.id in functions]
    return found


def keywords(path: Path, name: str) -> dict[str, ast.expr]:
    """The arguments with which an exercise is made, also where a function of the check makes it."""
    bound = module(path)[1]
    call = bound[name].value
    while isinstance(maker := bound.get(call.func.id), ast.FunctionDef):
        call = next(node.value for node in maker.body if isinstance(node, ast.Return))
    return {k.arg: k.value for k in call.keywords}


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
        text = parts[path.stem] if path.stem in parts else path.read_text("utf8")
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
