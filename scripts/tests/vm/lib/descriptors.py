"""What each process has open and mapped: open file descriptions live until the last descriptor and the last
mapping of them is gone, in whatever process.
"""

from dataclasses import dataclass, field

PAGE = 4096


def pages(size):
    return (size + PAGE - 1) // PAGE * PAGE


@dataclass(eq=False)
class Description:
    """An open file description. `name` is what it was opened by, `holders` descriptors, mappings and programs.

    One opened with O_PATH counts for nothing (`silent`).
    """

    name: object
    writes: bool = False
    holders: int = 0
    silent: bool = False


@dataclass
class Holder:
    """Something that processes share: each of them is one of its users."""

    users: int = 1

    def share(self):
        self.users += 1
        return self


@dataclass
class Table(Holder):
    """File descriptors: number -> (description, closed by exec)."""

    slots: dict = field(default_factory=dict)

    def copy(self):
        for description, _ in self.slots.values():
            description.holders += 1
        return Table(slots=dict(self.slots))

    def set(self, number, description, cloexec):
        description.holders += 1
        self.slots[number] = (description, cloexec)

    def set_cloexec(self, number, cloexec):
        if number in self.slots:
            self.slots[number] = (self.slots[number][0], cloexec)

    def take(self, number):
        """Frees a number; the description that it held, or nothing."""
        return [self.slots.pop(number)[0]] if number in self.slots else []

    def take_all(self, which=lambda number, cloexec: True):
        numbers = [number for number, (_, cloexec) in self.slots.items() if which(number, cloexec)]
        return [description for number in numbers for description in self.take(number)]


@dataclass
class Memory(Holder):
    """Mappings of files, as (start, end, description), and the program that runs with its loader."""

    parts: list = field(default_factory=list)
    programs: list = field(default_factory=list)

    def copy(self):
        copy = Memory(parts=list(self.parts), programs=list(self.programs))
        for description in copy.held():
            description.holders += 1
        return copy

    def held(self):
        return [description for _, _, description in self.parts] + self.programs

    def add(self, start, size, description):
        description.holders += 1
        self.parts.append((start, start + pages(size), description))

    def cut(self, start, size):
        """Unmaps a range; the descriptions that lost a mapping."""
        end, kept, lost = start + pages(size), [], []
        for first, last, description in self.parts:
            left = [(first, min(last, start)), (max(first, end), last)]
            left = [(begin, stop, description) for begin, stop in left if begin < stop]
            if first >= end or last <= start:
                left = [(first, last, description)]
            kept += left
            description.holders += len(left) - 1 if left else 0
            lost += [] if left else [description]
        self.parts = kept
        return lost


@dataclass
class Process:
    """`cwd` is a list of one path, shared by those who share it."""

    pid: int
    table: Table
    memory: Memory
    cwd: list
    threads: int = 1
