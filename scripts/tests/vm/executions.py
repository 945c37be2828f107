#!/usr/bin/env python3
"""Files that are executed: OPEN_EXEC once per program, interpreter and loader, and no OPEN beside it."""

import errno
import os
import subprocess

import calls
import children
from cases import case, record, run

LOADER = os.path.realpath("/lib64/ld-linux-x86-64.so.2")


def copy(c, source, name):
    """An executable copy of a program in the case's directory."""
    path = c.make(name, 0, 0o755)
    path.write_bytes(open(source, "rb").read())
    return path


def executed(c, name, pid, **more):
    """The kernel reads the head of a program, once or more; all else is exact."""
    rest = {"OPEN_EXEC": 1, "CLOSE_NOWRITE": 1, **more}

    def events(got):
        return got.get("ACCESS", 0) >= 1 and {**got, "ACCESS": 0} == {**rest, "ACCESS": 0}

    return record(name, pid=pid, size=(c / name).stat().st_size, read=lambda n: n > 0, FileEvents=events)


@case
def a_program(c):
    program = copy(c, "/bin/true", "program")
    yield
    child = subprocess.Popen([program])
    assert child.wait() == 0
    yield [executed(c, "program", child.pid)]


@case
def a_program_twice(c):
    program = copy(c, "/bin/true", "program")
    yield
    pids = []
    for _ in range(2):
        child = subprocess.Popen([program])
        assert child.wait() == 0
        pids.append(child.pid)
    yield [executed(c, "program", pid) for pid in pids]


@case
def a_script_and_its_interpreter(c):
    interpreter = copy(c, "/bin/dash", "interpreter")
    script = c.make("script", 0, 0o755)
    script.write_text(f"#!{interpreter}\nexit 0\n")
    yield
    child = subprocess.Popen([script])
    assert child.wait() == 0
    size = script.stat().st_size
    yield [
        executed(c, "interpreter", child.pid),
        # The kernel opens it to execute, the interpreter to read: two descriptions, at times of their own.
        *script_records(child.pid, size),
    ]


def script_records(pid, size):
    """The kernel has closed the script before the interpreter opens it."""
    shared = {"size": size, "pid": pid, "read": size}
    return [
        record("script", OPEN_EXEC=1, ACCESS=1, CLOSE_NOWRITE=1, **shared),
        record("script", OPEN=1, FileEvents=lambda e: (e["OPEN"], e["CLOSE_NOWRITE"]) == (1, 1), **shared),
    ]


@case
def by_a_descriptor(c):
    program = copy(c, "/bin/true", "program")
    yield

    def work():
        fd = os.open(program, os.O_PATH | os.O_CLOEXEC)
        calls.execveat(fd, ["program"])

    pid = children.run(work)
    yield [executed(c, "program", pid)]


@case
def one_after_the_other(c):
    first, second = copy(c, "/bin/dash", "first"), copy(c, "/bin/true", "second")
    yield
    child = subprocess.Popen([first, "-c", f"exec {second}"])
    assert child.wait() == 0
    yield [executed(c, "first", child.pid), executed(c, "second", child.pid)]


@case
def what_is_no_program(c):
    """The open succeeds, the execution does not."""
    broken = c.make("broken", 100, 0o755)
    yield

    def work():
        try:
            os.execv(broken, ["broken"])
        except OSError as error:
            assert error.errno == errno.ENOEXEC, error

    pid = children.run(work)
    yield [executed(c, "broken", pid)]


@case
def what_may_not_run(c):
    plain = c.make("plain", 100, 0o644)
    yield

    def work():
        for path, wanted in ((plain, errno.EACCES), (c / "missing", errno.ENOENT), (c.directory, errno.EACCES)):
            try:
                os.execv(path, ["x"])
            except OSError as error:
                assert error.errno == wanted, error

    children.run(work)
    yield []


@case
def a_loader_of_its_own(c):
    loader = copy(c, LOADER, "loader")
    program = copy(c, "/bin/true", "program")
    yield
    child = subprocess.Popen([loader, program])
    assert child.wait() == 0
    size = program.stat().st_size
    yield [
        executed(c, "loader", child.pid),
        record("program", pid=child.pid, size=size, read=lambda n: n > 0,
               FileEvents=lambda e: (e["OPEN"], e["CLOSE_NOWRITE"], e.get("OPEN_EXEC", 0)) == (1, 1, 0)),
    ]  # fmt: skip


run()
