"""Stored results of long experiments: written once, plotted by the chapters, stale when their code changes.

``experiments/NAME.py`` has a function ``run(seed, **case)`` that returns a number or a list of numbers;
``book/results/NAME.json`` holds what it returned.
"""

import ast
import hashlib
import importlib.util
import json
import platform
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

import torch

from .cells import expect

PACKAGE = Path(__file__).parent


def root() -> Path:
    """The course folder: the nearest folder at or above the working directory that holds ``experiments``."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "experiments").is_dir():
            return folder
    raise FileNotFoundError(f"no folder 'experiments' at or above {Path.cwd()}: work inside a clone of the course")


def experiment(name: str) -> ModuleType:
    """The module ``experiments/NAME.py``, so that a chapter can run its smallest case live."""
    path = root() / "experiments" / f"{name}.py"
    expect(path.exists(), "name", f"one of {sorted(p.stem for p in path.parent.glob('*.py'))}", repr(name))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(name: str) -> dict:
    """What ``make results`` stored for one experiment; its "runs" have a value for each case and seed."""
    path = root() / "book" / "results" / f"{name}.json"
    expect(path.exists(), "name", f"one of {sorted(p.stem for p in path.parent.glob('*.json'))}", repr(name))
    return json.loads(path.read_text("utf8"))


def record(file: str, cases: Sequence[dict], seeds: Iterable[int], updates: int) -> None:
    """Run an experiment for every case and seed, with progress on the terminal, and store the values.

    Parameters
    ----------
    file : str
        ``__file__`` of the experiment.
    cases : sequence of dict
        Keyword arguments of its ``run``.
    seeds : iterable of int
    updates : int
        Parameter updates in one run, 0 where nothing is trained: the budget that is stored beside the values.
    """
    torch.set_num_threads(1)
    path, seeds = Path(file).resolve(), [*seeds]
    code = fingerprint([path])  # before the first run: who edits a module meanwhile shall find the result stale
    run, began, runs = experiment(path.stem).run, time.perf_counter(), []
    for case in cases:
        runs.append({"case": case, "values": [run(seed=seed, **case) for seed in seeds]})
        print(f"{path.stem}: {len(runs)} of {len(cases)} cases, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    stored = {"experiment": path.stem, "hash": code, "python": platform.python_version(), "torch": torch.__version__,
              "machine": machine(), "seconds": round(time.perf_counter() - began), "updates": updates, "seeds": seeds, "runs": runs}
    target = root() / "book" / "results" / f"{path.stem}.json"
    target.write_text(json.dumps(stored, indent=1) + "\n", "utf8")
    print(f"{path.stem}: wrote {target.relative_to(root())}", file=sys.stderr)


def machine() -> str:
    """Processor, cores used and system, to stand beside every time that is shown."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    return f"{names[0] if names else platform.processor() or platform.machine()}, one thread, {platform.system()}"


def fingerprint(files: Iterable[Path]) -> str:
    """A hash of what some files compute: theirs and that of the course modules that they import, directly or not.

    Comments, docstrings and layout do not count, nor does the Python version. A Markdown file stands for its code
    cells; data files (.json, .txt) count whole.
    """
    todo, seen = [Path(f).resolve() for f in files], {}
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        if path.suffix not in (".py", ".md"):
            seen[path] = path.read_bytes()
            continue
        code = path.read_text("utf8")
        if path.suffix == ".md":
            code = "\n".join(re.findall(r"^```\{code-cell\}[^\n]*\n(?:---\n.*?---\n|:[^\n]*\n)*(.*?)^```", code, flags=re.S | re.M))
        tree = ast.parse(code)
        seen[path] = _canonical(tree).encode()
        todo += _uses(tree, path)
    digest = hashlib.sha256()
    for path in sorted(seen, key=lambda p: p.name):
        digest.update(path.name.encode() + b"\0" + seen[path] + b"\0")
    return digest.hexdigest()[:16]


def _uses(tree: ast.AST, path: Path) -> list[Path]:
    """The course's own files that some code needs: modules, experiments, stored results."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.removeprefix("rnncourse.") for alias in node.names if alias.name.startswith("rnncourse.")}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            ours = path.parent == PACKAGE if node.level else module.split(".")[0] == "rnncourse"
            inner = module if node.level else module.removeprefix("rnncourse").lstrip(".")
            names |= ({inner.split(".")[0]} if inner else {alias.name for alias in node.names}) if ours else set()
    files = [PACKAGE / f"{name}.py" for name in names] + [PACKAGE / "__init__.py"] * bool(names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr, getattr(node.func.value, "id", "")
            if called == ("experiment", "results"):
                files.append(PACKAGE.parent / "experiments" / f"{node.args[0].value}.py")
            elif called == ("load", "results"):
                files.append(PACKAGE.parent / "book" / "results" / f"{node.args[0].value}.json")
    return [f for f in files if f.exists()]


def _canonical(node: object) -> str:
    """The syntax tree as text, without docstrings, positions and what only some Python versions store."""
    if isinstance(node, list):
        return f"[{','.join(map(_canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
        fields["body"] = node.body[1:]
    kept = (f"{name}={_canonical(value)}" for name, value in fields.items() if value not in (None, []) and name not in ("ctx", "kind"))
    return f"{type(node).__name__}({','.join(kept)})"
