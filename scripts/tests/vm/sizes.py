#!/usr/bin/env python3
"""FileSize, FileSizeChange and the bytes of each record: sizes are those at its last event, changes those over it."""

import contextlib
import errno
import os

import calls
import children
from cases import case, record, run

BIG = 5 << 30


def cut(path, flags):
    os.close(os.open(path, flags | os.O_TRUNC))


@case
def truncating(c):
    c.make("a", 5)
    yield
    cut(c / "a", os.O_WRONLY)
    yield [record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=0, change=-5)]


@case
def truncating_to_read(c):
    c.make("a", 5)
    yield
    cut(c / "a", os.O_RDONLY)
    yield [record("a", OPEN=1, MODIFY=1, CLOSE_NOWRITE=1, size=0, change=-5)]


@case
def truncating_nothing(c):
    c.make("a", 0)
    yield
    cut(c / "a", os.O_WRONLY)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=0)]


@case
def truncating_and_writing(c):
    c.make("a", 5)
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b"123456789")
    os.close(fd)
    yield [record("a", OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=9, change=4, written=9)]


@case
def appending(c):
    c.make("a", 5)
    yield
    fd = os.open(c / "a", os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"1234")
    os.close(fd)
    yield [record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=9, change=4, written=4)]


@case
def truncate_by_path(c):
    c.make("a", 100)
    yield
    os.truncate(c / "a", 40)
    fd = os.open(c / "a", os.O_RDONLY)
    os.truncate(c / "a", 70)
    os.truncate(c / "a", 30)
    os.close(fd)
    yield [record("a", OPEN=1, MODIFY=3, CLOSE_NOWRITE=1, size=30, change=-70)]


@case
def move_the_rest_of_the_file(c):
    c.make("a", 12288)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    calls.fallocate(fd, calls.FALLOC_COLLAPSE, 0, 4096)
    calls.fallocate(fd, calls.FALLOC_INSERT, 0, 8192)
    os.close(fd)
    yield [record("a", OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=16384, change=4096)]


@case
def growth_by_each_write(c):
    yield
    for size in (1, 2, 4000, 5000):
        with open(c / "a", "ab", buffering=0) as file:
            file.write(b"x" * size)
    yield [
        record("a", CREATE=1, OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=1, change=1, written=1),
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=3, change=2, written=2),
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=4003, change=4000, written=4000),
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=9003, change=5000, written=5000),
    ]


@case
def overwriting_changes_no_size(c):
    c.make("a", 100)
    yield
    fd = os.open(c / "a", os.O_WRONLY)
    for at in (0, 50, 97):
        os.pwrite(fd, b"123", at)
    os.close(fd)
    yield [record("a", OPEN=1, MODIFY=3, CLOSE_WRITE=1, size=100, written=9)]


@case
def a_hole(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
    os.pwrite(fd, b"1", BIG)
    os.close(fd)
    yield [record("a", CREATE=1, OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=BIG + 1, change=BIG + 1, written=1)]


@case
def more_than_four_gigabytes_less(c):
    path = c.make("a", 0)
    os.truncate(path, BIG)
    yield
    os.truncate(c / "a", 10)
    fd = os.open(c / "a", os.O_RDONLY)
    os.close(fd)
    yield [record("a", OPEN=1, MODIFY=1, CLOSE_NOWRITE=1, size=10, change=10 - BIG)]


@case
def up_and_down_is_no_change(c):
    c.make("a", 10)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    os.ftruncate(fd, 1000)
    os.pwrite(fd, b"12", 2000)
    os.ftruncate(fd, 10)
    os.close(fd)
    yield [record("a", OPEN=1, MODIFY=3, CLOSE_WRITE=1, size=10, written=2)]


@case
def cut_by_opening_and_filled_again(c):
    c.make("a", 10)
    yield
    for content in (b"123", b"1234567890", b""):
        with open(c / "a", "wb", buffering=0) as file:
            if content:
                file.write(content)
    yield [
        record("a", OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=3, change=-7, written=3),
        record("a", OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=10, change=7, written=10),
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=0, change=-10),
    ]


@case
def two_processes_on_one_file(c):
    c.make("a", 10)
    yield

    def work():
        with open(c / "a", "ab", buffering=0) as file:
            file.write(b"12345")

    fd = os.open(c / "a", os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"1")
    first = children.run(work)
    os.write(fd, b"12")
    second = children.run(work)
    os.close(fd)
    yield [
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=16, change=5, written=5, pid=first),
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=23, change=5, written=5, pid=second),
        record("a", OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=23, change=13, written=3),
    ]


@case
def inherited_and_appended(c):
    c.make("a", 10)
    yield
    fd = os.open(c / "a", os.O_WRONLY | os.O_APPEND)
    pid = children.run(lambda: [os.write(fd, b"123"), os.write(fd, b"45")])
    os.close(fd)
    yield [
        record("a", MODIFY=2, size=15, change=5, written=5, pid=pid),
        record("a", OPEN=1, CLOSE_WRITE=1, size=15, change=5),
    ]


@case
def inherited_and_overwritten(c):
    c.make("a", 10)
    yield
    fd = os.open(c / "a", os.O_WRONLY)
    inside = children.run(lambda: os.pwrite(fd, b"123", 2))
    across = children.run(lambda: os.pwrite(fd, b"12345", 8))
    os.close(fd)
    yield [
        record("a", MODIFY=1, size=10, written=3, pid=inside),
        record("a", MODIFY=1, size=13, change=3, written=5, pid=across),
        record("a", OPEN=1, CLOSE_WRITE=1, size=13, change=3),
    ]


@case
def read_only_records_have_the_size(c):
    c.make("a", 12345)
    c.make("empty", 0)
    yield
    for name in ("a", "empty"):
        with open(c / name, "rb", buffering=0) as file:
            file.read(100)
    yield [
        record("a", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=12345, read=100),
        record("empty", OPEN=1, CLOSE_NOWRITE=1, size=0),
    ]


@case
def a_symbolic_link_has_the_size_of_its_target(c):
    yield
    os.symlink("x" * 50, c / "short")
    os.symlink("x" * 500, c / "long")
    os.unlink(c / "short")
    yield [
        record("short", CREATE=1, size=50, FileMode="symlink"),
        record("long", CREATE=1, size=500, FileMode="symlink"),
        record("short", DELETE=1, size=50, FileMode="symlink"),
    ]


@case
def at_the_time_of_a_rename_and_a_link(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"123")
    os.rename(c / "a", c / "b")
    os.write(fd, b"45")
    os.link(c / "b", c / "c")
    os.write(fd, b"6")
    os.close(fd)
    yield [
        record("b", CREATE=1, OPEN=1, MODIFY=1, MOVED_FROM=1, MOVED_TO=1, size=3, change=3, written=3, FileOrigin="a"),
        record("c", CREATE=1, MODIFY=1, size=5, change=2, written=2, FileInodeLinkCount=2),
        record(either_name("b", "c"), MODIFY=1, CLOSE_WRITE=1, size=6, change=1, written=1),
    ]


def either_name(*names):
    """Any of these; after a hard link the close may show either."""
    return lambda name: name in names


@case
def nothing_is_added_twice_by_a_copy(c):
    c.make("a", 100)
    yield
    source, target = os.open(c / "a", os.O_RDONLY), os.open(c / "b", os.O_CREAT | os.O_WRONLY)
    while calls.copy_file_range(source, target, 30):
        pass
    os.close(source)
    os.close(target)
    yield [
        record("a", OPEN=1, ACCESS=4, CLOSE_NOWRITE=1, size=100, read=100),
        record("b", CREATE=1, OPEN=1, MODIFY=4, CLOSE_WRITE=1, size=100, change=100, written=100),
    ]


@case
def a_full_file_system(c):
    (c / "small").mkdir()
    with tmpfs(c / "small", b"size=8192"):
        yield
        fd = os.open(c / "small/a", os.O_CREAT | os.O_WRONLY)
        written = os.write(fd, b"x" * 20000)
        try:
            os.write(fd, b"x" * 20000)
            raise AssertionError("there is room")
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
        os.close(fd)
        assert written == 8192
        made = {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}
        yield [record("a", path="small/", size=8192, change=8192, written=8192, **made)]


@contextlib.contextmanager
def tmpfs(target, options):
    calls.mount("tmpfs", target, "tmpfs", 0, options)
    try:
        yield
    finally:
        calls.umount(target)


run()
