#!/usr/bin/env python3
"""Full maps: whatever finds no place is counted, event by event, or cut with a mark, and every sum closes."""

import contextlib
import os
import re
import signal
import socket

import calls
import ledger
from kflowd import Kflowd, find
from tests import main, test

SESSIONS_MAX = 65536
LONG_TAILS_MAX = 4096
FLOWS_MAX = 24576
MARK = "…/"
# For the many records that a stop then sends.
STOP_SECONDS = 120


@contextlib.contextmanager
def many_files(directory, number, name="f"):
    """So many files in memory, made by one call each; a descriptor of their directory."""
    calls.mount("tmpfs", directory, "tmpfs", 0, "nr_inodes=200000")
    place = os.open(directory, os.O_RDONLY)
    for index in range(number):
        os.mknod(f"{name}{index}", dir_fd=place)
    try:
        yield place
    finally:
        os.close(place)
        calls.umount(directory)


def to_a_file(output, *args):
    """kflowd whose records go into a file: to read so many as JSON would take longer than the test."""
    shell = 'exec kflowd-probe -o json-min "$@" >"$0"'
    return Kflowd(args=args, command=("sh", "-c", shell, os.fspath(output)))


@test
def session_map_is_full(directory):
    """More files than there is room for, changed and never opened: what finds no place is counted, each event."""
    number = SESSIONS_MAX + 1000
    output = directory.with_suffix(".json")
    with many_files(directory, number) as place, to_a_file(output, "-t", "3600") as k:
        for index in range(number):
            os.chmod(f"f{index}", 0o600, dir_fd=place)
        k.process.send_signal(signal.SIGTERM)
        k.process.wait(STOP_SECONDS)
        stages = ledger.parse(k.stop(losses=["Kernel.LostMapFull"]).stderr)
    changed = sum(map(int, re.findall(rb'"File": "f\d+".*?"ATTRIB": (\d+)', output.read_bytes())))
    lost = stages["Kernel"]["LostMapFull"]
    assert lost >= number - SESSIONS_MAX and changed + lost == number, (changed, lost, stages)


@test
def flow_map_is_full(directory):
    """One socket with more peers than there is room for: what finds no place is counted, each datagram."""
    number = FLOWS_MAX + 1000
    output = directory.with_suffix(".json")
    with to_a_file(output, "-t", "3600,7200") as k, socket.socket(type=socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        local = one.getsockname()[1]
        for index in range(number):
            one.sendto(b"x" * 10, (f"127.1.{index >> 8}.{index & 255}", 9))
        k.process.send_signal(signal.SIGTERM)
        k.process.wait(STOP_SECONDS)
        kernel = ledger.parse(k.stop(losses=["Kernel.LostMapFull"]).stderr)["Kernel"]
    records = re.findall(rb'"SockLocalPort": %d,.*?"SockTxPackets": (\d+)' % local, output.read_bytes())
    assert FLOWS_MAX - 100 <= len(records) <= FLOWS_MAX and set(records) == {b"1"}, len(records)
    assert len(records) + kernel["LostMapFull"] == number, (len(records), kernel)
    assert kernel["FlowsOpened"] == kernel["FlowsClosed"], kernel


@test
def long_paths_are_too_many(directory):
    """Paths that find no place among the long ones are cut, with a mark, and counted; no event is lost."""
    number = LONG_TAILS_MAX + 50
    below = directory / ("d" * 200)
    below.mkdir()
    with many_files(below, number) as place, Kflowd(args=("-o", "json-min", "-t", "3600")) as k:
        for index in range(number):
            os.chmod(f"f{index}", 0o600, dir_fd=place)
        result = k.stop(losses=("Kernel.PathCut",))
    mine = find(result.records, FileEvents={"ATTRIB": 1}, ProcPID=os.getpid())
    whole = [record for record in mine if record["FilePath"] == f"{below}/"]
    cut = [record for record in mine if record["FilePath"].startswith(MARK)]
    assert sorted(record["File"] for record in mine) == sorted(f"f{index}" for index in range(number)), len(mine)
    assert len(whole) + len(cut) == number and len(cut) >= 50, (len(whole), len(cut))
    assert len(cut) == ledger.parse(result.stderr)["Kernel"]["PathCut"], len(cut)
    assert all(f"{below}/".endswith(record["FilePath"].removeprefix(MARK)) for record in cut), cut[0]


main()
