#!/usr/bin/env python3
"""Thousands of processes that are gone before their records are written: each record has the right names."""

import os
import shutil
import subprocess

from kflowd import Kflowd, find
from tests import main, test

# The guest's own: static, and under any name that begins with its own it runs what its first argument says.
BUSYBOX = "/vm/busybox"
WORKERS, PAIRS = 4, 2_500
# A number ($0) has a parent and a child; both write down who they are.
CHILD = 'echo $$ $PPID >c$0'
PARENT = 'programs/busybox-c$0 sh -c "$CHILD" $0; echo $$ $PPID >p$0'
EACH = f'n=$0; while [ $n -lt {PAIRS} ]; do programs/busybox-p$n sh -c "$PARENT" $n; n=$((n + {WORKERS})); done'


def written(directory):
    """What the processes wrote: name of the file -> (process id, that of the parent)."""
    text = subprocess.run("grep -H '' [cp][0-9]*", shell=True, cwd=directory, check=True, stdout=subprocess.PIPE).stdout
    lines = [line.partition(":") for line in text.decode().splitlines()]
    return {name: tuple(map(int, ids.split())) for name, _, ids in lines}


@test
def processes_with_short_lives_keep_their_names(directory):
    """Each has an executable's name of its own and a parent with one."""
    programs = directory / "programs"
    programs.mkdir()
    shutil.copy(BUSYBOX, programs / "busybox")
    for number in range(PAIRS):
        os.link(programs / "busybox", programs / f"busybox-p{number}")
        os.link(programs / "busybox", programs / f"busybox-c{number}")
    environment = {**os.environ, "CHILD": CHILD, "PARENT": PARENT}
    with Kflowd() as k:
        workers = [
            subprocess.Popen([BUSYBOX, "sh", "-c", EACH, str(number)], cwd=directory, env=environment)
            for number in range(WORKERS)
        ]
        assert not any([worker.wait() for worker in workers])
        result = k.stop()
    ids, workers = written(directory), {worker.pid for worker in workers}
    files = find(result.records, FilePath=f"{directory}/")
    assert sorted(record["File"] for record in files) == sorted(ids) and len(ids) == 2 * PAIRS, len(files)
    for record in files:
        name, number = record["File"], record["File"][1:]
        found = (record["ProcPID"], record["ProcPPID"], record["Proc"], record["ProcParent"])
        assert found == (*ids[name], f"busybox-{name}", f"busybox-p{number}" if name[0] == "c" else "busybox"), record
        assert ids[name][1] in workers if name[0] == "p" else ids[name][1] == ids[f"p{number}"][0], record
        assert record["FileEvents"] == {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}, record
    run = find(result.records, FilePath=f"{programs}/", FileEvents=lambda events: events.get("OPEN_EXEC") == 1)
    assert {record["File"] for record in run} == {f"busybox-{name}" for name in ids}, len(run)
    for record in run:
        # Its file is opened before it runs: by the program that runs it.
        name = record["File"].removeprefix("busybox-")
        assert record["Proc"] == (f"busybox-p{name[1:]}" if name[0] == "c" else "busybox"), record


main()
