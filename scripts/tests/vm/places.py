#!/usr/bin/env python3
"""Where a file is: bind mounts, chroot, mounts on mounts; always as the host's root sees it."""

import os
import stat

import calls
import children
from cases import case, record, run
from workload import WRITTEN, create

MS_BIND, MS_MOVE = 0x1000, 0x2000
MNT_DETACH = 2
READ = {"OPEN": 1, "ACCESS": 1, "CLOSE_NOWRITE": 1, "size": 1, "read": 1}


def read(path, directory=None):
    fd = os.open(path, os.O_RDONLY, dir_fd=directory)
    os.read(fd, 1)
    os.close(fd)


def directories(c, *names):
    for name in names:
        (c / name).mkdir(parents=True)


@case
def bind_mount(c):
    """The name is the one through which the file was reached."""
    directories(c, "a", "b")
    calls.mount(c / "a", c / "b", None, MS_BIND)
    yield
    create(c / "b" / "f")
    read(c / "a" / "f")
    os.rename(c / "b" / "f", c / "b" / "g")
    os.rename(c / "a" / "g", c / "a" / "h")
    os.unlink(c / "b" / "h")
    calls.umount(c / "b")
    moved = {"MOVED_FROM": 1, "MOVED_TO": 1, "size": 1}
    yield [
        record("f", path="b/", **WRITTEN),
        record("f", path="a/", **READ),
        record("g", path="b/", FileOrigin="f", **moved),
        record("h", path="a/", FileOrigin="g", **moved),
        record("h", path="b/", DELETE=1, size=1),
    ]


@case
def attributes_and_links_through_a_bind_mount(c):
    directories(c, "a", "b")
    for name in ("mode", "owner", "times", "cut"):
        c.make(f"a/{name}", 1)
    calls.mount(c / "a", c / "b", None, MS_BIND)
    yield
    os.chmod(c / "b" / "mode", 0o600)
    os.chown(c / "b" / "owner", 1, 1)
    os.utime(c / "b" / "times", ns=(1, 1))
    os.truncate(c / "b" / "cut", 0)
    os.link(c / "b" / "mode", c / "b" / "link")
    os.symlink("x", c / "b" / "symlink")
    calls.umount(c / "b")
    yield [
        record("owner", path="b/", ATTRIB=1, size=1),
        record("times", path="b/", ATTRIB=1, size=1),
        record("cut", path="b/", MODIFY=1, size=0, change=-1),
        # The session of the first change goes on with the link.
        record("link", path="b/", ATTRIB=1, CREATE=1, size=1),
        record("symlink", path="b/", CREATE=1, size=1),
    ]


@case
def node_through_a_bind_mount(c):
    """The kernel does not tell the mount: any that shows the file is right."""
    directories(c, "a", "b")
    calls.mount(c / "a", c / "b", None, MS_BIND)
    yield
    os.mknod(c / "b" / "f", stat.S_IFREG | 0o600)
    calls.umount(c / "b")
    yield lambda records: one_of_two_places(c, records)


def one_of_two_places(c, records):
    (found,) = records
    assert found["FilePath"] in (f"{c.directory}/a/", f"{c.directory}/b/") and found["File"] == "f", found
    assert found["FileEvents"] == {"CREATE": 1}, found


@case
def bind_mount_of_a_file(c):
    c.make("a", 1)
    c.make("b", 22)
    calls.mount(c / "a", c / "b", None, MS_BIND)
    yield
    read(c / "b")
    os.chmod(c / "b", 0o600)
    calls.umount(c / "b")
    yield [record("b", **READ), record("b", ATTRIB=1, size=1)]


@case
def mounts_on_mounts(c):
    directories(c, "m", "a")
    calls.mount("tmpfs", c / "m", "tmpfs")
    directories(c, "m/n/o")
    calls.mount(c / "a", c / "m" / "n", None, MS_BIND)
    directories(c, "m/n/p")
    calls.mount("tmpfs", c / "m" / "n" / "p", "tmpfs")
    calls.mount("tmpfs", c / "m" / "n" / "p", "tmpfs")
    yield
    create(c / "m" / "f")
    create(c / "m" / "n" / "f")
    create(c / "m" / "n" / "p" / "f")
    for name in ("m/n/p", "m/n/p", "m/n", "m"):
        calls.umount(c / name)
    yield [record("f", path=path, **WRITTEN) for path in ("m/", "m/n/", "m/n/p/")]


@case
def forty_mounts_deep(c):
    path = c.directory
    places = []
    for _ in range(40):
        path = path / "m"
        path.mkdir()
        calls.mount("tmpfs", path, "tmpfs")
        places.append(path)
    yield
    create(path / "f")
    for place in reversed(places):
        calls.umount(place)
    yield [record("f", path="m/" * 40, **WRITTEN)]


@case
def mount_that_is_moved(c):
    directories(c, "a", "b")
    calls.mount("tmpfs", c / "a", "tmpfs")
    yield
    create(c / "a" / "f")
    calls.mount(c / "a", c / "b", None, MS_MOVE)
    read(c / "b" / "f")
    calls.umount(c / "b")
    yield [record("f", path="a/", **WRITTEN), record("f", path="b/", **READ)]


@case
def detached_mount(c):
    """A file system that is mounted nowhere has no place on the host: its own root has to do."""
    directories(c, "m")
    yield
    root = calls.new_mount(b"tmpfs")
    create("a-file-in-no-place", directory=root)
    calls.move_mount(root, c / "m")
    read("a-file-in-no-place", directory=root)
    os.close(root)
    calls.umount(c / "m")
    yield lambda records: no_place_then_one(c, records)


def no_place_then_one(c, records):
    mine = [entry for entry in c.seen if entry["File"] == "a-file-in-no-place"]
    assert [entry["FilePath"] for entry in mine] == ["/", f"{c.directory}/m/"], mine
    assert records == mine[1:], records


@case
def copy_of_a_mount(c):
    """A detached copy shows a file that the host has too: its place there."""
    directories(c, "a")
    yield
    tree = calls.open_tree(c / "a")
    create("f", directory=tree)
    os.close(tree)
    yield [record("f", path="a/", **WRITTEN)]


@case
def mount_that_is_taken_away(c):
    """Unmounted while somebody is still in it."""
    directories(c, "m")
    calls.mount("tmpfs", c / "m", "tmpfs")
    yield
    root = os.open(c / "m", os.O_RDONLY)
    calls.umount(c / "m", MNT_DETACH)
    create("a-file-without-a-place", directory=root)
    os.close(root)
    yield lambda records: without_a_place(c, records)


def without_a_place(c, records):
    (found,) = [entry for entry in c.seen if entry["File"] == "a-file-without-a-place"]
    assert found["FilePath"] == "/" and found["FileEvents"] == {key: 1 for key in found["FileEvents"]}, found
    assert not records, records


@case
def other_ways_to_the_same_place(c):
    directories(c, "a/b")
    os.symlink(c / "a", c / "link")
    c.make("a/b/f", 1)
    yield
    inside = os.open(c / "a" / "b", os.O_PATH)
    for path in (
        c / "link" / "b" / "f",
        c / "a" / ".." / "a" / "b" / "." / "f",
        f"/proc/self/root{c.directory}//a/b/f",
        f"/proc/self/fd/{inside}/f",
    ):
        read(path)
    read("f", directory=inside)
    os.close(inside)
    yield [record("f", path="a/b/", **READ)] * 5


@case
def descriptor_opened_again(c):
    c.make("f", 1)
    yield
    fd = os.open(c / "f", os.O_PATH)
    read(f"/proc/self/fd/{fd}")
    os.close(fd)
    yield [record("f", **READ)]


@case
def changed_root(c):
    directories(c, "root/d")
    yield

    def work():
        os.chroot(c / "root")
        create("/d/f")
        os.rename("/d/f", "/g")
        os.symlink("/g", "/s")

    pid = children.run(work)
    yield [
        record("f", path="root/d/", pid=pid, **WRITTEN),
        record("g", path="root/", pid=pid, MOVED_FROM=1, MOVED_TO=1, size=1, FileOrigin=f"{c.directory}/root/d/f"),
        record("s", path="root/", pid=pid, CREATE=1, size=2),
    ]


run()
