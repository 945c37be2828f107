"""In a VM: one operation with kflowd attached, and the addresses of the kernel's functions, BPF programs included.

Arguments: operation, rounds.
"""

import pathlib
import signal
import subprocess
import sys
import time

operation, rounds = sys.argv[1:]
pathlib.Path("/proc/sys/net/core/bpf_jit_kallsyms").write_text("1")
kflowd = subprocess.Popen(
    ["kflowd-probe", "-o", "json-min"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
)
assert kflowd.stderr.readline().startswith("kflowd ready")
time.sleep(2)
pathlib.Path("/out/symbols").write_bytes(pathlib.Path("/proc/kallsyms").read_bytes())
subprocess.run(["/files/kernel-load", operation, rounds, f"/tmp/load-{operation}"], check=True)
kflowd.send_signal(signal.SIGTERM)
kflowd.wait()
