"""Enter a sandbox that bubblewrap holds open, and keep no right that a submission could use. Nothing of a student has run before that.

It stands alone, without the rest of the package.
"""

import ctypes
import fcntl
import os
import platform
import resource
import struct

PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 24, 36, 38, 47  # linux/prctl.h
NS_GET_PARENT = 0xB702  # linux/nsfs.h
CAPABILITIES = 0x20080522  # linux/capability.h: version 3 of its structures
NAMESPACES = ("ipc", "uts", "net", "cgroup", "pid", "mnt")  # mnt last: it hides this machine's /proc
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
REMOUNT, FILES = 0x20 | 0x02 | 0x04, 4096  # MS_REMOUNT, MS_NOSUID and MS_NODEV of linux/mount.h; in /tmp
# What a function of a lab never asks the kernel for: memory and messages that belong to no process, keys that outlast one, ways into other
# processes and into the kernel. By number, for x86_64 and aarch64: memfd_create, shmget, semget, msgget, mq_open, add_key, request_key, keyctl, userfaultfd,
# bpf, perf_event_open, io_uring_setup, unshare, setns, ptrace, memfd_secret.
REFUSED = {"x86_64": (0xC000003E, (319, 29, 64, 68, 240, 248, 249, 250, 323, 321, 298, 425, 272, 308, 101, 447)),
           "aarch64": (0xC00000B7, (279, 194, 190, 186, 180, 217, 218, 219, 282, 280, 241, 425, 97, 268, 117, 447))}  # fmt: skip
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
    for fd in [outer, *others]:
        if fd is not None:
            call("setns", fd, 0)
    call("mount", b"tmpfs", b"/tmp", None, REMOUNT, f"nr_inodes={FILES}".encode())  # bubblewrap bounds its size alone
    for fd in reversed(inner):
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
    refuse()
    call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)  # no child may look into this process, or at its files


def refuse() -> None:
    """Have the kernel refuse some calls from now on, to this process and all that come of it."""
    if platform.machine() not in REFUSED:
        return
    machine, numbers = REFUSED[platform.machine()]
    load, equal, least, answer = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h: operations of a seccomp filter
    no, kill, yes = 0x00050001, 0x80000000, 0x7FFF0000  # EPERM; another machine's calls end the process
    steps = [(load, 0, 0, 4), (equal, 1, 0, machine), (answer, 0, 0, kill), (load, 0, 0, 0), (least, 0, 1, 0x40000000), (answer, 0, 0, no)]
    for number in numbers:
        steps += [(equal, 0, 1, number), (answer, 0, 0, no)]
    steps.append((answer, 0, 0, yes))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HP", len(steps), ctypes.addressof(code))
    call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)


def limit(memory: int, processes: int, disk: int) -> None:
    """Bound what one process may use up."""
    for what, most in ((resource.RLIMIT_AS, 2 * memory), (resource.RLIMIT_NPROC, processes), (resource.RLIMIT_FSIZE, disk), (resource.RLIMIT_CORE, 0),
                       (resource.RLIMIT_NOFILE, 256)):  # fmt: skip
        resource.setrlimit(what, (most, most))
