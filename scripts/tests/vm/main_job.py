#!/usr/bin/env python3
"""The way of one file through everything: counts, names, identity, order of keys, equal outputs."""

import os
import re

from kflowd import Kflowd, find
from tests import main, test

KEYS = """InfoSequenceNumber InfoTimestamp InfoMonitor InfoHostName InfoHostIP InfoSystem InfoKernel InfoVersion InfoUptime
ProcParent Proc ProcUser ProcGroup ProcPPID ProcPID ProcTID ProcUID ProcGID ProcAge
FilePath File FileOrigin FileMode FileEventCount FileEvents FileEventsDuration FileInode FileInodeLinkCount FileDevice
FilePermissions FileUser FileGroup FileUID FileGID FileSize FileSizeChange FileAccessTime FileStatusChangeTime
FileModificationTime FileModificationTimeChange""".split()


def events(record):
    return record["FileEvents"]


def work(directory):
    """What the tests below look for in the records."""
    fd = os.open(directory / "first", os.O_CREAT | os.O_WRONLY, 0o640)
    os.write(fd, b"hello")
    os.write(fd, b"world!")
    inode = os.fstat(fd).st_ino
    os.close(fd)
    os.rename(directory / "first", directory / "second")
    os.unlink(directory / "second")
    return inode


@test
def one_file_exactly(directory):
    with Kflowd() as k:
        inode = work(directory)
        result = k.stop()
    mine = find(result.records, FileInode=inode, ProcPID=os.getpid())
    assert len(mine) == 3, mine
    written, moved, deleted = mine
    assert events(written) == {"CREATE": 1, "OPEN": 1, "MODIFY": 2, "CLOSE_WRITE": 1}, written
    assert events(moved) == {"MOVED_FROM": 1, "MOVED_TO": 1}, moved
    assert events(deleted) == {"DELETE": 1}, deleted
    assert [r["File"] for r in mine] == ["first", "second", "second"], mine
    assert moved["FileOrigin"] == "first", moved
    assert (written["FileSize"], written["FileSizeChange"]) == (11, 11), written
    assert [r["FileInodeLinkCount"] for r in mine] == [1, 1, 1], mine
    for record in mine:
        assert record["FilePath"] == f"{directory}/", record
        assert record["FilePermissions"] == "0640/-rw-r-----", record
        assert (record["FileUID"], record["FileUser"], record["FileMode"]) == (0, "root", "regular"), record
        assert record["FileEventCount"] == sum(events(record).values()), record


@test
def who_did_it(directory):
    with Kflowd() as k:
        inode = work(directory)
        result = k.stop()
    exe = os.path.basename(os.readlink("/proc/self/exe"))
    parent = os.path.basename(os.readlink(f"/proc/{os.getppid()}/exe"))
    for record in find(result.records, FileInode=inode):
        assert (record["ProcPID"], record["ProcTID"], record["ProcPPID"]) == (os.getpid(), os.getpid(), os.getppid())
        assert (record["Proc"], record["ProcParent"]) == (exe, parent), record
        assert (record["ProcUID"], record["ProcGID"], record["ProcUser"], record["ProcGroup"]) == (0, 0, "root", "root")
        assert record["ProcAge"] > 0, record


@test
def keys_are_in_order(directory):
    with Kflowd() as k:
        work(directory)
        result = k.stop()
    files = find(result.records, InfoMonitor="filesystem")
    assert files
    for record in files:
        assert list(record) == [key for key in KEYS if key in record], list(record)
        optional = {"FileOrigin", "FileSizeChange", "FileModificationTimeChange"}
        assert set(KEYS) - set(record) <= optional, set(KEYS) - set(record)
        stamp = r"\w{3}, \w{3} \d\d \d{4} \d\d:\d\d:\d\d\.\d{9} UTC"
        assert re.fullmatch(stamp, record["InfoTimestamp"]), record["InfoTimestamp"]


@test
def stdout_and_two_receivers_hold_the_same(directory):
    with Kflowd(udp=1, udp6=1) as k:
        for _ in range(50):
            work(directory)
        result = k.stop()
    numbers = [record["InfoSequenceNumber"] for record in result.records]
    assert numbers == list(range(1, len(numbers) + 1)), numbers[:20]
    assert len(numbers) >= 150
    import json

    texts = [json.dumps(record) for record in result.records]
    for datagrams in result.datagrams:
        assert [json.dumps(json.loads(d)) for d in datagrams] == texts
    assert result.records[-1]["InfoMonitor"] == "kflowd", "the last message is the ledger"


@test
def pretty_form_is_the_same(directory):
    with Kflowd(args=("-o", "json")) as k:
        inode = work(directory)
        result = k.stop()
    assert len(find(result.records, FileInode=inode)) == 3


@test
def other_user_and_short_life(directory):
    os.chmod("/root", 0o755)
    directory.chmod(0o777)
    with Kflowd() as k:
        pid = os.fork()
        if not pid:
            os.setgid(1000)
            os.setuid(1000)
            (directory / "mine").write_text("x")
            os._exit(0)
        os.waitpid(pid, 0)
        result = k.stop()
    (record,) = find(result.records, File="mine")
    assert (record["ProcPID"], record["ProcUID"], record["ProcUser"], record["FileUser"]) == (pid, 1000, "alice", "alice")
    assert record["ProcPPID"] == os.getpid(), record


@test
def reads_and_programs(directory):
    (directory / "in").write_text("data")
    os.system("sync")
    with Kflowd() as k:
        os.system(f"cat {directory}/in >/dev/null")
        result = k.stop()
    (record,) = find(result.records, File="in")
    assert events(record) == {"OPEN": 1, "ACCESS": 1, "CLOSE_NOWRITE": 1}, record
    assert (record["Proc"], record["ProcParent"]) == ("cat", os.path.basename(os.path.realpath("/bin/sh"))), record
    assert find(result.records, File="cat", FileEvents=lambda e: e.get("OPEN_EXEC") == 1), "exec of cat"


@test
def own_files_are_not_reported(directory):
    with Kflowd() as k:
        work(directory)
        result = k.stop()
    own = find(result.records, Proc=lambda p: p.startswith("kflowd-"), InfoMonitor="filesystem")
    assert not own, own[:2]


main()
