#!/usr/bin/env python3
"""Every way to close a file: CLOSE_* once, when the last reference to an open description goes, by who drops it."""

import ctypes
import mmap
import os
import signal
import socket
import threading

import calls
import children
import uring
from cases import case, record, run
from witness import Witness, closed_by_anyone


@case
def duplicates_are_no_description(c):
    c.make("a", 2)
    yield
    first = os.open(c / "a", os.O_RDONLY)
    second = os.dup(first)
    third = os.dup2(first, 200)
    for fd in (first, second, third):
        os.close(fd)
    os.close(os.open(c / "a", os.O_RDONLY))
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=2)] * 2


@case
def replaced_by_dup2(c):
    c.make("a", 2)
    c.make("b", 3)
    yield
    first, second = os.open(c / "a", os.O_RDONLY), os.open(c / "b", os.O_WRONLY)
    os.dup2(first, second)
    os.close(first)
    os.close(second)
    yield [record("b", OPEN=1, CLOSE_WRITE=1, size=3), record("a", OPEN=1, CLOSE_NOWRITE=1, size=2)]


@case
def a_range(c):
    names = [f"f{number}" for number in range(5)]
    for name in names:
        c.make(name, 1)
    yield

    def work():
        for name in names:
            os.dup2(os.open(c / name, os.O_RDONLY), 100 + names.index(name))
        calls.close_range(3, 1000)
        os.kill(os.getpid(), signal.SIGKILL)

    pid = children.start(work)
    os.waitpid(pid, 0)
    yield [record(name, OPEN=1, CLOSE_NOWRITE=1, size=1, pid=pid) for name in names]


@case
def by_exit(c):
    c.make("a", 1)
    yield

    def work():
        os.open(c / "a", os.O_RDONLY)
        os.open(c / "b", os.O_CREAT | os.O_WRONLY)

    pid = children.run(work)
    yield [
        record("a", OPEN=1, CLOSE_NOWRITE=1, size=1, pid=pid),
        record("b", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0, pid=pid),
    ]


@case
def by_being_killed(c):
    c.make("a", 1)
    yield

    def work():
        fd = os.open(c / "a", os.O_WRONLY)
        os.write(fd, b"12345")
        os.kill(os.getpid(), signal.SIGKILL)

    pid = children.start(work)
    os.waitpid(pid, 0)
    yield [record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=5, change=4, written=5, pid=pid)]


@case
def by_exit_of_one_thread_of_two(c):
    c.make("a", 1)
    yield

    def work():
        os.open(c / "a", os.O_RDONLY)
        threading.Thread(target=signal.pause, daemon=True).start()

    pid = children.run(work)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=1, pid=pid)]


@case
def by_exec(c):
    c.make("a", 1)
    c.make("b", 1)
    yield

    def work():
        os.open(c / "a", os.O_RDONLY)
        kept = os.open(c / "b", os.O_RDONLY)
        os.set_inheritable(kept, True)
        os.execv("/bin/true", ["true"])

    pid = children.start(work)
    os.waitpid(pid, 0)
    yield [record(name, OPEN=1, CLOSE_NOWRITE=1, size=1, pid=pid) for name in "ab"]


@case
def a_mapping_keeps_it(c):
    c.make("a", 4096)
    yield
    fd = os.open(c / "a", os.O_RDONLY)
    address = libc_map(fd, 4096)
    os.close(fd)
    os.rename(c / "a", c / "b")
    calls.function("munmap", address, ctypes.c_size_t(4096))
    yield [
        record("b", OPEN=1, MOVED_FROM=1, MOVED_TO=1, size=4096, FileOrigin="a"),
        record("b", CLOSE_NOWRITE=1, size=4096),
    ]


def libc_map(fd, length):
    """A mapping that holds no descriptor, unlike Python's own."""
    found = calls.libc.mmap
    found.restype = ctypes.c_void_p
    found.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    address = found(None, length, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    assert address not in (None, ctypes.c_void_p(-1).value), "no mapping"
    return address


@case
def a_mapping_until_exit(c):
    c.make("a", 4096)
    yield

    def work():
        fd = os.open(c / "a", os.O_RDONLY)
        libc_map(fd, 4096)
        os.close(fd)

    pid = children.run(work)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=4096, pid=pid)]


@case
def on_its_way_through_a_socket(c):
    c.make("a", 1)
    yield
    one, other = socket.socketpair()
    fd = os.open(c / "a", os.O_RDONLY)
    socket.send_fds(one, [b"x"], [fd])
    os.close(fd)
    one.close()
    other.close()
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=1)]


@case
def a_ring_keeps_it(c):
    witness = Witness(c.make("a", 1))
    yield
    ring = uring.Ring()
    fd = os.open(c / "a", os.O_RDONLY)
    ring.register_files(fd)
    os.close(fd)
    assert not witness.is_alone(), "nobody else has the file open"
    ring.close()
    witness.wait()
    yield lambda records: closed_by_anyone(records, os.getpid(), "CLOSE_NOWRITE", OPEN=1)
    witness.close()


@case
def a_child_closes_last(c):
    c.make("a", 1)
    yield
    gate = children.Gate()
    fd = os.open(c / "a", os.O_RDONLY)
    pid = children.start(gate.wait)
    os.close(fd)
    gate.open()
    children.finish(pid)
    gate.close()
    yield [record("a", OPEN=1, size=1), record("a", CLOSE_NOWRITE=1, size=1, pid=pid)]


@case
def the_parent_closes_last(c):
    c.make("a", 1)
    yield
    fd = os.open(c / "a", os.O_WRONLY)
    children.run(lambda: os.close(fd))
    os.close(fd)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=1)]


@case
def of_a_deleted_file(c):
    c.make("a", 1)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    os.unlink(c / "a")
    os.write(fd, b"1234")
    os.close(fd)
    yield [
        record("a", OPEN=1, DELETE=1, size=1, FileInodeLinkCount=1),
        record("a", MODIFY=1, CLOSE_WRITE=1, size=4, change=3, written=4, FileInodeLinkCount=0),
    ]


@case
def open_since_before_the_start(c):
    fd = os.open(c.make("a", 1), os.O_RDWR)
    other = os.open(c.make("b", 1), os.O_RDONLY)
    yield
    # At its end: how much of the file a first write changes that overlaps the end, nobody saw.
    os.pwrite(fd, b"23", 1)
    os.close(fd)
    os.close(other)
    yield [
        record("a", MODIFY=1, CLOSE_WRITE=1, size=3, change=2, written=2),
        record("b", CLOSE_NOWRITE=1, size=1),
    ]


@case
def still_open_at_the_end(c):
    c.make("a", 1)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    os.write(fd, b"123")
    yield [record("a", OPEN=1, MODIFY=1, size=3, change=2, written=3)]
    os.close(fd)


run()
