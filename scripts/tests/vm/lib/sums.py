"""What kflowd has to show of each file and process, in sums, by the rules of its records.

A record has the name under which its process first met the file, or gave it since. Sessions end with the last close,
and with a new or a lost name while nothing is open.
"""

import collections

READ, WRITTEN = "bytes read", "bytes written"


class Session:
    """What one record adds up: `open` descriptions of the process, and what was counted since the last record."""

    def __init__(self, path):
        self.path = path
        self.open = 0
        self.counts = collections.Counter()


class Sums:
    """(process, path) -> events and bytes."""

    def __init__(self):
        self.sessions = {}
        self.sums = collections.defaultdict(collections.Counter)

    def session(self, pid, name):
        return self.sessions.setdefault((pid, name.file), Session(name.path))

    def count(self, pid, name, event, **amounts):
        counts = self.session(pid, name).counts
        counts[event] += 1
        counts.update(amounts)

    def transfer(self, pid, name, writes, size):
        if size:
            self.count(pid, name, "MODIFY" if writes else "ACCESS", **{WRITTEN if writes else READ: size})

    def opened(self, pid, name, event="OPEN"):
        self.session(pid, name).open += 1
        self.count(pid, name, event)

    def closed(self, pid, name, writes):
        self.count(pid, name, "CLOSE_WRITE" if writes else "CLOSE_NOWRITE")
        session = self.session(pid, name)
        session.open -= 1
        if session.open <= 0:
            self.send(pid, name.file)

    def named(self, pid, name, *events):
        """The file got this name, which records show from now on."""
        self.session(pid, name).path = name.path
        for event in events:
            self.count(pid, name, event)
        self.send(pid, name.file)

    def lost(self, pid, name):
        """The file lost this name, or it was given to another."""
        self.count(pid, name, "DELETE")
        self.send(pid, name.file)

    def send(self, pid, file):
        """One record; the session goes on where the file is open."""
        session = self.sessions[pid, file]
        self.sums[pid, session.path].update(session.counts)
        session.counts.clear()
        if session.open <= 0:
            del self.sessions[pid, file]

    def send_all(self):
        for pid, file in list(self.sessions):
            self.send(pid, file)


def of_records(records, pids, left_out):
    """The same sums of what kflowd wrote about these processes, and by path what kernel threads closed."""
    sums, closed_later = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for record in records:
        path = record["FilePath"] + record["File"]
        if record["Proc"].startswith("["):
            closed_later[path].update(record["FileEvents"])
        if record["ProcPID"] not in pids or path.startswith(left_out):
            continue
        entry = sums[record["ProcPID"], path]
        entry.update(record["FileEvents"])
        entry.update({READ: record["FileBytesRead"], WRITTEN: record["FileBytesWritten"]})
    return sums, closed_later


def take_later_closes(expected, found, closed_later):
    """Where the kernel itself held a file last (a page fault, a timer), one of its threads closes it: not lost."""
    for key, want in expected.items():
        for event in ("CLOSE_WRITE", "CLOSE_NOWRITE"):
            taken = min(max(want[event] - found[key][event], 0), closed_later[key[1]][event])
            found[key][event] += taken
            closed_later[key[1]][event] -= taken


def differences(expected, found):
    """Lines that say where two sums differ; zeros and missing keys are the same."""
    lines = []
    for key in sorted(set(expected) | set(found)):
        want, have = (collections.Counter(sums.get(key, {})) for sums in (expected, found))
        if want != have:
            pid, path = key
            more = {event: have[event] - want[event] for event in want | have if have[event] != want[event]}
            lines.append(f"{path} by {pid}: {more} too many in {dict(have)}")
    return lines
