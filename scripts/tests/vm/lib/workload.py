"""Small pieces of work that many VM tests are made of."""

import os
import pathlib
import shutil

# The record of a file that create() has made, with the text it has by default.
WRITTEN = {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1, "size": 1, "change": 1, "written": 1}
PROGRAMS = pathlib.Path("/run/programs")


def create(path, directory=None, text=b"x"):
    """A new file, made with one open and, unless there is nothing to write, one write. Returns its inode number."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644, dir_fd=directory)
    if text:
        os.write(fd, text)
    inode = os.fstat(fd).st_ino
    os.close(fd)
    return inode


def deep_directory(base, component, levels):
    """Makes `levels` directories in each other, deeper than a path may name; returns a descriptor of the last one."""
    fd = os.open(base, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(component, dir_fd=fd)
        below = os.open(component, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    return fd


def refused(error, call, *arguments, **keys):
    """The call fails with this error; without it the test has not done what it says."""
    try:
        call(*arguments, **keys)
    except OSError as raised:
        assert raised.errno == error, f"{call.__name__}{arguments}: {raised}"
        return
    raise AssertionError(f"{call.__name__}{arguments} did not fail")


def copied_shell(name):
    """A program of this name that does what a shell does, outside of what the cases look at."""
    PROGRAMS.mkdir(exist_ok=True)
    (PROGRAMS / name).unlink(missing_ok=True)
    return shutil.copy(os.path.realpath("/bin/sh"), PROGRAMS / name)
