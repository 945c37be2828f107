"""Work in other processes."""

import os
import traceback


def start(work):
    """Runs `work` in a child; returns its process id at once."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def finish(pid):
    """Waits for the child, which must have ended well."""
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"child {pid} ended with status {status}"


def run(work):
    """Both; returns the process id."""
    pid = start(work)
    finish(pid)
    return pid


class Gate:
    """One process waits until another lets it pass."""

    def __init__(self):
        self.out, self.into = os.pipe()

    def open(self):
        os.write(self.into, b".")

    def wait(self):
        os.read(self.out, 1)

    def close(self):
        os.close(self.out)
        os.close(self.into)
