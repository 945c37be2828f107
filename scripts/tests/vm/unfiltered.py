#!/usr/bin/env python3
"""`--all-files`: what kernel file systems are only read is reported too."""

import os

from cases import case, run
from kernelfiles import READABLE, of_this_process, read, real_path, write

READ = {"OPEN": 1, "ACCESS": 1, "CLOSE_NOWRITE": 1}


@case
def reads(c):
    yield
    for path in READABLE:
        read(path)
    yield lambda _: all_of_them(c)


def all_of_them(c):
    paths = [real_path(path) for path in READABLE]
    found = [entry for entry in of_this_process(c.seen) if entry[0] in paths]
    assert found == [(path, READ) for path in paths], found


@case
def opens_and_writes(c):
    path = "/proc/self/oom_score_adj"
    yield
    os.close(os.open(path, os.O_RDONLY))
    write(path, b"0")
    yield lambda _: two_sessions(c, path)


def two_sessions(c, path):
    found = [events for name, events in of_this_process(c.seen) if name == real_path(path)]
    assert found == [{"OPEN": 1, "CLOSE_NOWRITE": 1}, {"OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}], found


@case
def pipes_are_no_files(c):
    yield
    out, into = os.pipe()
    os.write(into, b"x")
    os.read(out, 1)
    os.close(out)
    os.close(into)
    yield lambda _: no_pipes(c)


def no_pipes(c):
    found = [entry for entry in c.seen if entry["File"].startswith(("pipe:", "socket:")) or not entry["File"]]
    assert not found, found


run(args=("-o", "json-min", "-x", "--all-files"))
