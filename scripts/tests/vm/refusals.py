#!/usr/bin/env python3
"""What fails is no event: every call here is refused, and the records show only what was done beside it."""

import errno
import os
import resource
import signal
import struct

import calls
import children
from cases import case, record, run

FS_IOC_SETFLAGS, IMMUTABLE = 0x40086602, 0x10
BAD_ADDRESS = 8


def refuses(error, function, *arguments, **named):
    """The call fails with this errno."""
    try:
        function(*arguments, **named)
    except OSError as refused:
        names = errno.errorcode[refused.errno], errno.errorcode[error]
        assert refused.errno == error, f"{function.__name__} fails with {names[0]}, expected {names[1]}"
        return
    raise AssertionError(f"{function.__name__}{arguments} succeeded")


def as_other(work):
    """Runs the work as a user who owns nothing here."""
    os.chmod("/root", 0o755)

    def become():
        os.setgroups([])
        os.setgid(1000)
        os.setuid(1000)
        work()

    return children.run(become)


@case
def opens(c):
    c.make("a", 1)
    (c / "link").symlink_to("a")
    (c / "loop").symlink_to("loop")
    os.mkfifo(c / "fifo")
    yield
    refuses(errno.ENOENT, os.open, c / "missing", os.O_RDONLY)
    refuses(errno.ENOENT, os.open, c / "missing/a", os.O_CREAT | os.O_WRONLY)
    refuses(errno.ENOTDIR, os.open, c / "a/b", os.O_CREAT | os.O_WRONLY)
    refuses(errno.EEXIST, os.open, c / "a", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    refuses(errno.EEXIST, os.open, c / "link", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    refuses(errno.ELOOP, os.open, c / "link", os.O_RDONLY | os.O_NOFOLLOW)
    refuses(errno.ELOOP, os.open, c / "loop", os.O_RDONLY)
    refuses(errno.EISDIR, os.open, c.directory, os.O_WRONLY)
    refuses(errno.ENOTDIR, os.open, c / "a", os.O_RDONLY | os.O_DIRECTORY)
    refuses(errno.ENAMETOOLONG, os.open, c / ("x" * 256), os.O_CREAT | os.O_WRONLY)
    refuses(errno.ENXIO, os.open, c / "fifo", os.O_WRONLY | os.O_NONBLOCK)
    refuses(errno.EINVAL, os.open, c.directory, os.O_TMPFILE & ~os.O_RDWR | os.O_RDONLY)
    yield []


@case
def opens_by_openat2(c):
    c.make("a", 1)
    (c / "d").mkdir()
    (c / "link").symlink_to("a")
    (c / "d/up").symlink_to("../a")
    yield
    directory = os.open(c / "d", os.O_PATH)
    no_links, beneath, cached = 4, 8, 0x20
    refuses(errno.ELOOP, calls.openat2, c / "link", os.O_RDONLY, 0, no_links)
    refuses(errno.EXDEV, calls.openat2, "up", os.O_RDONLY, 0, beneath, directory)
    refuses(errno.EXDEV, calls.openat2, "../a", os.O_RDONLY, 0, beneath, directory)
    refuses(errno.EINVAL, calls.openat2, c / "a", os.O_RDONLY, 0o600)
    refuses(errno.EINVAL, calls.openat2, c / "a", os.O_RDONLY, 0, 1 << 40)
    try:
        refuses(errno.EAGAIN, calls.openat2, c / "never-looked-up", os.O_CREAT | os.O_WRONLY, 0o600, cached)
    except AssertionError:
        refuses(errno.EINVAL, calls.openat2, c / "never-looked-up", os.O_CREAT | os.O_WRONLY, 0o600, cached)
        c.lacks("RESOLVE_CACHED", errno.EINVAL)
    os.close(directory)
    yield []


@case
def opens_without_permission(c):
    c.make("secret", 1, mode=0o600)
    c.make("public", 1, mode=0o644)
    yield

    def work():
        refuses(errno.EACCES, os.open, c / "secret", os.O_RDONLY)
        refuses(errno.EACCES, os.open, c / "public", os.O_RDWR)
        refuses(errno.EACCES, os.open, c / "public", os.O_WRONLY | os.O_TRUNC)
        refuses(errno.EACCES, os.open, c / "new", os.O_CREAT | os.O_WRONLY)
        refuses(errno.EPERM, os.open, c / "public", os.O_RDONLY | os.O_NOATIME)

    as_other(work)
    yield []


@case
def opens_without_a_descriptor(c):
    c.make("a", 1)
    yield

    def work():
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        os.closerange(3, 100)
        refuses(errno.EMFILE, os.open, c / "a", os.O_RDONLY)
        refuses(errno.EMFILE, os.open, c / "new", os.O_CREAT | os.O_WRONLY)

    children.run(work)
    yield []


@case
def opens_of_a_running_program(c):
    program = c / "sleep"
    program.write_bytes(open("/usr/bin/sleep", "rb").read())
    program.chmod(0o755)
    size = program.stat().st_size
    pid = os.posix_spawn(program, ["sleep", "600"], {})
    yield
    refuses(errno.ETXTBSY, os.open, program, os.O_WRONLY)
    refuses(errno.ETXTBSY, os.open, program, os.O_WRONLY | os.O_TRUNC)
    refuses(errno.ETXTBSY, os.truncate, program, 0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    yield [record("sleep", CLOSE_NOWRITE=1, size=size, pid=pid)]


@case
def transfers_by_the_wrong_descriptor(c):
    c.make("a", 4)
    yield
    reader, writer = os.open(c / "a", os.O_RDONLY), os.open(c / "a", os.O_WRONLY)
    refuses(errno.EBADF, os.write, reader, b"x")
    refuses(errno.EBADF, os.pwrite, reader, b"x", 0)
    refuses(errno.EBADF, os.writev, reader, [b"x"])
    refuses(errno.EBADF, os.read, writer, 1)
    refuses(errno.EBADF, os.preadv, writer, [bytearray(1)], 0)
    refuses(errno.EINVAL, os.ftruncate, reader, 0)
    refuses(errno.EBADF, calls.fallocate, reader, 0, 0, 10)
    refuses(errno.EBADF, os.sendfile, reader, reader, 0, 2)
    refuses(errno.EBADF, os.copy_file_range, writer, writer, 2)
    os.close(reader)
    os.close(writer)
    yield [record("a", OPEN=2, CLOSE_NOWRITE=1, CLOSE_WRITE=1, size=4)]


@case
def transfers_with_wrong_arguments(c):
    c.make("a", 4)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    refuses(errno.EINVAL, os.pread, fd, 1, -1)
    refuses(errno.EINVAL, os.pwrite, fd, b"x", -1)
    refuses(errno.EFAULT, calls.function, "write", fd, BAD_ADDRESS, 4)
    refuses(errno.EFAULT, calls.function, "read", fd, BAD_ADDRESS, 4)
    refuses(errno.EFAULT, calls.function, "writev", fd, struct.pack("QQ", BAD_ADDRESS, 4), 1)
    refuses(errno.EINVAL, calls.function, "readv", fd, struct.pack("Qq", BAD_ADDRESS, -1), 1)
    refuses(errno.EINVAL, calls.function, "readv", fd, struct.pack("QQ", 0, 0), 1025)
    refuses(errno.EINVAL, os.ftruncate, fd, -1)
    refuses(errno.EINVAL, calls.fallocate, fd, 0, 0, 0)
    refuses(errno.EOPNOTSUPP, calls.fallocate, fd, calls.FALLOC_PUNCH_HOLE, 0, 4)
    refuses(errno.EINVAL, os.copy_file_range, fd, fd, 4, 0, 2)
    os.close(fd)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=4)]


@case
def transfers_of_nothing(c):
    c.make("a", 4)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    assert os.write(fd, b"") == os.pwrite(fd, b"", 2) == os.writev(fd, [b"", b""]) == 0
    assert os.read(fd, 0) == b"" == os.pread(fd, 10, 4) == os.pread(fd, 10, 400)
    assert os.readv(fd, [bytearray(0)]) == os.preadv(fd, [bytearray(3)], 4) == 0
    reader, writer = os.pipe()
    assert os.sendfile(writer, fd, 4, 10) == os.splice(fd, writer, 10, offset_src=4) == 0
    assert os.copy_file_range(fd, fd, 10, 4, 20) == 0
    for end in (fd, reader, writer):
        os.close(end)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=4)]


@case
def appends_that_need_a_position(c):
    c.make("a", 4)
    c.make("b", 4)
    yield
    source, target = os.open(c / "a", os.O_RDONLY), os.open(c / "b", os.O_WRONLY | os.O_APPEND)
    refuses(errno.EINVAL, os.sendfile, target, source, 0, 4)
    refuses(errno.EBADF, os.copy_file_range, source, target, 4)
    os.close(source)
    os.close(target)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=4), record("b", OPEN=1, CLOSE_WRITE=1, size=4)]


@case
def beyond_the_limit_of_size(c):
    c.make("a", 4)
    yield

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        fd = os.open(c / "a", os.O_RDWR)
        assert os.pwrite(fd, b"x" * 20, 4) == 6
        refuses(errno.EFBIG, os.pwrite, fd, b"x", 10)
        refuses(errno.EFBIG, os.ftruncate, fd, 11)
        refuses(errno.EFBIG, calls.fallocate, fd, 0, 0, 11)
        os.close(fd)

    pid = children.run(work)
    yield [record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, size=10, change=6, written=6, pid=pid)]


@case
def names(c):
    c.make("a", 1)
    c.make("b", 1)
    (c / "d").mkdir()
    yield
    refuses(errno.ENOENT, os.unlink, c / "missing")
    refuses(errno.EISDIR, os.unlink, c / "d")
    refuses(errno.ENOTDIR, os.rmdir, c / "a")
    refuses(errno.ENOENT, os.rename, c / "missing", c / "x")
    refuses(errno.EISDIR, os.rename, c / "a", c / "d")
    refuses(errno.EEXIST, calls.renameat2, c / "a", c / "b", calls.RENAME_NOREPLACE)
    refuses(errno.ENOENT, calls.renameat2, c / "a", c / "missing", calls.RENAME_EXCHANGE)
    refuses(errno.EXDEV, os.rename, c / "a", "/dev/shm/a")
    refuses(errno.EEXIST, os.link, c / "a", c / "b")
    refuses(errno.EXDEV, os.link, c / "a", "/dev/shm/a")
    refuses(errno.EEXIST, os.symlink, "a", c / "b")
    refuses(errno.EEXIST, os.mknod, c / "a")
    yield []


@case
def a_file_that_may_not_change(c):
    c.make("a", 4)
    fd = os.open(c / "a", os.O_RDONLY)
    calls.function("ioctl", fd, FS_IOC_SETFLAGS, struct.pack("i", IMMUTABLE))
    try:
        yield
        refuses(errno.EPERM, os.open, c / "a", os.O_WRONLY)
        refuses(errno.EPERM, os.truncate, c / "a", 0)
        refuses(errno.EPERM, os.unlink, c / "a")
        refuses(errno.EPERM, os.rename, c / "a", c / "b")
        refuses(errno.EPERM, os.link, c / "a", c / "b")
        refuses(errno.EPERM, os.chmod, c / "a", 0o600)
        refuses(errno.EPERM, os.chown, c / "a", 1, 1)
        refuses(errno.EPERM, os.setxattr, c / "a", "user.x", b"1")
        refuses(errno.EPERM, os.utime, c / "a", (1, 1))
        yield []
    finally:
        calls.function("ioctl", fd, FS_IOC_SETFLAGS, struct.pack("i", 0))
        os.close(fd)


@case
def attributes_of_another(c):
    c.make("a", 4)
    c.directory.chmod(0o1777)
    yield

    def work():
        refuses(errno.EPERM, os.chmod, c / "a", 0o777)
        refuses(errno.EPERM, os.chown, c / "a", 1000, 1000)
        refuses(errno.EPERM, os.utime, c / "a", (1, 1))
        refuses(errno.EACCES, os.setxattr, c / "a", "user.x", b"1")
        refuses(errno.EACCES, os.truncate, c / "a", 0)
        refuses(errno.EPERM, os.unlink, c / "a")
        refuses(errno.EPERM, os.rename, c / "a", c / "b")

    as_other(work)
    yield []


@case
def extended_attributes(c):
    c.make("a", 4)
    yield
    refuses(errno.ENODATA, os.removexattr, c / "a", "user.missing")
    refuses(errno.EOPNOTSUPP, os.setxattr, c / "a", "nonsense.x", b"1")
    refuses(errno.ENODATA, os.setxattr, c / "a", "user.x", b"1", os.XATTR_REPLACE)
    refuses(errno.E2BIG, os.setxattr, c / "a", "user.x", bytes(70000))
    refuses(errno.ENOSPC, os.setxattr, c / "a", "user.x", bytes(60000))
    yield []


run()
