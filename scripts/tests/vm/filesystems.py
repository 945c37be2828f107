#!/usr/bin/env python3
"""The core of it all on ext4, XFS, Btrfs and tmpfs, each a file system of its own."""

import contextlib
import errno
import os

import calls
import mounts
from cases import case, record, run
from uring import Entry, Op, Ring

KINDS = ("ext4", "xfs", "btrfs", "tmpfs")


@contextlib.contextmanager
def places():
    with contextlib.ExitStack() as stack:
        yield {kind: stack.enter_context(mounts.filesystem(kind)) for kind in KINDS}


def is_device_of(c):
    """The FileDevice of the case's file system; Btrfs shows a number of its own to stat()."""
    device = os.stat(c.directory).st_dev
    number = "" if c.place == "btrfs" else f"{os.major(device) << 8 | os.minor(device):x}h:"
    return lambda text: text.startswith(number) and text.endswith(f":/run/mounts/{c.place}:{c.place}")


@case
def create_write_read(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_RDWR, 0o600)
    os.write(fd, b"12345")
    os.pwrite(fd, b"678", 5)
    os.pread(fd, 100, 2)
    facts = os.fstat(fd)
    os.close(fd)
    yield [
        record("a", CREATE=1, OPEN=1, MODIFY=2, ACCESS=1, CLOSE_WRITE=1, size=8, change=8, written=8, read=6,
               FileInode=facts.st_ino, FilePermissions="0600/-rw-------", FileInodeLinkCount=1),
    ]  # fmt: skip


@case
def device_is_named(c):
    c.make("a", 1)
    yield
    os.close(os.open(c / "a", os.O_RDONLY))
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=1, FileDevice=is_device_of(c))]


@case
def truncations(c):
    c.make("a", 10000)
    yield
    os.truncate(c / "a", 5000)
    os.close(os.open(c / "a", os.O_WRONLY | os.O_TRUNC))
    fd = os.open(c / "a", os.O_RDWR)
    os.ftruncate(fd, 300)
    os.close(fd)
    yield [
        record("a", OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=0, change=-10000),
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=300, change=300),
    ]


@case
def names(c):
    c.make("a", 5)
    c.make("old", 7)
    (c / "d").mkdir()
    yield
    os.rename(c / "a", c / "b")
    os.rename(c / "b", c / "d/c")
    os.rename(c / "d/c", c / "old")
    os.link(c / "old", c / "hard")
    os.symlink("target", c / "soft")
    os.unlink(c / "old")
    os.unlink(c / "soft")
    origin = f"{c.directory}/b"
    yield [
        record("b", MOVED_FROM=1, MOVED_TO=1, size=5, FileOrigin="a"),
        record("c", path="d/", MOVED_FROM=1, MOVED_TO=1, size=5, FileOrigin=origin),
        record("old", DELETE=1, size=7),
        record("old", MOVED_FROM=1, MOVED_TO=1, size=5, FileOrigin=f"{c.directory}/d/c"),
        record("hard", CREATE=1, size=5, FileInodeLinkCount=2),
        record("soft", CREATE=1, size=6, FileMode="symlink"),
        record("old", DELETE=1, size=5, FileInodeLinkCount=2),
        record("soft", DELETE=1, size=6, FileMode="symlink"),
    ]


@case
def exchange(c):
    c.make("a", 5)
    c.make("b", 7)
    yield
    calls.renameat2(c / "a", c / "b", calls.RENAME_EXCHANGE)
    yield [
        record("b", MOVED_FROM=1, MOVED_TO=1, size=5, FileOrigin="a"),
        record("a", MOVED_FROM=1, MOVED_TO=1, size=7, FileOrigin="b"),
    ]


@case
def without_a_name_at_first(c):
    yield
    fd = os.open(c.directory, os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b"12")
    calls.link_descriptor(fd, c / "a")
    os.close(fd)
    yield [record("a", CREATE=1, OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=2, change=2, written=2)]


@case
def attributes(c):
    c.make("a", 5)
    yield
    fd = os.open(c / "a", os.O_RDONLY)
    os.fchmod(fd, 0o640)
    os.fchown(fd, 10, 20)
    os.utime(fd, (1, 2))
    os.setxattr(fd, "trusted.x", b"1")
    os.removexattr(fd, "trusted.x")
    os.close(fd)
    yield [
        record("a", OPEN=1, ATTRIB=5, CLOSE_NOWRITE=1, size=5, FilePermissions="0640/-rw-r-----", FileUID=10,
               FileGID=20),
    ]  # fmt: skip


@case
def transfers(c):
    c.make("a", 100)
    yield
    source, target = os.open(c / "a", os.O_RDONLY), os.open(c / "b", os.O_CREAT | os.O_RDWR)
    assert os.sendfile(target, source, 0, 100) == 100
    assert os.copy_file_range(source, target, 100, 0, 100) == 100
    os.writev(target, [b"1", b"2"])
    ends = os.pipe()
    assert os.splice(source, ends[1], 50) == 50
    assert os.splice(ends[0], target, 50, offset_dst=200) == 50
    for end in (source, target, *ends):
        os.close(end)
    yield [
        record("a", OPEN=1, ACCESS=3, CLOSE_NOWRITE=1, size=100, read=250),
        record("b", CREATE=1, OPEN=1, MODIFY=4, CLOSE_WRITE=1, size=250, change=250, written=252),
    ]


@case
def allocation(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
    calls.fallocate(fd, 0, 0, 8192)
    calls.fallocate(fd, calls.FALLOC_KEEP_SIZE | calls.FALLOC_PUNCH_HOLE, 0, 4096)
    os.close(fd)
    yield [record("a", CREATE=1, OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=8192, change=8192)]


@case
def shared_blocks(c):
    c.make("a", 8192)
    yield
    source, target = os.open(c / "a", os.O_RDONLY), os.open(c / "b", os.O_CREAT | os.O_WRONLY)
    shares = c.place in ("xfs", "btrfs")
    try:
        calls.function("ioctl", target, calls.FICLONE, source)
        calls.clone_range(source, target, 0, 4096, 8192)
        assert shares, "blocks are shared"
    except OSError as error:
        assert error.errno == errno.EOPNOTSUPP and not shares, error
    os.close(source)
    os.close(target)
    moved = 8192 + 4096 if shares else 0
    yield [
        record("a", OPEN=1, ACCESS=2 * shares, CLOSE_NOWRITE=1, size=8192, read=moved),
        record("b", CREATE=1, OPEN=1, MODIFY=2 * shares, CLOSE_WRITE=1, size=moved, change=moved, written=moved),
    ]


@case
def direct(c):
    """Where a file system cannot do it, the open fails late and nothing is recorded."""
    c.make("a", 8192)
    yield
    try:
        fd = os.open(c / "a", os.O_RDONLY | os.O_DIRECT)
    except OSError as error:
        assert (c.place, error.errno) == ("tmpfs", errno.EINVAL), error
        c.lacks("O_DIRECT on tmpfs", error.errno)
        yield []
        return
    os.close(fd)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=8192)]


@case
def by_io_uring(c):
    c.make("a", 100)
    yield
    ring = Ring()
    (fd,) = ring.run(Entry(Op.OPENAT, calls.AT_FDCWD, c / "a", op_flags=os.O_RDWR))
    (read,) = ring.run(Entry(Op.READ, fd, calls.buffer(10)))
    (written,) = ring.run(Entry(Op.WRITE, fd, calls.buffer(b"12345"), offset=98))
    (closed,) = ring.run(Entry(Op.CLOSE, fd))
    assert (read, written, closed) == (10, 5, 0)
    ring.close()
    yield [record("a", OPEN=1, ACCESS=1, MODIFY=1, CLOSE_WRITE=1, size=103, change=3, read=10, written=5)]


run(places)
