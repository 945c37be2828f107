#!/usr/bin/env python3
"""Full queue and full ring: whatever does not fit is counted where it was lost, and every sum closes."""

import contextlib
import os
import pathlib
import signal

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


@test
def queue_is_full_of_reads(directory):
    """Files that were only read are refused first: above three quarters of the queue, and counted."""
    (directory / "a").write_text("x")
    path = os.fspath(directory / "a")
    times = 2000
    with Kflowd(args=("-o", "json-min", "--queue-size", "64K")) as k:
        with stopped_enricher():
            open_and_close(path, os.O_RDONLY, times)
            (directory / "written").write_text("x")
        k.wait_for(File="written")
        result = k.stop(losses=("Queue.LostBulkRefused",))
    stages = ledger.parse(result.stderr)
    mine = find(result.records, FilePath=f"{directory}/", File="a")
    refused = stages["Queue"]["LostBulkRefused"]
    assert 0 < len(mine) < times and len(mine) + refused >= times, (len(mine), refused)
    assert find(result.records, File="written", FileEvents={"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1})


main()
