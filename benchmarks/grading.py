"""What grading a class costs, beside stock nbgrader: the same submissions of Lab 1, the same marks.

Stock is ``nbgrader autograde`` without a sandbox, with ``shutdown_kernel=immediate``, and spared the training
cells. Times are medians of interleaved rounds, in seconds of the clock for whole commands. Bars, per submission: one worker with its sandbox
takes at most 1.0 times as long as stock (missed beyond 1.1); two workers on two cores finish 1.6 times as fast as one (missed below 1.4).
Then a class of 300, hostile ones among them, has to finish; the greatest memory of a worker, with all that it started, is reported.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))
from classes import HOSTILE, hand_in, notebook, solutions  # noqa: E402

LAB = "unfold"
TARGET, MISSED, FASTER, TOO_SLOW = 1.0, 1.1, 1.6, 1.4


def klass(folder: Path, students: int, hostile: bool = False) -> Path:
    """A class, each of whose files is another: right answers, some with one exercise not done, some hostile ones."""
    names, attacks = [*solutions(LAB)], [*HOSTILE.values()]
    for i in range(students):
        solved = [name for k, name in enumerate(names) if i % 3 == 0 or k != i % len(names)]
        answers = {name: f"{solutions(LAB)[name]}\n# {i}\n" for name in solved[:1]}
        if hostile and i % 20 == 7:
            answers = {"rnn_step": f"{attacks[i // 20 % len(attacks)]}\n# {i}\n"}
        hand_in(folder, f"s{i:03}", LAB, notebook(LAB, solved, answers))
    return folder


def command(folder: Path, *arguments: str) -> float:
    """Seconds that a command takes."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    assert done.returncode in (0, 1), done.stderr[-3000:]
    return time.monotonic() - began


def stock(folder: Path) -> float:
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write('c.Execute.shutdown_kernel = "immediate"\nc.Execute.skip_cells_with_tag = "run"\n')
    shutil.copytree(ROOT / "solutions" / LAB, folder / "solutions" / LAB, ignore=shutil.ignore_patterns("__pycache__"))
    command(folder, "nbgrader", "generate_assignment", LAB)
    return command(folder, "nbgrader", "autograde", LAB)


def ours(folder: Path, jobs: int) -> float:
    return command(folder, "rnncourse.grading", "grade", "--class", str(folder), LAB, "--jobs", str(jobs))


def points(folder: Path) -> dict[str, float]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "rnncourse") as book:
        return {submission.student_id: submission.score for submission in book.assignment_submissions(LAB)}


def watched(run: threading.Thread) -> float:
    """The greatest memory of a worker while a command runs, with all that it started: MB, shared pages shared out."""
    most = 0.0
    run.start()
    while run.is_alive():
        for worker in [p for p in psutil.Process().children(recursive=True) if "multiprocessing" in " ".join(cmd(p))]:
            most = max(most, sum(pss(p) for p in [worker, *children(worker)]) / 2**20)
        run.join(0.5)
    return most


def cmd(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def pss(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--students", type=int, default=60, help="of the class that is timed (%(default)s)")
    parser.add_argument("--big", type=int, default=300, help="of the class that has to finish (%(default)s; 0: none)")
    chosen = parser.parse_args()
    ways = {"stock": stock, "one worker": lambda folder: ours(folder, 1), "two workers": lambda folder: ours(folder, 2)}
    times, marks = {name: [] for name in ways}, {}
    for _ in range(chosen.rounds):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                times[name].append(way(klass(Path(folder), chosen.students)) / chosen.students)
                marks[name] = points(Path(folder))
    assert marks["stock"] == marks["one worker"] == marks["two workers"], marks
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, seconds in medians.items():
        print(f"{name:12} {seconds:5.2f} s a submission ({', '.join(f'{t:.2f}' for t in times[name])})")
    cost, gain = medians["one worker"] / medians["stock"], medians["one worker"] / medians["two workers"]
    print(f"one worker takes {cost:.2f} times as long as stock (target {TARGET}, missed beyond {MISSED}); two are {gain:.2f} times as fast (target {FASTER}, missed below {TOO_SLOW})")
    if chosen.big:
        with tempfile.TemporaryDirectory() as folder:
            klass(Path(folder), chosen.big, hostile=True)
            took = []
            memory = watched(threading.Thread(target=lambda: took.append(ours(Path(folder), 2))))
            print(f"{len(points(Path(folder)))} of {chosen.big} graded in {took[0]:.0f} s; a worker takes up to {memory:.0f} MB")
            assert len(points(Path(folder))) == chosen.big
    return int(cost > MISSED or gain < TOO_SLOW)


if __name__ == "__main__":
    sys.exit(main())
