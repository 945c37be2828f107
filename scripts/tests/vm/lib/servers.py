"""Programs that serve on loopback while a test runs, and the output of those that ask them."""

import contextlib
import os
import socket
import subprocess
import time

from loopback import LOOPBACK

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/root"}


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT).stdout


def answers(port):
    with socket.socket() as one:
        return one.connect_ex((LOOPBACK, port)) == 0


@contextlib.contextmanager
def server(port, *command):
    """A program that listens on a TCP port of loopback."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    try:
        for _ in range(600):
            if answers(port):
                break
            assert process.poll() is None, f"{command[0]} has ended with {process.returncode}"
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait()
