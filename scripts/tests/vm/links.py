#!/usr/bin/env python3
"""Hard and symbolic links, names given to files that are open, and what is no file."""

import errno
import os
import socket
import stat

import calls
import children
from cases import case, record, run
from disks import disks
from workload import create, refused


@case
def hard_link(c):
    c.make("a", 3)
    yield
    os.link(c / "a", c / "b")
    yield [record("b", CREATE=1, size=3, FileInodeLinkCount=2, FileMode="hardlink")]


@case
def names_come_and_go(c):
    c.make("a", 3)
    (c / "d").mkdir()
    yield
    os.link(c / "a", c / "b")
    os.link(c / "b", c / "d" / "c")
    os.unlink(c / "a")
    os.unlink(c / "b")
    os.unlink(c / "d" / "c")
    yield [
        record("b", CREATE=1, size=3, FileInodeLinkCount=2, FileMode="hardlink"),
        record("c", path="d/", CREATE=1, size=3, FileInodeLinkCount=3, FileMode="hardlink"),
        record("a", DELETE=1, size=3, FileInodeLinkCount=3, FileMode="hardlink"),
        record("b", DELETE=1, size=3, FileInodeLinkCount=2, FileMode="hardlink"),
        record("c", path="d/", DELETE=1, size=3, FileInodeLinkCount=1, FileMode="regular"),
    ]


@case
def each_name_is_the_one_used(c):
    """A session that opens by one of several names has that one."""
    c.make("a", 1)
    os.link(c / "a", c / "b")
    yield
    for name in "ab":
        with open(c / name, "rb", buffering=0) as file:
            file.read(1)
    yield [record(name, OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=1, read=1, FileMode="hardlink") for name in "ab"]


@case
def link_of_a_file_that_is_open(c):
    """The record of the link has what was counted before; the close may show either name."""
    c.make("a", 1)
    yield
    with open(c / "a", "rb", buffering=0) as file:
        file.read(1)
        os.link(c / "a", c / "b")
    yield linked_while_open


def linked_while_open(mine):
    assert [entry["FileEvents"] for entry in mine] == [{"CREATE": 1, "OPEN": 1, "ACCESS": 1}, {"CLOSE_NOWRITE": 1}], (
        mine
    )
    assert mine[0]["File"] == "b" and mine[1]["File"] in "ab", mine
    assert all(entry["FileInodeLinkCount"] == 2 for entry in mine), mine


@case
def link_by_descriptor(c):
    c.make("a", 1)
    yield
    fd = os.open(c / "a", os.O_PATH)
    calls.link_descriptor(fd, c / "b")
    calls.linkat(calls.AT_FDCWD, f"/proc/self/fd/{fd}", c / "c", calls.AT_SYMLINK_FOLLOW)
    os.close(fd)
    yield [
        record("b", CREATE=1, size=1, FileInodeLinkCount=2, FileMode="hardlink"),
        record("c", CREATE=1, size=1, FileInodeLinkCount=3, FileMode="hardlink"),
    ]


@case
def file_without_a_name_gets_one(c):
    yield
    fd = os.open(c.directory, os.O_TMPFILE | os.O_WRONLY, 0o600)
    os.write(fd, b"abc")
    calls.linkat(calls.AT_FDCWD, f"/proc/self/fd/{fd}", c / "a", calls.AT_SYMLINK_FOLLOW)
    os.write(fd, b"d")
    os.close(fd)
    yield [
        record(
            "a",
            CREATE=1,
            OPEN=1,
            MODIFY=2,
            CLOSE_WRITE=1,
            size=4,
            change=4,
            written=4,
            FileInodeLinkCount=1,
            FilePermissions="0600/-rw-------",
        )
    ]


@case
def file_without_a_name_gets_two(c):
    yield
    fd = os.open(c.directory, os.O_TMPFILE | os.O_WRONLY, 0o600)
    calls.link_descriptor(fd, c / "a")
    os.link(c / "a", c / "b")
    os.close(fd)
    yield two_names


def two_names(mine):
    assert [entry["FileEvents"] for entry in mine] == [{"CREATE": 2, "OPEN": 1}, {"CLOSE_WRITE": 1}], mine
    assert mine[0]["File"] == "b" and mine[1]["File"] in "ab", mine
    assert all(entry["FileInodeLinkCount"] == 2 for entry in mine), mine


@case
def file_that_never_gets_a_name(c):
    """The kernel calls it by the number of its inode."""
    yield
    fd = os.open(c.directory, os.O_TMPFILE | os.O_WRONLY | os.O_EXCL, 0o600)
    inode = os.fstat(fd).st_ino
    os.write(fd, b"abc")
    refused(errno.ENOENT, calls.linkat, calls.AT_FDCWD, f"/proc/self/fd/{fd}", c / "a", calls.AT_SYMLINK_FOLLOW)
    os.close(fd)
    yield [
        record(
            f"#{inode}",
            OPEN=1,
            MODIFY=1,
            CLOSE_WRITE=1,
            size=3,
            change=3,
            written=3,
            FileInodeLinkCount=0,
        )
    ]


@case
def symbolic_links(c):
    targets = {"short": "a", "none": "/no/such/place", "long": "x" * 61, "longer": "y" * 1000, "loop": "loop"}
    yield
    for name, target in targets.items():
        os.symlink(target, c / name)
    yield [
        record(
            name,
            CREATE=1,
            size=len(target),
            FileMode="symlink",
            FileInodeLinkCount=1,
            FilePermissions="0777/lrwxrwxrwx",
        )
        for name, target in targets.items()
    ]


@case
def symbolic_link_is_followed_and_read(c):
    """The file is opened by its own name; reading a link is no event."""
    c.make("a", 1)
    os.symlink("a", c / "s")
    os.symlink(c / "s", c / "t")
    yield
    os.readlink(c / "t")
    os.lstat(c / "t")
    with open(c / "t", "rb", buffering=0) as file:
        file.read(1)
    yield [record("a", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=1, read=1, FileMode="regular")]


@case
def symbolic_link_deleted_and_linked(c):
    os.symlink("a", c / "s")
    yield
    os.link(c / "s", c / "t", follow_symlinks=False)
    os.unlink(c / "s")
    yield [
        record("t", CREATE=1, size=1, FileMode="symlink", FileInodeLinkCount=2),
        record("s", DELETE=1, size=1, FileMode="symlink", FileInodeLinkCount=2),
    ]


@case
def refused_links(c):
    c.make("a", 1)
    c.make("b", 1)
    (c / "d").mkdir()
    yield
    refused(errno.EEXIST, os.link, c / "a", c / "b")
    refused(errno.EPERM, os.link, c / "d", c / "e")
    refused(errno.EXDEV, os.link, c / "a", "/sys/kernel/a")
    refused(errno.ENOENT, os.link, c / "none", c / "e")
    refused(errno.EEXIST, os.symlink, "x", c / "a")
    refused(errno.ENOENT, os.symlink, "x", c / "none" / "s")
    refused(errno.ENAMETOOLONG, os.symlink, "x" * 4096, c / "s")
    refused(errno.ENOENT, os.unlink, c / "none")
    refused(errno.EISDIR, os.unlink, c / "d")
    yield []


@case
def refused_to_another_user(c):
    os.chmod("/root", 0o755)
    c.make("a", 1)
    os.chmod(c.directory, 0o755)
    yield

    def work():
        os.setgid(1000)
        os.setuid(1000)
        refused(errno.EACCES, os.unlink, c / "a")
        refused(errno.EACCES, os.symlink, "x", c / "s")
        refused(errno.EACCES, os.rename, c / "a", c / "b")

    children.run(work)
    yield []


@case
def node_of_a_regular_file(c):
    yield
    os.mknod(c / "a", stat.S_IFREG | 0o640)
    yield [record("a", CREATE=1, size=0, FilePermissions="0640/-rw-r-----")]


@case
def what_is_no_file(c):
    yield
    (c / "d").mkdir()
    os.mkfifo(c / "fifo")
    os.mknod(c / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as bound:
        directory = os.open(c.directory, os.O_RDONLY)
        bound.bind(f"/proc/self/fd/{directory}/socket")
        os.close(directory)
    with open(c / "null", "r+b", buffering=0) as null:
        null.write(b"x")
        null.read(1)
    os.chmod(c / "d", 0o700)
    os.rename(c / "fifo", c / "pipe")
    for name in ("pipe", "null", "socket"):
        os.unlink(c / name)
    (c / "d").rmdir()
    yield []


@case
def deleted_while_it_is_open(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x")
    os.unlink(c / "a")
    os.write(fd, b"y")
    os.close(fd)
    create(c / "a", text=b"")
    yield [
        record("a", CREATE=1, OPEN=1, MODIFY=1, DELETE=1, size=1, change=1, written=1, FileInodeLinkCount=1),
        record("a", MODIFY=1, CLOSE_WRITE=1, size=2, change=1, written=1, FileInodeLinkCount=0),
        record("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0),
    ]


run(disks)
