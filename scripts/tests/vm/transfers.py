#!/usr/bin/env python3
"""Every way to read and write: one ACCESS or MODIFY per call that moved or changed something, and the exact bytes."""

import mmap
import os
import socket

import calls
from cases import case, record, run


def reading(c, *work, flags=os.O_RDONLY):
    """Does the work on "a", a file of 100 bytes."""
    fd = os.open(c / "a", flags)
    for step in work:
        step(fd)
    os.close(fd)


def was_read(calls_made, read, **more):
    return record("a", OPEN=1, ACCESS=calls_made, CLOSE_NOWRITE=1, size=100, read=read, **more)


@case
def reads(c):
    c.make("a", 100)
    yield
    reading(c, lambda fd: [os.read(fd, 30) for _ in range(5)])
    yield [was_read(4, 100)]


@case
def reads_at_a_position(c):
    c.make("a", 100)
    yield
    reading(c, lambda fd: [os.pread(fd, 30, at) for at in (0, 90, 99, 100, 1000)])
    yield [was_read(3, 30 + 10 + 1)]


@case
def reads_into_vectors(c):
    c.make("a", 100)
    yield
    reading(c, lambda fd: os.readv(fd, [bytearray(10), bytearray(0), bytearray(20)]))
    reading(c, lambda fd: os.preadv(fd, [bytearray(10), bytearray(200)], 50))
    reading(c, lambda fd: os.preadv(fd, [bytearray(7)], 3, os.RWF_HIPRI))
    yield [was_read(1, 30), was_read(1, 50), was_read(1, 7)]


@case
def reads_of_a_megabyte(c):
    c.make("a", 1 << 20)
    yield
    fd = os.open(c / "a", os.O_RDONLY)
    os.read(fd, 1 << 20)
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=1 << 20, read=1 << 20)]


@case
def what_reads_nothing(c):
    c.make("a", 100)
    yield

    def look(fd):
        os.lseek(fd, 10, os.SEEK_SET)
        os.lseek(fd, 0, os.SEEK_DATA)
        os.posix_fadvise(fd, 0, 100, os.POSIX_FADV_WILLNEED)
        calls.function("readahead", fd, 0, 100)
        os.fstat(fd)
        os.fsync(fd)
        mmap.mmap(fd, 100, prot=mmap.PROT_READ).read(100)

    reading(c, look)
    os.stat(c / "a")
    os.access(c / "a", os.R_OK)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=100)]


@case
def sendfile_to_a_socket(c):
    c.make("a", 100)
    yield
    here, there = socket.socketpair()
    reading(c, lambda fd: [os.sendfile(here.fileno(), fd, None, 60) for _ in range(3)])
    here.close()
    there.close()
    yield [was_read(2, 100)]


@case
def sendfile_to_a_pipe(c):
    c.make("a", 100)
    yield
    ends = os.pipe()
    reading(c, lambda fd: os.sendfile(ends[1], fd, 90, 60))
    for end in ends:
        os.close(end)
    yield [was_read(1, 10)]


@case
def splice_to_a_pipe(c):
    c.make("a", 100)
    yield
    ends = os.pipe()
    reading(c, lambda fd: [os.splice(fd, ends[1], 60) for _ in range(3)])
    for end in ends:
        os.close(end)
    yield [was_read(2, 100)]


def writing(c, *work, flags=os.O_WRONLY, name="b"):
    """Does the work on a new file."""
    fd = os.open(c / name, os.O_CREAT | flags)
    for step in work:
        step(fd)
    os.close(fd)


def was_written(calls_made, written, size=None, name="b", **more):
    size = written if size is None else size
    events = {"CREATE": 1, "OPEN": 1, "MODIFY": calls_made, "CLOSE_WRITE": 1}
    return record(name, size=size, change=size, written=written, **events, **more)


@case
def writes(c):
    yield
    writing(c, lambda fd: [os.write(fd, b"123") for _ in range(5)])
    yield [was_written(5, 15)]


@case
def writes_at_a_position(c):
    yield
    writing(c, lambda fd: [os.pwrite(fd, b"123", at) for at in (0, 1, 1000)])
    yield [was_written(3, 9, size=1003)]


@case
def writes_from_vectors(c):
    yield
    writing(c, lambda fd: os.writev(fd, [b"12", b"", b"345"]), lambda fd: os.pwritev(fd, [b"1", b"2"], 10))
    yield [was_written(2, 7, size=12)]


@case
def writes_with_flags(c):
    yield
    writing(
        c,
        lambda fd: os.pwritev(fd, [b"1234"], 0, os.RWF_DSYNC),
        lambda fd: os.pwritev(fd, [b"56"], 0, os.RWF_SYNC),
        lambda fd: os.pwritev(fd, [b"789"], 0, 0x10),  # RWF_APPEND
    )
    yield [was_written(3, 9, size=7)]


@case
def writes_of_a_megabyte(c):
    yield
    writing(c, lambda fd: os.write(fd, bytes(1 << 20)))
    yield [was_written(1, 1 << 20)]


@case
def direct_to_the_device(c):
    c.make("a", 8192)
    yield
    memory = mmap.mmap(-1, 4096)
    fd = os.open(c / "a", os.O_RDWR | os.O_DIRECT)
    os.preadv(fd, [memory], 0)
    os.pwritev(fd, [memory], 4096)
    os.write(fd, memory)
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=1, MODIFY=2, CLOSE_WRITE=1, size=8192, read=4096, written=8192)]


@case
def sendfile_between_files(c):
    c.make("a", 100)
    yield
    reading(c, lambda source: writing(c, lambda target: os.sendfile(target, source, 20, 1000)))
    yield [was_written(1, 80), was_read(1, 80)]


@case
def splice_from_a_pipe(c):
    yield
    ends = os.pipe()
    os.write(ends[1], b"x" * 50)
    writing(c, lambda fd: os.splice(ends[0], fd, 30), lambda fd: os.splice(ends[0], fd, 20, offset_dst=100))
    for end in ends:
        os.close(end)
    yield [was_written(2, 50, size=120)]


@case
def splice_of_user_pages(c):
    yield
    first, second = os.pipe(), os.pipe()
    assert calls.vmsplice(first[1], b"x" * 40) == 40
    assert calls.tee(first[0], second[1], 40) == 40
    writing(c, lambda fd: os.splice(first[0], fd, 40), lambda fd: os.splice(second[0], fd, 40))
    for end in first + second:
        os.close(end)
    yield [was_written(2, 80)]


@case
def copy_within_the_kernel(c):
    c.make("a", 100)
    yield
    reading(
        c,
        lambda source: writing(
            c,
            lambda target: calls.copy_file_range(source, target, 40),
            lambda target: os.copy_file_range(source, target, 40, 0, 200),
            lambda target: calls.copy_file_range(source, target, 400),
            lambda target: calls.copy_file_range(source, target, 400),
        ),
    )
    yield [was_written(3, 140, size=240), was_read(3, 140)]


@case
def copy_within_one_file(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    os.copy_file_range(fd, fd, 50, 0, 100)
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=1, MODIFY=1, CLOSE_WRITE=1, size=150, change=50, read=50, written=50)]


@case
def truncate_by_descriptor(c):
    yield
    writing(c, *(lambda fd, size=size: os.ftruncate(fd, size) for size in (1000, 10, 10, 500)))
    yield [was_written(4, 0, size=500)]


@case
def allocate(c):
    yield
    keep = calls.FALLOC_KEEP_SIZE
    writing(
        c,
        lambda fd: calls.fallocate(fd, 0, 0, 8192),
        lambda fd: calls.fallocate(fd, keep, 0, 65536),
        lambda fd: calls.fallocate(fd, keep | calls.FALLOC_PUNCH_HOLE, 0, 4096),
        lambda fd: calls.fallocate(fd, calls.FALLOC_ZERO, 4096, 8192),
        flags=os.O_RDWR,
    )
    yield [was_written(4, 0, size=12288)]


@case
def what_writes_nothing(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    os.fsync(fd)
    os.fdatasync(fd)
    calls.function("sync_file_range", fd, 0, 0, 7)
    os.lockf(fd, os.F_TLOCK, 10)
    os.lseek(fd, 1000, os.SEEK_SET)
    os.close(fd)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=100)]


@case
def stores_into_a_mapping(c):
    """Out of scope: no call says that the file changes."""
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    memory = mmap.mmap(fd, 100)
    memory[0:3] = b"xyz"
    memory.flush()
    memory.close()
    os.close(fd)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=100)]


@case
def reads_and_writes_mixed(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    for _ in range(100):
        os.pread(fd, 10, 5)
        os.pwrite(fd, b"12", 99)
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=100, MODIFY=100, CLOSE_WRITE=1, size=101, change=1, read=1000, written=200)]


run()
