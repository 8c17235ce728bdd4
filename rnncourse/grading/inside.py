"""What runs beside a submission: it reads one job, runs the cells and one exercise's cases, and writes what came of it.

It stands alone, without the rest of `rnncourse.grading`, and shares its process with hostile code: nothing that it says is believed. A student
who forges its answer has to forge the right numbers for inputs that are drawn afresh, which is to solve the exercise.
"""

import importlib
import linecache
import os
import sys
import types
from functools import partial


class Quiet:
    """Stands in the place of IPython: magics do nothing."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def define(cells: list[tuple[str, str]], space: dict) -> dict[str, dict]:
    """Run cells one after the other, each (label, source), as a notebook would; what they raised, by label, as `rnncourse.traces` tells it."""
    from IPython.core.inputtransformer2 import TransformerManager

    from rnncourse.traces import caught

    errors = {}
    for label, source in cells:
        file = f"<{label}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        try:
            exec(compile(TransformerManager().transform_cell(source), file, "exec"), space)
        except (Exception, SystemExit) as error:
            errors[label] = caught(error)
    return errors


def run(job: dict) -> dict:
    """Run one exercise.

    Parameters
    ----------
    job : dict
        "name" of the exercise; "cells", a list of (label, source); "cases", in the order in which they are run; "driver", source;
        "frozen", data for it.

    Returns
    -------
    dict
        "errors" of the cells by label, and "done", the traces of the cases; or None if no cell defined the function.
    """
    import torch

    from rnncourse.traces import forbidden, lent, parts, trace

    torch.manual_seed(0)
    check = {"__name__": "check", "FROZEN": job["frozen"]}
    exec(compile(job["driver"], "<check>", "exec"), check)
    how = check["RUN"]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    sys.modules["check"] = Quiet()  # the notebook calls its checks in cells that are not run
    vars(main)["get_ipython"] = Quiet
    names, accept = how.get("returns", ()), how.get("accept", lambda result: result)
    form = accept if how["settles"] or not names else lambda result: accept(parts(result, *names))
    with forbidden([n for n in how.get("forbids", ()) if _there(n)], how["title"]):
        errors = define(job["cells"], vars(main))
        answer = vars(main).get(job["name"])
        if not callable(answer):
            return {"errors": errors, "done": None}
        call = how.get("call", lambda answer, *case: answer(*case))
        with lent(answer, how.get("lends", {})):
            done = [trace(partial(call, answer), case, form) for case in job["cases"]]
    return {"errors": errors, "done": done}


def _there(name: str) -> bool:
    """Whether a forbidden function can be reached at all; those of the course are gone from its copy of the package, and stay watched."""
    try:
        importlib.import_module(name.rpartition(".")[0])
    except ImportError:
        return False
    return True


def serve(source: int, target: int) -> None:
    """Read one job from a file descriptor, and write the answer to another."""
    from plain import dump, load

    with os.fdopen(source, "rb") as file:
        job = load(file.read())
    answer = dump(run(job))
    with os.fdopen(target, "wb") as file:
        file.write(answer)


if __name__ == "__main__":
    serve(0, int(sys.argv[1]))
