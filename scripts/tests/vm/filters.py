#!/usr/bin/env python3
"""The default filter: kernel file systems are reported only when something is modified, all others always."""

import contextlib
import os
import pathlib

import calls
from cases import case, record, run
from kernelfiles import READABLE, no_pipes, of_this_process, read, real_path, use_pipe, write
from workload import create

NEW = {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}
GROUP = pathlib.Path("/sys/fs/cgroup/test")


@contextlib.contextmanager
def control_group():
    GROUP.mkdir()
    try:
        yield
    finally:
        GROUP.parent.joinpath("cgroup.procs").write_text(f"{os.getpid()}")
        GROUP.rmdir()


def only(c, path, *expected):
    """A judge: this process's records of a kernel file are these events, in order."""

    def judge(_):
        found = [events for name, events in of_this_process(c.seen) if name == real_path(path)]
        assert found == list(expected), found

    return judge


@case
def reads_are_not_reported(c):
    yield
    for path in READABLE:
        read(path)
    yield lambda _: none_of_them(c)


def none_of_them(c):
    paths = {real_path(path) for path in READABLE}
    found = [entry for entry in of_this_process(c.seen) if entry[0] in paths]
    assert not found, found


@case
def write_to_proc(c):
    path = pathlib.Path("/proc/sys/kernel/core_pattern")
    yield
    write(path, path.read_bytes())
    yield only(c, path, {"MODIFY": 1, "CLOSE_WRITE": 1})


@case
def write_to_tracefs(c):
    path = "/sys/kernel/tracing/tracing_on"
    yield
    write(path, b"1")
    write(path, b"1")
    yield only(c, path, *[{"MODIFY": 1, "CLOSE_WRITE": 1}] * 2)


@case
def write_to_sysfs(c):
    path = pathlib.Path("/sys/kernel/mm/ksm/run")
    yield
    write(path, path.read_bytes())
    yield only(c, path, {"MODIFY": 1, "CLOSE_WRITE": 1})


@case
def write_to_a_control_group(c):
    yield
    write(GROUP / "cgroup.procs", b"%d" % os.getpid())
    yield only(c, GROUP / "cgroup.procs", {"MODIFY": 1, "CLOSE_WRITE": 1})


@case
def opened_for_writing_and_not_modified(c):
    path = "/proc/self/oom_score_adj"
    yield
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
        os.close(os.open(path, flags))
    yield only(c, path)


@case
def file_in_memory(c):
    """A memfd has no directory; only the one that is written is shown."""
    yield
    fd = os.memfd_create("written")
    os.write(fd, b"x")
    os.pread(fd, 1, 0)
    os.close(fd)
    fd = os.memfd_create("only-made")
    os.pread(fd, 1, 0)
    os.close(fd)
    yield lambda _: one_in_memory(c)


def one_in_memory(c):
    found = [entry for entry in of_this_process(c.seen) if "memfd:" in entry[0]]
    assert [name for name, _ in found] == ["/memfd:written"] and found[0][1]["MODIFY"] == 1, found


@case
def pipes_and_sockets_are_no_files(c):
    yield
    use_pipe()
    yield lambda _: no_pipes(c.seen)


@case
def file_systems_in_memory(c):
    """What people mount to keep files in is no kernel file system."""
    for kind in ("ramfs", "tmpfs"):
        (c / kind).mkdir()
        calls.mount(kind, c / kind, kind)
    yield
    for place in (c / "ramfs", c / "tmpfs"):
        create(place / "kept")
        calls.umount(place)
    yield [record("kept", path=f"{kind}/", **NEW, size=1, change=1, written=1) for kind in ("ramfs", "tmpfs")]


@case
def usual_places_in_memory(c):
    places = [pathlib.Path(path) for path in ("/dev/shm", "/run", "/tmp", "/dev")]
    yield
    for place in places:
        create(place / "kept-in-memory")
    yield lambda _: kept(c, places)


def kept(c, places):
    found = [(entry["FilePath"], entry["FileEvents"]) for entry in c.seen if entry["File"] == "kept-in-memory"]
    assert found == [(f"{place}/", NEW) for place in places], found


run(control_group)
