#!/usr/bin/env python3
"""When a record goes out before the last close: idle timeout, active timeout, end of the process."""

import os

import children
from kflowd import Kflowd, find
from tests import main, test

ARGS = ("-o", "json-min", "-x")


def of_file(records, name):
    """The file's records, in order."""
    return find(records, InfoMonitor="filesystem", File=name, ProcPID=os.getpid())


def total(records, key):
    """A sum over records, of a key or of an event."""
    return sum(record["FileEvents"].get(key, 0) if key.isupper() else record.get(key, 0) for record in records)


def wait_for_total(k, name, event, number):
    """Waits until the file's records hold so many events of a kind; each wait is for a record."""
    seen = 0
    while total(of_file(k.records, name), event) < number:
        have = of_file(k.records, name)
        k.wait_for(File=name, InfoSequenceNumber=lambda number: not have or number > have[-1]["InfoSequenceNumber"])
        seen += 1
        assert seen < 100, f"{event} of {name} does not reach {number}"


@test
def idle(directory):
    """An open file is reported though nothing happens, and goes on; so is what no close will ever come for."""
    (directory / "closed").write_text("x")
    with Kflowd(args=(*ARGS, "-t", "1")) as k:
        fd = os.open(directory / "open", os.O_CREAT | os.O_WRONLY)
        reader = os.open(directory / "closed", os.O_RDONLY)
        os.write(fd, b"x")
        wait_for_total(k, "open", "MODIFY", 1)
        os.write(fd, b"yz")
        wait_for_total(k, "open", "MODIFY", 2)
        os.chmod(directory / "closed", 0o600)
        wait_for_total(k, "closed", "ATTRIB", 1)
        os.read(reader, 1)
        wait_for_total(k, "closed", "ACCESS", 1)
        assert not total(k.records, "CLOSE_WRITE"), "nothing was closed"
        os.close(fd)
        os.close(reader)
        records = k.stop().records
    whole = {"CREATE": 1, "OPEN": 1, "MODIFY": 2, "CLOSE_WRITE": 1}
    written, read = of_file(records, "open"), of_file(records, "closed")
    assert {event: total(written, event) for event in whole} == whole and total(written, "FileEventCount") == 5, written
    assert (total(written, "FileSizeChange"), total(written, "FileBytesWritten"), written[-1]["FileSize"]) == (
        3,
        3,
        3,
    ), written
    whole = {"OPEN": 1, "ATTRIB": 1, "ACCESS": 1, "CLOSE_NOWRITE": 1}
    assert {event: total(read, event) for event in whole} == whole and total(read, "FileEventCount") == 4, read


@test
def active(directory):
    """A file that is never idle is reported all the same; the end of a process needs no timeout at all."""
    (directory / "left").write_text("x")
    with Kflowd(args=(*ARGS, "-t", "600,1")) as k:
        pid = children.run(lambda: os.chmod(directory / "left", 0o600))
        fd = os.open(directory / "busy", os.O_CREAT | os.O_WRONLY)
        writes = 0
        while len(of_file(k.records, "busy")) < 2:
            os.write(fd, b"x")
            writes += 1
        os.close(fd)
        left = k.wait_for(File="left", ProcPID=pid)
        records = of_file(k.stop().records, "busy")
    assert left["FileEvents"] == {"ATTRIB": 1} and left["FilePermissions"] == "0600/-rw-------", left
    whole = {"CREATE": 1, "OPEN": 1, "MODIFY": writes, "CLOSE_WRITE": 1}
    assert {event: total(records, event) for event in whole} == whole, (whole, records)
    assert (total(records, "FileSizeChange"), total(records, "FileBytesWritten")) == (writes, writes), (writes, records)
    assert [record["FileEvents"].get("CLOSE_WRITE", 0) for record in records] == [0] * (len(records) - 1) + [1], records
    for before, after in zip(records, records[1:]):
        assert after["FileSize"] - after["FileSizeChange"] == before["FileSize"], (before, after)


main()
