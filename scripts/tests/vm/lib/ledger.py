"""The ledger that kflowd prints at its end, and whether its sums close.

Read from stderr, as it is there for every output form:

    kflowd-enricher: Ring In 115 Out 115 LostRingFull 0 LostMalformed 0
    kflowd: probe file events 68 = sent 68 + map full 0 + ...
"""

import re

import tests

# In place of named losses: any may happen, and the test itself compares them with what is missing.
COUNTED = "counted"

STAGE = re.compile(r"^kflowd-enricher: (Kernel|Ring|Queue|Enricher|Stdout|Udp(?: \S+)?) (In \d+ .*)$")
FILE_EVENTS = re.compile(r"^kflowd: probe file events (\d+) = sent (\d+) ")


def parse(stderr):
    """Stage -> counter -> number, of the last enricher."""
    stages = {}
    for line in stderr.splitlines():
        if found := STAGE.match(line):
            words = found[2].split()
            stages[found[1]] = {name: int(number) for name, number in zip(words[::2], words[1::2])}
    return stages


def file_events_sent(stderr):
    """The number of file events in records that the kernel sent."""
    found = [FILE_EVENTS.match(line) for line in stderr.splitlines()]
    (match,) = [match for match in found if match]
    return int(match[2])


def lost_records(stages):
    """Records that are counted as lost, at all stages behind the kernel's hooks."""
    stages = {name: counters for name, counters in stages.items() if name != "Kernel"}
    return sum(number for counters in stages.values() for key, number in counters.items() if key.startswith("Lost"))


def check_sums(stages):
    """Each stage: In = Out + Kept + losses; what one gives is what the next one takes."""
    missing = {"Kernel", "Ring", "Queue", "Enricher"} - set(stages)
    assert not missing, f"stages not in the ledger: {missing}"
    for name, counters in stages.items():
        out = sum(number for key, number in counters.items() if key in ("Out", "Kept") or key.startswith("Lost"))
        assert counters["In"] == out, f"{name} does not close: {counters}"
    kernel, ring, queue = stages["Kernel"], stages["Ring"], stages["Queue"]
    assert kernel["SessionsOpened"] == kernel["SessionsClosed"], f"sessions are left: {kernel}"
    assert ring["Out"] <= queue["In"], f"read from the ring and not queued: {ring} {queue}"


def counted_losses(stages):
    """Those above zero, as Stage.Counter."""
    return {
        f"{stage}.{key}"
        for stage, counters in stages.items()
        for key, number in counters.items()
        if number and (key.startswith("Lost") or key in ("ProcessMapFull", "CursorBad", "PathCut"))
    }


def check_records(stages, stderr, records):
    """Without a loss or a restart: what the kernel sent is what was written, to the last event."""
    queue, enricher = stages["Queue"], stages["Enricher"]
    assert enricher["In"] - enricher["Further"] == queue["Out"], f"queued and not taken: {queue} {enricher}"
    if "Stdout" not in stages:
        return
    written = stages["Stdout"]["Out"]
    assert written == len(records), f"{written} messages written, {len(records)} read"
    numbers = [record["InfoSequenceNumber"] for record in records]
    assert numbers == list(range(1, len(records) + 1)), "numbers of the messages have gaps or repeats"
    assert records[-1]["InfoMonitor"] == "kflowd", f"the last message is no ledger: {records[-1]}"
    for stage in ("Kernel", "Ring", "Queue", "Enricher"):
        assert records[-1][stage] == stages[stage], f"{stage} differs: {records[-1][stage]} {stages[stage]}"
    events = sum(record["FileEventCount"] for record in records if record["InfoMonitor"] == "filesystem")
    sent = file_events_sent(stderr)
    assert events == sent, f"the kernel sent {sent} file events, the records have {events}"
    for record in records:
        if record["InfoMonitor"] == "filesystem":
            assert record["FileEventCount"] == sum(record["FileEvents"].values()), record


def check(stderr, records, losses=(), restarted=False):
    """The whole ledger; `losses` are those the test makes, `restarted` says that the enricher died meanwhile."""
    stages = parse(stderr)
    check_sums(stages)
    counted = counted_losses(stages)
    if losses != COUNTED:
        assert counted == set(losses), f"losses {sorted(counted)}, expected {sorted(losses)}: {stages}"
    if not restarted and not any(".Lost" in loss for loss in counted):
        check_records(stages, stderr, records)


def flows_close(result, skipped=0):
    """The ledger of a run whose flow hooks may have been skipped: sums close, and nothing else was lost.

    So many skipped ones were found by the test. Before 5.12 the kernel does not tell.
    """
    kernel = result.records[-1]["Kernel"]
    lost = {name: count for name, count in kernel.items() if name.startswith("Lost")}
    assert kernel["In"] == kernel["Out"] + sum(lost.values()), kernel
    # What the kernel skips, as its interrupts come into a program that they call, costs a packet its flags only.
    assert sum(lost.values()) == lost["LostMissed"], kernel
    assert kernel["LostMissed"] >= skipped or tests.kernel() < (5, 12), f"{skipped} skipped, {kernel}"
    assert kernel["FlowsOpened"] == kernel["FlowsClosed"], kernel
