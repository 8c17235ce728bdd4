"""Attacks from inside a sandbox: each is contained, and the next exercise is judged as if nothing had been."""

import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from rnncourse.grading import drivers
from rnncourse.grading.limits import Group, family
from rnncourse.grading.sandbox import NoSandbox, Sandbox, command

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is missing")]
ROOT = Path(__file__).resolve().parents[1]
COURSE = drivers.course({}, ())


def job(body):
    """An exercise f without arguments, whose answer has this body."""
    lines = "\n    ".join(["import os, signal, socket, subprocess, time", *body.splitlines()])
    return {"name": "f", "given": [], "kept": {}, "cells": [("f", f"import torch\n\n\ndef f():\n    {lines}\n    return torch.ones(1)")], "cases": [()], "course": COURSE,
            "driver": "RUN = {}", "frozen": {}, "title": "Exercise 1", "returns": (), "forbids": ()}  # fmt: skip


@pytest.fixture(scope="module")
def boxes():
    """The sandbox in use; a new one if the last was lost."""
    open_ = []

    def box():
        if not open_ or open_[-1].lost:
            open_.append(Sandbox())
        return open_[-1]

    yield box
    for one in open_:
        one.close()
    assert not any(folder.exists() for one in open_ if one.group for folder in one.group.folders)


def tried(boxes, body, seconds=5.0):
    """How an attack ended, and what its author gets to say; after it, honest code still runs."""
    how, answer = boxes().run(job(body), seconds)
    after, honest = boxes().run(job(""))
    assert after == "done" and honest["done"][0]["values"][0].tolist() == [1.0]
    return how, answer and answer["done"][0].get("type", "right")


def emptied(boxes):
    """Whether nothing is left in a sandbox but its own two processes, as soon as what was killed is gone."""
    end = time.monotonic() + 10
    while len(family([boxes().first, boxes().pid])) > 2 and time.monotonic() < end:
        time.sleep(0.05)
    return len(family([boxes().first, boxes().pid])) == 2


@pytest.mark.parametrize("path", [ROOT / "solutions/unfold/check.py", ROOT / "rnncourse/writing.py", "/etc/passwd", "/proc/1/environ", "/proc/1/mem"],
                         ids=str)  # fmt: skip
def test_an_attack_cannot_read_what_is_not_its_own(boxes, path):
    assert tried(boxes, f"open({str(path)!r}, 'rb').read(100)") in (("done", "FileNotFoundError"), ("done", "PermissionError"))


def test_an_attack_cannot_read_a_file_that_everybody_else_can(boxes, tmp_path):
    for parent in (book := tmp_path / "gradebook.db").parents[:3]:
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)
    book.write_text("marks")
    assert tried(boxes, f"open({str(book)!r}).read()") == ("done", "FileNotFoundError")


@pytest.mark.parametrize("path", ["/x", "/usr/x", "/lab/x", "/dev/x", f"{sys.prefix}/x"])
def test_an_attack_cannot_write_outside(boxes, path):
    assert tried(boxes, f"open({path!r}, 'w')") in (("done", "OSError"), ("done", "PermissionError"))


def test_an_attack_finds_no_process_of_others_and_no_variable_of_theirs(boxes, monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    assert tried(boxes, "assert 'SECRET' not in os.environ and {p for p in os.listdir('/proc') if p.isdigit()} == {'1', str(os.getppid()), str(os.getpid())}") == ("done", "right")


def test_an_attack_has_no_network_not_even_this_machine(boxes):
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert tried(boxes, f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)") == ("done", "ConnectionRefusedError")
    assert tried(boxes, "socket.create_connection(('192.0.2.1', 80), 2)") == ("done", "OSError")


def test_an_attack_on_a_socket_without_a_file_finds_none(boxes):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0rnncourse")
        server.listen()
        assert tried(boxes, "socket.socket(socket.AF_UNIX).connect('\\0rnncourse')") == ("done", "ConnectionRefusedError")


def test_an_attack_has_no_rights(boxes):
    assert tried(boxes, "os.setuid(0)") in (("done", "PermissionError"), ("done", "OSError"))  # the latter where nobody is called 0
    assert tried(boxes, "os.kill(1, signal.SIGKILL), os.kill(1, signal.SIGSTOP)") == ("done", "right")
    assert tried(boxes, "subprocess.run(['mount', '-t', 'tmpfs', 'x', '/tmp'], check=True)") == ("done", "CalledProcessError")


def test_an_attack_cannot_look_into_what_serves_it_nor_make_namespaces(boxes):
    assert tried(boxes, "open(f'/proc/{os.getppid()}/mem')") == ("done", "PermissionError")
    assert tried(boxes, "os.listdir(f'/proc/{os.getppid()}/fd')") == ("done", "PermissionError")
    assert tried(boxes, "import ctypes\nassert ctypes.CDLL(None).setns(os.open('/proc/1/ns/mnt', 0), 0) < 0") == ("done", "PermissionError")
    assert tried(boxes, "assert not {'Cap' + k: v for k, v in (line.split() for line in open('/proc/thread-self/status') if line.startswith('Cap')) if int(v, 16)}") == ("done", "right")


def test_an_attack_on_what_serves_it_costs_its_own_exercise(boxes):
    for sign in ("KILL", "STOP"):
        assert tried(boxes, f"os.kill(os.getppid(), signal.SIG{sign}), time.sleep(9)", 1.0)[0] in ("lost", "dead")


@pytest.mark.parametrize("body,how", [("os._exit(0)", "dead"), ("os.kill(os.getpid(), signal.SIGSEGV)", "dead"), ("while True: pass", "slow"), ("signal.pause()", "slow"),
                                      ("for s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(s, signal.SIG_IGN)\nwhile True: time.sleep(9)", "slow"),
                                      ("while True: print('x' * 10**6)", "slow")])  # fmt: skip
def test_an_attack_that_ends_or_hangs_or_floods_costs_its_own_exercise(boxes, body, how):
    began = time.monotonic()
    assert tried(boxes, body, 2.0) == (how, None)
    assert time.monotonic() - began < 60


def test_an_attack_by_a_fork_bomb_is_bounded(boxes):
    assert tried(boxes, "while True:\n    try: os.fork()\n    except OSError: pass", 3.0)[0] in ("slow", "dead", "lost")
    assert emptied(boxes)


def test_an_attack_leaves_no_process_behind(boxes):
    assert tried(boxes, "for _ in range(5):\n    if os.fork() == 0: os.setsid(); time.sleep(1000)") == ("done", "right")
    assert emptied(boxes)


@pytest.mark.parametrize("body", ["a = []\nwhile True: a.append(torch.ones(1 << 28))",
                                  "for _ in range(6):\n    if os.fork() == 0: a = torch.ones(1 << 28); time.sleep(9); os._exit(0)\nwhile True: assert os.wait()[1] == 0"])
def test_an_attack_on_memory_is_bounded_also_by_many_processes(boxes, body):
    how, said = tried(boxes, body, 40.0)  # "ChildProcessError" would say that all six had their gigabyte
    assert how in ("dead", "lost") or (how, said) in (("done", "AssertionError"), ("done", "RuntimeError"))


def test_an_attack_on_the_disk_is_bounded(boxes):
    assert tried(boxes, "for i in range(100): open(f'/tmp/{i}', 'wb').write(b'x' * (1 << 22))") == ("done", "OSError")


def test_an_attack_by_very_many_files_is_bounded(boxes):
    assert tried(boxes, "for i in range(10**4): open(f'/tmp/{i}', 'w').close()") == ("done", "OSError")


@pytest.mark.parametrize("call", ["memfd_create(b'x', 0)", "shmget(0, 4096, 0o1600)", "msgget(0, 0o1600)", "semget(0, 1, 0o1600)", "syscall(250, 0, -5, 0)", "ptrace(0, 0, 0, 0)", "unshare(0x10000000)"])
def test_an_attack_with_what_no_answer_needs_of_the_kernel_is_refused(boxes, call):
    ask = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.{call} == -1 and ctypes.get_errno() == 1"
    assert tried(boxes, ask if platform.machine() == "x86_64" else "") == ("done", "right")


def test_an_attack_by_a_huge_answer_is_cut(boxes):
    assert tried(boxes, "return torch.ones(1 << 25)", 20.0) == ("big", None)


def test_an_attack_that_forges_the_answer_gets_no_further_than_plain_data(boxes):
    assert tried(boxes, "for fd in range(3, 50):\n    try: os.write(fd, b'[\"tensor\", [\"object\", [1], \"\"]]')\n    except OSError: pass\nos._exit(0)") == ("dead", None)


def test_the_watcher_bounds_memory_where_there_are_no_control_groups(monkeypatch):
    monkeypatch.setattr(Group, "made", lambda: None)
    with Sandbox() as box:
        assert box.run(job("a = [torch.ones(1 << 28) for _ in range(4)]\ntime.sleep(9)"))[0] in ("lost", "dead")


def test_a_sandbox_dies_with_whoever_made_it_also_in_the_middle_of_an_attack():
    code = ("import threading\nfrom rnncourse.grading.sandbox import Sandbox, family\nfrom test_sandbox import job\nbox = Sandbox()\n"
            "threading.Thread(target=box.run, args=(job('while True: signal.pause()'), 60.0)).start()\n"
            "while len(found := family([box.holder.pid, box.pid])) < 4: pass\nprint(*(p.pid for p in found), flush=True)")
    grader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT / "tests", env=os.environ | {"PYTHONPATH": str(ROOT)})
    pids = grader.stdout.readline().split()
    grader.kill()
    grader.communicate()
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert len(pids) == 4 and not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.skipif(os.geteuid() != 0, reason="it is run as an ordinary user already")
def test_every_attack_is_contained_too_where_the_grader_is_an_ordinary_user():
    home = ["--perms", "0755", "--tmpfs", "/root"]  # which only root may enter
    for folder in [*reversed(Path(sys.base_prefix).parents)][2:]:
        home += ["--perms", "0755", "--dir", str(folder)]
    home = [*home, "--ro-bind", sys.base_prefix, sys.base_prefix] if sys.base_prefix.startswith("/root") else []
    user = ["bwrap", "--dev-bind", "/", "/", *home, "--cap-add", "ALL", "--", "setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
    command = [*user, sys.executable, "-B", "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", f"--basetemp=/tmp/{uuid.uuid4()}", __file__]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"HOME": "/tmp"})
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_group_that_a_killed_grader_left_is_removed(tmp_path):
    (tmp_path / "rnncourse-4194305-1").mkdir()  # no process has so high a number
    (tmp_path / f"rnncourse-{os.getpid()}-1").mkdir()
    Group.tidy(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == [f"rnncourse-{os.getpid()}-1"]


def test_without_bubblewrap_grading_is_refused_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NoSandbox, match="apt install bubblewrap"):
        command(1)
