#!/usr/bin/env python3
"""`kflowd | jq`: what kflowd writes into does not feed it."""

import os
import signal

from kflowd import Kflowd, find
from tests import main, test
from workload import create

NEW = {"CREATE": 1, "OPEN": 1, "MODIFY": 1, "CLOSE_WRITE": 1}


@test
def pipeline_does_not_feed_itself(directory):
    """`kflowd | tee file` as a shell's job: what its other members do is not reported, or there would be no end."""
    script = f'set -m; (echo $BASHPID >{directory}/pid; exec kflowd-probe "$@") | tee {directory}/out'
    with Kflowd(args=("-o", "json-min"), command=("bash", "-c", script, "bash")) as k:
        create(directory / "seen")
        k.wait_for(File="seen")
        os.kill(int((directory / "pid").read_text()), signal.SIGTERM)
        assert k.process.wait(60) == 0, k.stderr
        records = k.stop().records
    assert find(records, File="seen", FileEvents=NEW), records
    assert not find(records, File="out"), find(records, File="out")
    assert len((directory / "out").read_bytes().splitlines()) == len(records)


main()
