#!/usr/bin/env python3
"""Thousands of processes that are gone before their records are written: each record has the right names."""

import os
import shutil

import children
from kflowd import Kflowd, find
from tests import main, test

# The guest's own: static, and under any name that begins with its own it runs what its first argument says.
BUSYBOX = "/vm/busybox"
WORKERS = 4


@test
def processes_with_short_lives_keep_their_names(directory):
    """Each has an executable's name of its own and a parent with one; both write down who they are."""
    pairs = 2_500
    programs = directory / "programs"
    programs.mkdir()
    shutil.copy(BUSYBOX, programs / "busybox")
    for number in range(pairs):
        os.link(programs / "busybox", programs / f"busybox-p{number}")
        os.link(programs / "busybox", programs / f"busybox-c{number}")

    def work(worker):
        os.chdir(directory)
        for number in range(worker, pairs, WORKERS):
            child = f"programs/busybox-c{number} sh -c 'echo $$ $PPID >c{number}'"
            script = f"{child}; echo $$ $PPID >p{number}"
            program = f"programs/busybox-p{number}"
            assert os.spawnv(os.P_WAIT, program, [f"busybox-p{number}", "sh", "-c", script]) == 0

    with Kflowd() as k:
        workers = [children.start(lambda worker=worker: work(worker)) for worker in range(WORKERS)]
        for pid in workers:
            children.finish(pid)
        result = k.stop()
    python = os.path.basename(os.readlink("/proc/self/exe"))
    seen = set()
    for record in find(result.records, FilePath=f"{directory}/"):
        name, number = record["File"], record["File"][1:]
        pid, parent = map(int, (directory / name).read_text().split())
        assert (record["ProcPID"], record["ProcPPID"], record["Proc"]) == (pid, parent, f"busybox-{name}"), record
        assert record["ProcParent"] == (f"busybox-p{number}" if name[0] == "c" else python), record
        assert name[0] == "c" or parent in workers, record
        assert record["FileEvents"] == {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}, record
        seen.add(name)
    assert len(seen) == 2 * pairs, f"{len(seen)} of {2 * pairs} files"
    run = find(result.records, FilePath=f"{programs}/", FileEvents=lambda events: events.get("OPEN_EXEC") == 1)
    assert {record["File"] for record in run} == {f"busybox-{name}" for name in seen}, len(run)
    for record in run:
        # Its file is opened before it runs: by the program that runs it.
        name, number = record["File"].removeprefix("busybox-")[0], record["File"].removeprefix("busybox-")[1:]
        assert record["Proc"] == (f"busybox-p{number}" if name == "c" else python), record


main()
