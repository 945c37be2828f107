"""In a VM that counts instructions as nanoseconds: what capturing payload costs iperf3."""

import json
import signal
import subprocess
import sys
import time

# Part of the rate without capture, kflowd running both times.
LEAST = 0.95


def rate():
    """The better of two runs, bit/s."""
    command = ["iperf3", "-c", "127.0.0.1", "-n", "50M", "-J"]
    runs = [json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(2)]
    return max(run["end"]["sum_sent"]["bits_per_second"] for run in runs)


def rate_with(*options):
    kflowd = subprocess.Popen(
        ["kflowd-probe", "-o", "json-min", *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    line = kflowd.stderr.readline()
    assert line.startswith("kflowd ready"), line
    found = rate()
    kflowd.send_signal(signal.SIGTERM)
    kflowd.communicate(timeout=100)
    assert kflowd.returncode == 0, kflowd.returncode
    return found


def main():
    server = subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1"], stdout=subprocess.DEVNULL)
    time.sleep(1)
    without, captured = rate_with(), rate_with("-p", "http=tcp/5201")
    server.kill()
    part = captured / without
    good = part >= LEAST
    print("ok" if good else "not ok", f"with capture {part:.1%} of {without / 1e9:.2f} Gbit/s, gate {LEAST:.0%}")
    print(f"{int(good)} passed, {int(not good)} failed")
    sys.exit(not good)


main()
