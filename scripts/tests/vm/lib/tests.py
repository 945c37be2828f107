"""The registry of tests of a file, and how they are run and reported."""

import os
import pathlib
import subprocess
import sys
import traceback

DIRECTORY = pathlib.Path("/root/t")

_tests = []


def test(function):
    """Registers a test: it passes unless it raises. It gets a fresh, empty directory on ext4."""
    _tests.append(function)
    return function


def fresh(name, root=DIRECTORY):
    """An empty directory."""
    directory = pathlib.Path(root) / name
    # Not by shutil, which does not get to the bottom of the deep trees that tests make.
    subprocess.run(["rm", "-rf", directory], check=True)
    directory.mkdir(parents=True)
    return directory


def kernel():
    """Version of the running kernel: (major, minor)."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


class Tally:
    """Prints one line per test and counts them."""

    def __init__(self):
        self.passed = self.failed = 0

    def ok(self, name, notes=()):
        """`notes` say what this kernel lacks, where the test checked that it does."""
        self.passed += 1
        print(f"ok {name}" + "".join(f" ({note})" for note in notes), flush=True)

    def not_ok(self, name, error):
        self.failed += 1
        reason = (str(error).splitlines() or [""])[0]
        trace = "".join(traceback.format_exception(error))
        print(f"not ok {name}: {type(error).__name__} {reason}\n{trace}", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(self.failed > 0)


def is_chosen(name):
    """Whether the command line asks for this test: it names some, or none."""
    return not sys.argv[1:] or name in sys.argv[1:]


def main():
    """Runs all tests, or those named on the command line, and exits."""
    tally = Tally()
    for function in _tests:
        name = function.__name__
        if not is_chosen(name):
            continue
        try:
            function(fresh(name))
            tally.ok(name)
        except Exception as error:
            tally.not_ok(name, error)
    tally.end()
