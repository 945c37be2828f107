"""A small io_uring: fill entries, submit them, get their results.

    ring = Ring()
    (result,) = ring.run(entry(Op.WRITE, fd, buffer, offset=0))
"""

import ctypes
import errno
import mmap
import os
import struct

import calls

SETUP_IOPOLL, SETUP_SQPOLL = 1, 2
ENTER_GETEVENTS, ENTER_SQ_WAKEUP = 1, 2
NEED_WAKEUP = 1
FIXED_FILE, LINK, ASYNC, BUFFER_SELECT = 1, 4, 16, 32
REGISTER_BUFFERS, REGISTER_FILES, REGISTER_PROBE = 0, 2, 8
OFFSET_SUBMIT, OFFSET_ENTRIES = 0, 0x10000000
ENTRY_SIZE, RESULT_SIZE, PARAMETERS_SIZE = 64, 16, 120
SUPPORTED = 1
CURRENT_POSITION = 0xFFFFFFFFFFFFFFFF
SPLICE_FIXED_IN = 1 << 31
# A free place among fixed files
SPARSE = -1


class Op:
    """Operation codes."""

    READV, WRITEV, FSYNC, READ_FIXED, WRITE_FIXED = 1, 2, 3, 4, 5
    FALLOCATE, OPENAT, CLOSE, READ, WRITE, OPENAT2 = 17, 18, 19, 22, 23, 28
    SPLICE, PROVIDE_BUFFERS = 30, 31
    RENAMEAT, UNLINKAT, SYMLINKAT, LINKAT = 35, 36, 38, 39
    FSETXATTR, SETXATTR, FTRUNCATE, READV_FIXED, WRITEV_FIXED = 41, 42, 55, 60, 61


def address_of(memory):
    if memory is None or isinstance(memory, int):
        return memory or 0
    return ctypes.addressof(memory)


class Entry:
    """One request, and the memory that has to outlive it."""

    def __init__(self, op, fd, memory=None, length=None, offset=0, **rest):
        """`memory` is a buffer, Vectors, path or number; `rest`: flags, op_flags, index, file, addr3."""
        if isinstance(memory, (str, os.PathLike)):
            memory = calls.buffer(os.fsencode(memory) + b"\0")
            length = length or 0
        self.kept = memory, rest.get("offset_memory")
        if isinstance(memory, calls.Vectors):
            length, memory = memory.vectors, memory.array
        if length is None:
            length = len(memory) if memory is not None and not isinstance(memory, int) else 0
        offset = address_of(self.kept[1]) or offset
        self.parts = (
            op, rest.get("flags", 0), 0, fd, offset & CURRENT_POSITION, address_of(memory), length,
            rest.get("op_flags", 0),
        )  # fmt: skip
        self.tail = rest.get("index", 0), 0, rest.get("file", 0) & 0xFFFFFFFF, address_of(rest.get("addr3")), 0

    def packed(self, number):
        return struct.pack("=BBHiQQIIQHHIQQ", *self.parts, number, *self.tail)


class Ring:
    """A ring of its own for submission and completion."""

    def __init__(self, entries=64, flags=0):
        parameters = bytearray(PARAMETERS_SIZE)
        struct.pack_into("II", parameters, 8, flags, 0)
        struct.pack_into("I", parameters, 16, 50)
        memory = (ctypes.c_char * PARAMETERS_SIZE).from_buffer(parameters)
        self.fd = calls.call("io_uring_setup", entries, memory)
        self.polled = bool(flags & SETUP_SQPOLL)
        size, completions = struct.unpack_from("II", parameters, 0)
        self.submit = struct.unpack_from("7I", parameters, 40)  # head tail mask entries flags dropped array
        self.complete = struct.unpack_from("6I", parameters, 80)  # head tail mask entries overflow cqes
        length = max(self.submit[6] + size * 4, self.complete[5] + completions * RESULT_SIZE)
        self.rings = mmap.mmap(self.fd, length, offset=OFFSET_SUBMIT)
        self.entries = mmap.mmap(self.fd, size * ENTRY_SIZE, offset=OFFSET_ENTRIES)

    def _word(self, at):
        return struct.unpack_from("I", self.rings, at)[0]

    def push(self, requests):
        """Puts the requests into the ring; their numbers are their places."""
        mask = self._word(self.submit[2])
        tail = self._word(self.submit[1])
        for number, request in enumerate(requests):
            slot = (tail + number) & mask
            self.entries[slot * ENTRY_SIZE : (slot + 1) * ENTRY_SIZE] = request.packed(number)
            struct.pack_into("I", self.rings, self.submit[6] + slot * 4, slot)
        struct.pack_into("I", self.rings, self.submit[1], (tail + len(requests)) & 0xFFFFFFFF)

    def run(self, *requests):
        """Submits the requests, waits for all and returns their results (negative: an errno) in order."""
        self.push(requests)
        results = {}
        submit = len(requests)
        while len(results) < len(requests):
            asleep = self.polled and self._word(self.submit[4]) & NEED_WAKEUP
            flags = ENTER_GETEVENTS | (ENTER_SQ_WAKEUP if asleep else 0)
            calls.call("io_uring_enter", self.fd, submit, 1, flags, None, 0)
            submit = 0
            self._take(results)
        return [results[number] for number in range(len(requests))]

    def _take(self, results):
        head, tail = self._word(self.complete[0]), self._word(self.complete[1])
        while head != tail:
            at = self.complete[5] + (head & self._word(self.complete[2])) * RESULT_SIZE
            number, result, _ = struct.unpack_from("QiI", self.rings, at)
            results[number] = result
            head = (head + 1) & 0xFFFFFFFF
        struct.pack_into("I", self.rings, self.complete[0], head)

    def register_files(self, *descriptors):
        """Fixed files, or SPARSE."""
        array = (ctypes.c_int * len(descriptors))(*descriptors)
        calls.call("io_uring_register", self.fd, REGISTER_FILES, array, len(descriptors))

    def register_buffers(self, *buffers):
        """Fixed buffers."""
        self.vectors = calls.Vectors(*buffers)
        calls.call("io_uring_register", self.fd, REGISTER_BUFFERS, self.vectors.array, len(buffers))

    def can(self, op):
        """Whether the kernel says that it knows the operation."""
        probe = ctypes.create_string_buffer(16 + 256 * 8)
        calls.call("io_uring_register", self.fd, REGISTER_PROBE, probe, 256)
        last, number = struct.unpack_from("BB", probe)
        if op > last or op >= number:
            return False
        return bool(struct.unpack_from("BBH", probe, 16 + op * 8)[2] & SUPPORTED)

    def close(self):
        self.rings.close()
        self.entries.close()
        os.close(self.fd)


def does(ring, *requests, results):
    """Runs the requests at once; their results are these."""
    got = ring.run(*requests)
    assert got == list(results), f"results {got}, expected {list(results)}"


def done(*requests, results, flags=0):
    """The same on a ring of its own."""
    ring = Ring(flags=flags)
    does(ring, *requests, results=results)
    ring.close()


def known(case, what, op):
    """Whether the kernel has the operation; where not, it has to refuse it, and the case notes it."""
    ring = Ring()
    found = ring.can(op)
    if not found:
        does(ring, Entry(op, -1), results=[-errno.EINVAL])
        case.lacks(what, errno.EINVAL)
    ring.close()
    return found


def open_entry(path, how, mode=0o644, **rest):
    return Entry(Op.OPENAT, calls.AT_FDCWD, path, mode, op_flags=how, **rest)
