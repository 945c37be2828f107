#!/usr/bin/env python3
"""Overlayfs: one record for what a process does, by the path it used; none for what overlayfs does to its layers."""

import errno
import os
import subprocess

import calls
from cases import case, record, run
from mounts import overlay
from uring import Entry, Op, Ring


def below(of, **files):
    """Files of the lower layer: name -> size."""
    (of / "lower").mkdir()
    for name, size in files.items():
        of.make(f"lower/{name}", size)


def merged(name, **rest):
    return record(name, path="merged/", **rest)


@case
def read_from_below(c):
    below(c, a=10)
    with overlay(c.directory) as (_, _, view):
        yield
        with open(view / "a", "rb", buffering=0) as file:
            file.read(4)
            os.pread(file.fileno(), 4, 8)
        yield [merged("a", OPEN=1, ACCESS=2, CLOSE_NOWRITE=1, size=10, read=6)]


@case
def create_and_write(c):
    with overlay(c.directory) as (_, _, view):
        yield
        fd = os.open(view / "a", os.O_CREAT | os.O_RDWR)
        os.write(fd, b"12345")
        os.pread(fd, 10, 1)
        os.close(fd)
        yield [merged("a", CREATE=1, OPEN=1, MODIFY=1, ACCESS=1, CLOSE_WRITE=1, size=5, change=5, written=5, read=4)]


@case
def write_to_the_upper_layer(c):
    with overlay(c.directory) as (_, _, view):
        (view / "a").write_bytes(b"12345")
        yield
        with open(view / "a", "ab", buffering=0) as file:
            file.write(b"678")
        yield [merged("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=8, change=3, written=3)]


@case
def write_copies_up(c):
    below(c, a=10)
    with overlay(c.directory) as (_, upper, view):
        yield
        with open(view / "a", "ab", buffering=0) as file:
            file.write(b"678")
        assert (upper / "a").exists()
        yield [merged("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=13, change=3, written=3)]


@case
def open_to_write_copies_up(c):
    below(c, a=10)
    with overlay(c.directory) as (_, upper, view):
        yield
        os.close(os.open(view / "a", os.O_RDWR))
        assert (upper / "a").exists()
        yield [merged("a", OPEN=1, CLOSE_WRITE=1, size=10)]


@case
def open_since_before_the_copy(c):
    below(c, a=10)
    with overlay(c.directory) as (_, _, view):
        yield
        reader = os.open(view / "a", os.O_RDONLY)
        writer = os.open(view / "a", os.O_WRONLY)
        os.pwrite(writer, b"1234", 8)
        os.pread(reader, 5, 0)
        os.close(writer)
        os.close(reader)
        closes = {"CLOSE_WRITE": 1, "CLOSE_NOWRITE": 1}
        yield [merged("a", OPEN=2, MODIFY=1, ACCESS=1, size=12, change=2, written=4, read=5, **closes)]


@case
def truncate_by_opening(c):
    below(c, a=10)
    with overlay(c.directory) as (_, _, view):
        yield
        os.close(os.open(view / "a", os.O_WRONLY | os.O_TRUNC))
        yield [merged("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=0, change=-10)]


@case
def truncate_by_descriptor(c):
    below(c, a=10)
    with overlay(c.directory) as (_, _, view):
        yield
        fd = os.open(view / "a", os.O_RDWR)
        os.ftruncate(fd, 4)
        os.ftruncate(fd, 400)
        os.close(fd)
        yield [merged("a", OPEN=1, MODIFY=2, CLOSE_WRITE=1, size=400, change=390)]


@case
def truncate_by_path(c):
    below(c, a=10)
    with overlay(c.directory) as (_, _, view):
        yield
        os.truncate(view / "a", 4)
        os.close(os.open(view / "a", os.O_RDONLY))
        yield [merged("a", MODIFY=1, OPEN=1, CLOSE_NOWRITE=1, size=4, change=-6)]


@case
def unlink_above(c):
    with overlay(c.directory) as (_, _, view):
        (view / "a").write_bytes(b"12345")
        yield
        os.unlink(view / "a")
        yield [merged("a", DELETE=1, size=5)]


@case
def unlink_below_and_make_anew(c):
    below(c, a=10)
    with overlay(c.directory) as (_, _, view):
        yield
        os.unlink(view / "a")
        os.close(os.open(view / "a", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        yield [merged("a", DELETE=1, size=10), merged("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0)]


@case
def rename_above(c):
    with overlay(c.directory) as (_, _, view):
        (view / "a").write_bytes(b"12345")
        yield
        os.rename(view / "a", view / "b")
        yield [merged("b", MOVED_FROM=1, MOVED_TO=1, size=5, FileOrigin="a")]


@case
def rename_below(c):
    below(c, a=10)
    with overlay(c.directory) as (_, _, view):
        yield
        os.rename(view / "a", view / "b")
        yield [merged("b", MOVED_FROM=1, MOVED_TO=1, size=10, FileOrigin="a")]


@case
def rename_over_one_below(c):
    below(c, a=10, b=20)
    with overlay(c.directory) as (_, _, view):
        yield
        os.rename(view / "a", view / "b")
        yield [
            merged("b", DELETE=1, size=20),
            merged("b", MOVED_FROM=1, MOVED_TO=1, size=10, FileOrigin="a"),
        ]


@case
def links(c):
    below(c, a=10)
    with overlay(c.directory) as (_, _, view):
        yield
        os.link(view / "a", view / "hard")
        os.symlink("target", view / "soft")
        yield [
            merged("hard", CREATE=1, size=10, FileInodeLinkCount=2),
            merged("soft", CREATE=1, size=6, FileMode="symlink"),
        ]


@case
def attributes(c):
    below(c, a=10, b=10, c=10, d=10)
    with overlay(c.directory) as (_, _, view):
        yield
        for name, change in {
            "a": lambda path: os.chmod(path, 0o600),
            "b": lambda path: os.chown(path, 10, 20),
            "c": lambda path: os.utime(path, (1, 2)),
            "d": lambda path: os.setxattr(path, "trusted.x", b"1"),
        }.items():
            change(view / name)
        yield [merged(name, ATTRIB=1, size=10) for name in "abcd"]


@case
def without_a_name_at_first(c):
    with overlay(c.directory) as (_, _, view):
        yield
        try:
            fd = os.open(view, os.O_TMPFILE | os.O_RDWR)
        except OSError as error:
            assert error.errno == errno.EOPNOTSUPP, error
            c.lacks("O_TMPFILE on overlayfs", error.errno)
            yield []
            return
        os.write(fd, b"12")
        calls.link_descriptor(fd, view / "a")
        os.close(fd)
        yield [merged("a", CREATE=1, OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=2, change=2, written=2)]


@case
def run_a_program(c):
    (c / "lower").mkdir()
    content = open("/bin/true", "rb").read()
    (c / "lower/program").write_bytes(content)
    (c / "lower/program").chmod(0o755)
    with overlay(c.directory) as (_, _, view):
        yield
        program = subprocess.Popen([view / "program"])
        assert program.wait() == 0
        yield lambda records: opened_to_run(records, c, program.pid)


def opened_to_run(records, c, pid):
    """The program is opened once, by its name in the overlay."""
    assert {entry["FilePath"] for entry in records} == {f"{c.directory}/merged/"}, records
    assert {entry["ProcPID"] for entry in records} == {pid}, records
    assert sum(entry["FileEvents"].get("OPEN_EXEC", 0) for entry in records) == 1, records
    assert sum(entry["FileEvents"].get("CLOSE_NOWRITE", 0) for entry in records) == 1, records


@case
def transfers(c):
    below(c, a=100)
    with overlay(c.directory) as (_, _, view):
        yield
        source, target = os.open(view / "a", os.O_RDONLY), os.open(view / "b", os.O_CREAT | os.O_RDWR)
        assert os.sendfile(target, source, 0, 100) == 100
        assert os.copy_file_range(source, target, 100, 0, 100) == 100
        os.writev(target, [b"1", b"2"])
        ends = os.pipe()
        assert os.splice(source, ends[1], 50) == 50
        assert os.splice(ends[0], target, 50, offset_dst=200) == 50
        calls.fallocate(target, 0, 0, 300)
        for end in (source, target, *ends):
            os.close(end)
        yield [
            merged("a", OPEN=1, ACCESS=3, CLOSE_NOWRITE=1, size=100, read=250),
            merged("b", CREATE=1, OPEN=1, MODIFY=5, CLOSE_WRITE=1, size=300, change=300, written=252),
        ]


@case
def by_io_uring(c):
    below(c, a=100)
    with overlay(c.directory) as (_, _, view):
        yield
        ring = Ring()
        (fd,) = ring.run(Entry(Op.OPENAT, calls.AT_FDCWD, view / "a", op_flags=os.O_RDWR))
        (read,) = ring.run(Entry(Op.READ, fd, calls.buffer(10)))
        (written,) = ring.run(Entry(Op.WRITE, fd, calls.buffer(b"12345"), offset=98))
        assert (read, written) == (10, 5)
        os.close(fd)
        ring.close()
        yield [merged("a", OPEN=1, ACCESS=1, MODIFY=1, CLOSE_WRITE=1, size=103, change=3, read=10, written=5)]


@case
def by_aio(c):
    below(c, a=100)
    with overlay(c.directory) as (_, _, view):
        yield
        fd = os.open(view / "a", os.O_RDWR)
        context = calls.Aio()
        context.submit((calls.Aio.READ, fd, calls.buffer(10), 0), (calls.Aio.WRITE, fd, calls.buffer(b"12345"), 98))
        assert sorted(context.results(2)) == [5, 10]
        os.close(fd)
        context.close()
        yield [merged("a", OPEN=1, ACCESS=1, MODIFY=1, CLOSE_WRITE=1, size=103, change=3, read=10, written=5)]


@case
def a_layer_by_its_own_path(c):
    with overlay(c.directory) as (_, upper, view):
        (view / "a").write_bytes(b"12345")
        yield
        with open(upper / "a", "rb", buffering=0) as file:
            file.read(10)
        yield [record("a", path="upper/", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=5, read=5)]


@case
def in_a_directory_from_below(c):
    (c / "lower/d/e").mkdir(parents=True)
    c.make("lower/d/e/a", 3)
    with overlay(c.directory) as (_, _, view):
        yield
        with open(view / "d/e/a", "ab", buffering=0) as file:
            file.write(b"4")
        os.close(os.open(view / "d/e/new", os.O_CREAT | os.O_WRONLY))
        yield [
            record("a", path="merged/d/e/", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=4, change=1, written=1),
            record("new", path="merged/d/e/", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0),
        ]


run()
