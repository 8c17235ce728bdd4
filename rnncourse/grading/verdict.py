"""What a submission earns, and what its author is told. All of it is worked out here, outside the sandbox, from plain data that may lie."""

import re
import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from rnncourse.checks import Exercise, Slip, blank, same
from rnncourse.traces import Unfit, describe

from .labs import Lab
from .sandbox import NoSandbox, Sandbox

BIGGEST, SMALL, LINES = 32 << 20, 100, 4000  # bytes of a notebook; numbers in an example; characters of a report
TENSORS, NUMBERS = 200, 20_000  # of what comes back for one input: honest answers to all labs have at most 7, and 6,510
ODD = re.compile(r"\b(_C|_VF|threading|multiprocessing|subprocess|ctypes|jit|overrides|gc|_getframe|settrace|meta_path|importlib|builtins|attrgetter"
                 r"|DisableTorchFunction\w*|__(?:code|globals|builtins|dict|import|getattribute|subclasses)__)\b|sys\.modules"
                 r"|(?<![.\w])(exec|eval|compile|globals|vars)(?=\()|\bgetattr(?=\((?:torch|nn|sys|os)\b|\([^,()\n]{1,99}, *r?[\"'])")  # fmt: skip
ENDED = {"slow": "it did not end within {:.3g} seconds", "big": "it returned more than can be looked at",
         "dead": "its process ended before it returned: os._exit, a crash, or more memory than there is",
         "lost": "its sandbox ended: it used up the memory that a submission may have, or killed what served it"}  # fmt: skip


class Boxes:
    """The sandboxes of a submission: one for the hidden inputs, and one `apart` for what may be told to its author. One that is lost is made anew."""

    def __init__(self, lab: Lab, unsafe: bool):
        self.lab, self.unsafe, self.open = lab, unsafe, {}

    def run(self, job: dict, seconds: float, apart: bool = False) -> tuple[str, object]:
        """Do a job, see `Sandbox.run`."""
        if apart not in self.open or self.open[apart].lost:
            self.close(apart)
            self.open[apart] = started(self.unsafe, self.lab)
        return self.open[apart].run(job, seconds)

    def close(self, *which: bool) -> None:
        for apart in which or (False, True):
            if box := self.open.pop(apart, None):
                box.close()


def started(unsafe: bool, lab: Lab) -> Sandbox:
    """A sandbox; tried again where this machine had no resources left for one."""
    for pause in (1.0, 5.0):
        try:
            return Sandbox(unsafe, lab.files)
        except (NoSandbox, OSError):
            time.sleep(pause)
    return Sandbox(unsafe, lab.files)


def judge(lab: Lab, data: bytes, seed: int, own: int, unsafe: bool = False) -> dict:
    """Run a submission in a sandbox of its own and judge what comes back.

    Parameters
    ----------
    lab : Lab
    data : bytes
        The notebook's file.
    seed : int
        Of the hidden inputs.
    own : int
        Of the example that this student may see when the others have handed in too.
    unsafe : bool
        Without a sandbox.

    Returns
    -------
    dict
        Plain data: "refused", "" or why there was nothing to grade; "notes", lines about cells; "cells", what was run, a list of
        (label, source); and "marks", by exercise, what `mark` returns.

    Raises
    ------
    NoSandbox
        If there is no sandbox to be had.
    """
    boxes = Boxes(lab, unsafe)
    try:
        how, found = boxes.run({"notebook": data.decode("utf8", "replace"), "template": lab.template, "others": lab.others}, 20.0)
        why = found["refused"] if how == "done" and "refused" in found else "it could not be read" if how != "done" else ""
        if why:
            return refusal(lab, why)
        return {"refused": "", "notes": notes(found), "cells": found["cells"], "marks": judged(lab, found, seed, own, boxes)}
    finally:
        boxes.close()


def judged(lab: Lab, found: dict, seed: int, own: int, boxes: Boxes) -> dict[str, dict]:
    """The marks by exercise. What took long once, or hung, is run again only for one that uses it; all runs together end in time, and leave some to the rest."""
    marks, seen, slow, end = {}, [], [], time.monotonic() + 3 * lab.seconds
    for place, name in enumerate(lab.exercises, 1):
        began, rest = time.monotonic(), lab.seconds / 10 * (len(lab.exercises) - place)
        part = [cell for cell in found["cells"][: found["ends"].get(name)] if cell not in slow or cell[0] in found["uses"].get(name, ())]
        marks[name] = lost(lab, name, found) or one(lab, name, part, seed, own, boxes, end - rest)
        if marks[name]["how"] != "done" or time.monotonic() - began > 3 * lab.seconds / len(lab.exercises):
            slow += [cell for cell in part if cell not in seen and cell[0] not in lab.given]
        seen += part
    return marks


def refusal(lab: Lab, why: str) -> dict:
    """The verdict on what cannot be graded."""
    marks = {name: mark(exercise, "the notebook could not be graded", how="refused") for name, exercise in lab.exercises.items()}
    return {"refused": why, "notes": [], "cells": [], "marks": marks}


def lost(lab: Lab, name: str, found: dict) -> dict | None:
    """The mark for an answer that is not there."""
    if name not in found["lost"]:
        return None
    return mark(lab.exercises[name], f"the cell of {name} is not in the notebook: it was removed, or lost its mark")


def notes(found: dict) -> list[str]:
    """What is odd about the cells."""
    return [f"the cell of {name} stands there more than once: the last that defines it counts" for name in found["twice"]]


def mark(exercise: Exercise, says: str, right: bool = False, how: str = "done", slips: list[Slip] | tuple = (), details: str = "", example: str = "", look: str = "") -> dict:
    """What one exercise earns.

    Returns
    -------
    dict
        "title", "points", "earned", "says", a line, "details", the check's words for the visible inputs, "slips", the switches of known
        mistakes, "example", one input on which it is wrong, "how" the run ended, and "look", what its instructor should look at.
    """
    return {"title": exercise.title, "points": exercise.points, "earned": exercise.points * right, "right": right, "says": says, "how": how,
            "slips": [slip.switch for slip in slips], "details": details[:LINES], "example": example, "look": look}  # fmt: skip


def one(lab: Lab, name: str, cells: list[tuple[str, str]], seed: int, own: int, boxes: Boxes, end: float) -> dict:
    """Run and judge one exercise: its hidden inputs first; if it is wrong there, in another process the visible ones, for what can be told."""
    exercise, cases, seconds = lab.exercises[name], getattr(lab.hidden, name)(seed), min(lab.seconds, end - time.monotonic())
    if seconds < 1:
        return mark(exercise, "no time was left for it", how="late", look="was not run: what came before took up the time of the whole submission")
    theirs = [cell for cell in cells if cell[0] not in lab.given]
    job = lab.drivers[name] | {"name": name, "given": [cell for cell in cells if cell[0] in lab.given], "cells": theirs}
    how, answer = boxes.run(job | {"cases": exercise.order(cases)}, seconds)
    if how != "done":
        return mark(exercise, ENDED[how].format(seconds), how=how)
    if undefined(answer, name, len(cases) + 2):
        return wrong(exercise, job, boxes, end, [], own)
    got = exercise.settled(answer["done"], cases, partial(settle, exercise))
    if blank(got[0]):
        return mark(exercise, "not done yet")
    if right(exercise, got, cases):
        return mark(exercise, "right", True, look=odd(theirs))
    return wrong(exercise, job, boxes, end, known(exercise, got, cases), own)


def wrong(exercise: Exercise, job: dict, boxes: Boxes, end: float, slips: list[Slip], own: int) -> dict:
    """The mark for a wrong answer, with what the check says of the visible inputs: nothing of the hidden ones."""
    seen, seconds = exercise.cases(torch.Generator().manual_seed(0)), min(boxes.lab.seconds, end - time.monotonic())
    if seconds < 1:
        return mark(exercise, "not right", slips=slips, details=f"Read {exercise.read} in the book.")
    drawn = [case for case in drawings(exercise, own) if size(case) <= SMALL]
    how, answer = boxes.run(job | {"cases": exercise.order(seen) + drawn}, seconds, apart=True)
    if why := ENDED[how].format(seconds) if how != "done" else undefined(answer, job["name"], len(seen) + 2 + len(drawn)):
        return mark(exercise, why, how=how, slips=slips)
    n = len(seen) + 2
    got, more = exercise.settled(answer["done"][:n], seen, partial(settle, exercise)), [settle(exercise, *pair) for pair in zip(answer["done"][n:], drawn)]
    example = failing(exercise, more, drawn)
    if right(exercise, got, seen):
        said = "".join(f"- {slip.says}. Read {slip.read} in the book.\n" for slip in slips) or f"Read {exercise.read} in the book."
        return mark(exercise, "right on the inputs of the visible check, wrong on others of the same kind", slips=slips, details=said.strip(), example=example)
    found = known(exercise, got, seen)
    try:
        details = exercise.explain(got, seen, found)
    except Exception:  # what came back may be anything
        details = f"Read {exercise.read} in the book."
    return mark(exercise, "not right", slips=found or slips, details=details, example=example)


def odd(cells: list[tuple[str, str]]) -> str:
    """What a right answer seldom needs, and one that gets around a ban may."""
    names = sorted({found[0] for _, source in cells for found in ODD.finditer(source)})
    return f"names {', '.join(names)}" if names else ""


def undefined(answer: object, name: str, n: int) -> str:
    """Why there is nothing to judge in what came back, "" if there is."""
    if not isinstance(answer, dict) or not isinstance(answer.get("errors"), dict):
        return ENDED["dead"]
    if answer.get("done") is None:
        error = answer["errors"].get(name)
        told = f": {plainly(error.get('type'), 50)}: {plainly(error.get('message'), 300)}" if isinstance(error, dict) else ""
        return f"its cell defines no {name}{told}"
    done = answer["done"]
    return "" if isinstance(done, list) and len(done) == n and all(map(formed, done)) else ENDED["big"]


def formed(trace: object) -> bool:
    """Whether something has the form of what `rnncourse.traces.trace` returns, and a size that honest answers have, many times over."""
    if not isinstance(trace, dict):
        return False
    if "type" in trace:
        return all(isinstance(trace.get(key), str) for key in ("type", "message", "code")) and isinstance(trace.get("line"), int | None)
    grads = trace.get("grads")
    if not (isinstance(trace.get("backward"), str) if grads is None else isinstance(grads, list)):
        return False
    return tensors(trace.get("values")) and tensors([grad for grad in grads or () if grad is not None])


def tensors(a: object) -> bool:
    """Whether something is a list of tensors of numbers that can be looked at."""
    if not isinstance(a, list) or len(a) > TENSORS or not all(isinstance(t, Tensor) and t.dtype == torch.float64 for t in a):
        return False
    return all(n <= NUMBERS for t in a for n in t.shape) and sum(t.numel() for t in a) <= NUMBERS


def plainly(text: object, most: int) -> str:
    """A hostile text, cut, without signs that a terminal or a page would obey."""
    return "".join(c for c in str(text)[:most] if c.isprintable() or c == "\n")


def settle(exercise: Exercise, got: dict, case: tuple) -> dict:
    """One trace, ready to be compared; whatever makes that fail is a wrong answer."""
    got = got | {key: plainly(got[key], 1000) for key in ("type", "message", "code", "backward") if key in got}
    try:
        return exercise.settle_one(got, case)
    except Exception as error:
        return {"type": "Unfit", "message": str(error) if isinstance(error, Unfit) else "it returned something that cannot be compared", "line": None, "code": ""}


def right(exercise: Exercise, got: list[dict], cases: list[tuple]) -> bool:
    """Whether an answer does what the right one does, and does it again."""
    return exercise.steady(got) and all(same(mine, truth, exercise.atol) for mine, truth in zip(got, exercise.slipped(cases)))


def known(exercise: Exercise, got: list[dict], cases: list[tuple]) -> list[Slip]:
    """The known mistakes that do what an answer does."""
    try:
        return exercise.diagnose(got, cases) or []
    except Exception:
        return []


def drawings(exercise: Exercise, own: int) -> Iterator[tuple]:
    """Inputs of a student's own, with few digits."""
    for i in range(3):
        for case in exercise.cases(torch.Generator().manual_seed(own + i)):
            yield tuple(rounded(a) for a in case)


def rounded(a: object) -> object:
    """An argument with one digit after the point."""
    if isinstance(a, list | tuple):
        return type(a)(map(rounded, a))
    return a.round(decimals=1) if isinstance(a, Tensor) and a.is_floating_point() else a


def size(a: object) -> int:
    """How many numbers, or letters, an argument has."""
    return a.numel() if isinstance(a, Tensor) else sum(map(size, a)) if isinstance(a, list | tuple) else len(a) if isinstance(a, str) else 1


def failing(exercise: Exercise, got: list[dict], cases: list[tuple]) -> str:
    """The smallest input on which an answer is wrong, with what is right and what came, in full; "" if there is none."""
    for mine, case in sorted(zip(got, cases), key=lambda pair: size(pair[1])):
        truth = next(exercise.slipped([case]))
        if "values" in truth and not same(mine, truth, exercise.atol):
            lines = [f"{name} = {whole(a)}" for name, a in zip(exercise.names(), case)]
            came = f"{mine['type']}: {mine['message']}" if "type" in mine else whole(mine["values"])
            came = f"{came}, so the gradients are wrong" if came == whole(truth["values"]) else came
            return "\n".join([*lines, f"expected {whole(truth['values'])}", f"got {came[:1000]}"])
    return ""


def whole(a: object) -> str:
    """An argument or a result in full."""
    if isinstance(a, Tensor):
        return str([whole(b) for b in a]).replace("'", "") if a.dim() else f"{a.item() + 0:.4g}"
    if isinstance(a, list | tuple):
        return whole(a[0]) if len(a) == 1 else str([whole(b) for b in a]).replace("'", "")
    return describe(a).removeprefix("= ")
