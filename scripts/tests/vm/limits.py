#!/usr/bin/env python3
"""`-e N`: a record goes out after N events; with 1 every event is a record of its own."""

import os

from kflowd import Kflowd, find
from tests import main, test
from workload import create

ARGS = ("-o", "json-min", "-x")


def many_kinds(directory):
    """Every kind of event, all but the two of a rename one by one."""
    fd = os.open(directory / "a", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"x")
    os.write(fd, b"yz")
    os.pread(fd, 3, 0)
    os.fchmod(fd, 0o600)
    os.close(fd)
    os.rename(directory / "a", directory / "b")
    os.link(directory / "b", directory / "c")
    os.symlink("c", directory / "s")
    os.unlink(directory / "c")


@test
def each_event_by_itself(directory):
    with Kflowd(args=(*ARGS, "-e", "1")) as k:
        many_kinds(directory)
        records = find(k.stop().records, FilePath=f"{directory}/")
    assert [(record["File"], record["FileEvents"]) for record in records] == [
        ("a", {"CREATE": 1}),
        ("a", {"OPEN": 1}),
        ("a", {"MODIFY": 1}),
        ("a", {"MODIFY": 1}),
        ("a", {"ACCESS": 1}),
        ("a", {"ATTRIB": 1}),
        ("a", {"CLOSE_WRITE": 1}),
        ("b", {"MOVED_FROM": 1, "MOVED_TO": 1}),
        ("c", {"CREATE": 1}),
        ("s", {"CREATE": 1}),
        ("c", {"DELETE": 1}),
    ]
    assert [record.get("FileSizeChange", 0) for record in records[:7]] == [0, 0, 1, 2, 0, 0, 0], records
    assert [record["FileSize"] for record in records[:7]] == [0, 0, 1, 3, 3, 3, 3], records
    assert all(record["FileEventsDuration"] == 0 for record in records if record["FileEventCount"] == 1), records


@test
def three_events_a_record(directory):
    with Kflowd(args=(*ARGS, "-e", "3")) as k:
        with open(directory / "a", "wb", buffering=0) as file:
            for _ in range(10):
                file.write(b"xy")
        create(directory / "short", text=b"")
        records = k.stop().records
    long, short = (find(records, FilePath=f"{directory}/", File=name) for name in ("a", "short"))
    assert [record["FileEventCount"] for record in long] == [3, 3, 3, 3, 1], long
    assert [record.get("FileSizeChange", 0) for record in long] == [2, 6, 6, 6, 0], long
    assert sum(record["FileEvents"].get("MODIFY", 0) for record in long) == 10, long
    assert [record["FileEvents"] for record in short] == [{"CREATE": 1, "OPEN": 1, "CLOSE_WRITE": 1}], short


main()
