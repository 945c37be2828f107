"""What strace saw: system calls in the order in which they took effect.

A call that strace printed in two parts took effect at the second one. A fork did at the first, as the child runs on
before its parent's call returns; so did what frees a descriptor or an address, which another thread gets at once.
"""

import re
import subprocess
from dataclasses import dataclass
from functools import cached_property

EARLY = ("clone", "clone3", "fork", "vfork", "close", "munmap")

LINE = re.compile(r"(\d+) +(.*)")
CALL = re.compile(r"(\w+)\((.*)\) += (.*)", re.DOTALL)
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
EXIT = re.compile(r"\+\+\+ (?:exited with \d+|killed by \w+(?: \(core dumped\))?) \+\+\+")
VALUE = re.compile(r"(-?(?:0x)?[0-9a-f]+)(?:<(.*?)>)?(?:\(deleted\))?(?: .*)?$")
# Parts of an argument list that a comma does not split: text, the path of a descriptor, and brackets.
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(?:\.\.\.)?|(?<=[\dD])<[^<>]*>|[(\[{]|[)\]}]|,|[^"(\[{)\]},<]+|.', re.DOTALL)
ESCAPES = {"n": 10, "t": 9, "r": 13, "v": 11, "f": 12, '"': 34, "\\": 92}
ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-f]{2}|.)")


@dataclass
class Call:
    """A call that succeeded, or the end of a thread (`exited`)."""

    thread: int
    name: str
    text: str = ""  # its arguments as printed
    value: int = 0
    path: str = None  # what the descriptor returned is open on

    @cached_property
    def args(self):
        """The arguments one by one; split when asked for, as most calls are of no interest."""
        return split(self.text)


def run(log, traced, command, **options):
    """Runs a command under strace; the log then says which of the calls `traced` it and its children made."""
    subprocess.run(
        ["strace", "-f", "-y", "-s", "0", "--seccomp-bpf", "-e", f"trace={','.join(f'?{name}' for name in traced)}",
         "-e", "signal=none", "-o", str(log), *command],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options,
    )


def unescape(text):
    """The text between strace's quotes or brackets as the process had it."""
    def plain(found):
        escape = found[1].decode()
        if escape[0] in "01234567":
            return bytes([int(escape, 8)])
        return bytes([int(escape[1:], 16) if escape[0] == "x" and len(escape) > 1 else ESCAPES[escape]])

    return ESCAPE.sub(plain, text.encode()).decode(errors="replace")


def split(text):
    """The arguments of a call as printed."""
    args, depth = [""], 0
    for token in TOKEN.findall(text):
        if token == "," and not depth:
            args.append("")
            continue
        depth += (token in "([{") - (token in ")]}") if len(token) == 1 else 0
        args[-1] += token
    return [arg.strip() for arg in args]


def parse_call(thread, text):
    """The call of one line, None when it failed or did not return."""
    found = CALL.fullmatch(text)
    assert found, f"not understood: {text}"
    value = VALUE.match(found[3])
    number = int(value[1], 16 if "0x" in value[1] else 10) if value else -1
    if number < 0:
        return None
    return Call(thread, found[1], found[2], number, value[2] and unescape(value[2]))


def calls(log):
    """All calls that succeeded, and the ends of threads."""
    placed, begun = [], {}
    for at, line in enumerate(log.read_text(errors="replace").splitlines()):
        thread, text = LINE.fullmatch(line).groups()
        thread = int(thread)
        if text.endswith("<unfinished ...>"):
            begun[thread] = (at, text.removesuffix("<unfinished ...>"))
            continue
        start = at
        if found := RESUMED.fullmatch(text):
            start, first = begun.pop(thread)
            text = first + found[2]
        if EXIT.fullmatch(text):
            placed.append((at, Call(thread, "exited")))
        elif text[0] not in "+-" and (call := parse_call(thread, text)):
            placed.append((start if call.name in EARLY else at, call))
    return [call for _, call in sorted(placed, key=lambda entry: entry[0])]
