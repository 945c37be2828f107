#!/usr/bin/env python3
"""Who: processes and threads, short lives, the kernel's own threads, and processes older than kflowd."""

import ctypes
import os
import sys
import threading

import calls
import children
import uring
from cases import case, record, run
from workload import WRITTEN, create

PR_SET_NAME = 15
ME = os.path.basename(os.readlink("/proc/self/exe"))
SHELL = os.path.basename(os.path.realpath("/bin/sh"))


def is_shell(name):
    """The shell's own name, with that of the link behind it by which it was run."""
    return name in (SHELL, f"{SHELL}/sh")


def set_thread_name(name):
    calls.function("prctl", PR_SET_NAME, ctypes.c_char_p(name), 0, 0, 0)


@case
def this_process(c):
    parent = os.path.basename(os.readlink(f"/proc/{os.getppid()}/exe"))
    yield
    create(c / "a")
    yield [
        record(
            "a",
            **WRITTEN,
            Proc=ME,
            ProcParent=parent,
            ProcPPID=os.getppid(),
            ProcTID=os.getpid(),
            ProcUID=0,
            ProcUser="root",
            ProcExe=os.readlink("/proc/self/exe"),
            ProcAge=lambda age: age > 0,
            # The arguments of a process that is older than kflowd are not known.
            ProcCmdline="",
        )
    ]


@case
def child_that_forked(c):
    yield
    pid = children.run(lambda: create(c / "a"))
    yield [record("a", **WRITTEN, pid=pid, Proc=ME, ProcParent=ME, ProcPPID=os.getpid(), ProcTID=pid)]


@case
def name_of_the_main_thread(c):
    yield

    def work():
        set_thread_name(b"other name")
        create(c / "a")
        set_thread_name(b'\xff"\n')
        create(c / "b")
        set_thread_name(ME.encode()[:15])
        create(c / "c")

    pid = children.run(work)
    yield [
        record("a", **WRITTEN, pid=pid, Proc=f"{ME}/other name"),
        record("b", **WRITTEN, pid=pid, Proc=f'{ME}/\ufffd"\n'),
        record("c", **WRITTEN, pid=pid, Proc=ME),
    ]


@case
def threads(c):
    yield
    found = {}

    def work(name):
        set_thread_name(name.encode())
        found[name] = threading.get_native_id()
        create(c / name)

    for name in ("first", "second"):
        thread = threading.Thread(target=work, args=(name,))
        thread.start()
        thread.join()
    yield [
        record(name, **WRITTEN, Proc=f"{ME}/{name}", ProcTID=found[name], ProcPPID=os.getppid())
        for name in ("first", "second")
    ]


@case
def hundred_short_lives(c):
    yield
    pids = [children.run(lambda: create(c / f"{number}")) for number in range(100)]
    yield [record(f"{number}", **WRITTEN, pid=pid, ProcPPID=os.getpid(), Proc=ME) for number, pid in enumerate(pids)]


@case
def process_ids_are_those_of_the_host(c):
    yield
    out, into = os.pipe()

    def first_of_its_namespace():
        assert os.getpid() == 1
        create(c / "a")

    def work():
        calls.unshare(calls.CLONE_NEWPID)
        os.write(into, b"%d" % children.run(first_of_its_namespace))

    pid = children.run(work)
    inside = int(os.read(out, 20))
    yield [record("a", **WRITTEN, pid=inside, ProcPPID=pid, ProcTID=inside, ProcParent=ME)]


@case
def kernel_thread(c):
    """What a ring holds open when its process closes it, a thread of the kernel closes."""
    yield
    ring = uring.Ring()
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
    ring.register_files(fd)
    os.close(fd)
    ring.close()
    yield [
        record("a", CREATE=1, OPEN=1, size=0),
        record(
            "a",
            CLOSE_WRITE=1,
            size=0,
            pid=lambda pid: pid > 2,
            ProcPPID=2,
            ProcUID=0,
            ProcExe="",
            ProcCmdline="",
            Proc=lambda name: name.startswith("[kworker") and name.endswith("]"),
            ProcParent=lambda name: name.strip("[]") == "kthreadd",
        ),
    ]


class Old:
    """A process that is there before kflowd and works when it is told to."""

    def __init__(self, work):
        self.gate = children.Gate()
        self.pid = children.start(lambda: (self.gate.wait(), work()))

    def go(self):
        self.gate.open()
        children.finish(self.pid)


@case
def process_older_than_kflowd(c):
    old = Old(lambda: create(c / "a"))
    yield
    old.go()
    exe = os.path.realpath(sys.executable)
    yield [record("a", **WRITTEN, pid=old.pid, Proc=ME, ProcParent=ME, ProcPPID=os.getpid(), ProcExe=exe)]


@case
def old_process_with_a_new_program(c):
    old = Old(lambda: os.execv("/bin/sh", ["sh", "-c", f"printf x > {c / 'a'}"]))
    yield
    old.go()
    yield [record("a", **WRITTEN, pid=old.pid, Proc=is_shell, ProcParent=ME)]


@case
def child_of_an_old_process(c):
    out, into = os.pipe()

    def work():
        os.write(into, b"%d" % children.run(lambda: create(c / "a")))

    old = Old(work)
    yield
    old.go()
    pid = int(os.read(out, 20))
    yield [record("a", **WRITTEN, pid=pid, Proc=ME, ProcParent=ME, ProcPPID=old.pid)]


run()
