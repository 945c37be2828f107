#!/usr/bin/env python3
"""io_uring: reads and writes count like system calls, whatever buffers and files they use and however they come."""

import ctypes
import errno
import mmap
import os

import calls
from cases import case, record, run
from tests import kernel
from uring import ASYNC, BUFFER_SELECT, CURRENT_POSITION, FIXED_FILE, LINK, SETUP_IOPOLL, SETUP_SQPOLL, SPARSE
from uring import Entry, Op, Ring, does, done, known, open_entry


@case
def reads(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDONLY)
    buffers = [calls.buffer(30) for _ in range(4)]
    done(
        *(Entry(Op.READ, fd, memory, offset=at) for memory, at in zip(buffers, (0, 50, 90, 100))),
        results=[30, 30, 10, 0],
    )
    vectors = calls.Vectors(calls.buffer(10), calls.buffer(20))
    done(Entry(Op.READV, fd, vectors, offset=5), results=[30])
    done(Entry(Op.READ, fd, buffers[0], offset=CURRENT_POSITION), results=[30])
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=5, CLOSE_NOWRITE=1, size=100, read=30 + 30 + 10 + 30 + 30)]


@case
def writes(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
    done(*(Entry(Op.WRITE, fd, calls.buffer(b"123"), offset=at) for at in (0, 3, 6)), results=[3, 3, 3])
    vectors = calls.Vectors(calls.buffer(b"12"), calls.buffer(b"3"))
    done(Entry(Op.WRITEV, fd, vectors, offset=9), results=[3])
    done(Entry(Op.FSYNC, fd), results=[0])
    os.close(fd)
    yield [record("a", CREATE=1, OPEN=1, MODIFY=4, CLOSE_WRITE=1, size=12, change=12, written=12)]


@case
def fixed_buffers(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    ring = Ring()
    first, second = calls.buffer(16), calls.buffer(b"x" * 32)
    ring.register_buffers(first, second)
    does(ring, Entry(Op.READ_FIXED, fd, first, offset=4, index=0), results=[16])
    does(ring, Entry(Op.WRITE_FIXED, fd, second, offset=90, index=1), results=[32])
    ring.close()
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=1, MODIFY=1, CLOSE_WRITE=1, size=122, change=22, read=16, written=32)]


@case
def vectors_in_fixed_buffers(c):
    c.make("a", 100)
    yield
    if known(c, "WRITEV_FIXED", Op.WRITEV_FIXED):
        fd = os.open(c / "a", os.O_RDWR)
        ring = Ring()
        memory = calls.buffer(32)
        ring.register_buffers(memory)
        does(ring, Entry(Op.READV_FIXED, fd, calls.Vectors(memory), index=0), results=[32])
        does(ring, Entry(Op.WRITEV_FIXED, fd, calls.Vectors(memory), offset=90, index=0), results=[32])
        ring.close()
        os.close(fd)
        events = {"ACCESS": 1, "MODIFY": 1}
        yield [record("a", OPEN=1, CLOSE_WRITE=1, size=122, change=22, read=32, written=32, **events)]
    else:
        yield []


@case
def fixed_files(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    ring = Ring()
    ring.register_files(SPARSE, fd)
    does(ring, Entry(Op.READ, 1, calls.buffer(10), flags=FIXED_FILE), results=[10])
    does(ring, Entry(Op.WRITE, 1, calls.buffer(b"12345"), offset=98, flags=FIXED_FILE), results=[5])
    calls.call("io_uring_register", ring.fd, 3, None, 0)
    ring.close()
    yield [record("a", OPEN=1, ACCESS=1, MODIFY=1, size=103, change=3, read=10, written=5)]
    os.close(fd)


@case
def linked_requests(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    memory = calls.buffer(10)
    done(
        Entry(Op.READ, fd, memory, offset=0, flags=LINK),
        Entry(Op.WRITE, fd, memory, offset=95, flags=LINK),
        Entry(Op.READ, fd, memory, offset=1000, flags=LINK),
        Entry(Op.WRITE, fd, memory, offset=500),
        results=[10, 10, 0, -errno.ECANCELED],
    )
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=1, MODIFY=1, CLOSE_WRITE=1, size=105, change=5, read=10, written=10)]


@case
def by_a_worker(c):
    c.make("a", 100)
    yield
    ring = Ring()
    (fd,) = ring.run(open_entry(c / "a", os.O_RDWR, flags=ASYNC))
    does(ring, Entry(Op.READ, fd, calls.buffer(10), flags=ASYNC), results=[10])
    does(ring, Entry(Op.WRITE, fd, calls.buffer(b"12345"), offset=98, flags=ASYNC), results=[5])
    ring.close()
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=1, MODIFY=1, CLOSE_WRITE=1, size=103, change=3, read=10, written=5)]


@case
def by_a_polling_thread(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    ring = Ring(flags=SETUP_SQPOLL)
    ring.register_files(fd)
    for at in (0, 50):
        does(ring, Entry(Op.READ, 0, calls.buffer(10), offset=at, flags=FIXED_FILE), results=[10])
    does(ring, Entry(Op.WRITE, 0, calls.buffer(b"12345"), offset=98, flags=FIXED_FILE), results=[5])
    yield [record("a", OPEN=1, ACCESS=2, MODIFY=1, size=103, change=3, read=20, written=5)]
    ring.close()
    os.close(fd)


@case
def direct_to_the_device(c):
    path = c.make("a", 8192)
    if kernel() < (6, 0):
        # Pages in the cache leave a direct read to a worker, and that one may finish it unseen (README).
        forget_pages(path)
    yield
    fd = os.open(c / "a", os.O_RDWR | os.O_DIRECT)
    page = page_of_memory()
    done(Entry(Op.READ, fd, page, offset=0), Entry(Op.READ, fd, page, offset=4096), results=[4096, 4096])
    done(Entry(Op.WRITE, fd, page, offset=4096), results=[4096])
    done(Entry(Op.WRITE, fd, page, offset=8192), results=[4096])
    os.close(fd)
    yield [
        record("a", OPEN=1, ACCESS=2, MODIFY=2, CLOSE_WRITE=1, size=12288, change=4096, read=8192, written=8192)
    ]


def forget_pages(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def page_of_memory():
    """4,096 bytes at a multiple of 4,096."""
    return (ctypes.c_char * 4096).from_buffer(mmap.mmap(-1, 4096))


@case
def buffers_chosen_by_the_kernel(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDONLY)
    ring = Ring()
    memory, group = calls.buffer(2 * 16), 7
    does(ring, Entry(Op.PROVIDE_BUFFERS, 2, memory, 16, index=group), results=[0])
    for at in (0, 90):
        chosen = {"flags": BUFFER_SELECT, "index": group}
        does(ring, Entry(Op.READ, fd, length=16, offset=at, **chosen), results=[min(16, 100 - at)])
    ring.close()
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=2, CLOSE_NOWRITE=1, size=100, read=26)]


@case
def a_ring_that_polls_its_devices(c):
    """A request that cannot be polled for is refused, and then is no event; kernels differ in which ones can."""
    c.make("a", 8192)
    yield
    fd = os.open(c / "a", os.O_RDWR | os.O_DIRECT)
    page = page_of_memory()
    ring = Ring(flags=SETUP_IOPOLL)
    results = ring.run(Entry(Op.READ, fd, page), Entry(Op.WRITE, fd, page, offset=4096))
    ring.close()
    os.close(fd)
    for what, result in zip(("a polled read", "a polled write"), results):
        assert result in (4096, -errno.EOPNOTSUPP), results
        if result < 0:
            c.lacks(what, -result)
    read, written = (max(result, 0) for result in results)
    events = {"OPEN": 1, "ACCESS": read // 4096, "MODIFY": written // 4096, "CLOSE_WRITE": 1}
    yield [record("a", size=8192, read=read, written=written, **events)]


@case
def five_hundred_requests(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    ring = Ring()
    for _ in range(10):
        some_reads = [Entry(Op.READ, fd, calls.buffer(2), offset=at) for at in range(25)]
        some_writes = [Entry(Op.WRITE, fd, calls.buffer(b"12"), offset=at) for at in range(25)]
        does(ring, *some_reads, *some_writes, results=[2] * 50)
    ring.close()
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=250, MODIFY=250, CLOSE_WRITE=1, size=100, read=500, written=500)]


run()
