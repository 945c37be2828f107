"""What the kernel opens and reads to run a program: scripts, their interpreters, ELF files and their loaders."""

import os
import struct
from dataclasses import dataclass

# The head that tells the format; then, of an ELF file, its table and the name of its loader, of which it reads the
# shorter head of ELF and the table.
HEAD, ELF_HEAD, ELF_ENTRY, LOADER = 256, 64, 56, 3


@dataclass
class Image:
    """A file that exec opens: the sizes of the reads, and whether it stays open as part of the program."""

    path: str
    reads: list
    stays: bool


def table(head):
    """Where the table of an ELF file is and how many entries it has."""
    return struct.unpack_from("<Q", head, 32)[0], struct.unpack_from("<H", head, 56)[0]


def loader(file, head):
    """The bytes that name the loader, none in a static program."""
    offset, entries = table(head)
    for entry in range(entries):
        file.seek(offset + entry * ELF_ENTRY)
        kind, _, at, _, _, size = struct.unpack("<IIQQQQ", file.read(40))
        if kind == LOADER:
            file.seek(at)
            return file.read(size)
    return b""


def images(path, copies=()):
    """All files that exec of `path` opens, in order; `copies` are those of programs that are gone."""
    with open(dict(copies).get(path, path), "rb") as file:
        head = file.read(HEAD)
        if head.startswith(b"#!"):
            return [Image(path, [len(head)], False), *images(os.fsdecode(head[2:].split()[0]))]
        name = loader(file, head)
    sizes = [len(head), table(head)[1] * ELF_ENTRY]
    if not name:
        return [Image(path, sizes, True)]
    path_of_loader = os.fsdecode(name.rstrip(b"\0"))
    with open(path_of_loader, "rb") as file:
        head = file.read(ELF_HEAD)
    return [
        Image(path, [*sizes, len(name)], True),
        Image(path_of_loader, [len(head), table(head)[1] * ELF_ENTRY], True),
    ]
