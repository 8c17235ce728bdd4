"""Enter a sandbox that bubblewrap holds open, and keep no right that a submission could use. Nothing of a student has run before that.

It stands alone, without the rest of the package.
"""

import ctypes
import fcntl
import os
import resource

PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 24, 36, 38, 47  # linux/prctl.h
NS_GET_PARENT = 0xB702  # linux/nsfs.h
CAPABILITIES = 0x20080522  # linux/capability.h: version 3 of its structures
NAMESPACES = ("ipc", "uts", "net", "cgroup", "pid", "mnt")  # mnt last: it hides this machine's /proc
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *args: object) -> None:
    """A function of the C library; OSError if it fails."""
    if getattr(LIBC, name)(*args) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}{args}: {os.strerror(error)}")


def join(holder: int) -> None:
    """Join the namespaces of a process; children are in its process namespace too.

    What an ordinary user's bubblewrap made belongs to the outermost of its user namespaces, so that one is joined first.
    """
    users, mine = [os.open(f"/proc/{holder}/ns/user", os.O_RDONLY)], os.stat("/proc/self/ns/user").st_ino
    while os.fstat(users[-1]).st_ino != mine:
        users.append(fcntl.ioctl(users[-1], NS_GET_PARENT))
    others = [os.open(f"/proc/{holder}/ns/{kind}", os.O_RDONLY) for kind in NAMESPACES]
    *inner, outer = users[:-1] or [None]
    for fd in [outer, *others, *reversed(inner)]:
        if fd is not None:
            call("setns", fd, 0)
    for fd in users + others:
        os.close(fd)


def drop(user: int | None) -> None:
    """Give up all capabilities, for ever, and become ``user``, unless that is None."""
    capability = 0
    while LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    call("prctl", PR_CAP_AMBIENT, 4, 0, 0, 0)  # clear all
    call("capset", (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)())
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)  # no child may look into this process, or at its files


def limit(memory: int, processes: int, disk: int) -> None:
    """Bound what one process may use up."""
    for what, most in ((resource.RLIMIT_AS, 2 * memory), (resource.RLIMIT_NPROC, processes), (resource.RLIMIT_FSIZE, disk), (resource.RLIMIT_CORE, 0),
                       (resource.RLIMIT_NOFILE, 256)):  # fmt: skip
        resource.setrlimit(what, (most, most))
