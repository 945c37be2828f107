#!/usr/bin/env python3
"""io_uring: all other operations on files count like the system calls that do the same."""

import errno
import os
import struct

import calls
from cases import case, record, run
from uring import CURRENT_POSITION, FIXED_FILE, SPARSE, SPLICE_FIXED_IN, Entry, Op, Ring, does, done, known, open_entry
from witness import Witness, closed_by_anyone

HERE = calls.AT_FDCWD


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
        fd = os.open(c / "a", os.O_RDONLY)
        done(Entry(Op.FSETXATTR, fd, name, len(value), offset_memory=value), results=[0])
        os.close(fd)
        yield [record("a", ATTRIB=2, OPEN=1, CLOSE_NOWRITE=1, size=5)]
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


run()
