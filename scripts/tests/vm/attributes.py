#!/usr/bin/env python3
"""Attributes: each change is one ATTRIB, and a record shows what the file has at the end."""

import errno
import os
import stat
import struct
import subprocess
import time

import children
from cases import ANY, case, record, run
from workload import create, refused

ACL_VERSION = 2
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32


def acl(*entries):
    """A POSIX access list as an extended attribute holds it: (tag, permissions, id) per entry."""
    return struct.pack("<I", ACL_VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def permissions(mode):
    """As `FilePermissions` shows them."""
    return f"{stat.S_IMODE(mode):04o}/{stat.filemode(mode)}"


@case
def mode(c):
    path = c.make("a")
    yield
    os.chmod(path, 0o600)
    fd = os.open(path, os.O_RDONLY)
    os.fchmod(fd, 0o640)
    os.close(fd)
    yield [record("a", ATTRIB=2, OPEN=1, CLOSE_NOWRITE=1, size=0, FilePermissions="0640/-rw-r-----")]


@case
def every_kind_of_permissions(c):
    modes = [0o7777, 0o4755, 0o4644, 0o2755, 0o2644, 0o1777, 0o1666, 0o6000, 0o5111, 0o3070, 0, 0o421, 0o124, 0o7000]
    for number in modes:
        c.make(f"{number:o}")
    yield
    for number in modes:
        os.chmod(c / f"{number:o}", number)
    yield [
        record(f"{number:o}", ATTRIB=1, size=0, FilePermissions=permissions(stat.S_IFREG | number)) for number in modes
    ]


@case
def owner(c):
    path = c.make("a")
    yield
    os.chown(path, 1000, 1000)
    os.chown(path, 12345, -1)
    fd = os.open(path, os.O_PATH)
    os.chown(f"/proc/self/fd/{fd}", -1, 54321)
    os.close(fd)
    yield [record("a", ATTRIB=3, size=0, FileUID=12345, FileGID=54321, FileUser="", FileGroup="")]


@case
def owner_that_is_not_changed(c):
    path = c.make("a")
    yield
    os.chown(path, -1, -1)
    yield []


@case
def owner_set_to_what_it_is(c):
    path = c.make("a")
    yield
    os.chown(path, 0, 0)
    yield [record("a", ATTRIB=1, size=0, FileUID=0, FileUser="root", FileGroup="root")]


@case
def owner_takes_set_id_bits_away(c):
    path = c.make("a", mode=0o6755)
    yield
    os.chown(path, 1000, 1000)
    yield [record("a", ATTRIB=1, size=0, FilePermissions="0755/-rwxr-xr-x", FileUser="alice", FileGroup="alice")]


@case
def write_takes_set_id_bits_away(c):
    os.chmod("/root", 0o755)
    path = c.make("a", mode=0o4777)
    yield

    def work():
        os.setuid(1000)
        with open(path, "wb", buffering=0) as file:
            file.write(b"x")

    pid = children.run(work)
    yield [
        record(
            "a",
            OPEN=1,
            MODIFY=1,
            CLOSE_WRITE=1,
            size=1,
            change=1,
            written=1,
            pid=pid,
            FilePermissions="0777/-rwxrwxrwx",
        )
    ]


@case
def symbolic_link(c):
    os.symlink("target", c / "s")
    yield
    os.chown(c / "s", 1000, 1000, follow_symlinks=False)
    os.utime(c / "s", ns=(1, 2), follow_symlinks=False)
    os.setxattr(c / "s", "trusted.x", b"1", follow_symlinks=False)
    yield [
        record(
            "s",
            ATTRIB=3,
            size=6,
            FileMode="symlink",
            FilePermissions="0777/lrwxrwxrwx",
            FileUser="alice",
            FileModificationTimeChange=ANY,
        )
    ]


@case
def extended_attributes(c):
    path = c.make("a")
    yield
    fd = os.open(path, os.O_RDONLY)
    os.setxattr(path, "user.x", b"1")
    os.setxattr(fd, "user.x", b"2", os.XATTR_REPLACE)
    os.setxattr(path, "trusted.y", b"1" * 1000, follow_symlinks=False)
    refused(errno.EEXIST, os.setxattr, path, "user.x", b"3", os.XATTR_CREATE)
    os.removexattr(path, "user.x")
    os.removexattr(fd, "trusted.y")
    refused(errno.ENODATA, os.removexattr, path, "user.x")
    refused(errno.EOPNOTSUPP, os.setxattr, path, "nonsense.x", b"1")
    os.close(fd)
    yield [record("a", OPEN=1, ATTRIB=5, CLOSE_NOWRITE=1, size=0)]


@case
def access_lists(c):
    path = c.make("a", mode=0o600)
    yield
    name = "system.posix_acl_access"
    entries = [(USER_OBJ, 6, 0xFFFFFFFF), (USER, 4, 1000), (GROUP_OBJ, 0, 0xFFFFFFFF), (MASK, 4, 0xFFFFFFFF)]
    os.setxattr(path, name, acl(*entries, (OTHER, 0, 0xFFFFFFFF)))
    os.removexattr(path, name)
    refused(errno.EOPNOTSUPP, os.setxattr, path, name, b"nonsense")
    # The mask stays as the group's permission.
    yield [record("a", ATTRIB=2, size=0, FilePermissions="0640/-rw-r-----")]


@case
def capabilities_of_a_program(c):
    path = c.make("a", mode=0o755)
    yield
    subprocess.run(["setcap", "cap_net_raw+ep", path], check=True)
    yield one_attrib


def one_attrib(records):
    found = [entry for entry in records if "ATTRIB" in entry["FileEvents"]]
    assert [entry["FileEvents"]["ATTRIB"] for entry in found] == [1], found
    assert found[0]["Proc"] == "setcap", found


@case
def refused_changes(c):
    path = c.make("a", mode=0o666)
    yield

    def work():
        os.setgid(1000)
        os.setuid(1000)
        refused(errno.EPERM, os.chmod, path, 0o777)
        refused(errno.EPERM, os.chown, path, 1000, -1)
        refused(errno.EPERM, os.utime, path, ns=(1, 1))
        refused(errno.EPERM, os.setxattr, path, "trusted.x", b"1")
        refused(errno.ENOENT, os.chmod, c / "none", 0o777)

    children.run(work)
    yield []


@case
def times_of_access_and_change(c):
    path = c.make("a", 1)
    yield
    os.utime(path)
    os.utime(path, ns=(5_000_000_007, 6_000_000_008))
    fd = os.open(path, os.O_RDONLY)
    os.utime(fd, ns=(7_123_456_789, 1_234_567_891))
    os.close(fd)
    yield [
        record(
            "a",
            OPEN=1,
            ATTRIB=3,
            CLOSE_NOWRITE=1,
            size=1,
            FileModificationTimeChange=lambda change: change and change < -1e9,
            FileAccessTime="Thu, Jan 01 1970 00:00:07.123456789 UTC",
            FileModificationTime="Thu, Jan 01 1970 00:00:01.234567891 UTC",
        )
    ]


def set_back(c, name, before, after):
    """A file whose time of modification goes from `before` to `after`, both in nanoseconds."""
    os.utime(c / name, ns=(0, after))
    change = after - before
    shown = time.strftime("%a, %b %d %Y %H:%M:%S", time.gmtime(after // 10**9)) + f".{after % 10**9:09d} UTC"
    return record(
        name,
        ATTRIB=1,
        size=0,
        FileModificationTime=shown,
        FileModificationTimeChange=lambda seconds: abs(seconds * 1e9 - change) <= 1e-7 * abs(change) + 1,
    )


@case
def change_of_time_has_a_sign(c):
    second = 10**9
    steps = {
        "earlier": (1000 * second, 1),
        "later": (second, 1000 * second + 5),
        "a_little_earlier": (2 * second, 2 * second - 1),
        "a_little_later": (2 * second - 1, 2 * second),
        "before_1970": (0, -5 * second - 250_000_000),
        "far": (second, 2**32 * second),
        "half": (10 * second, 8 * second + second // 2),
    }
    for name, (before, _) in steps.items():
        os.utime(c.make(name), ns=(0, before))
    yield
    yield [set_back(c, name, before, after) for name, (before, after) in steps.items()]


@case
def link_count(c):
    yield
    create(c / "a")
    os.link(c / "a", c / "b")
    os.chmod(c / "a", 0o600)
    yield [
        record("a", CREATE=1, OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=1, change=1, written=1, FileInodeLinkCount=1),
        record("b", CREATE=1, size=1, FileInodeLinkCount=2, FileMode="hardlink"),
        record("a", ATTRIB=1, size=1, FileInodeLinkCount=2, FileMode="hardlink", FilePermissions="0600/-rw-------"),
    ]


run()
