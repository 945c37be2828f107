#!/usr/bin/env python3
"""Who: names of programs, threads, scripts and kernel threads, of processes new and older than kflowd."""

import ctypes
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import calls
import children
import uring
from cases import case, record, run
from kflowd import find
from workload import create

PR_SET_NAME = 15
ME = os.path.basename(os.readlink("/proc/self/exe"))
SHELL = os.path.basename(os.path.realpath("/bin/sh"))
WRITTEN = {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1, "size": 1, "change": 1, "written": 1}


def set_thread_name(name):
    calls.function("prctl", PR_SET_NAME, ctypes.c_char_p(name), 0, 0, 0)


def shell(*command, **keys):
    """Runs a program to its end; returns its process id."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **keys)
    assert process.wait() == 0, command
    return process.pid


@case
def this_process(c):
    parent = os.path.basename(os.readlink(f"/proc/{os.getppid()}/exe"))
    yield
    create(c / "a")
    yield [record(
        "a", **WRITTEN, Proc=ME, ProcParent=parent, ProcPPID=os.getppid(), ProcTID=os.getpid(), ProcUID=0, ProcUser="root",
        ProcExe=os.readlink("/proc/self/exe"), ProcAge=lambda age: age > 0,
        # The arguments of a process that is older than kflowd are not known.
        ProcCmdline="",
    )]


@case
def child_that_forked(c):
    yield
    pid = children.run(lambda: create(c / "a"))
    yield [record("a", **WRITTEN, pid=pid, Proc=ME, ProcParent=ME, ProcPPID=os.getpid(), ProcTID=pid)]


@case
def program_that_is_run(c):
    yield
    command = f"printf x > {c / 'a'}"
    pid = shell("/bin/sh", "-c", command)
    yield [record(
        "a", **WRITTEN, pid=pid, Proc=lambda name: name in (SHELL, f"{SHELL}/sh"), ProcParent=ME, ProcPPID=os.getpid(),
        ProcExe=os.path.realpath("/bin/sh"), ProcCmdline=f"/bin/sh -c {command}",
    )]


def copied_shell(c, name):
    """A program of this name outside the case's directory: its own records are not expected."""
    place = pathlib.Path("/run/programs") / c.name
    place.mkdir(parents=True, exist_ok=True)
    return shutil.copy(os.path.realpath("/bin/sh"), place / name)


@case
def names_of_programs(c):
    names = ["short", "n" * 15, "n" * 16, "n" * 40, "n" * 41, "n" * 255, "with blank", "ü€", 'quote"', "x\ny", "python3"]
    programs = [copied_shell(c, name) for name in names]
    yield
    pids = [shell(program, "-c", f"printf x > {c.directory}/{number}") for number, program in enumerate(programs)]
    yield [
        record(f"{number}", **WRITTEN, pid=pid, Proc=name, ProcParent=ME)
        for number, (pid, name) in enumerate(zip(pids, names))
    ]


@case
def long_name_and_long_parent_at_a_long_path(c):
    program, parent = (copied_shell(c, letter * 255) for letter in "ab")
    directory = c / ("d" * 250) / ("e" * 250)
    directory.mkdir(parents=True)
    yield
    # The last command of a shell replaces it; one more keeps it as the parent.
    shell(parent, "-c", f"{program} -c 'printf x > {directory}/f'; true")
    yield [record(
        "f", path=f"{'d' * 250}/{'e' * 250}/", **WRITTEN, pid=lambda pid: pid > 1, Proc="a" * 255, ProcParent="b" * 255,
    )]


@case
def program_by_a_symbolic_link(c):
    """The program is the file that runs; the thread has the name by which it was run."""
    program = copied_shell(c, "real")
    link = pathlib.Path(program).with_name("other")
    link.symlink_to("real")
    yield
    pid = shell(link, "-c", f"printf x > {c / 'a'}")
    yield [record("a", **WRITTEN, pid=pid, Proc="real/other", ProcExe=os.fspath(program))]


@case
def script(c):
    """A script is its interpreter, with the name of the script as the thread's."""
    scripts = pathlib.Path("/run/programs/scripts")
    scripts.mkdir(parents=True, exist_ok=True)
    for name in ("job", "job-with-a-long-name"):
        (scripts / name).write_text(f"#!{copied_shell(c, 'interp')}\nprintf x > $1\n")
        (scripts / name).chmod(0o755)
    yield
    first = shell(scripts / "job", c / "a")
    second = shell(scripts / "job-with-a-long-name", c / "b")
    yield [
        record("a", **WRITTEN, pid=first, Proc="interp/job", ProcParent=ME),
        record("b", **WRITTEN, pid=second, Proc="interp/job-with-a-long", ProcParent=ME),
    ]


@case
def name_of_the_main_thread(c):
    yield

    def work():
        set_thread_name(b"other name")
        create(c / "a")
        set_thread_name(b"\xff\"\n")
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
        record(name, **WRITTEN, Proc=f"{ME}/{name}", ProcTID=found[name], ProcPPID=os.getppid()) for name in ("first", "second")
    ]


@case
def exec_by_a_second_thread(c):
    """The process keeps its id, whichever thread runs the new program."""
    yield

    def work():
        arguments = ["sh", "-c", f"printf x > {c / 'a'}"]
        thread = threading.Thread(target=os.execv, args=("/bin/sh", arguments))
        thread.start()
        thread.join()

    pid = children.run(work)
    yield [record("a", **WRITTEN, pid=pid, ProcTID=pid, Proc=lambda name: name in (SHELL, f"{SHELL}/sh"), ProcParent=ME)]


@case
def program_in_memory(c):
    yield
    fd = os.memfd_create("tool", 0)
    os.write(fd, pathlib.Path("/bin/sh").read_bytes())

    def work():
        calls.execveat(fd, ["tool", "-c", f"printf x > {c / 'a'}"])

    pid = children.run(work)
    os.close(fd)
    yield [record("a", **WRITTEN, pid=pid, Proc=lambda name: name.split("/")[0] == "memfd:tool", ProcParent=ME)]


@case
def program_that_was_deleted(c):
    program = copied_shell(c, "gone")
    yield
    process = subprocess.Popen([program, "-c", f"read x; printf x > {c / 'a'}"], stdin=subprocess.PIPE)
    # Its exec is over when Popen returns.
    os.unlink(program)
    process.communicate(b"\n")
    yield [record("a", **WRITTEN, pid=process.pid, Proc="gone", ProcParent=ME)]


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
            "a", CLOSE_WRITE=1, size=0, pid=lambda pid: pid > 2, ProcPPID=2, ProcUID=0, ProcExe="", ProcCmdline="",
            Proc=lambda name: name.startswith("[kworker") and name.endswith("]"),
            ProcParent=lambda name: name.strip("[]") == "kthreadd",
        ),
    ]


@case
def program_started_by_the_kernel(c):
    """The handler of core dumps: it is a thread of the kernel until it runs its program."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern")
    before = pattern.read_text()
    handler = pathlib.Path("/run/programs/handler")
    handler.parent.mkdir(parents=True, exist_ok=True)
    handler.write_text(f"#!{copied_shell(c, 'interp')}\ncat > {c / 'core'}; printf $$ > {c / 'a'}; mv {c / 'a'} {c / 'b'}\n")
    handler.chmod(0o755)
    pattern.write_text(f"|{handler}")
    yield
    pid = os.fork()
    if not pid:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
        os.kill(os.getpid(), signal.SIGSEGV)
    os.waitpid(pid, 0)
    while not (c / "b").exists():
        time.sleep(0.05)
    pattern.write_text(before)
    pid = int((c / "b").read_text())
    yield lambda records: by_the_handler(records, pid)


def by_the_handler(records, pid):
    (written,) = find(records, File="a", ProcPID=pid)
    (core,) = find(records, File="core", FileEvents=lambda events: "CREATE" in events)
    assert written["Proc"] == "interp/handler" and written["ProcParent"].strip("[]") == "kthreadd", written
    assert (written["ProcPPID"], written["ProcUID"]) == (2, 0), written
    assert written["FileEvents"] == {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}, written
    assert core["FileEvents"].get("CREATE") == 1, core


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
    yield [record("a", **WRITTEN, pid=old.pid, Proc=ME, ProcParent=ME, ProcPPID=os.getpid(), ProcExe=os.path.realpath(sys.executable))]


@case
def old_process_with_a_new_program(c):
    old = Old(lambda: os.execv("/bin/sh", ["sh", "-c", f"printf x > {c / 'a'}"]))
    yield
    old.go()
    yield [record("a", **WRITTEN, pid=old.pid, Proc=lambda name: name in (SHELL, f"{SHELL}/sh"), ProcParent=ME)]


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
