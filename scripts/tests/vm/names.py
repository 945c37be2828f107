#!/usr/bin/env python3
"""Names and paths: the longest, the deepest, and every byte that a name may have."""

import os

import children
from cases import case, record, run
from workload import WRITTEN, create, deep_directory

# A path of this many bytes, its slashes included, is whole; the kernel's own limit is the same.
PATH_MAX = 4095
MARK = "…/"


def shown(name):
    """A name as the output has it, and its `Raw` key where the name is not UTF-8."""
    text = name.decode("utf-8", "replace")
    return {"name": text, "FileRaw": None if text.encode() == name else name.hex()}


def make_all(c, names):
    """Makes and expects a file of each name."""
    directory = os.open(c.directory, os.O_RDONLY)
    for name in names:
        create(name, directory=directory)
    os.close(directory)
    return [record(**shown(name), **WRITTEN) for name in names]


@case
def every_length_of_a_name(c):
    yield
    yield make_all(c, [b"n" * length for length in range(1, 256)])


@case
def every_byte_in_a_name(c):
    yield
    yield make_all(c, [b"<%c>" % byte for byte in range(1, 256) if byte != ord("/")])


@case
def names_that_are_hard_to_quote(c):
    yield
    yield make_all(
        c,
        [
            b'"',
            b"\\",
            b'\\"',
            b"\n",
            b"a\nb",
            b"\r\n",
            b"\t",
            b"\x1b[31mred",
            b"{}",
            b'","File": "x',
            b"'",
            b"`x`",
            b"$x",
            b"%s%n",
            b" ",
            b" x ",
            b"...",
            b"-rf",
            b"x (deleted)",
            b"\\u0041",
            b"\x7f",
            b"\x01\x02\x03",
            b"null",
            b"\x1e",
        ],
    )


@case
def names_beyond_ascii(c):
    yield
    yield make_all(
        c,
        [
            name.encode()
            for name in ("ä", "Ω", "\u2028", "\ufeff", "\ufffd", "日本語", "🦀", "€" * 85, "e\u0301", "\u0085")
        ],
    )


@case
def names_that_are_not_utf8(c):
    yield
    yield make_all(
        c,
        [
            b"\xff",
            b"\xfe\xff",
            b"a\x80b",
            b"\xc3",
            b"\xc3(",
            b"\xc0\xaf",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xe2\x82",
            b"\xf0\x9f\xa6",
            b"\xe2\x82\xacx\xff\xe2",
            b"\xff" * 255,
            b"\xf5\x80",
            b"\xe0\x80\x80",
            b"x\xf0\x9f\xa6\x80\xf0",
        ],
    )


@case
def directory_that_is_not_utf8(c):
    yield
    directory = os.fsencode(c.directory) + b"/\xffdir\n"
    os.mkdir(directory)
    create(directory + b"/a")
    raw = (directory + b"/").hex()
    yield [record("a", path="\ufffddir\n/", FilePathRaw=raw, FileRaw=None, **WRITTEN)]


@case
def every_length_of_a_path(c):
    """Around the lengths at which a session keeps its path in another place."""
    yield
    names = [b"n" * length for length in range(1, 200, 3)]
    expected = make_all(c, names)
    for length in range(1, 200, 3):
        directory = c / ("d" * length)
        directory.mkdir()
        create(directory / "f")
        expected.append(record("f", path="d" * length + "/", **WRITTEN))
    yield expected


@case
def every_depth_to_sixty(c):
    yield
    expected = []
    directory = c.directory
    for depth in range(60):
        create(directory / "f")
        expected.append(record("f", path="d/" * depth, **WRITTEN))
        directory = directory / "d"
        directory.mkdir()
    yield expected


def long_path(c, component, total):
    """Makes a file whose full path has `total` bytes; returns its directory below the case's, and its name."""
    room = total - len(os.fsencode(c.directory)) - 1
    levels = (room - 1) // (len(component) + 1)
    name = "f" * (room - levels * (len(component) + 1))
    directory = deep_directory(c.directory, component, levels)
    create(name, directory=directory)
    os.close(directory)
    return f"{component}/" * levels, name


@case
def longest_path_of_single_letters(c):
    yield
    path, name = long_path(c, "d", PATH_MAX)
    yield [record(name, path=path, **WRITTEN)]


@case
def longest_path_of_longest_names(c):
    yield
    path, name = long_path(c, "d" * 255, PATH_MAX)
    yield [record(name, path=path, **WRITTEN)]


def is_cut(c, path, name):
    """A judge: the record's path has the mark and behind it the right end of the true path, as much as fits."""
    true = f"{c.directory}/{path}"

    def judge(_):
        (found,) = [entry for entry in c.seen if entry["File"] == name and entry["FilePath"].startswith(MARK)]
        end = found["FilePath"].removeprefix(MARK)
        assert true.endswith(f"/{end}"), f"{end[:80]} is no end of {true[:80]}"
        next_one = true.removesuffix(f"/{end}").rsplit("/", 1)[1]
        assert len(next_one) + 1 + len(end) + len(name) >= PATH_MAX, f"only {len(end)} bytes of the path are left"
        assert found["FileEvents"] == {key: WRITTEN[key] for key in found["FileEvents"]}, found

    return judge


@case
def path_one_byte_too_long(c):
    yield
    yield is_cut(c, *long_path(c, "e", PATH_MAX + 2))


@case
def path_far_too_long(c):
    yield
    yield is_cut(c, *long_path(c, "g" * 200, 3 * PATH_MAX))


@case
def long_names_moved_between_deep_directories(c):
    """Two long paths and two long names in one record."""
    yield
    directories = [deep_directory(c.directory, letter * 255, 12) for letter in "ab"]
    create("o" * 255, directory=directories[0])
    os.rename("o" * 255, "n" * 255, src_dir_fd=directories[0], dst_dir_fd=directories[1])
    old, new = (f"{letter * 255}/" * 12 for letter in "ab")
    yield [
        record("o" * 255, path=old, **WRITTEN),
        record("n" * 255, path=new, MOVED_FROM=1, MOVED_TO=1, size=1, FileOrigin=f"{c.directory}/{old}{'o' * 255}"),
    ]


@case
def name_that_is_not_utf8_moved(c):
    yield
    base = os.fsencode(c.directory) + b"/"
    create(base + b"old\xff")
    os.rename(base + b"old\xff", base + b"new\xfe")
    yield [
        record("old\ufffd", **WRITTEN),
        record(
            "new\ufffd",
            MOVED_FROM=1,
            MOVED_TO=1,
            size=1,
            FileOrigin="old\ufffd",
            FileRaw=b"new\xfe".hex(),
            FileOriginRaw=b"old\xff".hex(),
        ),
    ]


@case
def long_path_deleted(c):
    yield
    directory = deep_directory(c.directory, "d" * 255, 14)
    create("f" * 255, directory=directory)
    os.unlink("f" * 255, dir_fd=directory)
    path = f"{'d' * 255}/" * 14
    yield [record("f" * 255, path=path, **WRITTEN), record("f" * 255, path=path, DELETE=1, size=1)]


@case
def name_of_a_file_that_is_gone(c):
    """A session that opens after the unlink, by a child that has the descriptor."""
    c.make("a", 1)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    os.unlink(c / "a")
    pid = children.run(lambda: os.pread(fd, 1, 0))
    os.close(fd)
    yield [
        record("a", OPEN=1, DELETE=1, size=1),
        record("a", ACCESS=1, size=1, read=1, pid=pid),
        record("a", CLOSE_WRITE=1, size=1),
    ]


run(losses=["Kernel.PathCut"])
