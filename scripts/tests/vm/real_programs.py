#!/usr/bin/env python3
"""Real programs under strace, seen by kflowd at the same time: both have to tell the same of every process and file."""

import json
import os
import pathlib
import subprocess

import strace
from kflowd import Kflowd, find
from oracle import Oracle
from sums import READ, WRITTEN
from tests import Tally, fresh, is_chosen, kernel

LOGS = pathlib.Path("/run/strace")
ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C", "LC_ALL": "C", "TZ": "UTC0", "GIT_CONFIG_NOSYSTEM": "1"}

programs = []


class Program:
    """One test: what is there before, the command, where it works, what strace cannot see, programs gone by then."""

    def __init__(self, function, directories):
        self.name = function.__name__
        self.prepare = function
        self.directories = directories
        self.log = LOGS / self.name
        self.oracle = self.error = None
        self.copies = {}
        self.allowed = ()
        self.unseen = lambda expected, pids: None
        self.notes = []

    def run(self):
        self.directory = fresh(self.name)
        environment = {**ENVIRONMENT, "HOME": str(self.directory)}
        command = self.prepare(self)
        self.oracle = Oracle(self.directory, *self.directories, copies=self.copies, allowed=self.allowed)
        strace.run(self.log, self.oracle.traced(), command, cwd=self.directory, env=environment)


def program(*directories):
    """Registers a test that returns its command. It changes files in its own directory, and in those named."""
    def register(function):
        programs.append(Program(function, directories))
        return function

    return register


def tree(directory, files=15):
    """Directories, files of several sizes, an empty one, links of both kinds."""
    for index in range(files):
        path = directory / f"d{index % 3}" / f"file{index}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([index]) * (index * 997 % 70000))
        path.chmod(0o600 + index % 8)
    (directory / "empty").touch()
    (directory / "symbolic").symlink_to("d0/file0")
    (directory / "hard").hardlink_to(directory / "d1/file1")


def shell(script):
    return ["bash", "-ec", script]


@program()
def tar(case):
    tree(case.directory / "src")
    return shell("""
        tar -cf all.tar src; tar -czf all.tgz src; mkdir a b
        tar -xf all.tar -C a; tar -xzf all.tgz -C b; tar -xf all.tar -C a --overwrite; tar -rf all.tar a/src/d0
    """)


@program("/tmp")
def git(case):
    tree(case.directory / "src", files=5)
    (case.directory / ".gitconfig").write_text(
        "[user]\nname = n\nemail = n@example.org\n[maintenance]\nauto = false\n[gc]\nauto = 0\n"
    )
    return shell("""
        git init -q src; cd src; git add .; git commit -qm first; cd ..; git clone -q src linked
        cd linked; echo more >>d0/file0; git mv d1/file1 moved; git commit -qam second; git repack -qad
        git checkout -q HEAD~1
    """)


@program("/tmp", "/var", "/etc", "/opt")
def dpkg(case):
    package = case.directory / "package"
    tree(package / "opt/kflowd-test", files=5)
    (package / "etc").mkdir()
    (package / "etc/kflowd-test.conf").write_text("a = 1\n")
    control = package / "DEBIAN"
    control.mkdir()
    control.chmod(0o755)
    (control / "control").write_text(
        "Package: kflowd-test\nVersion: 1\nArchitecture: all\nMaintainer: none <none@example.org>\nDescription: test\n"
    )
    (control / "conffiles").write_text("/etc/kflowd-test.conf\n")
    script = control / "postinst"
    script.write_text("#!/bin/sh\nset -e\necho $1 >>/opt/kflowd-test/configured\n")
    script.chmod(0o755)
    pathlib.Path("/opt").mkdir(exist_ok=True)
    case.copies[f"{case.directory}/admin/info/kflowd-test.postinst"] = script
    subprocess.run(
        shell("dpkg-deb -Zgzip -b package first.deb; sed -i 's/Version: 1/Version: 2/' package/DEBIAN/control;"
              "echo changed >package/opt/kflowd-test/d0/file0; dpkg-deb -Zgzip -b package second.deb;"
              "mkdir -p admin/info admin/updates admin/triggers; touch admin/status admin/available"),
        check=True, cwd=case.directory, stdout=subprocess.DEVNULL,
    )
    return shell("""
        dpkg() { command dpkg --force-unsafe-io --admindir=$PWD/admin "$@"; }
        dpkg -i first.deb; dpkg -i second.deb; dpkg -P kflowd-test
    """)


@program("/tmp")
def rsync(case):
    tree(case.directory / "src", files=9)
    return shell("""
        rsync -a src/ to/; echo more >>src/d0/file3; touch -d @1000 src/d1/file4; rm src/d2/file5; chmod 640 src/empty
        rsync -aH --delete src/ to/; rsync -a --inplace --checksum --no-whole-file src/ to/
    """)


@program("/tmp")
def python(case):
    (case.directory / "package").mkdir()
    (case.directory / "package/__init__.py").write_text("from . import inner\n")
    (case.directory / "package/inner.py").write_text("VALUE = 1\n")
    (case.directory / "script.py").write_text("""\
import concurrent.futures, csv, json, mmap, os, package, pathlib, shutil, subprocess, sys, tempfile, zipfile
with tempfile.NamedTemporaryFile("w", dir=".") as file:
    csv.writer(file).writerows([[n, n * n] for n in range(2000)])
    file.flush()
    shutil.copy2(file.name, "table.csv")
pathlib.Path("data.json").write_text(json.dumps(list(range(5000))))
with zipfile.ZipFile("all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for name in ("table.csv", "data.json"):
        archive.write(name)
zipfile.ZipFile("all.zip").extractall("out")
with open("data.json", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
    mapped[:1]
    os.pwrite(file.fileno(), b"[", 0)
os.replace("data.json", "out/table.csv")
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda n: pathlib.Path(f"thread{n}").write_text("x" * n), range(20)))
subprocess.run([sys.executable, "-Sc", "import sys; sys.stdout.write('x' * 9)"], stdout=open("child", "w"), check=True)
shutil.rmtree("out")
""")
    return ["python3", "script.py"]


@program("/tmp")
def bash(case):
    (case.directory / "in").write_text("".join(f"line {n}\n" for n in range(200)))
    (case.directory / "called").write_text("#!/usr/bin/env bash\necho called\n")
    (case.directory / "called").chmod(0o755)
    big = "\n".join("0123456789" * 10 for _ in range(800))
    return shell(f"""
        cat <in >out; cat <in >>out; : >out; echo a >|out 2>&1; echo both &>both; echo b 1<>out; exec 3<>out; echo c >&3
        read -r line <&3 || true; exec 3>&-; {{ echo one; (echo two; cat in); ./called; }} >group 2>errors
        while read -r line; do echo "$line"; done <in >lines; mapfile -t all <in; cat <<<"word" >word
        cat <<END >heredoc\n{big}\nEND
        wc -l < <(sort in) >count; tee copy1 copy2 <in >/dev/null; ./called >called.out &
        wait; (exec 4>sub; echo x >&4; (echo y >&4); echo z >&4); set -o noclobber; (echo no >out) 2>refused || true
        cp in in2; mv in2 in3; ln in3 in4; ln -s in4 in5; cat in5 >/dev/null; sed -i s/line/LINE/ in3; rm in4 in5
        dd if=in of=dd bs=100 count=3 seek=1 conv=notrunc 2>/dev/null; truncate -s 0 dd; split -l 50 in part.
        sort -o in in; touch -a in; chmod 600 in; chown 1000 in; head -c 10 in >head; gzip -k in
        find . -name 'part.*' -delete
    """)


@program("/var", "/tmp")
def nginx(case):
    www = case.directory / "www"
    tree(www, files=8)
    for path in www.rglob("*"):
        path.chmod(0o755)
    (case.directory / "conf").write_text(f"""\
daemon off; worker_processes 1; user root; pid {case.directory}/pid; error_log {case.directory}/errors;
events {{ worker_connections 64; }}
http {{
    access_log {case.directory}/access; sendfile on; client_body_temp_path {case.directory}/body;
    server {{ listen 127.0.0.1:8080; root {www}; location /plain/ {{ alias {www}/; sendfile off; }} }}
}}
""")
    return shell("""
        nginx -c $PWD/conf &
        at=http://127.0.0.1:8080; sent=; for n in 1 4 7; do sent="$sent -o sent$n $at/d1/file$n"; done
        curl -s --retry 50 --retry-delay 0 --retry-connrefused -o first $at/d0/file0 $sent -o none $at/missing \\
            -o plain $at/plain/d2/file5 --next -s -r 5-20 -o range $at/d2/file2
        nginx -c $PWD/conf -s quit; wait
    """)


def fio_transfers(case):
    """Adds what fio itself counted for the engines whose reads and writes are no system calls of their own."""
    def add(expected, pids):
        for job in json.loads((case.directory / "report").read_text())["jobs"]:
            if job["job options"].get("ioengine") == "psync":
                continue
            (key,) = [key for key in expected if key[1] == f"{case.directory}/data.{job['jobname']}"]
            for kind, event, size in (("read", "ACCESS", READ), ("write", "MODIFY", WRITTEN)):
                expected[key][event] += job[kind]["total_ios"]
                expected[key][size] += job[kind]["io_bytes"]

    return add


@program("/tmp", "/dev/shm")
def fio(case):
    """One process, all jobs in threads; each job has a file of its own, laid out before."""
    jobs = {
        "psync": "ioengine=psync",
        "aio": "ioengine=libaio\niodepth=8\ndirect=1",
        "uring": "ioengine=io_uring\niodepth=8",
        "fixed": "ioengine=io_uring\niodepth=8\nfixedbufs=1\nregisterfiles=1\ndirect=1",
        "polled": "ioengine=io_uring\niodepth=4\nsqthread_poll=1\nregisterfiles=1",
    }
    if kernel() < (6, 0):
        del jobs["fixed"]
        case.notes.append("without direct reads by io_uring: those that its worker finishes at once are not seen here")
    size = 1 << 20
    for name in jobs:
        (case.directory / f"data.{name}").write_bytes(b"." * size)
    text = f"[global]\nthread=1\nsize={size}\nbs=16k\nrw=randrw\nrandrepeat=1\n"
    text += "".join(f"[{name}]\nfilename=data.{name}\n{options}\n" for name, options in jobs.items())
    (case.directory / "jobs").write_text(text)
    case.allowed, case.unseen = ("io_submit", "io_uring_setup"), fio_transfers(case)
    return ["fio", "--output-format=json", "--output=report", "jobs"]


def main():
    tally = Tally()
    chosen = [case for case in programs if is_chosen(case.name)]
    LOGS.mkdir(exist_ok=True)
    with Kflowd(args=("-o", "json-min", "-x", "-t", "600,1800")) as k:
        for case in chosen:
            try:
                case.run()
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                case.error = error
        try:
            k.stop()
            tally.ok("one kflowd for all programs")
        except AssertionError as error:
            tally.not_ok("one kflowd for all programs", error)
    records = find(k.records, InfoMonitor="filesystem")
    for case in chosen:
        try:
            if case.error:
                raise case.error
            case.oracle.check(case.log, records, case.unseen)
            tally.ok(case.name, case.notes)
        except Exception as error:
            tally.not_ok(case.name, error)
    tally.end()


main()
