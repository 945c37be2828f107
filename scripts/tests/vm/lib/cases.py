"""Many small cases, each in a directory of its own, seen by one kflowd.

    @case
    def read_to_the_end(c):
        c.make("a", 10)
        yield                       # kflowd starts; what came before is not seen
        with open(c / "a", "rb", buffering=0) as file:
            file.read(20)
            file.read(20)
        yield [record("a", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, size=10, read=10)]

    run()

Every record of a file below the case's directory has to be expected, in full: its events, path, size, change
of size and bytes; where the kernel has a choice, the second yield gives a function that looks at the records instead
(at `c.seen` for those of all cases, where the path does not begin with the directory; at `c.stages` for the ledger).
What follows it runs after kflowd has ended.
"""

import contextlib
import os

import ledger
from kflowd import Kflowd, find
from tests import DIRECTORY, Tally, fresh, is_chosen

ANY = object()

_cases = []


def case(function):
    """Registers a case, a generator function that takes a Case and yields twice."""
    _cases.append(function)
    return function


def record(name, size=ANY, change=0, read=0, written=0, pid=None, path="", **rest):
    """An expected record: events in capitals, other keys by their names in the output (None: not there).

    `path` is below the case's directory, `pid` None is this process. `change`, `read` and `written` are bytes.
    """
    events = {key: number for key, number in rest.items() if key.isupper() and number}
    keys = {key: value for key, value in rest.items() if not key.isupper()}
    keys.setdefault("FileOrigin", None)
    return {
        "File": name, "FileEvents": events, "FileSize": size, "FileSizeChange": change or None, "FileBytesRead": read,
        "FileBytesWritten": written, "ProcPID": pid or os.getpid(), "path": path, **keys,
    }


class Case:
    """A case on its way: its directory (`case / "name"`), place and what it found lacking in this kernel."""

    def __init__(self, name, function, root, place=""):
        self.name, self.place = name, place
        self.directory = fresh(name, root)
        self.notes = []
        self.expected = None
        self.seen = []
        self.stages = {}
        self.error = None
        self.steps = function(self)

    def __truediv__(self, name):
        return self.directory / name

    def make(self, name, size=0, mode=0o644):
        """A file that is there before kflowd starts."""
        path = self / name
        path.write_bytes(b"." * size)
        path.chmod(mode)
        return path

    def lacks(self, what, error):
        """The kernel lacks it, which the case has checked: `error` is the errno it answered with."""
        self.notes.append(f"{what} is not on this kernel: {os.strerror(error)}")

    def step(self):
        """One part of the case; after a failure none."""
        if self.error:
            return
        try:
            self.expected = next(self.steps)
        except Exception as error:
            self.error = error if not isinstance(error, StopIteration) else AssertionError("a yield is missing")

    def compare(self, records):
        """Takes each expected record out of those of the directory, of which none may be left."""
        self.seen = records
        left = [entry for entry in records if entry["FilePath"].startswith(f"{self.directory}/")]
        if callable(self.expected):
            self.expected(left)
            return
        assert isinstance(self.expected, list), "the second yield gives no list"
        missing = []
        for expected in self.expected:
            found = [entry for entry in left if not self.differences(expected, entry)]
            if found:
                left.remove(found[0])
            else:
                missing.append(expected)
        assert not missing and not left, self.explain(missing, left)

    def differences(self, expected, entry):
        """Keys in which a record is not as expected, with what it has."""
        wanted = dict(expected)
        wanted["FilePath"] = f"{self.directory}/{wanted.pop('path')}"
        return {
            key: entry.get(key)
            for key, want in wanted.items()
            if want is not ANY and not (want(entry.get(key)) if callable(want) else entry.get(key) == want)
        }

    def explain(self, missing, left):
        """A short account of what was expected and what came."""
        lines = ["records are not as expected"]
        for expected in missing:
            shown = {key: value for key, value in expected.items() if value is not ANY and value is not None}
            lines.append(f"  expected {shown}")
        for entry in left:
            near = [e for e in missing if (e["File"], e["ProcPID"]) == (entry["File"], entry["ProcPID"])]
            wrong = self.differences(near[0], entry) if near else {}
            keys = ("File", "FileEvents", "FileSize", "FileSizeChange", "FileBytesRead", "FileBytesWritten", "ProcPID")
            lines.append(f"  came {entry['FilePath']} { {key: entry[key] for key in keys if key in entry} } {wrong=}")
        return "\n".join(lines)

    def close(self):
        """Lets the case clean up: the rest of it, or only its `finally` when it failed."""
        if not self.error:
            with contextlib.suppress(StopIteration):
                next(self.steps)
        self.steps.close()


def see(cases, tally, args, losses):
    """Runs the cases under one kflowd, whose ledger is a test of its own; returns the file records."""
    for entry in cases:
        entry.step()
    with Kflowd(args=args) as k:
        for entry in cases:
            entry.step()
        try:
            k.stop(losses=losses)
            tally.ok("ledger_of_all_cases")
        except AssertionError as error:
            tally.not_ok("ledger_of_all_cases", error)
    for entry in cases:
        entry.stages = ledger.parse(k.stderr)
    return find(k.records, InfoMonitor="filesystem")


def judge(cases, records, tally):
    """Says of each case whether its records are right."""
    for entry in cases:
        try:
            if entry.error:
                raise entry.error
            entry.compare(records)
            entry.close()
            tally.ok(entry.name, entry.notes)
        except Exception as error:
            tally.not_ok(entry.name, error)
            entry.steps.close()


def run(roots=contextlib.nullcontext, args=("-o", "json-min", "-x"), losses=()):
    """Runs all cases, or those named on the command line, with one kflowd, and exits.

    `roots` gives a context manager of the places to run them at: name -> directory.
    """
    tally = Tally()
    with roots() as places:
        named = [
            (f"{place}_{function.__name__}" if place else function.__name__, function, root, place)
            for place, root in (places or {"": DIRECTORY}).items()
            for function in _cases
        ]
        cases = [Case(*parts) for parts in named if is_chosen(parts[0])]
        judge(cases, see(cases, tally, args, losses), tally)
    tally.end()
