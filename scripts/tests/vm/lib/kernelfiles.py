"""Work on files of the kernel: those that every guest has, and what a process's records say of them."""

import os

from kflowd import find

# Regular files that every kernel has; /sys/kernel/tracing is tracefs.
READABLE = (
    "/proc/self/status",
    "/proc/sys/kernel/ostype",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/uevent_seqnum",
    "/sys/fs/cgroup/cgroup.controllers",
    "/sys/kernel/tracing/available_tracers",
)


def read(path):
    fd = os.open(path, os.O_RDONLY)
    assert os.read(fd, 100)
    os.close(fd)


def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, text)
    os.close(fd)


def of_this_process(records):
    """Full path and events of this process's records of kernel files, in order."""
    return [
        (record["FilePath"] + record["File"], record["FileEvents"])
        for record in find(records, ProcPID=os.getpid())
        if record["FilePath"].startswith(("/proc/", "/sys/")) or record["File"].startswith("memfd:")
    ]


def real_path(path):
    """What `self` stands for."""
    return str(path).replace("/self/", f"/{os.getpid()}/")


def use_pipe():
    """Bytes through a pipe."""
    out, into = os.pipe()
    os.write(into, b"x")
    os.read(out, 1)
    os.close(out)
    os.close(into)


def no_pipes(records):
    """None of the records is of a pipe or socket."""
    found = [record for record in records if record["File"].startswith(("pipe:", "socket:")) or not record["File"]]
    assert not found, found
