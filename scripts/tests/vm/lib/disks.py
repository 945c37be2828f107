"""The same cases on a file system of each kind: `run(disks)`."""

import contextlib

from mounts import filesystem
from tests import DIRECTORY

OTHERS = ("xfs", "btrfs", "tmpfs")


@contextlib.contextmanager
def disks():
    """The guest's own ext4 and three more, by kind."""
    with contextlib.ExitStack() as stack:
        yield {"ext4": DIRECTORY, **{kind: stack.enter_context(filesystem(kind)) for kind in OTHERS}}
