#!/usr/bin/env python3
"""Many threads and processes on one file at the same time: no event is lost and none counts twice."""

import os
import threading

import children
import ledger
from cases import case, run

THREADS = 64


def together(work, threads=THREADS):
    """Runs `work(number)` in so many threads, which begin at the same time."""
    barrier = threading.Barrier(threads)
    failures = []

    def begin(number):
        barrier.wait()
        try:
            work(number)
        except Exception as error:
            failures.append(error)

    started = [threading.Thread(target=begin, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert not failures, failures[:3]


def adds_up(read=0, written=0, pids=None, **events):
    """The records of each process add up to these events and bytes, in however many pieces."""

    def check(records):
        processes = pids() if pids else [os.getpid()]
        assert {entry["ProcPID"] for entry in records} == set(processes), {entry["ProcPID"] for entry in records}
        for pid in processes:
            mine = [entry for entry in records if entry["ProcPID"] == pid]
            sums = {}
            for entry in mine:
                for name, number in entry["FileEvents"].items():
                    sums[name] = sums.get(name, 0) + number
            expected = {name: number for name, number in events.items() if number}
            assert sums == expected, f"{sums} in {len(mine)} records of {pid}, expected {expected}"
            bytes_moved = [sum(entry[key] for entry in mine) for key in ("FileBytesRead", "FileBytesWritten")]
            assert bytes_moved == [read, written], f"{bytes_moved} bytes, expected {[read, written]}"

    return check


@case
def opens_and_closes(c):
    c.make("a", 10)
    yield
    each = 20

    def work(_):
        for _ in range(each):
            os.close(os.open(c / "a", os.O_RDONLY))

    together(work)
    yield adds_up(OPEN=THREADS * each, CLOSE_NOWRITE=THREADS * each)


@case
def opens_reads_and_closes_of_eight_files(c):
    for number in range(8):
        c.make(f"f{number}", 10)
    yield
    each = 16

    def work(number):
        for turn in range(each):
            fd = os.open(c / f"f{(number + turn) % 8}", os.O_RDONLY)
            os.pread(fd, 3, 0)
            os.close(fd)

    together(work)
    total = THREADS * each
    yield adds_up(OPEN=total, ACCESS=total, CLOSE_NOWRITE=total, read=3 * total)


@case
def one_descriptor(c):
    c.make("a", 100)
    yield
    each = 20
    fd = os.open(c / "a", os.O_RDWR)

    def work(number):
        for _ in range(each):
            os.pread(fd, 5, number)
            os.pwrite(fd, b"12", number)

    together(work)
    os.close(fd)
    total = THREADS * each
    yield adds_up(OPEN=1, ACCESS=total, MODIFY=total, CLOSE_WRITE=1, read=5 * total, written=2 * total)


@case
def appends_by_descriptors_of_their_own(c):
    yield
    each = 10
    kept = os.open(c / "a", os.O_CREAT | os.O_WRONLY)

    def work(_):
        fd = os.open(c / "a", os.O_WRONLY | os.O_APPEND)
        for _ in range(each):
            os.write(fd, b"123")
        os.close(fd)

    together(work)
    os.close(kept)
    total = THREADS * each
    assert os.stat(c / "a").st_size == 3 * total
    yield adds_up(CREATE=1, OPEN=THREADS + 1, MODIFY=total, CLOSE_WRITE=THREADS + 1, written=3 * total)


@case
def who_creates_it(c):
    yield
    together(lambda _: os.close(os.open(c / "a", os.O_CREAT | os.O_WRONLY)))
    yield adds_up(CREATE=1, OPEN=THREADS, CLOSE_WRITE=THREADS)


@case
def files_of_their_own(c):
    yield
    each = 5

    def work(number):
        for turn in range(each):
            path = c / f"{number}-{turn}"
            fd = os.open(path, os.O_CREAT | os.O_WRONLY)
            os.write(fd, b"1")
            os.close(fd)
            os.unlink(path)

    together(work)
    total = THREADS * each
    yield adds_up(CREATE=total, OPEN=total, MODIFY=total, CLOSE_WRITE=total, DELETE=total, written=total)


@case
def changes_of_attributes(c):
    c.make("a", 10)
    yield
    each = 10
    together(lambda number: [os.chmod(c / "a", 0o600 + number % 8) for _ in range(each)])
    yield adds_up(ATTRIB=THREADS * each)


@case
def processes_on_one_file(c):
    c.make("a", 10)
    yield
    each = 50

    def work():
        for _ in range(each):
            fd = os.open(c / "a", os.O_RDWR)
            os.pread(fd, 3, 0)
            os.pwrite(fd, b"1", 5)
            os.close(fd)

    pids = [children.start(work) for _ in range(8)]
    for pid in pids:
        children.finish(pid)
    yield adds_up(
        OPEN=each, ACCESS=each, MODIFY=each, CLOSE_WRITE=each, read=3 * each, written=each, pids=lambda: pids
    )


@case
def a_rename_while_others_open(c):
    c.make("a", 10)
    yield
    turns = 40
    opened = []

    def work(number):
        if number == 0:
            for turn in range(turns):
                os.rename(c / ("a", "b")[turn % 2], c / ("b", "a")[turn % 2])
            return
        for _ in range(turns):
            try:
                os.close(os.open(c / "a", os.O_RDONLY))
                opened.append(number)
            except FileNotFoundError:
                pass

    together(work, threads=4)

    def check(records):
        # An event that finds its session over twice in a row is lost, and counted.
        lost = c.stages["Kernel"]["LostMapFull"]
        mine = [entry["FileEvents"] for entry in records]
        sums = {name: sum(e.get(name, 0) for e in mine) for name in ("OPEN", "CLOSE_NOWRITE", "MOVED_FROM", "MOVED_TO")}
        made = {"OPEN": len(opened), "CLOSE_NOWRITE": len(opened), "MOVED_FROM": turns, "MOVED_TO": turns}
        missing = sum(made.values()) - sum(sums.values())
        assert all(sums[name] <= made[name] for name in made) and missing <= lost, f"{sums} of {made}, {lost} counted lost"

    yield check


run(losses=ledger.COUNTED)
