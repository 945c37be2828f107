#!/usr/bin/env python3
"""io_uring: every operation on files, however it is submitted, counts like the system call that does the same."""

import ctypes
import errno
import mmap
import os
import struct

import calls
from cases import case, record, run
from uring import ASYNC, CURRENT_POSITION, FIXED_FILE, LINK, SETUP_SQPOLL, SPLICE_FIXED_IN, Entry, Op, Ring
from witness import Witness, closed_by_anyone

HERE = calls.AT_FDCWD
SPARSE = -1


def does(ring, *requests, results):
    """Runs the requests at once; their results are these."""
    got = ring.run(*requests)
    assert got == list(results), f"results {got}, expected {list(results)}"


def done(*requests, results, flags=0):
    """The same on a ring of its own."""
    ring = Ring(flags=flags)
    does(ring, *requests, results=results)
    ring.close()


def known(c, what, op):
    """Whether the kernel has the operation; where not, it has to refuse it."""
    ring = Ring()
    if not ring.can(op):
        does(ring, Entry(op, -1), results=[-errno.EINVAL])
        c.lacks(what, errno.EINVAL)
    found = ring.can(op)
    ring.close()
    return found


def open_entry(path, how, mode=0o644, **rest):
    return Entry(Op.OPENAT, HERE, path, mode, op_flags=how, **rest)


def two_paths(op, old, new, **rest):
    """The second path lies where others have their offset, its directory where they have the length."""
    second = calls.buffer(os.fsencode(new) + b"\0")
    return Entry(op, HERE, old, HERE & 0xFFFFFFFF, offset_memory=second, **rest)


@case
def opens_and_closes(c):
    c.make("a", 5)
    yield
    ring = Ring()
    (fd,) = ring.run(open_entry(c / "a", os.O_RDONLY))
    does(ring, Entry(Op.CLOSE, fd), results=[0])
    (fd,) = ring.run(open_entry(c / "b", os.O_CREAT | os.O_WRONLY, 0o600))
    does(ring, Entry(Op.CLOSE, fd), results=[0])
    (fd,) = ring.run(open_entry(c / "a", os.O_WRONLY | os.O_TRUNC))
    does(ring, Entry(Op.CLOSE, fd), results=[0])
    ring.close()
    yield [
        record("a", OPEN=1, CLOSE_NOWRITE=1, size=5),
        record("b", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0, FilePermissions="0600/-rw-------"),
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=0, change=-5),
    ]


@case
def opens_by_openat2(c):
    c.make("a", 5)
    yield
    ring = Ring()
    how = calls.buffer(struct.pack("QQQ", os.O_RDWR, 0, 0))
    (fd,) = ring.run(Entry(Op.OPENAT2, HERE, c / "a", len(how), offset_memory=how))
    os.close(fd)
    ring.close()
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=5)]


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
def direct_descriptors(c):
    witness = Witness(c.make("a", 100))
    yield
    ring = Ring()
    ring.register_files(SPARSE, SPARSE)
    second_place = 2  # counted from one; zero asks for an ordinary descriptor
    does(ring, open_entry(c / "a", os.O_RDONLY, file=second_place), results=[0])
    does(ring, Entry(Op.READ, 1, calls.buffer(10), flags=FIXED_FILE), results=[10])
    does(ring, Entry(Op.CLOSE, 0, file=second_place), results=[0])
    ring.close()
    witness.wait()
    yield lambda records: closed_by_anyone(records, os.getpid(), "CLOSE_NOWRITE", OPEN=1, ACCESS=1)
    witness.close()


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
    c.make("a", 8192)
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


def page_of_memory():
    """4,096 bytes at a multiple of 4,096."""
    return (ctypes.c_char * 4096).from_buffer(mmap.mmap(-1, 4096))


@case
def allocate(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
    done(Entry(Op.FALLOCATE, fd, 8192, 0, offset=0), results=[0])
    done(Entry(Op.FALLOCATE, fd, 65536, calls.FALLOC_KEEP_SIZE, offset=0), results=[0])
    os.close(fd)
    yield [record("a", CREATE=1, OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=8192, change=8192)]


@case
def truncate(c):
    c.make("a", 100)
    yield
    if known(c, "FTRUNCATE", Op.FTRUNCATE):
        fd = os.open(c / "a", os.O_WRONLY)
        done(Entry(Op.FTRUNCATE, fd, offset=30), results=[0])
        os.close(fd)
        yield [record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=30, change=-70)]
    else:
        yield []


@case
def splice_both_ways(c):
    c.make("a", 100)
    yield
    ends = os.pipe()
    source, target = os.open(c / "a", os.O_RDONLY), os.open(c / "b", os.O_CREAT | os.O_WRONLY)
    done(Entry(Op.SPLICE, ends[1], 10, 40, offset=CURRENT_POSITION, file=source), results=[40])
    done(Entry(Op.SPLICE, target, CURRENT_POSITION, 40, offset=5, file=ends[0]), results=[40])
    ring = Ring()
    ring.register_files(source)
    fixed = {"op_flags": SPLICE_FIXED_IN, "file": 0, "offset": CURRENT_POSITION}
    does(ring, Entry(Op.SPLICE, ends[1], 90, 40, **fixed), results=[10])
    calls.call("io_uring_register", ring.fd, 3, None, 0)
    ring.close()
    for end in (target, *ends):
        os.close(end)
    yield [
        record("a", OPEN=1, ACCESS=2, size=100, read=50),
        record("b", CREATE=1, OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=45, change=45, written=40),
    ]
    os.close(source)


@case
def rename_and_unlink(c):
    c.make("a", 5)
    yield
    if known(c, "RENAMEAT", Op.RENAMEAT) and known(c, "UNLINKAT", Op.UNLINKAT):
        done(two_paths(Op.RENAMEAT, c / "a", c / "b"), results=[0])
        done(Entry(Op.UNLINKAT, HERE, c / "b"), results=[0])
        yield [record("b", MOVED_FROM=1, MOVED_TO=1, size=5, FileOrigin="a"), record("b", DELETE=1, size=5)]
    else:
        yield []


@case
def links(c):
    c.make("a", 5)
    yield
    if known(c, "LINKAT", Op.LINKAT) and known(c, "SYMLINKAT", Op.SYMLINKAT):
        done(two_paths(Op.LINKAT, c / "a", c / "hard"), results=[0])
        soft = calls.buffer(os.fsencode(c / "soft") + b"\0")
        done(Entry(Op.SYMLINKAT, HERE, "target", offset_memory=soft), results=[0])
        yield [
            record("hard", CREATE=1, size=5, FileInodeLinkCount=2),
            record("soft", CREATE=1, size=6, FileMode="symlink"),
        ]
    else:
        yield []


@case
def extended_attributes(c):
    c.make("a", 5)
    yield
    if known(c, "SETXATTR", Op.SETXATTR):
        name, value = calls.buffer(b"user.x\0"), calls.buffer(b"value")
        path = calls.buffer(os.fsencode(c / "a") + b"\0")
        done(Entry(Op.SETXATTR, 0, name, len(value), offset_memory=value, addr3=path), results=[0])
        assert os.getxattr(c / "a", "user.x") == b"value"
        yield [record("a", ATTRIB=1, size=5)]
    else:
        yield []


@case
def what_is_refused(c):
    c.make("a", 5)
    yield
    fd = os.open(c / "a", os.O_RDONLY)
    done(open_entry(c / "missing", os.O_RDONLY), results=[-errno.ENOENT])
    done(open_entry(c / "a", os.O_CREAT | os.O_EXCL | os.O_WRONLY), results=[-errno.EEXIST])
    done(Entry(Op.WRITE, fd, calls.buffer(b"x")), results=[-errno.EBADF])
    done(Entry(Op.READ, fd, 8, 5), results=[-errno.EFAULT])
    done(Entry(Op.READ, 999, calls.buffer(5)), results=[-errno.EBADF])
    done(Entry(Op.READ, 5, calls.buffer(5), flags=FIXED_FILE), results=[-errno.EBADF])
    done(Entry(Op.FALLOCATE, fd, 10, 0), results=[-errno.EBADF])
    done(Entry(Op.CLOSE, 999), results=[-errno.EBADF])
    os.close(fd)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=5)]


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
