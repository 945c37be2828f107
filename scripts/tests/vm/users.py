#!/usr/bin/env python3
"""Users and groups: real ids of the process, the owner of the file, and both as the host's first namespace has them."""

import os
import pathlib
import shutil
import threading

import calls
import children
from cases import case, record, run
from workload import WRITTEN, create

SYS_SETRESUID = 117
OVERFLOW = 65534


def open_to_all(c):
    """Lets every user make files in the case's directory."""
    os.chmod("/root", 0o755)
    c.directory.chmod(0o777)


def as_user(path, uid, gid):
    """A file made by a process of this user; returns the process id."""

    def work():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        create(path)

    return children.run(work)


def owned(uid, gid):
    """Keys of a process and a file of one user."""
    return {"ProcUID": uid, "FileUID": uid, "ProcGID": gid, "FileGID": gid}


@case
def known_user(c):
    open_to_all(c)
    yield
    pid = as_user(c / "a", 1000, 1000)
    names = {"ProcUser": "alice", "FileUser": "alice", "ProcGroup": "alice", "FileGroup": "alice"}
    yield [record("a", **WRITTEN, pid=pid, **owned(1000, 1000), **names)]


@case
def users_without_a_name(c):
    open_to_all(c)
    ids = [(12345, 54321), (2**31 + 5, 2**31 + 6), (2**32 - 2, 2**32 - 3), (1, 2**16)]
    yield
    pids = [as_user(c / f"{uid}", uid, gid) for uid, gid in ids]
    empty = {"ProcGroup": "", "FileGroup": ""}
    yield [
        record(f"{uid}", **WRITTEN, pid=pid, ProcUser="daemon" if uid == 1 else "", **owned(uid, gid), **empty)
        for pid, (uid, gid) in zip(pids, ids)
    ]


@case
def user_that_is_made_meanwhile(c):
    """By a new file in the place of the old one, as useradd does it."""
    open_to_all(c)
    passwd, group = pathlib.Path("/etc/passwd"), pathlib.Path("/etc/group")
    yield
    for path, line in ((passwd, "carol:x:4242:4343::/:/bin/sh\n"), (group, "singers:x:4343:\n")):
        new = path.with_suffix(".new")
        new.write_text(path.read_text() + line)
        new.rename(path)
    pid = as_user(c / "a", 4242, 4343)
    yield [
        record("a", **WRITTEN, pid=pid, **owned(4242, 4343), ProcUser="carol", FileUser="carol", ProcGroup="singers")
    ]


@case
def real_and_effective_user(c):
    """The process is who it really is; the file belongs to whom it acts for."""
    open_to_all(c)
    yield

    def work():
        os.setresgid(1000, 7, 0)
        os.setresuid(1000, 5, 0)
        create(c / "a")

    pid = children.run(work)
    yield [record("a", **WRITTEN, pid=pid, ProcUID=1000, ProcGID=1000, ProcUser="alice", FileUID=5, FileGID=7)]


@case
def thread_with_a_user_of_its_own(c):
    open_to_all(c)
    yield

    def work():
        def as_other():
            calls.checked(calls.libc.syscall(SYS_SETRESUID, 1000, 1000, 1000))
            create(c / "a")

        thread = threading.Thread(target=as_other)
        thread.start()
        thread.join()
        create(c / "b")

    pid = children.run(work)
    yield [
        record("a", **WRITTEN, pid=pid, ProcUID=1000, FileUID=1000, ProcTID=lambda tid: tid != pid),
        record("b", **WRITTEN, pid=pid, ProcUID=0, FileUID=0, ProcTID=pid),
    ]


@case
def set_user_id_program(c):
    os.chmod("/root", 0o755)
    program = shutil.copy("/usr/bin/touch", "/run/touch-as-root")
    os.chown(program, 0, 0)
    os.chmod(program, 0o6755)
    yield

    def work():
        os.setgid(1000)
        os.setuid(1000)
        os.execv(program, [program, c / "a"])

    pid = children.run(work)
    yield [
        record(
            "a",
            CREATE=1,
            OPEN=1,
            ATTRIB=1,
            CLOSE_WRITE=1,
            size=0,
            pid=pid,
            ProcUID=1000,
            ProcGID=1000,
            FileUID=0,
            FileGID=0,
            Proc="touch-as-root",
        )
    ]


@case
def group_of_the_directory(c):
    os.chown(c.directory, 0, 1000)
    c.directory.chmod(0o2755)
    yield
    create(c / "a")
    yield [record("a", **WRITTEN, ProcGID=0, FileGID=1000, FileGroup="alice")]


def in_user_namespace(work, first):
    """Does `work` in a user namespace whose user 0 is `first` outside; returns the process id."""
    made, mapped = children.Gate(), children.Gate()

    def inside():
        calls.unshare(calls.CLONE_NEWUSER)
        made.open()
        mapped.wait()
        work()

    pid = children.start(inside)
    made.wait()
    for kind in ("uid_map", "gid_map"):
        pathlib.Path(f"/proc/{pid}/{kind}").write_text(f"0 {first} 1000")
    mapped.open()
    children.finish(pid)
    return pid


@case
def user_namespace(c):
    open_to_all(c)
    yield

    def work():
        os.setgid(0)
        os.setuid(0)
        assert (os.getuid(), os.getgid()) == (0, 0)
        create(c / "root")
        os.setgid(6)
        os.setuid(5)
        create(c / "user")

    pid = in_user_namespace(work, 100000)
    yield [
        record("root", **WRITTEN, pid=pid, **owned(100000, 100000), ProcUser="", FileUser=""),
        record("user", **WRITTEN, pid=pid, **owned(100005, 100006), ProcUser="", FileUser=""),
    ]


@case
def user_namespace_onto_a_known_user(c):
    open_to_all(c)
    yield

    def work():
        os.setgid(0)
        os.setuid(0)
        create(c / "a")

    pid = in_user_namespace(work, 1000)
    yield [record("a", **WRITTEN, pid=pid, **owned(1000, 1000), ProcUser="alice", FileUser="alice")]


@case
def user_namespace_without_a_map(c):
    """Inside, every id is the overflow id; outside, nothing has changed."""
    os.chmod("/root", 0o755)
    c.make("a", 1)
    yield

    def work():
        os.setgid(1000)
        os.setuid(1000)
        calls.unshare(calls.CLONE_NEWUSER)
        assert os.getuid() == OVERFLOW
        with open(c / "a", "rb", buffering=0) as file:
            file.read(1)

    pid = children.run(work)
    yield [
        record("a", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=1, read=1, pid=pid, ProcUID=1000, ProcGID=1000, FileUID=0)
    ]


run()
