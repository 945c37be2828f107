#!/usr/bin/env python3
"""The same process id and the same inode number again: each record is of the process and the file it says."""

import os
import pathlib

import children
from cases import case, record, run
from workload import WRITTEN, copied_shell, create

ME = os.path.basename(os.readlink("/proc/self/exe"))
LAST_PID = pathlib.Path("/proc/sys/kernel/ns_last_pid")
PID_MAX = pathlib.Path("/proc/sys/kernel/pid_max")
TRIES = 100


def with_pid(pid, work):
    """Does `work` in a process of this id. Whoever forks in between takes it: then once more."""
    for _ in range(TRIES):
        LAST_PID.write_text(f"{pid - 1}")
        child = os.fork()
        if not child:
            if os.getpid() != pid:
                os._exit(0)
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        if child == pid:
            assert status == 0, f"child ended with status {status}"
            return
    raise AssertionError(f"process id {pid} is not free")


def shell_as(name, command):
    """Becomes a program of this name that runs the command."""
    program = copied_shell(name)
    return lambda: os.execv(program, [name, "-c", command])


@case
def process_id_of_another_program(c):
    pid = 20001
    first, second = (shell_as(name, f"printf x > {c / name}") for name in ("first", "second"))
    yield
    with_pid(pid, first)
    with_pid(pid, lambda: create(c / "none"))
    with_pid(pid, second)
    yield lambda records: three_processes(records, pid)


def three_processes(records, pid):
    assert [(entry["File"], entry["Proc"], entry["ProcPID"]) for entry in records] == [
        ("first", "first", pid),
        ("none", ME, pid),
        ("second", "second", pid),
    ], records
    assert all(entry["FileEvents"] == {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1} for entry in records), (
        records
    )
    starts = [entry["ProcStart"] for entry in records]
    assert len(set(starts)) == 3, starts


@case
def process_id_of_another_user(c):
    os.chmod("/root", 0o755)
    c.directory.chmod(0o777)
    pid = 20002
    yield

    def as_user(uid):
        os.setuid(uid)
        create(c / f"{uid}")

    for uid in (1000, 1, 0, 1000 + 1):
        with_pid(pid, lambda uid=uid: as_user(uid))
    yield [record(f"{uid}", **WRITTEN, pid=pid, ProcUID=uid, FileUID=uid) for uid in (1000, 1, 0, 1000 + 1)]


@case
def fifty_processes_of_one_id(c):
    """One after the other, each alive for a moment, all on the same file, which no one closes."""
    path = c.make("a")
    pid = 20003
    yield
    for _ in range(50):
        with_pid(pid, lambda: os.chmod(path, 0o600))
    yield lambda records: fifty_lives(records, pid)


def fifty_lives(records, pid):
    assert len(records) == 50, f"{len(records)} records of 50 lives"
    assert all(entry["FileEvents"] == {"ATTRIB": 1} for entry in records), records
    assert {entry["ProcPID"] for entry in records} == {pid}
    assert len({entry["ProcStart"] for entry in records}) == 50


@case
def parent_whose_id_has_passed_on(c):
    """The parent's id belongs to another process by the time the child works."""
    pid = 20004
    out, into = os.pipe()
    gate = children.Gate()
    yield

    def parent():
        if not os.fork():
            os.write(into, b"%d" % os.getpid())
            gate.wait()
            create(c / "a")
            os._exit(0)

    with_pid(pid, parent)
    child = int(os.read(out, 20))
    other = shell_as("other", f"printf x > {c / 'b'}; mkfifo {c / 'go'}; read x < {c / 'go'}")
    stranger = children.start(lambda: with_pid(pid, other))
    while not (c / "go").exists():
        os.sched_yield()
    gate.open()
    while not ((c / "a").exists() and (c / "a").stat().st_size):
        os.sched_yield()
    (c / "go").write_text("\n")
    children.finish(stranger)
    yield [
        record("a", **WRITTEN, pid=child, ProcPPID=pid, ProcParent=ME),
        record("b", **WRITTEN, pid=pid, Proc="other"),
    ]


@case
def all_ids_are_used_again(c):
    """From 300 to 340, so that a hundred processes go round several times; every other one runs a program."""
    before = PID_MAX.read_text()
    programs = [shell_as("short", f"printf x > {c.directory}/{number}") for number in range(100)]
    yield
    PID_MAX.write_text("340")
    try:
        pids = [
            children.run(programs[number] if number % 2 else lambda number=number: create(c / f"{number}"))
            for number in range(100)
        ]
    finally:
        PID_MAX.write_text(before)
    assert len(set(pids)) < 60, "no process id came twice"
    yield [
        record(f"{number}", **WRITTEN, pid=pid, Proc="short" if number % 2 else ME, ProcParent=ME, ProcPPID=os.getpid())
        for number, pid in enumerate(pids)
    ]


@case
def inode_numbers_come_again(c):
    yield
    inodes, expected = [], []
    for size in range(100):
        name = f"{size}"
        inode = create(c / name, text=b"x" * size)
        os.unlink(c / name)
        inodes.append(inode)
        same = {"size": size, "FileInode": inode, "FileInodeLinkCount": 1}
        events = {"CREATE": 1, "OPEN": 1, "MODIFY": min(size, 1), "CLOSE_WRITE": 1}
        expected += [record(name, **events, change=size, written=size, **same), record(name, DELETE=1, **same)]
    assert len(set(inodes)) < len(inodes), "no inode number came twice"
    yield expected


@case
def inode_number_of_a_file_that_another_deleted(c):
    """The first file's session is still open here when its number comes again."""
    yield
    seen = []
    for number in range(40):
        path = c / f"{number}"
        os.mknod(path)
        seen.append(os.stat(path).st_ino)
        os.chmod(path, 0o600)
        children.run(lambda path=path: os.unlink(path))
    assert len(set(seen)) < 40, "no inode number came twice"
    yield lambda records: each_once(records, seen)


def each_once(records, seen):
    for number, inode in enumerate(seen):
        mine = [entry for entry in records if entry["File"] == f"{number}"]
        events = sorted((entry["FileEvents"] for entry in mine), key=str)
        assert events == [{"ATTRIB": 1}, {"CREATE": 1}, {"DELETE": 1}], mine
        assert {entry["FileInode"] for entry in mine} == {inode}, mine
    assert len(records) == 3 * len(seen), len(records)


run()
