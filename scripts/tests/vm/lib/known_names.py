"""The names of files while a log of calls is played: which file each is, as it was at that moment."""

import functools
import os
import stat

# Not looked at. Kernel file systems, of which kflowd shows only what is modified, and files that have no name.
LEFT_OUT = ("/proc/", "/sys/", "/memfd:", "/dev/")


class File:
    """An inode. `filled` says that it has a byte, `target` is that of a symbolic link."""

    def __init__(self, filled=False, target=None):
        self.filled = filled
        self.target = target


class Name:
    """An entry of a directory, which a rename changes under those who have it open."""

    def __init__(self, path, file):
        self.path = path
        self.file = file


@functools.cache
def real_directory(path):
    return os.path.realpath(path)


def canonical(path):
    """The path without symbolic links but the last part. Directories that are links are taken as they are now."""
    directory, base = os.path.split(os.path.normpath(path))
    return os.path.join(real_directory(directory), base)


class Names:
    """All names below the directories scanned; others when they are met, which have to be as they were before."""

    def __init__(self, directories):
        self.names = {}
        self.directories = set()
        self.inodes = {}
        self.scanned = tuple(f"{directory}/" for directory in directories)
        for top in directories:
            for directory, directories, files in os.walk(top):
                self.directories.add(directory)
                for entry in files + directories:
                    self.meet(os.path.join(directory, entry))

    def meet(self, path):
        """Takes what is on the disk now; nothing that is no file or symbolic link."""
        facts = os.lstat(path)
        if stat.S_ISDIR(facts.st_mode):
            self.directories.add(path)
        if not stat.S_ISREG(facts.st_mode) and not stat.S_ISLNK(facts.st_mode):
            return None
        target = os.readlink(path) if stat.S_ISLNK(facts.st_mode) else None
        file = self.inodes.setdefault((facts.st_dev, facts.st_ino), File(facts.st_size > 0, target))
        return self.add(path, file)

    def add(self, path, file):
        self.names[path] = Name(path, file)
        return self.names[path]

    def get(self, path):
        """The name, None where there is none or what it names is not looked at."""
        if path in self.names or path.startswith((*self.scanned, *LEFT_OUT)):
            return self.names.get(path)
        return self.meet(path) if os.path.lexists(path) else None

    def changeable(self, path):
        """The same of a name that is about to be changed."""
        assert path.startswith((*self.scanned, *LEFT_OUT)), f"{path} is in no directory that was scanned"
        return self.get(path)

    def follow(self, path):
        """The name at the end of symbolic links."""
        path = canonical(path)
        name = self.get(path)
        while name and name.file.target is not None:
            path = canonical(os.path.join(os.path.dirname(path), name.file.target))
            name = self.get(path)
        return name

    def move(self, old, new):
        """A rename; that of a directory takes along what is in it."""
        moved = [path for path in self.names if path == old or path.startswith(f"{old}/")]
        for path in moved:
            name = self.names.pop(path)
            name.path = new + path.removeprefix(old)
            self.names[name.path] = name
        if old in self.directories:
            inside = {path for path in self.directories if path == old or path.startswith(f"{old}/")}
            self.directories -= inside
            self.directories |= {new + path.removeprefix(old) for path in inside}
            real_directory.cache_clear()
