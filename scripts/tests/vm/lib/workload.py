"""Small pieces of work that many VM tests are made of."""

import os


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
