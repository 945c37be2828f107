"""System calls on files: what each of them counts. A part of the oracle."""

import os
import re

import strace
from descriptors import Description
from known_names import LEFT_OUT, File, canonical


def number(arg):
    """The descriptor or number at the beginning of an argument."""
    return int(re.match(r"-?(0x[0-9a-f]+|\d+)", arg)[0], 0)


def text(arg):
    """The text of a quoted argument."""
    return strace.unescape(arg[1 : arg.rindex('"')])


class FileCalls:
    """Handlers by the name of the call, each with the process and the call. They use `names` and `sums`."""

    def path(self, process, arg, directory=None):
        """The path that an argument means, as it is below the directory whose descriptor stands before it."""
        at = strace.unescape(directory[directory.index("<") + 1 : -1]) if directory else process.cwd[0]
        return canonical(os.path.join(at, text(arg)))

    def opened_by(self, process, arg):
        """The description behind a descriptor, None when it is no file that is looked at."""
        return process.table.slots.get(number(arg), (None,))[0]

    # Open.

    def on_openat(self, process, call):
        self.open(process, call, call.args[2])

    on_openat2 = on_openat

    def on_recvmsg(self, process, call):
        """Descriptors that come by a socket: none of a file."""
        assert not re.search(r"SCM_RIGHTS, cmsg_data=\[[^]]*</", call.text), call

    def on_open(self, process, call):
        self.open(process, call, call.args[1])

    def on_creat(self, process, call):
        self.open(process, call, "O_CREAT|O_TRUNC|O_WRONLY")

    def open(self, process, call, flags):
        assert "O_TMPFILE" not in flags, call
        flags = set(re.findall(r"O_\w+", flags))
        if "O_PATH" in flags and (name := self.names.get(call.path)):
            process.table.set(call.value, Description(name, silent=True), "O_CLOEXEC" in flags)
        if flags & {"O_PATH", "O_DIRECTORY"}:
            return
        writes = bool(flags & {"O_WRONLY", "O_RDWR", "O_CREAT"})
        name = self.names.changeable(call.path) if writes else self.names.get(call.path)
        if created := not name and "O_CREAT" in flags and not call.path.startswith(LEFT_OUT):
            name = self.names.add(call.path, File())
            self.sums.count(process.pid, name, "CREATE")
        if not name:
            return
        self.sums.opened(process.pid, name)
        if "O_TRUNC" in flags and not created and name.file.filled:
            self.sums.count(process.pid, name, "MODIFY")
            name.file.filled = False
        description = Description(name, bool(flags & {"O_WRONLY", "O_RDWR"}))
        process.table.set(call.value, description, "O_CLOEXEC" in flags)

    # Content.

    def transfer(self, process, arg, writes, size):
        description = self.opened_by(process, arg)
        if description:
            description.name.file.filled |= writes and size > 0
            self.sums.transfer(process.pid, description.name, writes, size)

    def on_read(self, process, call):
        self.transfer(process, call.args[0], False, call.value)

    def on_write(self, process, call):
        self.transfer(process, call.args[0], True, call.value)

    on_pread64 = on_readv = on_preadv = on_preadv2 = on_read
    on_pwrite64 = on_writev = on_pwritev = on_pwritev2 = on_write

    def on_copy_file_range(self, process, call):
        self.transfer(process, call.args[0], False, call.value)
        self.transfer(process, call.args[2], True, call.value)

    on_splice = on_copy_file_range

    def on_sendfile(self, process, call):
        self.transfer(process, call.args[1], False, call.value)
        self.transfer(process, call.args[0], True, call.value)

    def on_ftruncate(self, process, call):
        description = self.opened_by(process, call.args[0])
        if description:
            description.name.file.filled = number(call.args[1]) > 0
            self.sums.count(process.pid, description.name, "MODIFY")

    def on_fallocate(self, process, call):
        description = self.opened_by(process, call.args[0])
        if description:
            description.name.file.filled = True
            self.sums.count(process.pid, description.name, "MODIFY")

    # Attributes.

    def attribute(self, process, name):
        if name:
            self.sums.count(process.pid, name, "ATTRIB")

    def attribute_by_path(self, process, path, follow):
        if own := re.fullmatch(r"/proc/(?:self|\d+)/fd/(\d+)", path):
            description = self.opened_by(process, own[1])
            self.attribute(process, description and description.name)
        else:
            self.attribute(process, self.names.follow(path) if follow else self.names.get(path))

    def on_fchmod(self, process, call):
        description = self.opened_by(process, call.args[0])
        self.attribute(process, description and description.name)

    on_fsetxattr = on_fremovexattr = on_fchmod

    def on_fchown(self, process, call):
        if call.args[1:3] != ["-1", "-1"]:
            self.on_fchmod(process, call)

    def on_chmod(self, process, call):
        self.attribute_by_path(process, self.path(process, call.args[0]), True)

    on_setxattr = on_removexattr = on_chmod

    def on_fchmodat(self, process, call):
        self.attribute_by_path(process, self.path(process, call.args[1], call.args[0]), True)

    def on_lsetxattr(self, process, call):
        self.attribute_by_path(process, self.path(process, call.args[0]), False)

    on_lremovexattr = on_lsetxattr

    def on_lchown(self, process, call):
        if call.args[1:3] != ["-1", "-1"]:
            self.on_lsetxattr(process, call)

    def on_chown(self, process, call):
        if call.args[1:3] != ["-1", "-1"]:
            self.on_chmod(process, call)

    def on_fchownat(self, process, call):
        if call.args[2:4] != ["-1", "-1"]:
            follow = "AT_SYMLINK_NOFOLLOW" not in call.args[4]
            self.attribute_by_path(process, self.path(process, call.args[1], call.args[0]), follow)

    def on_utimensat(self, process, call):
        if call.args[2].count("UTIME_OMIT") == 2:
            return
        if call.args[1] == "NULL":
            self.on_fchmod(process, call)
            return
        follow = "AT_SYMLINK_NOFOLLOW" not in call.args[3]
        self.attribute_by_path(process, self.path(process, call.args[1], call.args[0]), follow)

    def on_utime(self, process, call):
        self.on_chmod(process, call)

    on_utimes = on_utime

    # Names.

    def unlink(self, process, path):
        name = self.names.changeable(path)
        if name:
            del self.names.names[path]
            self.sums.lost(process.pid, name)

    def on_unlink(self, process, call):
        self.unlink(process, self.path(process, call.args[0]))

    def on_unlinkat(self, process, call):
        if "AT_REMOVEDIR" not in call.args[2]:
            self.unlink(process, self.path(process, call.args[1], call.args[0]))

    def rename(self, process, old, new):
        name, replaced = self.names.changeable(old), self.names.changeable(new)
        if name and replaced and name.file is replaced.file:
            return
        self.unlink(process, new)
        self.names.move(old, new)
        if name:
            self.sums.named(process.pid, name, "MOVED_FROM", "MOVED_TO")

    def on_rename(self, process, call):
        self.rename(process, self.path(process, call.args[0]), self.path(process, call.args[1]))

    def on_renameat(self, process, call):
        assert "RENAME_EXCHANGE" not in call.text, call
        args = call.args
        self.rename(process, self.path(process, args[1], args[0]), self.path(process, args[3], args[2]))

    on_renameat2 = on_renameat

    def link(self, process, old, new):
        assert self.names.changeable(new) is None, new
        self.sums.named(process.pid, self.names.add(new, self.names.get(old).file), "CREATE")

    def on_link(self, process, call):
        self.link(process, self.path(process, call.args[0]), self.path(process, call.args[1]))

    def on_linkat(self, process, call):
        args = call.args
        assert args[4] == "0", call
        self.link(process, self.path(process, args[1], args[0]), self.path(process, args[3], args[2]))

    def symlink(self, process, target, path):
        self.sums.named(process.pid, self.names.add(path, File(True, target)), "CREATE")

    def on_symlink(self, process, call):
        self.symlink(process, text(call.args[0]), self.path(process, call.args[1]))

    def on_symlinkat(self, process, call):
        self.symlink(process, text(call.args[0]), self.path(process, call.args[2], call.args[1]))
