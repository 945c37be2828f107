#!/usr/bin/env python3
"""The shortest way through everything: start, one file, stop."""

from kflowd import Kflowd, find
from tests import main, test


@test
def file_is_recorded_and_stop_is_clean(directory):
    with Kflowd() as k:
        (directory / "hello").write_text("hello")
        result = k.stop()
    assert find(result.records, File="hello"), f"{len(result.records)} other records\n{result.stderr}"


@test
def udp_receivers_get_what_stdout_gets(directory):
    with Kflowd(udp=1, udp6=1) as k:
        (directory / "hello").write_text("hello")
        result = k.stop()
    first, second = result.datagrams
    assert first and first == second, f"{len(first)} and {len(second)} datagrams"
    assert len(first) == len(result.records), f"{len(first)} datagrams, {len(result.records)} records"


main()
