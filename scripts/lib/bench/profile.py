"""Instructions by kernel function of one round of an operation: the difference of two profiles.

Arguments: two directories, each with `symbols`, `blocks`; their numbers of rounds; lines to print.
"""

import bisect
import collections
import pathlib
import re
import sys


def by_function(directory):
    """Instructions by name; BPF programs without their tag, which changes from run to run."""
    symbols = []
    for line in (directory / "symbols").read_text().splitlines():
        address, kind, name = line.split()[:3]
        if kind in "tTwW":
            name = re.sub(r"^bpf_prog_[0-9a-f]{16}_", "bpf: ", name)
            symbols.append((int(address, 16), re.sub(r"^bpf_trampoline_.*", "bpf: trampolines", name)))
    symbols.sort()
    starts = [address for address, _ in symbols]
    found = collections.Counter()
    for line in (directory / "blocks").read_text().splitlines():
        address, count = line.split()
        at = bisect.bisect_right(starts, int(address, 16)) - 1
        found[symbols[at][1]] += int(count)
    return found


def main():
    fewer, more = (by_function(pathlib.Path(directory)) for directory in sys.argv[1:3])
    rounds = int(sys.argv[4]) - int(sys.argv[3])
    lines = int(sys.argv[5])
    cost = {name: (more[name] - fewer[name]) / rounds for name in more}
    print(f"{sum(cost.values()):10.1f} in all")
    for name, count in sorted(cost.items(), key=lambda item: -item[1])[:lines]:
        print(f"{count:10.1f} {name}")


main()
