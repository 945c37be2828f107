#!/usr/bin/env python3
"""Open files that change hands: what is done counts for the process that does it, and nothing is opened anew."""

import os
import select
import socket
import subprocess
import threading

import calls
import children
from cases import case, record, run


@case
def a_child_reads_what_the_parent_opened(c):
    c.make("a", 10)
    yield
    fd = os.open(c / "a", os.O_RDONLY)
    pid = children.run(lambda: [os.read(fd, 3) for _ in range(2)])
    os.read(fd, 10)
    os.close(fd)
    yield [
        record("a", ACCESS=2, read=6, size=10, pid=pid),
        record("a", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, read=4, size=10),
    ]


@case
def a_child_writes_what_the_parent_opened(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"1234")
    pid = children.run(lambda: os.write(fd, b"567"))
    os.write(fd, b"89")
    os.close(fd)
    yield [
        record("a", MODIFY=1, written=3, size=7, change=3, pid=pid),
        record("a", CREATE=1, OPEN=1, MODIFY=2, CLOSE_WRITE=1, written=6, size=9, change=9),
    ]


@case
def ten_children_share_one(c):
    yield
    fd = os.open(c / "a", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    pids = [children.run(lambda: [os.write(fd, b"12"), os.write(fd, b"3")]) for _ in range(10)]
    os.close(fd)
    yield [
        record("a", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=30, change=30),
        *(record("a", MODIFY=2, written=3, change=3, pid=pid, size=3 * n) for n, pid in enumerate(pids, 1)),
    ]


@case
def a_grandchild_closes_last(c):
    c.make("a", 10)
    yield
    gate, told = children.Gate(), os.pipe()

    def grandchild():
        gate.wait()
        os.read(fd, 2)

    def child():
        os.read(fd, 1)
        os.write(told[1], str(children.start(grandchild)).encode())

    fd = os.open(c / "a", os.O_RDONLY)
    pid = children.run(child)
    grandchild_pid = int(os.read(told[0], 20))
    os.close(fd)
    pidfd = os.pidfd_open(grandchild_pid)
    gate.open()
    wait_for_end(pidfd)
    yield [
        record("a", OPEN=1, size=10),
        record("a", ACCESS=1, read=1, size=10, pid=pid),
        record("a", ACCESS=1, CLOSE_NOWRITE=1, read=2, size=10, pid=grandchild_pid, ProcPPID=pid),
    ]


def wait_for_end(pidfd):
    """Of a process that is not our child."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(60000), "it runs on"
    os.close(pidfd)


@case
def sent_through_a_socket(c):
    c.make("a", 10)
    yield
    here, there = socket.socketpair()

    def receive():
        _, (fd,), _, _ = socket.recv_fds(there, 1, 1)
        os.read(fd, 4)
        os.close(fd)

    pid = children.start(receive)
    fd = os.open(c / "a", os.O_RDONLY)
    socket.send_fds(here, [b"x"], [fd])
    children.finish(pid)
    os.close(fd)
    here.close()
    there.close()
    yield [
        record("a", ACCESS=1, read=4, size=10, pid=pid),
        record("a", OPEN=1, CLOSE_NOWRITE=1, size=10),
    ]


@case
def sent_and_forgotten_by_the_sender(c):
    c.make("a", 10)
    yield
    here, there = socket.socketpair()
    fd = os.open(c / "a", os.O_RDWR)
    socket.send_fds(here, [b"x"], [fd])
    os.close(fd)

    def receive():
        _, (received,), _, _ = socket.recv_fds(there, 1, 1)
        os.write(received, b"123")

    pid = children.run(receive)
    here.close()
    there.close()
    yield [
        record("a", OPEN=1, size=10),
        record("a", MODIFY=1, CLOSE_WRITE=1, written=3, size=10, pid=pid),
    ]


@case
def taken_from_another_process(c):
    c.make("a", 10)
    yield
    gate, told = children.Gate(), os.pipe()

    def owner():
        os.write(told[1], str(os.open(c / "a", os.O_RDWR)).encode())
        gate.wait()

    pid = children.start(owner)
    fd = calls.pidfd_getfd(pid, int(os.read(told[0], 10)))
    os.read(fd, 4)
    os.write(fd, b"56789abcdef")
    gate.open()
    children.finish(pid)
    os.close(fd)
    yield [
        record("a", OPEN=1, size=10, pid=pid),
        record("a", ACCESS=1, MODIFY=1, CLOSE_WRITE=1, read=4, written=11, size=15, change=5),
    ]


@case
def input_and_output_of_a_program(c):
    c.make("in", 10)
    yield
    with open(c / "in", "rb") as source, open(c / "out", "wb") as target:
        program = subprocess.Popen(["dd", "bs=5", "count=2", "status=none"], stdin=source, stdout=target)
        assert program.wait() == 0
    yield [
        record("in", ACCESS=2, read=10, size=10, pid=program.pid),
        record("out", MODIFY=2, written=10, size=10, change=10, pid=program.pid),
        record("in", OPEN=1, CLOSE_NOWRITE=1, size=10),
        record("out", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=10, change=10),
    ]


@case
def redirected_by_a_shell(c):
    c.make("in", 10)
    yield
    line = "exec dd bs=4 status=none <in >out 2>>log"
    program = subprocess.Popen(["sh", "-c", line], cwd=c.directory)
    assert program.wait() == 0
    yield [
        record("in", OPEN=1, ACCESS=3, CLOSE_NOWRITE=1, read=10, size=10, pid=program.pid),
        record("out", CREATE=1, OPEN=1, MODIFY=3, CLOSE_WRITE=1, written=10, size=10, change=10, pid=program.pid),
        record("log", CREATE=1, OPEN=1, CLOSE_WRITE=1, size=0, pid=program.pid),
    ]


@case
def a_shell_writes_itself(c):
    yield
    line = "echo one >a; echo three >>a; read word <a"
    program = subprocess.Popen(["bash", "-c", line], cwd=c.directory)
    assert program.wait() == 0
    mine = {"pid": program.pid}
    yield [
        record("a", CREATE=1, OPEN=1, MODIFY=1, CLOSE_WRITE=1, written=4, size=4, change=4, **mine),
        record("a", OPEN=1, MODIFY=1, CLOSE_WRITE=1, written=6, size=10, change=6, **mine),
        record("a", OPEN=1, ACCESS=1, CLOSE_NOWRITE=1, read=10, size=10, **mine),
    ]


@case
def threads_are_one_process(c):
    c.make("a", 10)
    yield
    fd = os.open(c / "a", os.O_RDWR)
    threads = [threading.Thread(target=lambda: [os.pread(fd, 2, 0), os.pwrite(fd, b"x", 0)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(fd)
    yield [record("a", OPEN=1, ACCESS=4, MODIFY=4, CLOSE_WRITE=1, read=8, written=4, size=10)]


@case
def a_thread_opens_another_closes(c):
    c.make("a", 10)
    yield
    opened = []
    thread = threading.Thread(target=lambda: opened.append(os.open(c / "a", os.O_RDONLY)))
    thread.start()
    thread.join()
    os.close(opened[0])
    yield [record("a", OPEN=1, CLOSE_NOWRITE=1, size=10)]


@case
def another_program_in_the_same_process(c):
    c.make("a", 10)
    yield

    def work():
        fd = os.open(c / "a", os.O_RDONLY)
        os.read(fd, 3)
        os.dup2(fd, 0)
        os.execv("/usr/bin/dd", ["dd", "of=/dev/null", "bs=7", "count=1", "status=none"])

    pid = children.start(work)
    children.finish(pid)
    yield [record("a", OPEN=1, ACCESS=2, CLOSE_NOWRITE=1, read=10, size=10, pid=pid)]


run()
