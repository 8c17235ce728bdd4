"""Where a submission's code runs: bubblewrap's namespaces, a user of its own, no network, and limits on all that it can use up."""

import contextlib
import itertools
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from .plain import NotPlain, dump, load

MEMORY, PROCESSES, ANSWER, START = 3 << 30, 64, 64 << 20, 60.0  # bytes, processes and threads, bytes, seconds
HERE = Path(__file__).parent
SLOTS = itertools.count(os.getpid() % 1000 * 1000)  # no two sandboxes of a machine share a user


class NoSandbox(RuntimeError):
    """This machine cannot make a sandbox; the message says what to do."""


def command(unsafe: bool = False, files: Iterable[Path] = ()) -> list[str]:
    """How the first process of a sandbox is started, beside which some files lie."""
    python = [sys.executable, "-I", "-B", "-X", "faulthandler", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import inside; inside.main()"]
    if unsafe:
        return [*python, str(HERE)]
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise NoSandbox("bubblewrap is missing, which keeps a submission's code away from this machine. Debian and Ubuntu: apt install bubblewrap. "
                        "macOS and Windows: run the grading in a container (the instructor's guide says how)")  # fmt: skip
    args = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session",
            "--as-pid-1", "--clearenv", "--hostname", "sandbox", "--cap-drop", "ALL"]  # fmt: skip
    drop = []
    if os.geteuid() == 0:
        user = str(200_000 + next(SLOTS) % 1_000_000)
        args += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
        drop = ["/usr/bin/setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    else:
        args += ["--unshare-user", "--disable-userns"]
    args += mounts(files)
    limits = ["/usr/bin/prlimit", f"--as={2 * MEMORY}", f"--nproc={PROCESSES}", f"--fsize={64 << 20}", "--core=0", "--nofile=256", "--"]
    return [*args, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/lab", "--", *limits, *drop, *python, "/grader"]


def mounts(files: Iterable[Path] = ()) -> list[str]:
    """What a sandbox sees of this machine's files, read-only, and of its environment; and a small /tmp of its own."""
    args = []
    for name in ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/sbin"):
        if os.path.islink(name):
            args += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            args += ["--ro-bind", name, name]
    for name in ("/etc/ld.so.cache", "/etc/alternatives"):
        args += ["--ro-bind-try", name, name]
    args += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(64 << 20), "--tmpfs", "/tmp"]
    shown = list(dict.fromkeys([sys.base_prefix, sys.prefix]))
    for parent in dict.fromkeys(p for name in (*shown, "/grader/x") for p in reversed(Path(name).parents)):
        if str(parent) not in ("/", "/tmp", "/usr"):
            args += ["--perms", "0755", "--dir", str(parent)]
    for name in shown:
        args += [] if name.startswith("/usr") else ["--ro-bind", name, name]
    for name in ("plain.py", "assemble.py", "inside.py"):
        args += ["--ro-bind", str(HERE / name), f"/grader/{name}"]
    args += ["--perms", "0755", "--dir", "/lab"]
    for path in files:
        args += ["--ro-bind", str(path), f"/lab/{path.name}"]
    for name, value in {"HOME": "/tmp", "MPLCONFIGDIR": "/tmp/mpl", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MPLBACKEND": "agg"}.items():
        args += ["--setenv", name, value]
    return args


class Sandbox:
    """One submission's sandbox: jobs go in, answers come out.

    Parameters
    ----------
    unsafe : bool
        Run everything with the rights of whoever calls, and without limits.
    files : iterable of Path
        Data of a lab, which lie in the working folder.

    Raises
    ------
    NoSandbox
        If it does not start.
    """

    def __init__(self, unsafe: bool = False, files: Iterable[Path] = ()):
        self.group = Group.made() if not unsafe else None
        enter = None if self.group is None else self.group.enter
        self.process = subprocess.Popen(command(unsafe, files), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"},
                                        cwd="/", bufsize=0, preexec_fn=enter)  # fmt: skip
        self.watch = Watch(self)
        if self._read(5, time.monotonic() + START) != b"ready":
            self.close()
            raise NoSandbox(f"the sandbox does not start: {self.process.stderr.read(2000).decode(errors='replace').strip()[-500:] or 'no message'}")

    def run(self, job: dict, seconds: float = 20.0) -> tuple[str, object]:
        """Do one job: how it ended, and the answer.

        Returns
        -------
        how : {"done", "slow", "big", "dead", "lost"}
            "lost": the sandbox itself is gone, as when all its memory was used up.
        answer : object
            Plain data that may claim anything; None unless "done".
        """
        data, end = dump(job), time.monotonic() + seconds + 5
        try:
            self._write(struct.pack("<QdQ", len(data), seconds, ANSWER) + data, end)
            how, size = self._read(8, end).decode().strip(), struct.unpack("<Q", self._read(8, end))[0]
            answer = self._read(min(size, ANSWER), end)
            return (how, load(answer)) if how == "done" else (how, None)
        except NotPlain:
            return "dead", None
        except (OSError, EOFError, struct.error, UnicodeDecodeError):
            self.close()
            return "lost", None

    def kill(self) -> None:
        """Kill all that runs in the sandbox: its first process, which takes the others with it, and bubblewrap."""
        for pid in [*family(self.process.pid)][1:2] if self.process.poll() is None else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()

    def close(self) -> None:
        """End the sandbox, and leave nothing behind."""
        self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        self.watch.stop.set()
        if self.group:
            self.group.remove()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read(self, n: int, end: float) -> bytes:
        """So many bytes, or EOFError."""
        data = bytearray()
        while len(data) < n:
            ready = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))[0]
            if not ready or not (chunk := os.read(self.process.stdout.fileno(), min(n - len(data), 1 << 20))):
                raise EOFError
            data += chunk
        return bytes(data)

    def _write(self, data: bytes, end: float) -> None:
        view = memoryview(data)
        while view:
            if not select.select([], [self.process.stdin], [], max(0.0, end - time.monotonic()))[1]:
                raise EOFError
            view = view[os.write(self.process.stdin.fileno(), view[: select.PIPE_BUF]) :]


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

    def enter(self) -> None:
        """Put the calling process into it."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        for folder in self.folders:
            for _ in range(1000):  # until its last process is gone
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.01)


class Watch(threading.Thread):
    """Kills a sandbox whose processes together take more memory than is allowed: for machines without control groups."""

    def __init__(self, sandbox: Sandbox):
        super().__init__(daemon=True)
        self.sandbox, self.stop = sandbox, threading.Event()
        if sandbox.group is None:
            self.start()

    def run(self) -> None:
        while not self.stop.wait(0.05):
            if sum(map(resident, family(self.sandbox.process.pid))) > MEMORY:
                return self.sandbox.kill()


def family(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def resident(pid: int) -> int:
    """The memory of a process, in bytes; what it shares with others counts for each."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError, ValueError):
        return 0
