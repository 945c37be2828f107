"""Closes that the kernel puts off: to know when they are done, and who did what in sum."""

import collections
import fcntl
import os
import time


class Witness:
    """A descriptor of a file, opened before kflowd starts, which learns whether others have it open."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY)

    def is_alone(self):
        """Only when nobody else has the file open the kernel grants a lease to write."""
        try:
            fcntl.fcntl(self.fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except BlockingIOError:
            return False
        fcntl.fcntl(self.fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return True

    def wait(self):
        """Until all others have closed it."""
        deadline = time.monotonic() + 60
        while not self.is_alone():
            assert time.monotonic() < deadline, "the file is still open"
            time.sleep(0.01)

    def close(self):
        os.close(self.fd)


def total_events(records):
    return dict(sum((collections.Counter(record["FileEvents"]) for record in records), collections.Counter()))


def closed_by_anyone(records, pid, close, **events):
    """The events are those of the process `pid`; `close` comes once, from it or from a kernel thread."""
    assert total_events(records) == {**events, close: 1}, [(r["Proc"], r["FileEvents"]) for r in records]
    for record in records:
        others = {name: number for name, number in record["FileEvents"].items() if name != close}
        assert not others or record["ProcPID"] == pid, (record["Proc"], record["FileEvents"])
        assert record["ProcPID"] == pid or record["Proc"].startswith("["), record["Proc"]
