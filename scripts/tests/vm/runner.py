"""Runs the VM tests (every executable .py beside this file, or those named) in one boot; the last line counts.

What they share is in lib/, which is put on their path. Each prints `ok NAME` or `not ok NAME: reason` lines and ends
with `N passed, N failed`. An end without that line, a nonzero exit without a failure and a run without a test are
failures of their own. What a kernel lacks, as a test has checked, stands in brackets after its name and is shown.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

SECONDS_PER_FILE = 600
HERE = pathlib.Path(__file__).parent


def run(path):
    """Returns (exit code or None after a timeout, output)."""
    environment = {**os.environ, "PYTHONPATH": str(HERE / "lib")}
    process = subprocess.Popen(
        [sys.executable, path],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS_PER_FILE)
        return process.returncode, output.decode(errors="replace")
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return None, output.decode(errors="replace")


def judge(code, output):
    """Returns (passed, failed, why a run failed as a whole)."""
    lines = output.splitlines()
    found = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1] if lines else "")
    if not found:
        passed = sum(line.startswith("ok ") for line in lines)
        failed = sum(line.startswith("not ok ") for line in lines)
        why = f"ran longer than {SECONDS_PER_FILE} s" if code is None else f"no final line, exit code {code}"
        return passed, failed + 1, why
    passed, failed = int(found[1]), int(found[2])
    if not failed and code != 0:
        return passed, 1, f"exit code {code}"
    if passed + failed == 0:
        return 0, 1, "no test"
    return passed, failed, None


def check_names():
    """A test file would be imported in place of a shared one of the same name."""
    both = {path.name for path in HERE.glob("*.py")} & {path.name for path in HERE.glob("lib/*.py")}
    assert not both, f"here and in lib/: {both}"


def main():
    check_names()
    found = (path.stem for path in HERE.glob("*.py") if os.access(path, os.X_OK))
    names = sys.argv[1:] or sorted(found)
    total_passed = total_failed = 0
    for name in names:
        start = time.monotonic()
        code, output = run(HERE / f"{name}.py")
        passed, failed, why = judge(code, output)
        lacking = [line for line in output.splitlines() if line.startswith("ok ") and line.endswith(")")]
        if failed:
            print(output, end="" if output.endswith("\n") else "\n")
        elif lacking:
            print("\n".join(lacking))
        if why:
            print(f"not ok {name}: {why}")
        print(f"{name}: {passed} passed, {failed} failed, {time.monotonic() - start:.0f} s", flush=True)
        total_passed += passed
        total_failed += failed
    print(f"{total_passed} passed, {total_failed} failed")
    sys.exit(total_failed > 0)


main()
