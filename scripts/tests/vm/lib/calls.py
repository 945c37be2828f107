"""System calls that Python's os module lacks, by ctypes. Each raises OSError when the kernel says no."""

import ctypes
import os
import struct
from ctypes import c_int, c_long, c_size_t, c_uint64, c_void_p

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_SYMLINK_FOLLOW = 0x400
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_COLLAPSE, FALLOC_ZERO, FALLOC_INSERT = 1, 2, 8, 16, 32
FICLONE, FICLONERANGE = 0x40049409, 0x4020940D
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000
FAN_CLASS_NOTIF, FAN_CLASS_CONTENT, FAN_NONBLOCK, FAN_CLOEXEC = 0, 4, 2, 1
FAN_MARK_ADD, FAN_MARK_MOUNT = 1, 0x10
FAN_ACCESS, FAN_MODIFY, FAN_CLOSE_WRITE, FAN_CLOSE_NOWRITE, FAN_OPEN = 1, 2, 8, 16, 32
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 1, 6

# x86-64
NUMBERS = {
    "io_setup": 206, "io_destroy": 207, "io_getevents": 208, "io_submit": 209, "execveat": 322,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "close_range": 436, "openat2": 437, "pidfd_getfd": 438,
    "pidfd_open": 434, "mount_setattr": 442,
}  # fmt: skip

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = c_long


def checked(result):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def plain(argument):
    """As C takes it: integers as long, paths and bytes as pointers."""
    if argument is None:
        return c_void_p(0)
    if isinstance(argument, int):
        return c_long(argument)
    if isinstance(argument, (str, os.PathLike)):
        return ctypes.c_char_p(os.fsencode(argument))
    return argument


def call(name, *arguments):
    """A system call by name."""
    return checked(libc.syscall(c_long(NUMBERS[name]), *(plain(argument) for argument in arguments)))


def function(name, *arguments):
    """A function of libc that returns an int and sets errno."""
    found = getattr(libc, name)
    found.restype = c_long if name in ("splice", "copy_file_range", "tee", "vmsplice") else c_int
    return checked(found(*(plain(argument) for argument in arguments)))


def openat2(path, flags, mode=0, resolve=0, at=AT_FDCWD):
    how = struct.pack("QQQ", flags, mode, resolve)
    return call("openat2", at, path, how, len(how))


def creat(path, mode=0o644):
    return function("creat", path, mode)


def renameat2(old, new, flags):
    return function("renameat2", AT_FDCWD, old, AT_FDCWD, new, flags)


def linkat(at, old, new, flags):
    return function("linkat", at, old, AT_FDCWD, new, flags)


def link_descriptor(fd, new):
    """Gives the file that is open its (next) name, as root."""
    return linkat(fd, b"", new, AT_EMPTY_PATH)


def fallocate(fd, mode, offset, length):
    return function("fallocate", fd, mode, offset, length)


def copy_file_range(source, target, length, flags=0):
    return function("copy_file_range", source, None, target, None, length, flags)


def tee(source, target, length):
    return function("tee", source, target, length, 0)


def vmsplice(pipe, data):
    vector = struct.pack("PN", ctypes.addressof(ctypes.create_string_buffer(data, len(data))), len(data))
    return function("vmsplice", pipe, vector, 1, 0)


def name_to_handle(path):
    """The bytes of a struct file_handle."""
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = c_int()
    function("name_to_handle_at", AT_FDCWD, path, handle, ctypes.byref(mount), 0)
    return handle


def open_by_handle(mount_fd, handle, flags):
    return function("open_by_handle_at", mount_fd, handle, flags)


def pidfd_getfd(pid, fd):
    """A duplicate of what another process has open."""
    pidfd = call("pidfd_open", pid, 0)
    try:
        return call("pidfd_getfd", pidfd, fd, 0)
    finally:
        os.close(pidfd)


def close_range(first, last, flags=0):
    return call("close_range", first, last, flags)


def execveat(fd, arguments):
    """Runs the program that is open."""
    pointers = (ctypes.c_char_p * (len(arguments) + 1))(*map(os.fsencode, arguments), None)
    none = (ctypes.c_char_p * 1)(None)
    return call("execveat", fd, b"", pointers, none, AT_EMPTY_PATH)


def unshare(flags):
    return function("unshare", flags)


def setns(fd, kind=0):
    return function("setns", fd, kind)


def mount(source, target, kind, flags=0, data=None):
    return function("mount", source, target, kind, flags, data)


def umount(target, flags=0):
    return function("umount2", target, flags)


def open_tree(path, flags=OPEN_TREE_CLONE, at=AT_FDCWD):
    return call("open_tree", at, path, flags)


def move_mount(fd, target):
    return call("move_mount", fd, b"", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)


def new_mount(kind, **options):
    """A file system that is mounted nowhere yet: a descriptor of its root."""
    context = call("fsopen", kind, 0)
    try:
        for key, value in options.items():
            call("fsconfig", context, FSCONFIG_SET_STRING, key, value, 0)
        call("fsconfig", context, FSCONFIG_CMD_CREATE, None, None, 0)
        return call("fsmount", context, 0, 0)
    finally:
        os.close(context)


def clone_range(source, target, offset, length, to):
    """Shares a range of blocks between two files."""
    request = struct.pack("qQQQ", source, offset, length, to)
    return function("ioctl", target, FICLONERANGE, request)


def fanotify(path, events, flags=FAN_MARK_ADD, kind=FAN_CLASS_NOTIF):
    """A watcher of a directory's mount or file system: its descriptor."""
    fd = function("fanotify_init", kind | FAN_CLOEXEC | FAN_NONBLOCK, os.O_RDONLY | os.O_LARGEFILE)
    mark = libc.fanotify_mark
    mark.argtypes = [c_int, ctypes.c_uint, c_uint64, c_int, ctypes.c_char_p]
    checked(mark(fd, flags, events, AT_FDCWD, os.fsencode(path)))
    return fd


def inotify(path, events=0xFFF):
    """A watcher of a directory or file: its descriptor."""
    fd = function("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
    function("inotify_add_watch", fd, path, events)
    return fd


class Aio:
    """A context of native aio (not of the C library)."""

    READ, WRITE, FSYNC, READV, WRITEV = 0, 1, 2, 7, 8

    def __init__(self, depth=32):
        self.context = c_uint64()
        call("io_setup", depth, ctypes.byref(self.context))
        self.kept = []

    def submit(self, *requests):
        """Each is (operation, fd, buffer, offset); returns how many the kernel took."""
        blocks = [self._block(*request) for request in requests]
        pointers = (c_void_p * len(blocks))(*(ctypes.addressof(block) for block in blocks))
        self.kept += [blocks, pointers]
        return call("io_submit", self.context.value, len(blocks), pointers)

    def _block(self, operation, fd, buffer, offset):
        self.kept.append(buffer)
        if buffer is None:
            length = address = 0
        elif isinstance(buffer, Vectors):
            length, address = buffer.vectors, ctypes.addressof(buffer.array)
        else:
            length, address = len(buffer), ctypes.addressof(buffer)
        packed = struct.pack("QIiHhIQQqQII", 0, 0, 0, operation, 0, fd, address, length, offset, 0, 0, 0)
        return ctypes.create_string_buffer(packed, len(packed))

    def results(self, number):
        """What so many requests returned, in order of completion."""
        events = ctypes.create_string_buffer(32 * number)
        got = call("io_getevents", self.context.value, number, number, events, None)
        return [struct.unpack_from("QQqq", events, 32 * index)[2] for index in range(got)]

    def close(self):
        call("io_destroy", self.context.value)


class Vectors:
    """Buffers as a struct iovec array."""

    def __init__(self, *buffers):
        self.buffers = buffers
        self.vectors = len(buffers)
        parts = [part for buffer in buffers for part in (ctypes.addressof(buffer), ctypes.sizeof(buffer))]
        self.array = (c_size_t * len(parts))(*parts)


def buffer(content):
    """Memory with this content, or so many empty bytes."""
    if isinstance(content, int):
        return ctypes.create_string_buffer(content)
    return ctypes.create_string_buffer(content, len(content))
