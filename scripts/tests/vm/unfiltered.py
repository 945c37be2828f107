#!/usr/bin/env python3
"""`--all-files`: what kernel file systems are only read is reported too."""

import os

from cases import case, run
from kernelfiles import READABLE, no_pipes, of_this_process, read, real_path, use_pipe, write

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
    use_pipe()
    yield lambda _: no_pipes(c.seen)


run(args=("-o", "json-min", "-x", "--all-files"))
