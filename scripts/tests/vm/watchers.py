#!/usr/bin/env python3
"""Inotify and fanotify watchers change no count; what a watcher is given to look at is its own OPEN.

Each case runs in three places: one that nobody watches, one with inotify, one with fanotify.
"""

import contextlib
import errno
import os
import select
import struct
import subprocess

import calls
import children
import mounts
from cases import case, record, run

FAN_ALLOW, FAN_DENY, FAN_OPEN_PERM = 1, 2, 0x10000
FAN_EVENT = "IBBHQii"
SEEN = calls.FAN_ACCESS | calls.FAN_MODIFY | calls.FAN_CLOSE_WRITE | calls.FAN_CLOSE_NOWRITE | calls.FAN_OPEN


@contextlib.contextmanager
def places():
    with contextlib.ExitStack() as stack:
        names = "alone", "inotify", "fanotify"
        roots = {name: stack.enter_context(mounts.filesystem("tmpfs", name)) for name in names}
        fd = calls.fanotify(roots["fanotify"], SEEN, calls.FAN_MARK_ADD | calls.FAN_MARK_MOUNT)
        stack.callback(os.close, fd)
        yield roots


@contextlib.contextmanager
def watched(c, *names):
    """Watches directory and files by inotify where the place says so; there are events afterwards."""
    if c.place != "inotify":
        yield
        return
    watchers = [calls.inotify(path) for path in (c.directory, *(c / name for name in names))]
    yield
    for fd in watchers:
        assert os.read(fd, 1 << 16), "the watcher saw nothing"
        os.close(fd)


@case
def create_write_close(c):
    with watched(c):
        yield
        fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
        for _ in range(3):
            os.write(fd, b"12")
        os.close(fd)
        yield [record("a", CREATE=1, OPEN=1, MODIFY=3, CLOSE_WRITE=1, size=6, change=6, written=6)]


@case
def open_read_close(c):
    c.make("a", 100)
    with watched(c, "a"):
        yield
        for _ in range(2):
            fd = os.open(c / "a", os.O_RDONLY)
            os.read(fd, 10)
            os.preadv(fd, [bytearray(20)], 5)
            os.close(fd)
        yield [record("a", OPEN=1, ACCESS=2, CLOSE_NOWRITE=1, size=100, read=30)] * 2


@case
def transfers(c):
    c.make("a", 100)
    with watched(c, "a"):
        yield
        source, target = os.open(c / "a", os.O_RDONLY), os.open(c / "b", os.O_CREAT | os.O_WRONLY)
        assert os.sendfile(target, source, 0, 60) == 60
        assert os.copy_file_range(source, target, 60, 0) == 60
        ends = os.pipe()
        assert os.splice(source, ends[1], 30, offset_src=0) == 30
        assert os.splice(ends[0], target, 30) == 30
        calls.fallocate(target, 0, 0, 1000)
        os.ftruncate(target, 10)
        for end in (source, target, *ends):
            os.close(end)
        yield [
            record("a", OPEN=1, ACCESS=3, CLOSE_NOWRITE=1, size=100, read=150),
            record("b", CREATE=1, OPEN=1, MODIFY=5, CLOSE_WRITE=1, size=10, change=10, written=150),
        ]


@case
def names_and_attributes(c):
    c.make("a", 5)
    c.make("old", 7)
    with watched(c, "a"):
        yield
        os.chmod(c / "a", 0o600)
        os.utime(c / "a", (1, 2))
        os.truncate(c / "a", 2)
        os.rename(c / "a", c / "b")
        os.rename(c / "b", c / "old")
        os.link(c / "old", c / "hard")
        os.unlink(c / "old")
        yield [
            record("b", ATTRIB=2, MODIFY=1, MOVED_FROM=1, MOVED_TO=1, size=2, change=-3, FileOrigin="a"),
            record("old", DELETE=1, size=7),
            record("old", MOVED_FROM=1, MOVED_TO=1, size=2, FileOrigin="b"),
            record("hard", CREATE=1, size=2, FileInodeLinkCount=2),
            record("old", DELETE=1, size=2, FileInodeLinkCount=2),
        ]


@case
def a_program_runs(c):
    program = c.make("program", 0, 0o755)
    program.write_bytes(open("/bin/true", "rb").read())
    size = program.stat().st_size
    with watched(c, "program"):
        yield
        child = subprocess.Popen([program])
        assert child.wait() == 0
        yield lambda records: ran_once(records, child.pid, size)


def ran_once(records, pid, size):
    (entry,) = records
    events = entry["FileEvents"]
    assert (entry["ProcPID"], entry["FileSize"]) == (pid, size), entry
    assert (events["OPEN_EXEC"], events["CLOSE_NOWRITE"], events.get("OPEN", 0)) == (1, 1, 0), events


@case
def a_watcher_looks_at_each_event(c):
    """Each event read from fanotify opens the file for the watcher: OPEN and CLOSE of its process."""
    c.make("a", 10)
    told = os.pipe()
    gate, ready = children.Gate(), children.Gate()

    def watch():
        fd = calls.fanotify(c / "a", calls.FAN_OPEN | calls.FAN_CLOSE_NOWRITE)
        ready.open()
        gate.wait()
        events = list(fanotify_events(fd))
        os.write(told[1], str(len(events)).encode())
        for _, opened, _ in events:
            os.read(opened, 3)
            os.close(opened)

    pid = children.start(watch)
    ready.wait()
    yield
    for _ in range(2):
        os.close(os.open(c / "a", os.O_RDONLY))
    gate.open()
    children.finish(pid)
    number = int(os.read(told[0], 10))
    assert number >= 1
    yield [
        record("a", OPEN=1, CLOSE_NOWRITE=1, size=10),
        record("a", OPEN=1, CLOSE_NOWRITE=1, size=10),
        record("a", OPEN=number, ACCESS=number, CLOSE_NOWRITE=number, size=10, read=3 * number, pid=pid),
    ]


def fanotify_events(fd):
    """What is there to read: (mask, descriptor, process)."""
    data = os.read(fd, 1 << 16)
    for at in range(0, len(data), struct.calcsize(FAN_EVENT)):
        _, _, _, _, mask, opened, process = struct.unpack_from(FAN_EVENT, data, at)
        yield mask, opened, process


@case
def a_watcher_forbids(c):
    """An open that fanotify's listener denies is none."""
    c.make("allowed", 1)
    c.make("denied", 1)
    ready = children.Gate()

    def watch():
        fd = calls.fanotify(c / "allowed", FAN_OPEN_PERM, kind=calls.FAN_CLASS_CONTENT)
        mark = calls.libc.fanotify_mark
        calls.checked(mark(fd, calls.FAN_MARK_ADD, FAN_OPEN_PERM, calls.AT_FDCWD, os.fsencode(c / "denied")))
        ready.open()
        for answer in (FAN_ALLOW, FAN_DENY):
            select.select([fd], [], [])
            ((_, opened, _),) = fanotify_events(fd)
            os.write(fd, struct.pack("iI", opened, answer))
            os.close(opened)

    pid = children.start(watch)
    ready.wait()
    yield
    os.close(os.open(c / "allowed", os.O_RDONLY))
    try:
        os.open(c / "denied", os.O_RDONLY)
        raise AssertionError("the open succeeded")
    except OSError as error:
        assert error.errno == errno.EPERM, error
    children.finish(pid)
    yield [
        record("allowed", OPEN=1, CLOSE_NOWRITE=1, size=1),
        record("allowed", OPEN=1, CLOSE_NOWRITE=1, size=1, pid=pid),
        record("denied", OPEN=1, CLOSE_NOWRITE=1, size=1, pid=pid),
    ]


run(places)
