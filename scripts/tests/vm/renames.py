#!/usr/bin/env python3
"""Renames of every kind: one record per file that moved, and one for a file that lost its name to another."""

import errno
import os
import threading

from calls import RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, renameat2
from cases import case, record, run
from disks import disks
from workload import create, refused


def moved(name, origin, size=1, **more):
    """The record of a file that moved."""
    return record(name, MOVED_FROM=1, MOVED_TO=1, size=size, FileOrigin=str(origin), **more)


@case
def in_its_directory(c):
    inode = os.stat(c.make("a", 1)).st_ino
    yield
    os.rename(c / "a", c / "b")
    yield [moved("b", "a", FileInode=inode, FileInodeLinkCount=1)]


@case
def to_another_directory(c):
    c.make("a", 1)
    (c / "d").mkdir()
    yield
    os.rename(c / "a", c / "d" / "b")
    yield [moved("b", c / "a", path="d/")]


@case
def keeps_its_name(c):
    c.make("a", 1)
    (c / "d").mkdir()
    yield
    os.rename(c / "a", c / "d" / "a")
    os.rename(c / "d" / "a", c / "a")
    yield [moved("a", c / "a", path="d/"), moved("a", c / "d" / "a")]


@case
def over_another_file(c):
    c.make("a", 1)
    lost = os.stat(c.make("b", 22)).st_ino
    yield
    os.rename(c / "a", c / "b")
    yield [record("b", DELETE=1, size=22, FileInode=lost, FileInodeLinkCount=1), moved("b", "a")]


@case
def over_a_name_of_two(c):
    c.make("a", 1)
    c.make("b", 22)
    os.link(c / "b", c / "c")
    yield
    os.rename(c / "a", c / "b")
    yield [record("b", DELETE=1, size=22, FileInodeLinkCount=2, FileMode="hardlink"), moved("b", "a")]


@case
def over_a_file_that_is_open(c):
    c.make("a", 1)
    c.make("b", 3)
    yield
    with open(c / "b", "rb", buffering=0) as file:
        os.rename(c / "a", c / "b")
        file.read(3)
    yield [
        record("b", OPEN=1, DELETE=1, size=3, FileInodeLinkCount=1),
        record("b", ACCESS=1, CLOSE_NOWRITE=1, size=3, read=3, FileInodeLinkCount=0),
        moved("b", "a"),
    ]


@case
def over_another_name_of_itself(c):
    """The kernel does nothing then, and says that it was done."""
    c.make("a", 1)
    os.link(c / "a", c / "b")
    yield
    os.rename(c / "a", c / "b")
    yield []


@case
def while_it_is_open(c):
    yield
    with open(c / "a", "wb", buffering=0) as file:
        file.write(b"x")
        os.rename(c / "a", c / "b")
        file.write(b"yz")
    yield [
        record("b", CREATE=1, OPEN=1, MODIFY=1, MOVED_FROM=1, MOVED_TO=1, size=1, change=1, written=1, FileOrigin="a"),
        record("b", MODIFY=1, CLOSE_WRITE=1, size=3, change=2, written=2),
    ]


@case
def many_times(c):
    c.make("0", 1)
    yield
    for number in range(100):
        os.rename(c / f"{number}", c / f"{number + 1}")
    yield [moved(f"{number + 1}", f"{number}") for number in range(100)]


@case
def exchange(c):
    first, second = (os.stat(c.make(name, size)).st_ino for name, size in (("a", 1), ("b", 2)))
    yield
    renameat2(c / "a", c / "b", RENAME_EXCHANGE)
    yield [moved("b", "a", FileInode=first), moved("a", "b", size=2, FileInode=second)]


@case
def exchange_between_directories(c):
    (c / "d").mkdir()
    c.make("a", 1)
    c.make("d/b", 2)
    yield
    renameat2(c / "a", c / "d" / "b", RENAME_EXCHANGE)
    yield [moved("b", c / "a", path="d/"), moved("a", c / "d" / "b", size=2)]


@case
def exchange_with_a_directory(c):
    (c / "d").mkdir()
    c.make("a", 1)
    yield
    renameat2(c / "a", c / "d", RENAME_EXCHANGE)
    yield [moved("d", "a")]


@case
def exchange_with_a_symbolic_link(c):
    c.make("a", 1)
    os.symlink("far", c / "s")
    yield
    renameat2(c / "a", c / "s", RENAME_EXCHANGE)
    yield [moved("s", "a", FileMode="regular"), moved("a", "s", size=3, FileMode="symlink")]


@case
def no_replace(c):
    c.make("a", 1)
    c.make("b", 1)
    yield
    refused(errno.EEXIST, renameat2, c / "a", c / "b", RENAME_NOREPLACE)
    renameat2(c / "a", c / "c", RENAME_NOREPLACE)
    yield [moved("c", "a")]


@case
def whiteout(c):
    """Where overlayfs leaves a mark in place of the old name; the mark is no file. Not on every file system."""
    c.make("a", 1)
    yield
    try:
        renameat2(c / "a", c / "b", RENAME_WHITEOUT)
    except OSError as error:
        assert error.errno == errno.EINVAL, error
        c.lacks("RENAME_WHITEOUT", error.errno)
        yield []
        return
    yield [moved("b", "a")]


@case
def refused_renames(c):
    c.make("a", 1)
    (c / "full" / "x").mkdir(parents=True)
    yield
    refused(errno.ENOENT, os.rename, c / "none", c / "b")
    refused(errno.EXDEV, os.rename, c / "a", "/dev/shm/a")
    refused(errno.EISDIR, os.rename, c / "a", c / "full")
    refused(errno.ENOTDIR, os.rename, c / "full", c / "a")
    refused(errno.ENOENT, renameat2, c / "a", c / "none", RENAME_EXCHANGE)
    refused(errno.EINVAL, renameat2, c / "a", c / "b", RENAME_EXCHANGE | RENAME_NOREPLACE)
    refused(errno.ENAMETOOLONG, os.rename, c / "a", c / ("n" * 256))
    yield []


@case
def symbolic_link(c):
    os.symlink("far", c / "s")
    yield
    os.rename(c / "s", c / "t")
    yield [moved("t", "s", size=3, FileMode="symlink")]


@case
def directory_above_a_closed_file(c):
    (c / "d" / "e").mkdir(parents=True)
    c.make("d/e/a", 1)
    yield
    os.rename(c / "d", c / "new")
    with open(c / "new" / "e" / "a", "rb", buffering=0) as file:
        file.read(1)
    os.rename(c / "new" / "e" / "a", c / "new" / "e" / "b")
    yield [
        record("a", path="new/e/", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=1, read=1),
        moved("b", "a", path="new/e/"),
    ]


@case
def directory_above_an_open_file(c):
    """A record of an open file has the path through which it was opened; its own move shows where it is."""
    (c / "d").mkdir()
    c.make("d/a", 1)
    c.make("d/b", 1)
    yield
    with open(c / "d" / "a", "rb", buffering=0) as first, open(c / "d" / "b", "rb", buffering=0) as second:
        os.rename(c / "d", c / "new")
        first.read(1)
        os.rename(c / "new" / "b", c / "new" / "c")
        second.read(1)
    yield [
        record("a", path="d/", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=1, read=1),
        record("c", path="new/", OPEN=1, MOVED_FROM=1, MOVED_TO=1, size=1, FileOrigin="b"),
        record("c", path="new/", ACCESS=1, CLOSE_NOWRITE=1, size=1, read=1),
    ]


@case
def four_threads_at_once(c):
    """Each on files of its own: no thread gets what another one has noted."""
    directories = [c / f"{number}" for number in range(4)]
    for directory in directories:
        directory.mkdir()
        create(directory / "0")
    yield

    def work(directory):
        for number in range(50):
            os.rename(directory / f"{number}", directory / f"{number + 1}")

    threads = [threading.Thread(target=work, args=(directory,)) for directory in directories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield [
        moved(f"{number + 1}", f"{number}", path=f"{directory.name}/")
        for directory in directories
        for number in range(50)
    ]


run(disks)
