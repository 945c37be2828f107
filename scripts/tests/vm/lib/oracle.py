"""Plays a log of system calls and says what kflowd has to show: events and bytes by process and file.

    oracle = Oracle(directory)
    strace.run(log, ["cp", ...])
    oracle.check(log, records)

Left out, by name: kernel file systems and files without a name (known_names.LEFT_OUT), and system calls that can do
nothing to a regular file. What can and is not played is traced, too, and fails the test.
"""

import os
import re

import program
import strace
import sums
from descriptors import Description, Memory, Process, Table
from file_calls import FileCalls, number, text
from known_names import LEFT_OUT, Names

# Calls that may do to a regular file what is not played.
REFUSED = set(
    """acct chroot execveat fchmodat2 futimesat io_submit io_uring_setup mknod mknodat mount mount_setattr move_mount
    name_to_handle_at open_by_handle_at open_tree pidfd_getfd pivot_root process_mrelease setns swapoff swapon umount2
    unshare uselib vmsplice""".split()
)


class Oracle(FileCalls):
    """Made before the program runs in `cwd`; in this and the other directories it may make and change files.

    `copies` are programs that are not there any more when the log is played, with copies of them; `allowed` are calls
    that would be refused.
    """

    def __init__(self, cwd, *directories, copies=(), allowed=()):
        self.cwd = str(cwd)
        self.copies = dict(copies)
        self.allowed = allowed
        self.names = Names([self.cwd, *directories])
        self.sums = sums.Sums()
        self.threads = {}
        self.pids = set()

    def traced(self):
        """The calls that strace has to show."""
        played = {name.removeprefix("on_") for name in dir(self) if name.startswith("on_")}
        return sorted(played - {"exited"} | REFUSED)

    def check(self, log, records, unseen=lambda expected, pids: None):
        """Compares a log with kflowd's records. `unseen` adds what strace cannot see."""
        expected = self.play(strace.calls(log))
        unseen(expected, self.pids)
        assert expected, "strace saw nothing"
        found, closed_later = sums.of_records(records, self.pids, LEFT_OUT)
        sums.take_later_closes(expected, found, closed_later)
        lines = sums.differences(expected, found)
        assert not lines, f"{len(lines)} of {len(expected)} sums differ\n" + "\n".join(lines)

    def play(self, calls):
        """The sums for a whole log."""
        for call in calls:
            process = self.threads.get(call.thread)
            if not process:
                assert not self.pids, f"{call.thread} came from nowhere"
                process = self.enter(call.thread, Process(call.thread, Table(), Memory(), [self.cwd]))
            if call.name in REFUSED:
                assert call.name in self.allowed, f"not played: {call}"
            else:
                getattr(self, f"on_{call.name}")(process, call)
        self.sums.send_all()
        return self.sums.sums

    def enter(self, thread, process):
        self.threads[thread] = process
        self.pids.add(process.pid)
        return process

    def drop(self, process, descriptions):
        """What a process let go of; the last holder closes it."""
        for description in descriptions:
            description.holders -= 1
            if not description.holders and not description.silent:
                self.sums.closed(process.pid, description.name, description.writes)

    # Processes.

    def on_fork(self, process, call):
        flags = "CLONE_VM" if call.name == "vfork" else call.text
        if "CLONE_THREAD" in flags:
            process.threads += 1
            self.enter(call.value, process)
            return
        table = process.table.share() if "CLONE_FILES" in flags else process.table.copy()
        memory = process.memory.share() if "CLONE_VM" in flags else process.memory.copy()
        cwd = process.cwd if "CLONE_FS" in flags else list(process.cwd)
        self.enter(call.value, Process(call.value, table, memory, cwd))

    on_vfork = on_clone = on_clone3 = on_fork

    def on_exited(self, process, call):
        del self.threads[call.thread]
        process.threads -= 1
        if process.threads:
            return
        self.leave_memory(process)
        process.table.users -= 1
        if not process.table.users:
            self.drop(process, process.table.take_all())

    def leave_memory(self, process):
        process.memory.users -= 1
        if not process.memory.users:
            self.drop(process, process.memory.held())

    def on_execve(self, process, call):
        memory = Memory()
        for image in program.images(os.path.join(process.cwd[0], text(call.args[0])), self.copies):
            self.load(process, memory, image)
        self.leave_memory(process)
        process.memory = memory
        if process.table.users > 1:
            process.table.users -= 1
            process.table = process.table.copy()
        self.drop(process, process.table.take_all(lambda _, cloexec: cloexec))

    def load(self, process, memory, image):
        name = self.names.follow(image.path)
        self.sums.opened(process.pid, name, "OPEN_EXEC")
        for size in image.reads:
            self.sums.transfer(process.pid, name, False, size)
        if image.stays:
            memory.programs.append(Description(name, holders=1))
        else:
            self.sums.closed(process.pid, name, False)

    def on_chdir(self, process, call):
        process.cwd[0] = os.path.realpath(self.path(process, call.args[0]))

    def on_fchdir(self, process, call):
        process.cwd[0] = strace.unescape(call.args[0].partition("<")[2][:-1])

    # Descriptors.

    def on_close(self, process, call):
        self.drop(process, process.table.take(number(call.args[0])))

    def on_close_range(self, process, call):
        first, last = number(call.args[0]), number(call.args[1])
        chosen = process.table.take_all(lambda fd, _: first <= fd <= last)
        assert "CLOSE_RANGE" not in call.args[2], call
        self.drop(process, chosen)

    def duplicate(self, process, call, cloexec):
        """Of what the first argument names, at the number returned, where something else may be open."""
        description = self.opened_by(process, call.args[0])
        if number(call.args[0]) == call.value:
            return
        closed = process.table.take(call.value)
        if description:
            process.table.set(call.value, description, cloexec)
        self.drop(process, closed)

    def on_dup(self, process, call):
        self.duplicate(process, call, False)

    def on_dup2(self, process, call):
        self.duplicate(process, call, "O_CLOEXEC" in call.text)

    on_dup3 = on_dup2

    def on_fcntl(self, process, call):
        if call.args[1].startswith("F_DUPFD"):
            self.duplicate(process, call, call.args[1] == "F_DUPFD_CLOEXEC")
        elif call.args[1] == "F_SETFD":
            process.table.set_cloexec(number(call.args[0]), "FD_CLOEXEC" in call.args[2])

    def on_ioctl(self, process, call):
        assert not re.match("FICLONE|FIDEDUPE", call.args[1]), call
        if call.args[1] in ("FIOCLEX", "FIONCLEX"):
            process.table.set_cloexec(number(call.args[0]), call.args[1] == "FIOCLEX")

    # Mappings.

    def on_mmap(self, process, call):
        size, descriptor = number(call.args[1]), number(call.args[4])
        lost = process.memory.cut(call.value, size)
        if descriptor >= 0 and (description := self.opened_by(process, call.args[4])):
            process.memory.add(call.value, size, description)
        self.drop(process, lost)

    def on_munmap(self, process, call):
        self.drop(process, process.memory.cut(number(call.args[0]), number(call.args[1])))

    def on_mremap(self, process, call):
        start, size = number(call.args[0]), number(call.args[1])
        assert not any(first < start + size and start < last for first, last, _ in process.memory.parts), call
