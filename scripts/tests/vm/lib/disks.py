"""The same cases on a file system of each kind."""

import contextlib
import pathlib

from mounts import filesystem

KINDS = ("ext4", "xfs", "btrfs", "tmpfs")


class Disks:
    """`run(roots=disks.roots, during=disks.mounted)`: the guest's own ext4 and three more."""

    def __init__(self, kinds=KINDS):
        self.kinds = kinds
        self.places = {}

    @contextlib.contextmanager
    def mounted(self):
        with contextlib.ExitStack() as stack:
            for kind in self.kinds:
                self.places[kind] = pathlib.Path("/root/t") if kind == "ext4" else stack.enter_context(filesystem(kind))
            yield

    def roots(self):
        return self.places
