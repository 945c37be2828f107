#!/usr/bin/env python3
"""What is not reported: reads of kernel file systems, kflowd itself, and the pipeline that kflowd writes into."""

import contextlib
import os
import pathlib
import signal

import calls
from kflowd import Kflowd, find
from tests import main, test
from workload import create

ARGS = ("-o", "json-min", "-x")
NEW = {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}
# Regular files that every kernel has; /sys/kernel/tracing is tracefs, /sys/kernel/debug debugfs.
READABLE = (
    "/proc/self/status", "/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/uevent_seqnum",
    "/sys/fs/cgroup/cgroup.controllers", "/sys/kernel/tracing/available_tracers",
)


def read(path):
    with open(path, "rb", buffering=0) as file:
        assert file.read(100) is not None


def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, text)
    os.close(fd)


def mine(records):
    return find(records, InfoMonitor="filesystem", ProcPID=os.getpid())


def kernel_files(records):
    """This process's records of files below /proc and /sys: full path and events."""
    return [
        (record["FilePath"] + record["File"], record["FileEvents"])
        for record in mine(records)
        if record["FilePath"].startswith(("/proc/", "/sys/"))
    ]


@contextlib.contextmanager
def control_group():
    group = pathlib.Path("/sys/fs/cgroup/test")
    group.mkdir()
    try:
        yield group
    finally:
        pathlib.Path("/sys/fs/cgroup/cgroup.procs").write_text(f"{os.getpid()}")
        group.rmdir()


def in_memory(name):
    """A file without a file system; a pipe and a socket are none at all."""
    fd = os.memfd_create(name)
    os.write(fd, b"x")
    os.pread(fd, 1, 0)
    os.close(fd)


@test
def kernel_files_only_when_modified(directory):
    # Every write changes nothing: the value is the one that is there.
    nothing = {"/proc/self/oom_score_adj": b"0", "/sys/kernel/tracing/tracing_on": b"1"}
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern")
    with control_group() as group, Kflowd(args=ARGS) as k:
        for path in READABLE:
            read(path)
        for path, text in nothing.items():
            write(path, text)
        write(pattern, pattern.read_bytes())
        write(group / "cgroup.procs", b"%d" % os.getpid())
        in_memory("written")
        os.close(os.memfd_create("only-made"))
        records = k.stop().records
    modified = {"MODIFY": 1, "CLOSE_WRITE": 1}
    paths = [f"/proc/{os.getpid()}/oom_score_adj", "/sys/kernel/tracing/tracing_on", str(pattern), f"{group}/cgroup.procs"]
    assert kernel_files(records) == [(path, modified) for path in paths], kernel_files(records)
    (memory,) = [record for record in mine(records) if record["File"].startswith("memfd:")]
    assert memory["File"] == "memfd:written" and memory["FileEvents"]["MODIFY"] == 1, memory


@test
def opened_for_writing_is_not_modified(directory):
    with Kflowd(args=ARGS) as k:
        for flags in (os.O_WRONLY, os.O_WRONLY | os.O_TRUNC, os.O_RDWR):
            os.close(os.open("/proc/self/oom_score_adj", flags))
        records = k.stop().records
    assert kernel_files(records) == [], kernel_files(records)


@test
def all_files_are_shown_when_asked_for(directory):
    with Kflowd(args=(*ARGS, "--all-files")) as k:
        for path in READABLE:
            read(path)
        read_end, write_end = os.pipe()
        os.write(write_end, b"x")
        os.read(read_end, 1)
        records = k.stop().records
    expected = [path.replace("self", str(os.getpid())) for path in READABLE]
    events = {"OPEN": 1, "ACCESS": 1, "CLOSE_NOWRITE": 1}
    shown = [entry for entry in kernel_files(records) if entry[0] in expected]
    assert shown == [(path, events) for path in expected], shown
    assert not [record for record in records if record.get("File", "").startswith("pipe")]


@test
def file_systems_in_memory_are_shown(directory):
    """What people mount to keep files in is no kernel file system."""
    places = [pathlib.Path(path) for path in ("/dev/shm", "/run", "/tmp", "/dev")]
    for kind in ("ramfs", "tmpfs"):
        (directory / kind).mkdir()
        calls.mount(kind, directory / kind, kind)
        places.append(directory / kind)
    with Kflowd(args=ARGS) as k:
        for place in places:
            create(place / "kept")
        records = find(k.stop().records, File="kept")
    for kind in ("ramfs", "tmpfs"):
        calls.umount(directory / kind)
    assert [(record["FilePath"], record["FileEvents"]) for record in records] == [(f"{place}/", NEW) for place in places]


@test
def pipeline_does_not_feed_itself(directory):
    """`kflowd | tee file` as a shell's job: what its other members do is not reported, or there would be no end."""
    script = f"set -m; (echo $BASHPID >{directory}/pid; exec kflowd-probe \"$@\") | tee {directory}/out"
    with Kflowd(args=ARGS, command=("bash", "-c", script, "bash")) as k:
        create(directory / "seen")
        k.wait_for(File="seen")
        os.kill(int((directory / "pid").read_text()), signal.SIGTERM)
        assert k.process.wait(60) == 0, k.stderr
        records = k.stop().records
    assert find(records, File="seen", FileEvents=NEW), records
    assert not find(records, File="out"), find(records, File="out")
    assert len((directory / "out").read_bytes().splitlines()) == len(records)


main()
