#!/usr/bin/env python3
"""Native aio: each request counts once, for the process that submitted it, when it is finished."""

import ctypes
import errno
import mmap
import os

import calls
import children
from calls import Aio, Vectors
from cases import case, record, run

PAGE = 4096


def done(*requests, results):
    """Submits the requests together; their results, in any order, are these."""
    context = Aio()
    assert context.submit(*requests) == len(requests)
    got = sorted(context.results(len(requests)))
    assert got == sorted(results), f"results {got}, expected {sorted(results)}"
    context.close()


def pages(number):
    """Memory that direct transfers can use."""
    return (ctypes.c_char * (number * PAGE)).from_buffer(mmap.mmap(-1, number * PAGE))


@case
def reads(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDONLY)
    done(*((Aio.READ, fd, calls.buffer(30), at) for at in (0, 50, 90, 100)), results=[30, 30, 10, 0])
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=3, CLOSE_NOWRITE=1, size=100, read=70)]


@case
def writes(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
    done(*((Aio.WRITE, fd, calls.buffer(b"123"), at) for at in (0, 3, 6)), results=[3, 3, 3])
    done((Aio.FSYNC, fd, None, 0), results=[0])
    os.close(fd)
    yield [record("a", CREATE=1, OPEN=1, MODIFY=3, CLOSE_WRITE=1, size=9, change=9, written=9)]


@case
def vectors(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    done((Aio.READV, fd, Vectors(calls.buffer(10), calls.buffer(20)), 0), results=[30])
    done((Aio.WRITEV, fd, Vectors(calls.buffer(b"12"), calls.buffer(b"345")), 98), results=[5])
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=1, MODIFY=1, CLOSE_WRITE=1, size=103, change=3, read=30, written=5)]


@case
def direct_to_the_device(c):
    c.make("a", 4 * PAGE)
    yield
    fd = os.open(c / "a", os.O_RDWR | os.O_DIRECT)
    done(*((Aio.READ, fd, pages(1), at * PAGE) for at in range(4)), results=[PAGE] * 4)
    done(*((Aio.WRITE, fd, pages(1), at * PAGE) for at in range(4)), results=[PAGE] * 4)
    done((Aio.WRITE, fd, pages(2), 4 * PAGE), results=[2 * PAGE])
    os.close(fd)
    yield [
        record("a", OPEN=1, ACCESS=4, MODIFY=5, CLOSE_WRITE=1, size=6 * PAGE, change=2 * PAGE, read=4 * PAGE,
               written=6 * PAGE),
    ]  # fmt: skip


@case
def many_direct_countsby_two_processes(c):
    c.make("a", 16 * PAGE)
    yield

    def work():
        fd = os.open(c / "a", os.O_RDONLY | os.O_DIRECT)
        for _ in range(3):
            done(*((Aio.READ, fd, pages(1), at * PAGE) for at in range(16)), results=[PAGE] * 16)
        os.close(fd)

    pids = [children.start(work) for _ in range(2)]
    for pid in pids:
        children.finish(pid)
    yield [
        record("a", OPEN=1, ACCESS=48, CLOSE_NOWRITE=1, size=16 * PAGE, read=48 * PAGE, pid=pid) for pid in pids
    ]


@case
def nobody_waits_for_the_results(c):
    """The process closes and exits at once; its exit waits for the requests, which count."""
    c.make("a", 8 * PAGE)
    yield

    def work():
        fd = os.open(c / "a", os.O_RDWR | os.O_DIRECT)
        Aio().submit(*((Aio.READ, fd, pages(1), at * PAGE) for at in range(8)))
        os.close(fd)

    pid = children.run(work)
    yield lambda records: all_countscount(records, pid)


def all_countscount(records, pid):
    """Whether in one record or in two: the descriptor's last reference goes with the last request."""
    assert {entry["ProcPID"] for entry in records} <= {pid} | kernel_threads(records), records
    counts = [entry["FileEvents"].get("ACCESS", 0) for entry in records if entry["ProcPID"] == pid]
    assert sum(counts) == 8 and sum(entry["FileBytesRead"] for entry in records) == 8 * PAGE, records
    closes = [entry for entry in records if entry["FileEvents"].get("CLOSE_WRITE") == 1]
    assert len(closes) == 1, records


def kernel_threads(records):
    return {entry["ProcPID"] for entry in records if entry["Proc"].startswith("[")}


@case
def what_is_refused(c):
    c.make("a", 100)
    yield
    reader, writer = os.open(c / "a", os.O_RDONLY), os.open(c / "a", os.O_WRONLY)
    context = Aio()
    wrong = [
        (Aio.WRITE, reader, calls.buffer(b"x"), 0, errno.EBADF),
        (Aio.READ, writer, calls.buffer(3), 0, errno.EBADF),
        (Aio.READ, 999, calls.buffer(3), 0, errno.EBADF),
        (99, reader, calls.buffer(3), 0, errno.EINVAL),
    ]
    for *request, error in wrong:
        try:
            context.submit(tuple(request))
        except OSError as refused:
            assert refused.errno == error, refused
        else:
            raise AssertionError(f"{request} was taken")
    context.close()
    os.close(reader)
    os.close(writer)
    direct = os.open(c / "a", os.O_RDONLY | os.O_DIRECT)
    done((Aio.READ, direct, calls.buffer(7), 1), results=[-errno.EINVAL])
    os.close(direct)
    yield [
        record("a", OPEN=2, CLOSE_NOWRITE=1, CLOSE_WRITE=1, size=100),
        record("a", OPEN=1, CLOSE_NOWRITE=1, size=100),
    ]


run()
