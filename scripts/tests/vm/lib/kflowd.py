"""For VM tests: kflowd as a context manager, and its records.

    from kflowd import Kflowd, find
    from tests import main, test

    @test
    def write_is_seen(directory):
        with Kflowd() as k:
            (directory / "a").write_text("x")
            result = k.stop()
        assert find(result.records, File="a")

    main()
"""

import json
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field

import ledger

READY_SECONDS = 180
STOP_SECONDS = 60
# From Linux's headers; Python's socket module lacks it.
SO_RCVBUFFORCE = 33


@dataclass
class Result:
    """What kflowd left when it ended; datagrams is one list of bytes per receiver."""

    code: int
    stderr: str
    records: list
    datagrams: list = field(default_factory=list)


class Receiver:
    """A UDP socket on loopback that keeps every datagram."""

    def __init__(self, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((address, 0))
        self.target = f"{address}:{self.socket.getsockname()[1]}"
        self.socket.settimeout(0.2)
        self.datagrams = []
        self.finishing = threading.Event()
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def _receive(self):
        while True:
            # Asked before the read: over loopback, what was sent before finish() is in the socket already.
            last = self.finishing.is_set()
            try:
                self.datagrams.append(self.socket.recv(65536))
            except TimeoutError:
                if last:
                    return

    def finish(self):
        """Everything that had been sent."""
        self.finishing.set()
        self.thread.join()
        self.socket.close()
        return self.datagrams


class Kflowd:
    """kflowd-probe with options, running; udp and udp6 are numbers of receivers on 127.0.0.1 and ::1."""

    def __init__(self, args=("-o", "json-min"), udp=0, udp6=0, command=("kflowd-probe",)):
        self.receivers = [Receiver("127.0.0.1") for _ in range(udp)] + [Receiver("::1") for _ in range(udp6)]
        self.command = [*command, *args]
        if self.receivers:
            self.command += ["-u", ",".join(receiver.target for receiver in self.receivers)]
        self.malformed = []
        self.result = None
        # Unset: nobody reads what kflowd writes to stdout, until the probe has told its counts and ended.
        self.reading = threading.Event()
        self.reading.set()
        self._records = []
        self._texts = []
        self._stderr = bytearray()
        self._ready = threading.Event()
        self._changed = threading.Condition()

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_out, self._read_err)]
        for reader in self._readers:
            reader.start()
        if not self._ready.wait(READY_SECONDS) or b"kflowd ready" not in self._stderr:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.command} did not get ready:\n{self.stderr}")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for receiver in self.receivers:
            receiver.finish()

    @property
    def stderr(self):
        return self._stderr.decode(errors="replace")

    def _read_err(self):
        for line in self.process.stderr:
            self._stderr += line
            if line.startswith(b"kflowd ready"):
                self._ready.set()
            if line.startswith(b"kflowd: probe file events"):
                self.reading.set()
        self._ready.set()
        self.reading.set()

    def _read_out(self):
        """A message is one line, or, in the pretty form, the lines up to a brace that is not indented."""
        lines = []
        for line in self.process.stdout:
            self.reading.wait()
            lines.append(line)
            if line == b"}\n" or (len(lines) == 1 and line != b"{\n"):
                with self._changed:
                    self._texts.append(b"".join(lines))
                    self._changed.notify_all()
                lines.clear()
        if lines:
            self.malformed.append(b"".join(lines))

    @property
    def records(self):
        """All records that have come. They are decoded when asked for, not while a test works, and many at once."""
        with self._changed:
            texts, self._texts = self._texts, []
            self._records += self._decode(texts)
        return self._records

    def _decode(self, texts):
        try:
            records = json.loads((b"[%b]" % b",".join(texts)).decode())
        except ValueError:
            records = []
        if len(records) != len(texts):
            records = [record for text in texts for record in self._decode_one(text)]
        return records

    def _decode_one(self, text):
        try:
            return [json.loads(text.decode())]
        except ValueError:
            self.malformed.append(text)
            return []

    def wait_for(self, seconds=30, **keys):
        """The first record that matches; it fails when none has come after so many seconds."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (found := find(self.records, **keys)):
                left = deadline - time.monotonic()
                assert left > 0, f"no record with {keys} among {len(self._records)}\n{self.stderr}"
                self._changed.wait(left)
        return found[0]

    def stop(self, how=signal.SIGTERM, losses=(), restarted=False):
        """Stops kflowd in order, checks the ledger and returns the Result.

        `losses` names what the test makes on purpose, as Stage.Counter; `restarted` says that the enricher, whose
        counts begin anew with each of its processes, did not live all the time.
        """
        self.process.send_signal(how)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {STOP_SECONDS} s after {how.name}:\n{self.stderr}") from None
        for reader in self._readers:
            reader.join(STOP_SECONDS)
        records = self.records
        assert not self.malformed, f"not JSON: {self.malformed[:3]}"
        assert code == 0, f"exit code {code}\n{self.stderr}"
        self.result = Result(code, self.stderr, records, [receiver.finish() for receiver in self.receivers])
        ledger.check(self.stderr, records, losses, restarted)
        return self.result


def find(records, **keys):
    """The records in which every key has the value given, or for which the function given says yes."""

    def matches(record):
        return all(
            key in record and (want(record[key]) if callable(want) else record[key] == want)
            for key, want in keys.items()
        )

    return [record for record in records if matches(record)]
