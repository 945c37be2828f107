#!/usr/bin/env python3
"""Every way to open a file: one OPEN per new open file description, CREATE where the file is new."""

import os

from cases import case, record, run


def opened(path, flags, mode=0o644):
    os.close(os.open(path, flags, mode))


@case
def read_only(c):
    c.make("a", 3)
    yield
    opened(c / "a", os.O_RDONLY)
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=3)]


@case
def write_only(c):
    c.make("a", 3)
    yield
    opened(c / "a", os.O_WRONLY)
    yield [record("a", OPEN=1, CLOSE_WRITE=1, size=3)]


@case
def create(c):
    yield
    opened(c / "a", os.O_CREAT | os.O_WRONLY)
    yield [record("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0)]


run()
