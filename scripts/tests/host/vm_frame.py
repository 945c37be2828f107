#!/usr/bin/env python3
"""The frame of the VM tests notices what is wrong: losses, gaps, and records that are missing, added or different."""

import copy
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "vm/lib"))

import ledger  # noqa: E402
from cases import Case, record  # noqa: E402

STAGES = {
    "Kernel": {"In": 9, "Out": 9, "LostMapFull": 0, "PathCut": 0, "SessionsOpened": 2, "SessionsClosed": 2},
    "Ring": {"In": 4, "Out": 4, "LostRingFull": 0},
    "Queue": {"In": 5, "Out": 5, "LostQueueFull": 0},
    "Enricher": {"In": 5, "Out": 2, "Kept": 3, "LostUnknown": 0, "Further": 0},
    "Stdout": {"In": 3, "Out": 3, "LostSinkFailed": 0},
}
PLACE = "/run/frame"


def printed(stages, file_events=7):
    """As kflowd prints its ledger."""
    lines = [f"kflowd: probe file events {file_events} = sent {file_events} + map full 0"]
    for name, counters in stages.items():
        lines.append(f"kflowd-enricher: {name} " + " ".join(f"{key} {number}" for key, number in counters.items()))
    return "\n".join(lines)


def file_record(number, events, **more):
    return {
        "InfoSequenceNumber": number, "InfoMonitor": "filesystem", "FilePath": f"{PLACE}/c/", "File": "a",
        "FileEvents": events, "FileEventCount": sum(events.values()), "FileSize": 5, "FileBytesRead": 0,
        "FileBytesWritten": 0, "ProcPID": os.getpid(), **more,
    }  # fmt: skip


def messages(stages):
    """Two file records with seven events, and the ledger."""
    shown = {name: stages[name] for name in ("Kernel", "Ring", "Queue", "Enricher") if name in stages}
    return [
        file_record(1, {"OPEN": 1, "ACCESS": 2, "CLOSE_NOWRITE": 1}),
        file_record(2, {"OPEN": 2, "CLOSE_NOWRITE": 1}),
        {"InfoSequenceNumber": 3, "InfoMonitor": "kflowd", **shown},
    ]


def accepts(stages, records=None, losses=(), **more):
    """Whether the ledger is found to be right."""
    try:
        ledger.check(printed(stages, **more), messages(stages) if records is None else records, losses)
        return True
    except AssertionError:
        return False


def changed(stage, **counters):
    stages = copy.deepcopy(STAGES)
    stages[stage].update(counters)
    return stages


def ledger_that_closes():
    assert accepts(STAGES)


def sums_that_do_not_close():
    for stage in STAGES:
        assert not accepts(changed(stage, In=100)), stage
    assert not accepts(changed("Kernel", SessionsClosed=1))
    assert not accepts({name: counters for name, counters in STAGES.items() if name != "Ring"})


def losses_that_nobody_made():
    lost = changed("Kernel", In=10, LostMapFull=1)
    assert not accepts(lost)
    assert accepts(lost, losses=["Kernel.LostMapFull"])
    assert not accepts(STAGES, losses=["Kernel.LostMapFull"])
    assert not accepts(lost, losses=["Ring.LostRingFull"])
    assert not accepts(changed("Kernel", PathCut=1))


def records_that_do_not_add_up():
    good = messages(STAGES)
    assert not accepts(STAGES, good[1:])
    assert not accepts(STAGES, [good[0], good[0], good[2]])
    assert not accepts(STAGES, [good[0], {**good[1], "FileEventCount": 4}, good[2]])
    assert not accepts(STAGES, file_events=8)


def judged(expected, records):
    """Whether a case that expects these records is content with what came."""

    def steps(_):
        yield
        yield expected

    with tempfile.TemporaryDirectory() as root:
        case = Case("c", steps, root)
        case.step()
        case.step()
        case.directory = pathlib.Path(PLACE) / "c"
        try:
            case.compare(records)
            return True
        except AssertionError:
            return False


def a_case_compares_everything():
    expected = record("a", OPEN=1, ACCESS=2, CLOSE_NOWRITE=1, size=5)
    came = messages(STAGES)[0]
    assert judged([expected], [came])
    assert not judged([expected], [])
    assert not judged([], [came])
    assert not judged([expected], [came, came])
    assert not judged([expected, expected], [came])
    differences = [
        {"File": "b"}, {"FilePath": f"{PLACE}/c/d/"}, {"FileEvents": {"OPEN": 1, "ACCESS": 1, "CLOSE_NOWRITE": 1}},
        {"FileSize": 6}, {"FileSizeChange": 1}, {"FileBytesRead": 1}, {"FileBytesWritten": 1}, {"ProcPID": 1},
        {"FileOrigin": "x"},
    ]  # fmt: skip
    for difference in differences:
        assert not judged([expected], [{**came, **difference}]), difference
    assert judged([], [{**came, "FilePath": "/elsewhere/c/"}])


def main():
    tests = [
        ledger_that_closes, sums_that_do_not_close, losses_that_nobody_made, records_that_do_not_add_up,
        a_case_compares_everything,
    ]  # fmt: skip
    failed = 0
    for test in tests:
        try:
            test()
            print(f"ok {test.__name__}")
        except AssertionError as error:
            failed += 1
            print(f"not ok {test.__name__}: {error}")
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
