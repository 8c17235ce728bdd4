"""Grade a class in processes that are killed at given steps; run by test_grade.py in a process of its own, which forks safely.

``python kills.py CLASS LAB STEP...``: one run for each step, killed there (0: not at all). It prints, for each run, how many steps it took or how it ended.
"""

import os
import signal
import sys
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine

from rnncourse.grading import grade, workers
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


if __name__ == "__main__":
    folder, lab = Path(sys.argv[1]), Lab(sys.argv[2])
    workers.get_context = lambda kind: get_context("fork")  # spares each run the imports
    for stop in map(int, sys.argv[3:]):
        pid = os.fork()
        if pid == 0:
            steps = counted(stop)
            status = grade.grade(Class.at(folder), lab, jobs=1)
            print("\nsteps", steps[0], "status", status, flush=True)
            os._exit(0)
        _, how = os.waitpid(pid, 0)
        print("ended by", how, flush=True)
