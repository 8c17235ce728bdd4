"""Grade a class in processes that are killed at given steps; run by test_grade.py in a process of its own, which forks safely.

``python kills.py LAB CLASS:STEP...``: one run for each, killed at that step (0: not at all). It prints, for each run, how many steps it took or how it ended.
"""

import os
import signal
import socket
import sys
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import IPython.core.inputtransformer2  # noqa: F401
import matplotlib.pyplot  # noqa: F401
from sqlalchemy import event
from sqlalchemy.engine import Engine

from rnncourse.grading import grade, sandbox, workers
from rnncourse.grading.gradebook import Class
from rnncourse.grading.labs import Lab

FILES = {"open", "os.rename", "os.mkdir", "os.remove", "subprocess.Popen", "sqlite3.connect"}


def counted(stop: int) -> list[int]:
    """From now on this process counts its steps, statements to the gradebook and what it does to files, and kills itself at ``stop``."""
    steps, me = [0], os.getpid()

    def step(*args):
        if os.getpid() == me:
            steps[0] += 1
            if steps[0] == stop:
                os.kill(me, signal.SIGKILL)

    sys.addaudithook(lambda name, args: step() if name in FILES else None)
    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(Engine, name, step)
    return steps


class Forked(sandbox.Warm):
    """The warm process as a fork of this one, which spares each run the seconds of its imports."""

    def __init__(self):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ready, pid = False, os.fork()
        if pid == 0:
            self.control.close()
            os.dup2(theirs.fileno(), 0)
            inside.main()
            os._exit(0)
        theirs.close()
        self.process = SimpleNamespace(wait=lambda: os.waitpid(pid, 0))


if __name__ == "__main__":
    sys.path.append(str(sandbox.HERE))
    import inside

    sandbox.Warm = Forked
    lab = Lab(sys.argv[1])
    workers.get_context = lambda kind: get_context("fork")  # spares each run the imports
    for folder, stop in (argument.rsplit(":", 1) for argument in sys.argv[2:]):
        pid = os.fork()
        if pid == 0:
            steps = counted(int(stop))
            status = grade.grade(Class.at(Path(folder)), lab, jobs=1)
            print("\nsteps", steps[0], "status", status, flush=True)
            os._exit(0)
        _, how = os.waitpid(pid, 0)
        print("ended by", how, flush=True)
