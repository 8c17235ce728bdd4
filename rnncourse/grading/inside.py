"""What runs in a sandbox, beside hostile code: a fork of a warm process, and of that one child for each exercise.

It stands alone, without the rest of the package, and nothing that it says is believed: a submission that forges its answer has to forge the
right numbers for inputs that are drawn afresh, which is to solve the exercise.
"""

import importlib.util
import json
import linecache
import os
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import types
from collections.abc import Callable
from functools import partial

import enter
from assemble import NoNotebook, assembled, plain
from plain import dump, load


class Course:
    """Imports the course's package from the texts that a job brings: they never lie on a disk."""

    def __init__(self, texts: dict[str, str]):
        self.texts = texts

    def find_spec(self, name: str, path: object, target: object = None) -> object:
        if name in self.texts:
            return importlib.util.spec_from_loader(name, self, is_package=name == "rnncourse", origin=f"<{name}>")
        return None

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        module.__file__ = f"/rnncourse/{name.rpartition('.')[2]}.py"
        exec(compile(self.texts[name], f"<{name}>", "exec"), vars(module))


class Quiet:
    """Stands in the place of IPython, and of the lab's checks: whatever it is asked for, it does nothing."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def define(cells: list, space: dict) -> dict[str, dict]:
    """Run cells one after the other, each (label, source), as a notebook would; what they raised, by label, as `rnncourse.traces` tells it."""
    from rnncourse.traces import caught

    errors = {}
    for label, source in cells:
        file = f"<{label}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        try:
            exec(compile(plain(source), file, "exec"), space)
        except (Exception, SystemExit) as error:
            errors[label] = caught(error)
    return errors


def found(job: dict) -> dict:
    """What `assembled` makes of a "notebook", its text, beside a "template" and "others"; "refused" where it is none, and why."""
    try:
        return assembled(job["notebook"].encode(), job["template"], job["others"])
    except NoNotebook as why:
        return {"refused": str(why)}


def run(job: dict) -> dict:
    """Run one exercise.

    Parameters
    ----------
    job : dict
        "name" of the exercise; "given", the lab's own cells, and "cells", the student's, lists of (label, source); "cases", in the order in
        which they are run; and what `rnncourse.grading.drivers.driver` returns.

    Returns
    -------
    dict
        "errors" of the cells by label, and "done", the traces of the cases; that is None if no cell defined the function.
    """
    course = Course(job["course"] | job["kept"])
    sys.meta_path.insert(0, course)
    from rnncourse.traces import forbidden, lent, parts, trace

    check = {"__name__": "check", "FROZEN": job["frozen"]}
    exec(compile(job["driver"], "<check>", "exec"), check)
    how, main = check["RUN"], types.ModuleType("__main__")
    sys.modules |= {"__main__": main, "check": Quiet()}
    main.get_ipython = Quiet
    names, accept = job["returns"], how.get("accept", lambda result: result)
    form = lambda result: accept(parts(result, *names) if names else result)  # noqa: E731
    errors = define(job["given"], vars(main))
    course.texts = job["course"]
    with forbidden(job["forbids"], job["title"]):
        errors |= define(job["cells"], vars(main))
        answer = vars(main).get(job["name"])
        if not callable(answer):
            return {"errors": errors, "done": None}
        call = how.get("call", lambda answer, *case: answer(*case))
        with lent(answer, how.get("lends", {})):
            done = [trace(partial(call, answer), case, form) for case in job["cases"]]
    return {"errors": errors, "done": done}


def child(data: bytes, target: int, seconds: float) -> None:
    """Do a job in this process, and write what came of it."""
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(quiet, fd)
    os.closerange(3, target), os.closerange(target + 1, 1024)
    resource.setrlimit(resource.RLIMIT_CPU, (int(2 * seconds) + 5,) * 2)  # if all else fails
    with os.fdopen(target, "wb") as file:
        job = load(data)
        file.write(dump(found(job) if "template" in job else run(job)))


def supervised(data: bytes, seconds: float, most: int, grader: int) -> tuple[str, bytes]:
    """Run a job in a child of its own: how it ended ("done", "slow", "big" or "dead"), and what it wrote.

    If ``grader``, from which jobs come, is closed meanwhile, there is nobody left to tell: this process ends, and with it the sandbox.
    """
    source, target = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child(data, target, seconds)
        finally:
            os._exit(0)
    os.close(target)
    os.set_blocking(source, False)
    end, answer, how, over = time.monotonic() + seconds, bytearray(), "done", os.pidfd_open(pid)
    while how == "done":
        ready = select.select([source, over, grader], [], [], max(0.0, end - time.monotonic()))[0]
        if grader in ready:
            os._exit(1)
        if not ready:
            how = "slow"
        elif source in ready and (chunk := os.read(source, 1 << 20)):
            answer += chunk
            how = "big" if len(answer) > most else how
        elif over in ready or source in ready:  # what it has left running does not count
            break
    os.close(source), os.close(over)
    sweep(pid)
    return (how if answer or how != "done" else "dead"), bytes(answer) if how == "done" else b""


def sweep(pid: int) -> None:
    """Kill whatever is left: all of the sandbox but this process and its first, which nothing in it can kill; without a sandbox, the child's own group."""
    try:
        os.kill(-1, signal.SIGKILL) if os.getppid() == 0 else os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def read(source: int, n: int) -> bytes:
    """So many bytes, or none at the end."""
    data = bytearray()
    while len(data) < n:
        if not (chunk := os.read(source, min(n - len(data), 1 << 20))):
            return b""
        data += chunk
    return bytes(data)


def serve(source: int, target: int) -> None:
    """Do the jobs that come from one pipe, one after the other; the answers go to another."""
    os.write(target, b"ready")
    while header := read(source, 24):
        size, seconds, most = struct.unpack("<QdQ", header)
        data = read(source, size)
        how, answer = supervised(data, seconds, most, source)
        for chunk in (how.encode().ljust(8), struct.pack("<Q", len(answer)), answer):
            while chunk:
                chunk = chunk[os.write(target, chunk) :]


def opened(order: dict, source: int, target: int, control: socket.socket) -> None:
    """In a fork of the warm process: enter the sandbox that an order names, and serve there in a child, whose number the grader is told."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in order["groups"]:
            with open(file, "w") as group:
                group.write(str(os.getpid()))
        if order["holder"]:
            enter.join(order["holder"])
        if pid := os.fork():
            control.send(str(pid).encode())
            return
        if order["holder"]:
            enter.limit(order["memory"], order["processes"], order["disk"])
            enter.drop(order["user"])
        os.chdir(order["folder"])
        control.close()
        serve(source, target)
    except Exception as error:
        control.send(f"{type(error).__name__}: {error}".encode())


def main() -> None:
    """The warm process: what takes long to import is imported once, and each sandbox gets a fork. It knows nothing, and runs no student's code."""
    with tempfile.TemporaryDirectory() as os.environ["MPLCONFIGDIR"]:  # what it caches there is read once
        import IPython.core.inputtransformer2  # noqa: F401
        import matplotlib.pyplot  # noqa: F401
        import torch

    os.environ["MPLCONFIGDIR"] = "/tmp/matplotlib"
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what it forks
    enter.call("prctl", enter.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    control = socket.socket(fileno=os.dup(0))
    control.send(b"ready")
    while True:
        data, fds, *_ = socket.recv_fds(control, 4096, 2)
        if not data:
            return
        if os.fork() == 0:
            try:
                opened(json.loads(data), *fds, control)
            finally:
                os._exit(0)
        for fd in fds:
            os.close(fd)
