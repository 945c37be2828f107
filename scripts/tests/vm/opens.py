#!/usr/bin/env python3
"""Every way to open a file: one OPEN per new open file description, CREATE where the file is new."""

import os
import socket
import stat

import calls
from cases import case, record, run


def opened(path, flags, mode=0o644):
    os.close(os.open(path, flags, mode))


@case
def read_only(c):
    c.make("a", 3)
    yield
    opened(c / "a", os.O_RDONLY)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=3)]


@case
def write_only(c):
    c.make("a", 3)
    yield
    opened(c / "a", os.O_WRONLY)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=3)]


@case
def read_and_write(c):
    c.make("a", 3)
    yield
    opened(c / "a", os.O_RDWR)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=3)]


@case
def create_new(c):
    yield
    opened(c / "a", os.O_CREAT | os.O_WRONLY, 0o600)
    yield [record("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0, FilePermissions="0600/-rw-------")]


@case
def create_new_to_read(c):
    yield
    opened(c / "a", os.O_CREAT | os.O_RDONLY)
    yield [record("a", CREATE=1, OPEN=1, CLOSE_NOWRITE=1, size=0)]


@case
def create_what_exists(c):
    c.make("a", 3)
    yield
    opened(c / "a", os.O_CREAT | os.O_WRONLY)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=3)]


@case
def create_exclusive(c):
    yield
    opened(c / "a", os.O_CREAT | os.O_EXCL | os.O_RDWR)
    yield [record("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0)]


@case
def creat_new(c):
    yield
    os.close(calls.creat(c / "a"))
    yield [record("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0)]


@case
def creat_over_content(c):
    c.make("a", 7)
    yield
    os.close(calls.creat(c / "a"))
    yield [record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=0, change=-7)]


@case
def synchronous_and_direct(c):
    c.make("a", 4096)
    yield
    for flags in (os.O_SYNC, os.O_DSYNC, os.O_DIRECT, os.O_NOATIME, os.O_NONBLOCK):
        opened(c / "a", os.O_WRONLY | flags)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=4096)] * 5


@case
def relative_to_a_directory(c):
    (c / "d").mkdir()
    c.make("d/a", 1)
    yield
    directory = os.open(c / "d", os.O_DIRECTORY)
    os.close(os.open("a", os.O_RDONLY, dir_fd=directory))
    os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)
    yield [
        record("a", path="d/", OPEN=1, CLOSE_NOWRITE=1, size=1),
        record("new", path="d/", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0),
    ]


@case
def openat2_resolving_beneath(c):
    c.make("a", 1)
    yield
    directory = os.open(c.directory, os.O_PATH)
    beneath = 8
    os.close(calls.openat2("a", os.O_RDONLY, resolve=beneath, at=directory))
    os.close(calls.openat2("b", os.O_CREAT | os.O_RDWR, 0o600, beneath, directory))
    os.close(directory)
    yield [
        record("a", OPEN=1, CLOSE_NOWRITE=1, size=1),
        record("b", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0),
    ]


@case
def through_a_symbolic_link(c):
    c.make("a", 2)
    (c / "link").symlink_to("a")
    yield
    opened(c / "link", os.O_RDONLY)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=2)]


@case
def create_through_a_dangling_link(c):
    (c / "link").symlink_to("a")
    yield
    opened(c / "link", os.O_CREAT | os.O_WRONLY)
    yield [record("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0)]


@case
def as_a_path_only(c):
    c.make("a", 2)
    yield
    opened(c / "a", os.O_PATH)
    yield []


@case
def again_by_proc(c):
    c.make("a", 2)
    yield
    path = os.open(c / "a", os.O_PATH)
    opened(f"/proc/self/fd/{path}", os.O_RDWR)
    os.close(path)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=2)]


@case
def by_handle(c):
    c.make("a", 2)
    yield
    handle = calls.name_to_handle(c / "a")
    directory = os.open(c.directory, os.O_RDONLY)
    os.close(calls.open_by_handle(directory, handle, os.O_RDWR))
    os.close(directory)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=2)]


@case
def without_a_name(c):
    yield
    fd = os.open(c.directory, os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b"12")
    inode = os.fstat(fd).st_ino
    os.close(fd)
    yield [record(f"#{inode}", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=2, change=2, written=2)]


@case
def without_a_name_at_first(c):
    yield
    fd = os.open(c.directory, os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b"12")
    calls.link_descriptor(fd, c / "a")
    os.write(fd, b"345")
    os.close(fd)
    yield [
        record("a", CREATE=1, OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=5, change=5, written=5, FileInodeLinkCount=1)
    ]


@case
def made_by_mknod(c):
    yield
    os.mknod(c / "a", stat.S_IFREG | 0o640)
    opened(c / "a", os.O_WRONLY)
    yield [
        record("a", CREATE=1, size=0, FilePermissions="0640/-rw-r-----"),
        record("a", OPEN=1, CLOSE_WRITE=1, size=0),
    ]


@case
def three_at_a_time(c):
    c.make("a", 2)
    yield
    descriptors = [os.open(c / "a", flags) for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDONLY)]
    for fd in descriptors:
        os.close(fd)
    yield [record("a", OPEN=3, CLOSE_NOWRITE=2, CLOSE_WRITE=1, size=2)]


@case
def three_in_turn(c):
    c.make("a", 2)
    yield
    for _ in range(3):
        opened(c / "a", os.O_RDONLY)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=2)] * 3


@case
def four_hundred_at_a_time(c):
    c.make("a", 2)
    yield
    descriptors = [os.open(c / "a", os.O_RDONLY) for _ in range(400)]
    for fd in descriptors:
        os.close(fd)
    yield [record("a", OPEN=400, CLOSE_NOWRITE=400, size=2)]


@case
def two_names_of_one_file(c):
    c.make("a", 2)
    os.link(c / "a", c / "b")
    yield
    first, second = os.open(c / "a", os.O_RDONLY), os.open(c / "b", os.O_RDONLY)
    os.close(first)
    os.close(second)
    yield [record("a", OPEN=2, CLOSE_NOWRITE=2, size=2, FileInodeLinkCount=2)]


@case
def deleted_and_made_anew(c):
    c.make("a", 2)
    yield
    old = os.open(c / "a", os.O_RDONLY)
    os.unlink(c / "a")
    opened(c / "a", os.O_CREAT | os.O_WRONLY)
    os.close(old)
    yield [
        record("a", OPEN=1, DELETE=1, size=2, FileInodeLinkCount=1),
        record("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0),
        record("a", CLOSE_NOWRITE=1, size=2),
    ]


@case
def kinds_that_are_no_files(c):
    os.mkfifo(c / "fifo")
    os.mknod(c / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    yield
    (c / "d").mkdir()
    opened(c / "d", os.O_RDONLY)
    opened(c / "fifo", os.O_RDWR)
    opened(c / "null", os.O_RDWR)
    os.mkfifo(c / "fifo2")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(c / "socket"))
    (c / "d").rmdir()
    (c / "fifo2").unlink()
    (c / "socket").unlink()
    yield []


run()
