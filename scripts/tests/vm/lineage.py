#!/usr/bin/env python3
"""Parents: as the kernel had them at the fork, whatever becomes of them afterwards; exec changes nothing of it."""

import os
import signal

import calls
import children
from cases import ANY, case, record, run
from workload import WRITTEN, copied_shell, create

PR_SET_CHILD_SUBREAPER = 36
CLONE_PARENT = 0x8000
SYS_CLONE = 56
ME = os.path.basename(os.readlink("/proc/self/exe"))


class Family:
    """Processes that tell their ids to the test, which waits for the last of them."""

    def __init__(self):
        self.out, self.into = os.pipe()

    def tell(self, name):
        os.write(self.into, f"{name} {os.getpid()}\n".encode())

    def ids(self):
        """Everything told, once all who could tell are gone."""
        os.close(self.into)
        with open(self.out) as lines:
            return {name: int(pid) for name, pid in (line.split() for line in lines)}


def wait_until_orphaned(parent):
    """The parent is gone when this process has another one."""
    while os.getppid() == parent:
        os.sched_yield()


def orphan(family, path):
    """A child whose parent ends before it works."""

    def middle():
        family.tell("middle")
        parent = os.getpid()
        if os.fork():
            return
        family.tell("last")
        wait_until_orphaned(parent)
        create(path)
        os._exit(0)

    children.run(middle)


@case
def parent_that_is_gone(c):
    yield
    family = Family()
    orphan(family, c / "a")
    ids = family.ids()
    yield [record("a", **WRITTEN, pid=ids["last"], ProcPPID=ids["middle"], ProcParent=ME)]


@case
def daemon(c):
    """Two forks with a new session between them."""
    yield
    family = Family()

    def middle():
        os.setsid()
        orphan(family, c / "a")

    children.run(middle)
    ids = family.ids()
    yield [record("a", **WRITTEN, pid=ids["last"], ProcPPID=ids["middle"], ProcParent=ME)]


@case
def adopted_by_a_subreaper(c):
    yield
    family = Family()

    def reaper():
        calls.function("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        orphan(family, c / "a")
        os.wait()

    children.run(reaper)
    ids = family.ids()
    yield [record("a", **WRITTEN, pid=ids["last"], ProcPPID=ids["middle"], ProcParent=ME)]


@case
def sibling(c):
    """A clone with CLONE_PARENT has the parent of the one who made it."""
    yield
    family = Family()

    def work():
        family.tell("maker")
        pid = calls.checked(calls.libc.syscall(SYS_CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
        if not pid:
            family.tell("sibling")
            create(c / "a")
            os._exit(0)

    children.run(work)
    os.wait()
    ids = family.ids()
    yield [record("a", **WRITTEN, pid=ids["sibling"], ProcPPID=os.getpid(), ProcParent=ME)]


@case
def chain_of_ten(c):
    yield
    family = Family()

    def descend(depth):
        family.tell(depth)
        create(c / f"{depth}")
        if depth < 9:
            children.run(lambda: descend(depth + 1))

    children.run(lambda: descend(0))
    ids = [pid for _, pid in sorted((int(depth), pid) for depth, pid in family.ids().items())]
    parents = [os.getpid(), *ids]
    yield [
        record(f"{depth}", **WRITTEN, pid=pid, ProcPPID=parents[depth], ProcParent=ME) for depth, pid in enumerate(ids)
    ]


@case
def exec_keeps_the_process(c):
    """Three programs one after the other in one process."""
    first, second = copied_shell("first"), copied_shell("second")
    yield

    def work():
        create(c / "a")
        os.execv(first, [first, "-c", f"printf x > {c / 'b'}; exec {second} -c 'printf x > {c / 'c'}'"])

    pid = children.run(work)
    yield lambda records: one_process(records, pid)


def one_process(mine, pid):
    assert [(entry["File"], entry["Proc"]) for entry in mine] == [("a", ME), ("b", "first"), ("c", "second")], mine
    assert {(entry["ProcPID"], entry["ProcPPID"], entry["ProcParent"]) for entry in mine} == {(pid, os.getpid(), ME)}, (
        mine
    )
    assert len({entry["ProcStart"] for entry in mine}) == 1, mine
    ages = [entry["ProcAge"] for entry in mine]
    assert ages == sorted(ages) and ages[0] > 0, ages


@case
def parent_that_becomes_another_program(c):
    """The name of the parent is the one it had at the fork."""
    early, late = copied_shell("early"), copied_shell("late")
    yield
    os.mkfifo(c / "fifo")
    child = f"(read x < {c / 'fifo'}; printf x > {c / 'a'}) &"
    pid = children.run(lambda: os.execv(early, [early, "-c", f"{child} exec {late} -c 'echo go > {c / 'fifo'}; wait'"]))
    while not find_closed(c / "a"):
        os.sched_yield()
    yield [record("a", **WRITTEN, pid=lambda found: found != pid, ProcPPID=pid, ProcParent="early", Proc="early")]


def find_closed(path):
    """Whether the file is there with what is written last into it."""
    return path.exists() and path.stat().st_size == 1


@case
def descriptor_kept_over_exec(c):
    """A file that is opened before and read after: one process, one record."""
    c.make("a", 3)
    program = copied_shell("reader")
    yield

    def work():
        fd = os.open(c / "a", os.O_RDONLY)
        os.set_inheritable(fd, True)
        os.execv(program, [program, "-c", f"read x <&{fd}"])

    os.waitpid(pid := children.start(work), 0)
    yield [record("a", OPEN=1, ACCESS=3, CLOSE_NOWRITE=1, size=3, read=3, pid=pid, Proc=ANY)]


@case
def two_hundred_children_at_once(c):
    yield
    pids = [children.start(lambda number=number: create(c / f"{number}")) for number in range(200)]
    for pid in pids:
        children.finish(pid)
    yield [
        record(f"{number}", **WRITTEN, pid=pid, ProcPPID=os.getpid(), ProcParent=ME) for number, pid in enumerate(pids)
    ]


run()
