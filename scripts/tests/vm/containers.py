#!/usr/bin/env python3
"""Files of other mount namespaces: the place on the host where there is one, else the place in that namespace."""

import os

import calls
import children
from cases import case, record, run
from workload import WRITTEN, create

MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = 155


def own_mounts():
    """A mount namespace of our own, whose mounts nobody else gets."""
    calls.unshare(calls.CLONE_NEWNS)
    calls.mount(None, "/", None, MS_REC | MS_PRIVATE)


def change_root(root):
    """Makes a mount the root of the namespace and takes the old one away."""
    (root / "old").mkdir()
    calls.checked(calls.libc.syscall(SYS_PIVOT_ROOT, os.fsencode(root), os.fsencode(root / "old")))
    os.chdir("/")
    calls.umount("/old", MNT_DETACH)
    os.rmdir("/old")


def directories(c, *names):
    for name in names:
        (c / name).mkdir(parents=True)


def mount_overlay(c):
    """An overlay with one directory and one file below; returns where it is."""
    options = f"lowerdir={c / 'lower'},upperdir={c / 'upper'},workdir={c / 'work'}"
    calls.mount("overlay", c / "root", "overlay", 0, options)
    return c / "root"


def append(path):
    with open(path, "ab", buffering=0) as file:
        file.write(b"more")


def of_process(c, pid):
    """All records of a process, wherever its files are, but for what mount(2) of an overlay tries out in workdir."""
    tried = f"{c.directory}/work/"
    return [entry for entry in c.seen if entry["ProcPID"] == pid and not entry["FilePath"].startswith(tried)]


def shown(entries):
    """What a judge looks at: full path and events."""
    return [(entry["FilePath"] + entry["File"], entry["FileEvents"]) for entry in entries]


NEW = {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}
MOVED = {"MOVED_FROM": 1, "MOVED_TO": 1}


@case
def copy_of_the_host(c):
    """The namespace has the mounts of the host: so have the files."""
    yield

    def work():
        own_mounts()
        create(c / "f")
        os.rename(c / "f", c / "g")
        os.unlink(c / "g")

    pid = children.run(work)
    yield [
        record("f", pid=pid, **WRITTEN),
        record("g", pid=pid, MOVED_FROM=1, MOVED_TO=1, size=1, FileOrigin="f"),
        record("g", pid=pid, DELETE=1, size=1),
    ]


@case
def bind_mount_of_its_own(c):
    """What only the namespace shows there, the host has elsewhere."""
    directories(c, "a", "b")
    yield

    def work():
        own_mounts()
        calls.mount(c / "a", c / "b", None, MS_BIND)
        create(c / "b" / "f")
        os.rename(c / "b" / "f", c / "b" / "g")

    pid = children.run(work)
    yield [
        record("f", path="a/", pid=pid, **WRITTEN),
        record("g", path="a/", pid=pid, MOVED_FROM=1, MOVED_TO=1, size=1, FileOrigin="f"),
    ]


@case
def file_system_of_its_own(c):
    directories(c, "m")
    yield

    def work():
        own_mounts()
        calls.mount("tmpfs", c / "m", "tmpfs")
        create(c / "m" / "f")
        os.link(c / "m" / "f", c / "m" / "g")
        os.symlink("x", c / "m" / "s")
        os.rename(c / "m" / "g", c / "m" / "h")
        os.unlink(c / "m" / "h")

    pid = children.run(work)
    yield [
        record("f", path="m/", pid=pid, FileDevice=lambda text: text.endswith("h:::"), **WRITTEN),
        record("g", path="m/", pid=pid, CREATE=1, size=1, FileInodeLinkCount=2),
        record("s", path="m/", pid=pid, CREATE=1, size=1, FileMode="symlink"),
        record("h", path="m/", pid=pid, MOVED_FROM=1, MOVED_TO=1, size=1, FileOrigin="g"),
        record("h", path="m/", pid=pid, DELETE=1, size=1, FileInodeLinkCount=2),
    ]


@case
def root_in_memory(c):
    """A root of its own that the host does not have."""
    directories(c, "root")
    yield

    def work():
        own_mounts()
        calls.mount("tmpfs", c / "root", "tmpfs")
        change_root(c / "root")
        os.mkdir("/d")
        create("/d/f")
        create("/top")
        os.rename("/d/f", "/d/g")
        os.unlink("/d/g")

    pid = children.run(work)
    yield lambda records: root_is_the_container_s(c, records, pid)


def root_is_the_container_s(c, records, pid):
    assert shown(of_process(c, pid)) == [("/d/f", NEW), ("/top", NEW), ("/d/g", MOVED), ("/d/g", {"DELETE": 1})]
    assert not records, records


@case
def root_in_a_directory_of_the_host(c):
    directories(c, "root/d")
    yield

    def work():
        own_mounts()
        calls.mount(c / "root", c / "root", None, MS_BIND)
        change_root(c / "root")
        create("/d/f")
        create("/top")

    pid = children.run(work)
    yield [record("f", path="root/d/", pid=pid, **WRITTEN), record("top", path="root/", pid=pid, **WRITTEN)]


@case
def overlay_of_its_own(c):
    """The layers are the host's, the overlay is not: one record each, named as the container has it."""
    directories(c, "lower/etc", "upper", "work", "root")
    c.make("lower/etc/conf", 1)
    yield

    def work():
        own_mounts()
        mount_overlay(c)
        change_root(c / "root")
        append("/etc/conf")
        create("/etc/new")
        os.rename("/etc/new", "/newer")
        os.unlink("/etc/conf")

    pid = children.run(work)
    yield lambda records: overlay_is_the_container_s(c, records, pid)


def overlay_is_the_container_s(c, records, pid):
    changed = {"OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}
    assert shown(of_process(c, pid)) == [
        ("/etc/conf", changed),
        ("/etc/new", NEW),
        ("/newer", MOVED),
        ("/etc/conf", {"DELETE": 1}),
    ], shown(of_process(c, pid))
    assert all(entry["FilePath"].startswith(f"{c.directory}/work/") for entry in records), records
    conf = of_process(c, pid)[0]
    assert (conf["FileSize"], conf["FileSizeChange"], conf["FileBytesWritten"]) == (5, 4, 4), conf


@case
def overlay_of_the_host(c):
    """As container engines do it: the host has the overlay mounted, and so a place for its files."""
    directories(c, "lower/etc", "upper", "work", "root")
    c.make("lower/etc/conf", 1)
    mount_overlay(c)
    yield

    def work():
        own_mounts()
        calls.mount(c / "root", c / "root", None, MS_BIND)
        change_root(c / "root")
        append("/etc/conf")
        create("/etc/new")

    pid = children.run(work)
    calls.umount(c / "root")
    yield [
        record("conf", path="root/etc/", pid=pid, OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=5, change=4, written=4),
        record("new", path="root/etc/", pid=pid, **WRITTEN),
    ]


class Container:
    """A process in a namespace with a file system of its own, which waits until it is ended."""

    def __init__(self, place):
        self.ready, self.over = children.Gate(), children.Gate()
        self.pid = children.start(lambda: self._live(place))
        self.ready.wait()

    def _live(self, place):
        own_mounts()
        calls.mount("tmpfs", place, "tmpfs")
        self.ready.open()
        self.over.wait()

    def end(self):
        self.over.open()
        children.finish(self.pid)


@case
def reached_from_the_host(c):
    """Through the container's root in /proc, and by joining its namespace."""
    directories(c, "m")
    container = Container(c / "m")
    yield
    create(f"/proc/{container.pid}/root{c.directory}/m/f")

    def joined():
        fd = os.open(f"/proc/{container.pid}/ns/mnt", os.O_RDONLY)
        calls.setns(fd)
        create(c / "m" / "g")

    pid = children.run(joined)
    container.end()
    yield [record("f", path="m/", **WRITTEN), record("g", path="m/", pid=pid, **WRITTEN)]


@case
def container_older_than_kflowd(c):
    directories(c, "root")
    gate = children.Gate()

    def work():
        own_mounts()
        calls.mount("tmpfs", c / "root", "tmpfs")
        change_root(c / "root")
        gate.wait()
        create("/f")

    pid = children.start(work)
    yield
    gate.open()
    children.finish(pid)
    yield lambda records: old_container(c, records, pid)


def old_container(c, records, pid):
    assert shown(of_process(c, pid)) == [("/f", NEW)], of_process(c, pid)
    assert not records, records


run()
