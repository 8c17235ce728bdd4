"""Where a submission's code runs: bubblewrap's namespaces, a user of its own, no network, and limits on all that it can use up."""

import atexit
import contextlib
import functools
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from .limits import DISK, MEMORY, PROCESSES, SLOTS, Group, Watch, family
from .plain import NotPlain, dump, load

ANSWER, START = 64 << 20, 60.0  # bytes, seconds
HERE = Path(__file__).parent
HOLD = """import ctypes, signal, sys
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # nobody may look into it
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a process whose parent has ended
print("ready", flush=True)
sys.stdin.read()  # as long as the grader lives
"""
ALLOW = (". This machine does not let ordinary users make one. Ubuntu 24.04 and later: give bubblewrap alone the right to, with the profile in the instructor's guide; "
         "in a container: start it with the flags that the guide lists")  # fmt: skip


class NoSandbox(RuntimeError):
    """This machine cannot make a sandbox; the message says what to do."""


def command(user: int | None, files: Iterable[Path] = ()) -> list[str]:
    """How a sandbox is made: by bubblewrap, with a first process in it that does nothing but say that it is there."""
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise NoSandbox("bubblewrap is missing, which keeps a submission's code away from this machine. Debian and Ubuntu: apt install bubblewrap. "
                        "macOS and Windows: run the grading in a container (the instructor's guide says how)")  # fmt: skip
    args = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session",
            "--as-pid-1", "--clearenv", "--hostname", "sandbox", "--cap-drop", "ALL"]  # fmt: skip
    drop = []
    if user is None:
        args += ["--unshare-user", "--disable-userns"]
    else:
        args += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
        drop = ["/usr/bin/setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    return [*args, *mounts(files), "--remount-ro", "/dev", "--remount-ro", "/", "--", *drop, sys.executable, "-I", "-S", "-c", HOLD]


def mounts(files: Iterable[Path] = ()) -> list[str]:
    """What a sandbox sees of this machine's files, read-only: the system's libraries, Python and a lab's data; and a small /tmp of its own."""
    args = []
    for name in ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/sbin"):
        if os.path.islink(name):
            args += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            args += ["--ro-bind", name, name]
    for name in ("/etc/ld.so.cache", "/etc/alternatives"):
        args += ["--ro-bind-try", name, name]
    args += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(DISK), "--tmpfs", "/tmp", "--perms", "0755", "--dir", "/lab"]
    shown = list(dict.fromkeys([sys.base_prefix, sys.prefix]))
    for parent in dict.fromkeys(p for name in shown for p in reversed(Path(name).parents)):
        if str(parent) not in ("/", "/tmp", "/usr"):
            args += ["--perms", "0755", "--dir", str(parent)]
    for name in shown:
        args += [] if name.startswith("/usr") else ["--ro-bind", name, name]
    if any(Path(name) in HERE.parents for name in shown):  # the package is installed there: it comes with the jobs instead, without what they ask for
        args += ["--perms", "0755", "--tmpfs", str(HERE.parent)]
    for path in files:
        args += ["--ro-bind", str(path), f"/lab/{path.name}"]
    return args


class Warm:
    """The process of which each sandbox gets a fork, see `inside.main`; one for each process that grades."""

    def __init__(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        shown = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        code = "import sys; sys.path.insert(0, sys.argv[1]); import inside; inside.main()"
        with theirs:
            self.process = subprocess.Popen([sys.executable, "-s", "-P", "-B", "-X", "faulthandler", "-c", code, str(HERE)], stdin=theirs, stdout=subprocess.DEVNULL, env=shown, cwd="/")
        self.control = ours
        self.control.settimeout(START)
        self.ready = False
        atexit.register(self.close)

    def close(self) -> None:
        """End it."""
        warm.cache_clear()
        self.control.close()
        self.process.wait()

    def said(self) -> str:
        """A word from it; "" if it has ended."""
        try:
            return self.control.recv(4096).decode()
        except OSError:
            return ""

    def fork(self, order: dict, fds: list[int]) -> int:
        """A fork that serves a sandbox; its number."""
        self.ready = self.ready or self.said() == "ready"
        if not self.ready:
            self.close()
            raise NoSandbox("Python does not start, or finds no torch, IPython or matplotlib: what it printed stands above")
        socket.send_fds(self.control, [json.dumps(order).encode()], fds)
        said = self.said()
        if not said.isdecimal():
            self.close()
            raise NoSandbox(f"the sandbox cannot be entered: {said or 'the warm process has ended'}")
        return int(said)


@functools.cache
def warm(process: int) -> Warm:
    """The warm process of one that grades."""
    return Warm()


def nobody() -> int:
    """The number of a user who is nobody, and whom no other sandbox of this machine has: a grader's number is its own, and it has one or a few at a time."""
    most = max(int(first) + int(n) for first, _, n in (line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()))
    base = 200_000 if most > 1 << 24 else 1000
    return base + (os.getpid() * 64 + next(SLOTS) % 64) % (most - base - 1)


def held(command: list[str]) -> subprocess.Popen:
    """A sandbox that bubblewrap has made and holds open."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, cwd="/")
    if select.select([process.stdout], [], [], START)[0] and process.stdout.read(5) == b"ready":
        return process
    process.kill()
    with process:
        said = process.stderr.read(2000).decode(errors="replace").strip()[-500:]
    raise NoSandbox(f"the sandbox does not start: {said or 'no message'}{ALLOW if 'uid map' in said or 'ermission' in said else ''}")


class Sandbox:
    """One submission's sandbox: jobs go in, answers come out.

    Parameters
    ----------
    unsafe : bool
        Run everything with the rights of whoever calls, and without limits.
    files : sequence of Path
        Data of a lab, which lie in the working folder.

    Raises
    ------
    NoSandbox
        If it does not start.
    """

    def __init__(self, unsafe: bool = False, files: Sequence[Path] = ()):
        self.holder = self.group = self.watch = self.pid = None
        source, to = os.pipe()
        back, target = os.pipe()
        self.to, self.back = open(to, "wb", 0), open(back, "rb", 0)
        user = nobody() if os.geteuid() == 0 else None
        try:
            if not unsafe:
                self.group = Group.made()
                self.holder = held(command(user, files))
            order = {"holder": self.first, "user": user, "groups": self.group.files() if self.group else [], "memory": MEMORY, "processes": PROCESSES, "disk": DISK, "folder": str(files[0].parent) if unsafe and files else "/tmp" if unsafe else "/lab"}
            self.pid = warm(os.getpid()).fork(order, [source, target])
            if not unsafe and not self.group:
                self.watch = Watch([self.first, self.pid], self.kill)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(source), os.close(target)
        try:
            self._read(5, time.monotonic() + START)
        except EOFError:
            self.close()
            raise NoSandbox(f"the sandbox cannot be entered: {warm(os.getpid()).said()}") from None

    @property
    def first(self) -> int | None:
        """The first process in it."""
        found = psutil.Process(self.holder.pid).children() if self.holder and self.holder.poll() is None else []
        return found[0].pid if found else None

    @property
    def lost(self) -> bool:
        """Whether nothing runs in it any more."""
        return self.pid is None or not psutil.pid_exists(self.pid)

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
        """Kill all that runs in it: its first process takes the others with it."""
        doomed = [self.first] if self.holder else [process.pid for process in family([self.pid])] if self.pid else []
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(pid, signal.SIGKILL)
        if self.holder:
            self.holder.kill()

    def close(self) -> None:
        """End the sandbox, and leave nothing behind."""
        self.kill()
        self.pid = None
        if self.watch:
            self.watch.stop.set()
        if self.holder:
            with self.holder:
                self.holder.wait()
        self.to.close(), self.back.close()
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
            ready = select.select([self.back], [], [], max(0.0, end - time.monotonic()))[0]
            if not ready or not (chunk := os.read(self.back.fileno(), min(n - len(data), 1 << 20))):
                raise EOFError
            data += chunk
        return bytes(data)

    def _write(self, data: bytes, end: float) -> None:
        view = memoryview(data)
        while view:
            if not select.select([], [self.to], [], max(0.0, end - time.monotonic()))[1]:
                raise EOFError
            view = view[os.write(self.to.fileno(), view[: select.PIPE_BUF]) :]


