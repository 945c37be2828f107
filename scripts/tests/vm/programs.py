#!/usr/bin/env python3
"""Names of programs: any name, scripts, programs in memory or deleted, and those that the kernel starts."""

import os
import pathlib
import resource
import signal
import subprocess
import threading
import time

import calls
import children
from cases import case, record, run
from kflowd import find
from workload import PROGRAMS, WRITTEN, copied_shell

ME = os.path.basename(os.readlink("/proc/self/exe"))
SHELL = os.path.basename(os.path.realpath("/bin/sh"))


def is_shell(name):
    """The shell's own name, with that of the link behind it by which it was run."""
    return name in (SHELL, f"{SHELL}/sh")


def shell(*command, **keys):
    """Runs a program to its end; returns its process id."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **keys)
    assert process.wait() == 0, command
    return process.pid


@case
def program_that_is_run(c):
    yield
    command = f"printf x > {c / 'a'}"
    pid = shell("/bin/sh", "-c", command)
    yield [
        record(
            "a",
            **WRITTEN,
            pid=pid,
            Proc=is_shell,
            ProcParent=ME,
            ProcPPID=os.getpid(),
            ProcExe=os.path.realpath("/bin/sh"),
            ProcCmdline=f"/bin/sh -c {command}",
        )
    ]


@case
def names_of_programs(c):
    names = [
        "short",
        "with blank",
        "ü€",
        'quote"',
        "x\ny",
        "python3",
        *("n" * length for length in (15, 16, 40, 41, 255)),
    ]
    programs = [copied_shell(name) for name in names]
    yield
    pids = [shell(program, "-c", f"printf x > {c.directory}/{number}") for number, program in enumerate(programs)]
    yield [
        record(f"{number}", **WRITTEN, pid=pid, Proc=name, ProcParent=ME)
        for number, (pid, name) in enumerate(zip(pids, names))
    ]


@case
def long_name_and_long_parent_at_a_long_path(c):
    program, parent = (copied_shell(letter * 255) for letter in "ab")
    directory = c / ("d" * 250) / ("e" * 250)
    directory.mkdir(parents=True)
    yield
    # The last command of a shell replaces it; one more keeps it as the parent.
    shell(parent, "-c", f"{program} -c 'printf x > {directory}/f'; true")
    yield [
        record(
            "f",
            path=f"{'d' * 250}/{'e' * 250}/",
            **WRITTEN,
            pid=lambda pid: pid > 1,
            Proc="a" * 255,
            ProcParent="b" * 255,
        )
    ]


@case
def program_by_a_symbolic_link(c):
    """The program is the file that runs; the thread has the name by which it was run."""
    program = copied_shell("real")
    link = pathlib.Path(program).with_name("other")
    link.unlink(missing_ok=True)
    link.symlink_to("real")
    yield
    pid = shell(link, "-c", f"printf x > {c / 'a'}")
    yield [record("a", **WRITTEN, pid=pid, Proc="real/other", ProcExe=os.fspath(program))]


@case
def script(c):
    """A script is its interpreter, with the name of the script as the thread's."""
    scripts = PROGRAMS / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in ("job", "job-with-a-long-name"):
        (scripts / name).write_text(f"#!{copied_shell('interp')}\nprintf x > $1\n")
        (scripts / name).chmod(0o755)
    yield
    first = shell(scripts / "job", c / "a")
    second = shell(scripts / "job-with-a-long-name", c / "b")
    yield [
        record("a", **WRITTEN, pid=first, Proc="interp/job", ProcParent=ME),
        record("b", **WRITTEN, pid=second, Proc="interp/job-with-a-long", ProcParent=ME),
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
    yield [record("a", **WRITTEN, pid=pid, ProcTID=pid, Proc=is_shell, ProcParent=ME)]


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
    program = copied_shell("gone")
    yield
    process = subprocess.Popen([program, "-c", f"read x; printf x > {c / 'a'}"], stdin=subprocess.PIPE)
    # Its exec is over when Popen returns.
    os.unlink(program)
    process.communicate(b"\n")
    yield [record("a", **WRITTEN, pid=process.pid, Proc="gone", ProcParent=ME)]


@case
def program_started_by_the_kernel(c):
    """The handler of core dumps: it is a thread of the kernel until it runs its program."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern")
    before = pattern.read_text()
    interpreter = copied_shell("interp")
    handler = PROGRAMS / "handler"
    handler.write_text(f"#!{interpreter}\ncat > {c / 'core'}; printf $$ > {c / 'a'}; mv {c / 'a'} {c / 'b'}\n")
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


run()
