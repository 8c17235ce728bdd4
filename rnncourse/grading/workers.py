"""The processes that run and judge submissions, here or on other machines. They know nothing of the gradebook."""

import ctypes
import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import forkserver, get_context

import torch

from .labs import Lab
from .sandbox import NoSandbox, warm
from .verdict import judge, refusal

PR_SET_PDEATHSIG = 1
MOST = 16 << 30  # bytes of addresses of a worker, whatever it has to judge


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


def work(lab: str, one: Submission, secret: str, unsafe: bool) -> dict:
    """What a worker does: a verdict on one submission, whose hidden inputs are its own."""
    if one.why:
        return refusal(loaded(lab), one.why)
    seed, own = (int.from_bytes(hashlib.sha256(f"{secret} {lab} {one.digest} {what}".encode()).digest()[:4]) // 2 for what in ("hidden", "example"))
    return judge(loaded(lab), one.data, seed, own, unsafe)


def enlist() -> None:
    """In a new worker: have the kernel kill it when its parent ends, which ends with the grader, and start what its sandboxes are forks of."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if (held := forkserver._forkserver._forkserver_alive_fd) is not None:  # with this open in a worker, its parent would not end with the grader
        os.close(held)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's
    resource.setrlimit(resource.RLIMIT_AS, (MOST,) * 2)
    warm(os.getpid())


def workers(jobs: int, scheduler: str | None) -> Executor:
    """Processes of this machine, or of those that a Dask scheduler knows."""
    if scheduler:
        from distributed import Client

        return Client(scheduler).get_executor(pure=False)
    return ProcessPoolExecutor(jobs, get_context("forkserver"), enlist)


def verdicts(lab: str, todo: list[Submission], secret: str, unsafe: bool, jobs: int, scheduler: str | None) -> Iterator[tuple[Submission, dict]]:
    """Verdicts as they come. A submission on which the work fails is tried once more, alone.

    Raises
    ------
    NoSandbox
        At the end, if some found none twice; at once, if the first three did.
    """
    failed = {}
    for part in [todo, *([one] for one in todo)]:
        if not part or part is not todo and part[0] not in failed:
            continue
        with workers(min(jobs, len(part)), scheduler) as pool:
            futures = {pool.submit(work, lab, one, secret, unsafe): one for one in part}
            for done, future in enumerate(as_completed(futures), 1):
                one = futures[future]
                failed[one] = future.exception()
                if failed[one] is None:
                    del failed[one]
                    yield one, future.result()
                elif done == 3 == sum(isinstance(error, NoSandbox) for error in failed.values()):
                    pool.shutdown(cancel_futures=True)
                    raise failed[one]
    for one, error in failed.items():
        if not isinstance(error, NoSandbox):
            yield one, refusal(loaded(lab), f"the process that should judge it ended, twice ({type(error).__name__})")
    if left := [error for error in failed.values() if isinstance(error, NoSandbox)]:
        raise NoSandbox(f"{left[0]} ({len(left)} submissions are not graded; type the command again)")
