"""What a sandbox may use up, all of its processes together: control groups where this machine has them, a watcher where not."""

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

MEMORY, PROCESSES, DISK = 3 << 30, 64, 64 << 20  # bytes, processes and threads, bytes
SLOTS = itertools.count()  # of the sandboxes of this process: no two share a group, or a user


class Group:
    """A control group that bounds the memory of a sandbox's processes together, and their number."""

    def __init__(self, folders: list[Path]):
        self.folders = folders

    @classmethod
    def made(cls) -> "Group | None":
        """A new one, where this machine lets us: version 1 or 2, found by trying. None where it does not."""
        name, root = f"rnncourse-{os.getpid()}-{next(SLOTS)}", Path("/sys/fs/cgroup")
        own = {kinds: path for _, kinds, path in (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())}
        two = [root / own[""].lstrip("/") / name] if "" in own else []
        one = [root / kind / own.get(kind, "/").lstrip("/") / name for kind in ("memory", "pids")]
        for folders in (two, one):
            group = cls([])
            try:
                for folder in folders:
                    group.tidy(folder.parent)
                    folder.mkdir()
                    group.folders.append(folder)
                group._limit()
                return group
            except OSError:
                group.remove()
        return None

    @staticmethod
    def tidy(parent: Path) -> None:
        """Remove what a grader that was killed has left."""
        for folder in parent.glob("rnncourse-*"):
            if not Path("/proc", folder.name.split("-")[1]).exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def _limit(self) -> None:
        if not self.folders:
            raise OSError
        for kind, names, value in (("memory", ("memory.max", "memory.limit_in_bytes"), MEMORY), ("pids", ("pids.max",), PROCESSES)):
            files = [folder / name for folder in self.folders for name in names if (folder / name).exists()]
            if not files:
                raise FileNotFoundError(kind)
            files[0].write_text(str(value))
            if kind == "memory" and (swap := files[0].with_name("memory.swap.max")).exists():
                swap.write_text("0")

    def files(self) -> list[str]:
        """Into these a process writes its number to be in it."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def remove(self) -> None:
        for folder in self.folders:
            for _ in range(1000):  # until its last process is gone
                with contextlib.suppress(OSError):
                    folder.rmdir()
                if not folder.exists():
                    break
                time.sleep(0.01)


class Watch(threading.Thread):
    """Calls ``kill`` if some processes, and those that descend from them, take more memory together than is allowed."""

    def __init__(self, pids: list[int], kill: Callable[[], None]):
        super().__init__(daemon=True)
        self.pids, self.kill, self.stop = pids, kill, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.stop.wait(0.05):
            if sum(map(resident, family(self.pids))) > MEMORY:
                return self.kill()


def family(pids: list[int]) -> set[psutil.Process]:
    """Some processes and all that descend from them, as far as they still run."""
    found = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {psutil.Process(pid), *psutil.Process(pid).children(recursive=True)}
    return found


def resident(process: psutil.Process) -> int:
    """The memory of a process, in bytes; what it shares with others counts for each."""
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0
