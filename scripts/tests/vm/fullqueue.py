#!/usr/bin/env python3
"""Full queue and full ring: whatever does not fit is counted where it was lost, and every sum closes."""

import contextlib
import os
import pathlib
import signal
import subprocess

import ledger
from kflowd import Kflowd, find
from tests import main, test
from workload import create, deep_directory

RING_SIZE = 8 << 20
# Of directories with long names: long records fill the ring sooner.
LEVELS = 15


def enricher():
    """The process id of the enricher."""
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "comm").read_text() == "kflowd-enricher\n":
                return int(path.name)
    raise AssertionError("no enricher runs")


@contextlib.contextmanager
def stopped_enricher():
    """Nobody takes from the queue meanwhile."""
    pid = enricher()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def open_and_close(path, flags, times, directory=None):
    for _ in range(times):
        os.close(os.open(path, flags, dir_fd=directory))


@test
def queue_and_ring_are_full(directory):
    """Records that matter wait in the ring until that is full too; then the kernel counts what it drops."""
    name = "f" * 250
    place = deep_directory(directory, "d" * 250, LEVELS)
    create(name, directory=place)
    times = RING_SIZE // (250 * LEVELS) + 500
    with Kflowd(args=("-o", "json-min", "--queue-size", "64K")) as k:
        with stopped_enricher():
            open_and_close(name, os.O_WRONLY, times, directory=place)
        result = k.stop(losses=("Kernel.LostRingFull", "Ring.LostRingFull"))
    stages = ledger.parse(result.stderr)
    mine = find(result.records, File=name, ProcPID=os.getpid())
    assert {str(record["FileEvents"]) for record in mine} == {str({"OPEN": 1, "CLOSE_WRITE": 1})}
    assert sum(record.get("FileEventCount", 0) for record in result.records) == stages["Kernel"]["Out"], stages
    assert len(mine) < times <= len(mine) + stages["Ring"]["LostRingFull"], (len(mine), stages)
    assert stages["Kernel"]["In"] >= 2 * times, stages


def transfer(number, source, target):
    """Reads and writes so many bytes one by one; returns the process id."""
    command = ["dd", f"if={source}", f"of={target}", "bs=1", f"count={number}", "conv=notrunc", "status=none"]
    process = subprocess.Popen(command)
    assert process.wait() == 0
    return process.pid


def until_one_arrives(k, path):
    """Writes the file again and again until a record of it gets through, behind all those before it."""
    while not find(k.records, File=path.name):
        path.write_text("x")
        with contextlib.suppress(AssertionError):
            k.wait_for(seconds=1, File=path.name)


def events(records, event, pid, name):
    """How many came of those that the process made."""
    return sum(record["FileEvents"].get(event, 0) for record in find(records, File=name, ProcPID=pid))


@test
def each_loss_is_counted_where_it_happens(directory):
    """Reads fill the queue and are then refused, writes wait in the ring until it is full, too. At the end nobody
    reads stdout either: what the ring then holds is given up after a time, and the last ledger still gets through.

    The path is long, so that few records fill the ring.
    """
    deep = directory.joinpath(*["d" * 240] * LEVELS)
    deep.mkdir(parents=True)
    (deep / "one").write_bytes(b"." * 500)
    reads, writes, left = 500, 3_000, 600
    with Kflowd(args=("-o", "json-min", "-e", "1", "--queue-size", "64K")) as k:
        with stopped_enricher():
            reader = transfer(reads, deep / "one", "/dev/null")
            writer = transfer(writes, "/dev/zero", deep / "one")
        until_one_arrives(k, directory / "after")
        k.reading.clear()
        last = transfer(left, "/dev/zero", deep / "two")
        losses = ("Kernel.LostRingFull", "Ring.LostRingFull", "Queue.LostBulkRefused", "Queue.LostQueueFull")
        result = k.stop(losses=losses)
    stages = ledger.parse(result.stderr)
    kernel, ring, queue = stages["Kernel"], stages["Ring"], stages["Queue"]
    assert result.records[-1]["InfoMonitor"] == "kflowd" and result.records[-1]["Queue"] == queue, result.records[-1]
    assert kernel["LostRingFull"] == ring["LostRingFull"], "with -e 1 each event is a record"
    read = events(result.records, "ACCESS", reader, "one")
    written = events(result.records, "MODIFY", writer, "one")
    assert 0 < read < reads and reads <= read + queue["LostBulkRefused"], (read, stages)
    assert 0 < written < writes and writes <= written + ring["LostRingFull"], (written, stages)
    kept = events(result.records, "MODIFY", last, "two")
    assert 0 < kept < left <= kept + queue["LostQueueFull"], (kept, stages)
    # All that went missing is counted, and little else: what other processes did in this time.
    others = ring["In"] - reads - writes - left
    assert 0 <= others < 1_000, f"{others} events of others: {stages}"
    files = find(result.records, InfoMonitor="filesystem")
    assert len(files) + ledger.lost_records(stages) == ring["In"], stages


main()
