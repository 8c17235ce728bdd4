"""The processes that run and judge submissions, here or on other machines. They know nothing of the gradebook."""

import ctypes
import hashlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import torch

from .labs import Lab
from .verdict import judge, refusal

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Submission:
    """What some students handed in: the same file, if they worked as a pair.

    Attributes
    ----------
    students : tuple of str
    data : bytes
    why : str
        Why there is none.
    """

    students: tuple[str, ...]
    data: bytes
    why: str = ""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data + self.why.encode()).hexdigest()


@cache
def loaded(lab: str) -> Lab:
    """A lab, once for each worker."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return Lab(lab)


def work(lab: str, one: Submission, seed: int, unsafe: bool) -> dict:
    """What a worker does: a verdict on one submission."""
    if one.why:
        return refusal(loaded(lab), one.why)
    own = int.from_bytes(hashlib.sha256(f"{seed} {one.students[0]}".encode()).digest()[:4])
    return judge(loaded(lab), one.data, seed, own, unsafe)


def die_with(parent: int) -> None:
    """Have the kernel kill this worker when the grader ends, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's


def workers(jobs: int, scheduler: str | None) -> Executor:
    """Processes of this machine, or of those that a Dask scheduler knows."""
    if scheduler:
        from distributed import Client

        return Client(scheduler).get_executor(pure=False)
    return ProcessPoolExecutor(jobs, get_context("spawn"), die_with, (os.getpid(),))


def verdicts(lab: str, todo: list[Submission], seed: int, unsafe: bool, jobs: int, scheduler: str | None) -> Iterator[tuple[Submission, dict]]:
    """Verdicts as they come. A submission that ends its worker is tried once more, alone."""
    left = list(todo)
    for parts in ([todo], [[one] for one in todo]):
        for part in parts:
            part = [one for one in part if one in left]
            if not part:
                continue
            with workers(jobs, scheduler) as pool:
                futures = {pool.submit(work, lab, one, seed, unsafe): one for one in part}
                for future in as_completed(futures):
                    if not isinstance(future.exception(), BrokenProcessPool):
                        left.remove(futures[future])
                        yield futures[future], future.result()
    for one in left:
        yield one, refusal(loaded(lab), "it ended the process that should judge it, twice")
