#!/usr/bin/env python3
"""Times, owner, device and inode number in a record are those that stat tells, on each file system."""

import os
import pathlib
import time

from cases import ANY, case, record, run
from disks import disks
from workload import create


def shown_time(nanoseconds):
    """A time as the output has it."""
    text = time.strftime("%a, %b %d %Y %H:%M:%S", time.gmtime(nanoseconds // 10**9))
    return f"{text}.{nanoseconds % 10**9:09d} UTC"


def shown_device(path):
    """`FileDevice` of a file, from the table of mounts: the number as stat packs it, node, mount point and type."""
    mounts = [line.split(" ") for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    (*_, mount) = sorted((m for m in mounts if path.is_relative_to(m[4])), key=lambda m: len(m[4]))
    major, minor = map(int, mount[2].split(":"))
    kind, source = mount[mount.index("-") + 1 :][:2]
    return f"{minor & 0xFF | major << 8 | (minor & ~0xFF) << 12:x}h:{source}:{mount[4]}:{kind}"


def as_stat(path):
    """The keys that stat and the table of mounts know."""
    found = os.lstat(path)
    return {
        "FileInode": found.st_ino,
        "FileInodeLinkCount": found.st_nlink,
        "FileUID": found.st_uid,
        "FileGID": found.st_gid,
        "FileDevice": shown_device(path),
        "FileAccessTime": shown_time(found.st_atime_ns),
        "FileStatusChangeTime": shown_time(found.st_ctime_ns),
        "FileModificationTime": shown_time(found.st_mtime_ns),
    }


def near(nanoseconds):
    """A judge of a change of time: JSON's numbers are not exact to the last nanosecond."""
    return lambda seconds: seconds is not None and abs(seconds * 1e9 - nanoseconds) <= 1e-7 * abs(nanoseconds) + 1


@case
def new_file(c):
    yield
    create(c / "a")
    yield [record("a", CREATE=1, OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=1, change=1, written=1, **as_stat(c / "a"))]


@case
def written_again(c):
    path = c.make("a", 1)
    os.utime(path, ns=(10**9, 2 * 10**9))
    yield
    with open(path, "ab", buffering=0) as file:
        file.write(b"more")
    after = os.stat(path).st_mtime_ns
    yield [
        record(
            "a",
            OPEN=1,
            MODIFY=1,
            CLOSE_WRITE=1,
            size=5,
            change=4,
            written=4,
            FileModificationTimeChange=near(after - 2 * 10**9),
            **as_stat(path),
        )
    ]


@case
def only_read(c):
    path = c.make("a", 1)
    yield
    with open(path, "rb", buffering=0) as file:
        file.read(1)
    yield [
        record("a", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=1, read=1, FileModificationTimeChange=None, **as_stat(path))
    ]


@case
def looked_at_between_the_writes(c):
    """A kernel with fine time stamps marks those that stat has seen; the mark is no part of the time."""
    yield
    with open(c / "a", "wb", buffering=0) as file:
        for _ in range(3):
            file.write(b"x")
            os.stat(c / "a")
        os.fchmod(file.fileno(), 0o600)
        os.stat(c / "a")
    yield [
        record(
            "a",
            CREATE=1,
            OPEN=1,
            MODIFY=3,
            ATTRIB=1,
            CLOSE_WRITE=1,
            size=3,
            change=3,
            written=3,
            FileModificationTimeChange=ANY,
            **as_stat(c / "a"),
        )
    ]


@case
def changed_without_a_close(c):
    path = c.make("a", 1)
    yield
    os.chown(path, 1000, 1001)
    os.stat(path)
    os.chmod(path, 0o4711)
    yield [record("a", ATTRIB=2, size=1, FilePermissions="4711/-rws--x--x", **as_stat(path))]


@case
def set_by_hand(c):
    path = c.make("a")
    before = os.stat(path).st_mtime_ns
    yield
    os.utime(path, ns=(1_000_000_001, 1_600_000_000_987_654_321))
    yield [
        record(
            "a", ATTRIB=1, size=0, FileModificationTimeChange=near(1_600_000_000_987_654_321 - before), **as_stat(path)
        )
    ]


@case
def symbolic_link(c):
    yield
    os.symlink("x" * 200, c / "s")
    yield [record("s", CREATE=1, size=200, FileMode="symlink", FilePermissions="0777/lrwxrwxrwx", **as_stat(c / "s"))]


@case
def moved(c):
    path = c.make("a", 3)
    os.chown(path, 1000, 1000)
    yield
    os.rename(path, c / "b")
    yield [record("b", MOVED_FROM=1, MOVED_TO=1, size=3, FileOrigin="a", **as_stat(c / "b"))]


@case
def linked(c):
    path = c.make("a", 3)
    yield
    os.link(path, c / "b")
    yield [record("b", CREATE=1, size=3, FileMode="hardlink", **as_stat(path))]


@case
def unlinked(c):
    """One name of two goes: the link count is that before, all else that of the file that stays."""
    path = c.make("a", 3)
    os.link(path, c / "b")
    yield
    os.unlink(path)
    left = as_stat(c / "b")
    yield [record("a", DELETE=1, size=3, FileMode="hardlink", **{**left, "FileInodeLinkCount": 2})]


run(disks)
