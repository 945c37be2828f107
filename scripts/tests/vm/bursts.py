#!/usr/bin/env python3
"""Much at once: nothing is lost, or it is counted where it was; and nobody's record goes to another."""

import collections
import concurrent.futures
import os
import pathlib
import subprocess
import threading

import ledger
from cases import case, run

# Those of a worker fit into one read of `split`, which then writes each file with one call.
WORKERS, FILES = 4, 2_500
LINES = pathlib.Path("/run/lines")
WRITERS = 200
# Each waits at the gate, descriptor $1, appends to the file as often and as much as its number says, and ends.
WRITE_TOGETHER = """
number=0
while [ $number -lt $2 ]; do
    {
        read -r _ <&$1
        exec 4>>all
        writes=0
        while [ $writes -le $((number % 7)) ]; do
            printf "%0$((number + 1))d" 0 >&4
            writes=$((writes + 1))
        done
    } &
    echo $!
    number=$((number + 1))
done
wait
"""


def totals(records):
    """Events and bytes of all of them together."""
    sums = collections.Counter()
    for record in records:
        sums.update(record["FileEvents"], read=record["FileBytesRead"], written=record["FileBytesWritten"])
    return dict(sums)


def all_at_once(commands, directory):
    """Runs them at the same time; returns their process ids."""
    processes = [subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL) for command in commands]
    codes = [process.wait() for process in processes]
    assert not any(codes), codes
    return [process.pid for process in processes]


@case
def two_hundred_writers_of_one_file(c):
    c.make("all")
    yield
    gate_out, gate_in = os.pipe()
    command = ["/vm/busybox", "sh", "-c", WRITE_TOGETHER, "sh", str(gate_out), str(WRITERS)]
    with subprocess.Popen(command, cwd=c.directory, stdout=subprocess.PIPE, pass_fds=[gate_out]) as shell:
        pids = [int(shell.stdout.readline()) for _ in range(WRITERS)]
        # The end of what all read.
        os.close(gate_in)
    os.close(gate_out)

    def one_record_each(records):
        assert len(records) == WRITERS, f"{len(records)} records"
        found = {record["ProcPID"]: record for record in records}
        assert set(found) == set(pids), f"{len(found)} writers"
        for number, pid in enumerate(pids):
            writes, record = number % 7 + 1, found[pid]
            assert record["FileEvents"] == {"OPEN": 1, "MODIFY": writes, "CLOSE_WRITE": 1}, record
            assert record["FileBytesWritten"] == writes * (number + 1), record

    yield one_record_each


@case
def sixty_four_threads_open_and_close(c):
    """All on one file, whose sessions end whenever no thread has it open; and each on its own."""
    threads, rounds = 64, 20
    c.make("shared")
    start = threading.Barrier(threads)

    def work(number):
        start.wait()
        for _ in range(rounds):
            shared = os.open(c / "shared", os.O_RDWR)
            own = os.open(c / f"own{number}", os.O_CREAT | os.O_RDWR)
            os.pwrite(shared, b"." * (number + 1), 0)
            os.close(shared)
            os.write(own, b"x")
            os.pread(own, 10, 0)
            os.close(own)

    yield
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))

    def adds_up(records):
        assert {record["ProcPID"] for record in records} == {os.getpid()}
        by_name = collections.defaultdict(list)
        for record in records:
            by_name[record["File"]].append(record)
        written = rounds * sum(range(1, threads + 1))
        all_rounds = threads * rounds
        shared = dict(OPEN=all_rounds, MODIFY=all_rounds, CLOSE_WRITE=all_rounds, written=written, read=0)
        own = dict.fromkeys(("OPEN", "MODIFY", "ACCESS", "CLOSE_WRITE", "written", "read"), rounds) | {"CREATE": 1}
        assert totals(by_name.pop("shared")) == shared
        assert {name: totals(mine) for name, mine in by_name.items()} == {f"own{n}": own for n in range(threads)}

    yield adds_up


def subtract(left, record):
    """Takes a record from what is still to come, where it has to be; a part of a session leaves the rest."""
    key = record["ProcPID"], record["File"]
    found = {**record["FileEvents"], "read": record["FileBytesRead"], "written": record["FileBytesWritten"]}
    assert key in left, f"too much: {record}"
    if left[key] == found:
        del left[key]
        return
    rest = {name: left[key].get(name, 0) - found.get(name, 0) for name in left[key] | found}
    assert min(rest.values()) >= 0, f"too much: {record}"
    left[key] = rest


@case
def twenty_thousand_sessions_of_distinct_files(c):
    """A few processes make 10,000 files, a few read them."""
    sizes = {f"{number:04}": number % 50 + 1 for number in range(FILES)}
    LINES.write_text("".join("." * (size - 1) + "\n" for size in sizes.values()))
    yield
    split = ["split", "--lines=1", "--suffix-length=4", "--numeric-suffixes", LINES]
    writers = all_at_once([[*split, f"{worker}."] for worker in range(WORKERS)], c.directory)
    names = [[f"{worker}.{suffix}" for suffix in sizes] for worker in range(WORKERS)]
    readers = all_at_once([["cat", *names[worker]] for worker in range(WORKERS)], c.directory)

    def all_come_or_are_counted_as_lost(records):
        # It cuts each to nothing before it writes.
        made, seen = dict(CREATE=1, OPEN=1, MODIFY=2, CLOSE_WRITE=1), dict(OPEN=1, ACCESS=1, CLOSE_NOWRITE=1)
        left = {}
        for worker, (writer, reader) in enumerate(zip(writers, readers)):
            for name, size in zip(names[worker], sizes.values()):
                left[writer, name] = made | dict(written=size, read=0)
                left[reader, name] = seen | dict(written=0, read=size)
        assert len(left) == 20_000
        for record in records:
            subtract(left, record)
        missing = sum(number for rest in left.values() for name, number in rest.items() if name.isupper())
        kernel = c.stages["Kernel"]
        # A session is five events at most.
        lost = kernel["In"] - kernel["Out"] + 5 * ledger.lost_records(c.stages)
        assert missing <= lost, f"{missing} events are missing, {lost} are counted as lost"

    yield all_come_or_are_counted_as_lost


run(losses=ledger.COUNTED)
