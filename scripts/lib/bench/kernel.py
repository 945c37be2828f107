"""In a VM that counts instructions as nanoseconds: what kflowd adds to operations, and what its own processes take.

One line per measurement: name, alone, with kflowd, gate, reference; tab separated.
"""

import pathlib
import signal
import subprocess
import sys
import time

# Operation: rounds, gate, what the reference adds (instructions per round); without a gate where the reference was
# not measured. create-write-close has an unlink before it.
OPERATIONS = {
    "getppid": (10000, 0, 0),
    "open-read-close": (10000, 5000, 20126),
    "open-write-close": (10000, 5500, 22048),
    "create-write-close": (10000, "", ""),
    "truncate-write-close": (10000, 5500, 22048),
    "pread-pwrite": (10000, 800, 3),
    "fork-exec-exit": (400, 19000, 38586),
    "fork-exec-exit-dynamic": (400, "", ""),
    "tcp-ping-pong": (5000, 6500, 52584),
    "tcp-16k": (5000, 6500, 52157),
    "tcp-connect-accept-close": (2000, 19600, 196428),
    "udp-ping-pong": (5000, 6400, 51319),
    "unix-datagram": (10000, 1269, 1269),
}
# Processor time of kflowd's processes for one record of open-read-close.
RECORD_GATE, RECORD_REFERENCE = 9000, 135000


# The least of so many runs: what the kernel does besides (writeback, free lists) only adds.
RUNS = 3


def load(operation):
    rounds = OPERATIONS[operation][0]
    command = ["/files/kernel-load", operation, str(rounds), f"/tmp/load-{operation}"]
    return min(float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(RUNS))


def start():
    kflowd = subprocess.Popen(
        ["kflowd-probe", "-o", "json-min"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    reader = subprocess.Popen(["cat"], stdin=kflowd.stdout, stdout=subprocess.DEVNULL)
    line = kflowd.stderr.readline()
    assert line.startswith("kflowd ready"), line
    return kflowd, reader


def own_time():
    """Nanoseconds that all of kflowd's processes have run."""
    total = 0
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().startswith("kflowd"):
                total += int((path / "schedstat").read_text().split()[0])
        except OSError:
            pass
    return total


def main():
    names = sys.argv[1:] or list(OPERATIONS)
    alone = {name: load(name) for name in names}
    kflowd, reader = start()
    time.sleep(2)
    for name in names:
        _, gate, reference = OPERATIONS[name]
        before = own_time()
        print(name, alone[name], load(name), gate, reference, sep="\t", flush=True)
        if name == "open-read-close":
            # Longer than the probe's nap: everything is written.
            time.sleep(0.2)
            spent = (own_time() - before) / (OPERATIONS[name][0] * RUNS)
            print("own processes, per file record", 0, spent, RECORD_GATE, RECORD_REFERENCE, sep="\t", flush=True)
    kflowd.send_signal(signal.SIGTERM)
    assert kflowd.wait() == 0 and reader.wait() == 0


main()
