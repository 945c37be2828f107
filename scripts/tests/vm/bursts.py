#!/usr/bin/env python3
"""Much at once: nothing is lost, or it is counted where it was; and nobody's record goes to another."""

import collections
import concurrent.futures
import contextlib
import os
import pathlib
import signal
import threading

import children
import ledger
from kflowd import Kflowd, find
from tests import main, test

EXTRA = ("-o", "json-min", "-x")
WORKERS = 4


def in_workers(work):
    """Runs work(number) in a few processes at the same time; returns their ids."""
    pids = [children.start(lambda number=number: work(number)) for number in range(WORKERS)]
    for pid in pids:
        children.finish(pid)
    return pids


def lost_records(stages):
    """Records that are counted as lost, at all stages behind the kernel's hooks."""
    stages = {name: counters for name, counters in stages.items() if name != "Kernel"}
    return sum(number for counters in stages.values() for key, number in counters.items() if key.startswith("Lost"))


@test
def twenty_thousand_sessions_of_distinct_files(directory):
    files = 10_000 // WORKERS

    def work(worker):
        for number in range(files):
            fd = os.open(directory / f"{worker}.{number}", os.O_CREAT | os.O_WRONLY)
            os.write(fd, b"." * (number % 50 + 1))
            os.close(fd)
        for number in range(files):
            fd = os.open(directory / f"{worker}.{number}", os.O_RDONLY)
            os.read(fd, 100)
            os.close(fd)

    with Kflowd(args=EXTRA) as k:
        pids = in_workers(work)
        result = k.stop(losses=ledger.COUNTED)
    found = collections.defaultdict(collections.Counter)
    for record in find(result.records, FilePath=f"{directory}/"):
        worker, number = map(int, record["File"].split("."))
        assert record["ProcPID"] == pids[worker], record
        found[worker, number].update(record["FileEvents"])
        found[worker, number].update(written=record["FileBytesWritten"], read=record["FileBytesRead"])
    missing = 0
    for worker, number in ((worker, number) for worker in range(WORKERS) for number in range(files)):
        size, counts = number % 50 + 1, found.pop((worker, number), collections.Counter())
        once = dict(CREATE=1, OPEN=2, MODIFY=1, ACCESS=1, CLOSE_WRITE=1, CLOSE_NOWRITE=1)
        expected = collections.Counter(once, written=size, read=size)
        assert not counts - expected, f"{worker}.{number}: {dict(counts)}"
        missing += sum((expected - counts)[event] for event in once)
    assert not found, found
    stages = ledger.parse(result.stderr)
    # A session is four events at most.
    lost = stages["Kernel"]["In"] - stages["Kernel"]["Out"] + 4 * lost_records(stages)
    assert missing <= lost, f"{missing} events are missing, {lost} are counted as lost"


def enricher():
    """The process id of the only one."""
    names = pathlib.Path("/proc").glob("[0-9]*/comm")
    (pid,) = [int(path.parent.name) for path in names if path.read_text() == "kflowd-enricher\n"]
    return pid


def until_one_arrives(k, path):
    """Writes the file again and again until a record of it gets through, behind all those before it."""
    while not find(k.records, File=path.name):
        path.write_text("x")
        with contextlib.suppress(AssertionError):
            k.wait_for(seconds=1, File=path.name)


@test
def losses_behind_a_stopped_enricher_are_counted_where_they_happen(directory):
    """Reads fill the queue and are then refused; writes wait in the ring until it is full, too.

    The path is long, so that few records fill the ring.
    """
    deep = directory.joinpath(*["d" * 240] * 12)
    deep.mkdir(parents=True)
    path = deep / "one"
    path.write_bytes(b"." * 100)
    reads, writes = 500, 5_000
    with Kflowd(args=("-o", "json-min", "-e", "1", "--queue-size", "64K")) as k:
        os.kill(enricher(), signal.SIGSTOP)
        fd = os.open(path, os.O_RDWR)
        for _ in range(reads):
            os.pread(fd, 10, 0)
        for _ in range(writes):
            os.pwrite(fd, b"x", 0)
        os.close(fd)
        os.kill(enricher(), signal.SIGCONT)
        until_one_arrives(k, directory / "after")
        result = k.stop(losses=("Kernel.LostRingFull", "Ring.LostRingFull", "Queue.LostBulkRefused"))
    stages = ledger.parse(result.stderr)
    kernel, ring, queue = stages["Kernel"], stages["Ring"], stages["Queue"]
    found = collections.Counter()
    for record in find(result.records, File="one", ProcPID=os.getpid()):
        found.update(record["FileEvents"])
    assert 0 < found["ACCESS"] < reads and 0 < found["MODIFY"] < writes, found
    assert kernel["LostRingFull"] == ring["LostRingFull"], "with -e 1 each event is a record"
    assert writes <= found["MODIFY"] + ring["LostRingFull"] and reads <= found["ACCESS"] + queue["LostBulkRefused"]
    # All that went missing is counted, and little else: what other processes did in this time.
    others = ring["In"] - reads - writes - 2
    assert 0 <= others < 1_000, f"{others} events of others: {stages}"
    files = find(result.records, InfoMonitor="filesystem")
    assert len(files) + lost_records(stages) == ring["In"], stages


@test
def two_hundred_writers_of_one_file(directory):
    path = directory / "all"
    path.touch()
    gate_out, gate_in = os.pipe()

    def work(number):
        os.close(gate_in)
        os.read(gate_out, 1)  # the end of the pipe: when the last one is ready
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        for _ in range(number % 7 + 1):
            os.write(fd, b"." * (number + 1))
        os.close(fd)

    with Kflowd(args=EXTRA) as k:
        pids = [children.start(lambda number=number: work(number)) for number in range(200)]
        os.close(gate_in)
        for pid in pids:
            children.finish(pid)
        result = k.stop()
    os.close(gate_out)
    records = {record["ProcPID"]: record for record in find(result.records, File="all", FilePath=f"{directory}/")}
    assert set(records) == set(pids), f"{len(records)} writers"
    assert len(find(result.records, File="all", FilePath=f"{directory}/")) == 200, "one record per writer"
    for number, pid in enumerate(pids):
        writes, record = number % 7 + 1, records[pid]
        assert record["FileEvents"] == {"OPEN": 1, "MODIFY": writes, "CLOSE_WRITE": 1}, record
        assert record["FileBytesWritten"] == writes * (number + 1), record


@test
def sixty_four_threads_open_and_close(directory):
    """All on one file, whose sessions end whenever no thread has it open; and each on its own."""
    threads, rounds = 64, 50
    (directory / "shared").touch()
    start = threading.Barrier(threads)

    def work(number):
        start.wait()
        for _ in range(rounds):
            shared = os.open(directory / "shared", os.O_RDWR)
            own = os.open(directory / f"own{number}", os.O_CREAT | os.O_RDWR)
            os.pwrite(shared, b"." * (number + 1), 0)
            os.close(shared)
            os.write(own, b"x")
            os.pread(own, 10, 0)
            os.close(own)

    with Kflowd(args=EXTRA) as k:
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        result = k.stop()
    sums = collections.defaultdict(collections.Counter)
    for record in find(result.records, FilePath=f"{directory}/", ProcPID=os.getpid()):
        sums[record["File"]].update(record["FileEvents"])
        sums[record["File"]].update(written=record["FileBytesWritten"], read=record["FileBytesRead"])
    written = rounds * sum(range(1, threads + 1))
    shared = dict(OPEN=threads * rounds, MODIFY=threads * rounds, CLOSE_WRITE=threads * rounds, written=written, read=0)
    own = dict(CREATE=1, OPEN=rounds, MODIFY=rounds, ACCESS=rounds, CLOSE_WRITE=rounds, written=rounds, read=rounds)
    assert dict(sums.pop("shared")) == shared, sums
    assert {name: dict(counts) for name, counts in sums.items()} == {f"own{n}": own for n in range(threads)}


main()
