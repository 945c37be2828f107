#!/usr/bin/env python3
"""Privileges of the three processes, the enricher's death and return, and what a stop leaves behind."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

from kflowd import Kflowd, find
from tests import kernel, main, test

CAP_BPF = 1 << 39


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def processes(name):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().strip() == name:
                found.append(int(path.name))
        except OSError:
            pass
    return sorted(found)


@test
def nobody_is_root(directory):
    with Kflowd() as k:
        probes, enrichers = processes("kflowd-probe"), processes("kflowd-enricher")
        assert len(probes) == len(enrichers) == 1, (probes, enrichers)
        (probe,) = probes
        # Before 5.19 each sweep of the open sessions needs CAP_BPF.
        allowed = {k.process.pid: 0, enrichers[0]: 0, probe: CAP_BPF if kernel() < (5, 19) else 0}
        users = {}
        for pid, capabilities in allowed.items():
            facts = status(pid)
            users[pid] = set(facts["Uid"].split()) | set(facts["Gid"].split())
            assert "0" not in users[pid], (pid, users[pid])
            assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == capabilities, (pid, facts["CapEff"])
            for name in ("CapInh", "CapBnd", "CapAmb"):
                assert int(facts[name], 16) == 0, (pid, name, facts[name])
            assert facts["NoNewPrivs"] == "1", pid
        assert users[probe].isdisjoint(users[enrichers[0]]), users
        k.stop()
    assert not processes("kflowd-probe") and not processes("kflowd-enricher")


@test
def enricher_killed_under_load_loses_nothing(directory):
    with Kflowd() as k:
        writer = subprocess.Popen(
            ["python3", "-c", f"for i in range(10000): open('{directory}/%d' % i, 'w').write('x')"]
        )
        killed = 0
        while writer.poll() is None:
            time.sleep(0.7)
            for pid in processes("kflowd-enricher"):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        result = k.stop(restarted=True)
    assert killed >= 1, "the work was over before the first kill"
    made = find(result.records, ProcPID=writer.pid, FilePath=f"{directory}/", FileEvents=lambda e: "CREATE" in e)
    names = {int(record["File"]) for record in made}
    assert names == set(range(10000)), f"{len(names)} of 10000 files, {killed} kills\n{result.stderr[-2000:]}"
    # Repeats carry equal numbers, and no number stands for two records.
    seen = {}
    for record in find(result.records, InfoMonitor="filesystem"):
        key = (record["FileInode"], record["InfoTimestamp"], record["ProcPID"])
        assert seen.setdefault(record["InfoSequenceNumber"], key) == key, record


@test
def probe_killed_ends_all(directory):
    with Kflowd() as k:
        (directory / "before").write_text("x")
        k.wait_for(File="before")
        (probe,) = processes("kflowd-probe")
        os.kill(probe, signal.SIGKILL)
        assert k.process.wait(30) == 1, k.stderr
    assert not processes("kflowd-probe") and not processes("kflowd-enricher")


@test
def front_killed_ends_all(directory):
    with Kflowd() as k:
        k.process.kill()
        k.process.wait()
        deadline = time.monotonic() + 40
        while processes("kflowd-probe") or processes("kflowd-enricher"):
            assert time.monotonic() < deadline, "processes are left"
            time.sleep(0.1)


@test
def interrupt_of_the_group_stops_in_order(directory):
    with Kflowd() as k:
        (directory / "x").write_text("x")
        for pid in processes("kflowd-probe") + processes("kflowd-enricher"):
            # The others may have ended with the first.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        assert k.process.wait(40) == 0, k.stderr
    assert not processes("kflowd-probe") and not processes("kflowd-enricher")


@test
def reader_that_goes_away_ends_cleanly(directory):
    line = subprocess.run(
        ["bash", "-c", f"set -o pipefail; (while sleep 0.1; do echo x > {directory}/x; done) & "
         "kflowd-probe -o json-min 2>/dev/null | head -1; code=$?; kill %1; exit $code"],
        capture_output=True, timeout=120,
    )
    assert line.returncode == 0, line
    assert line.stdout.count(b"\n") == 1, line.stdout


def refused(args, code, *words, prefix=()):
    done = subprocess.run([*prefix, "kflowd-probe", *args], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done
    assert done.stderr.count("\n") == 1 and not done.stdout, done
    assert all(word in done.stderr for word in words), done.stderr
    assert not processes("kflowd-probe") and not processes("kflowd-enricher")


@test
def errors_are_one_line(directory):
    refused(["-o", "xml"], 2, "xml", "json")
    refused(["-u", "127.0.0.1:70000"], 2, "70000")
    refused(["--no-such"], 2, "--no-such")
    no_btf = "mount --bind /dev/null /sys/kernel/btf/vmlinux && exec \"$0\" \"$@\""
    refused([], 3, "/sys/kernel/btf/vmlinux", prefix=["unshare", "-m", "sh", "-c", no_btf])
    refused([], 3, prefix=["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"])
    refused([], 3, prefix=["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"])


main()
