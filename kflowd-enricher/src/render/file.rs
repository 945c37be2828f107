//! Info, process and file blocks of a message.

use kflowd_proto::layout::File as Body;

use super::Options;
use super::json::Writer;
use super::keys::Key;
use crate::event::{File, Process, Text, mode};

/// The `Proc*` block.
pub(super) fn process(w: &mut Writer<'_>, process: &Process<'_>, options: Options) {
    w.text(Key::ProcParent, process.parent);
    w.text(Key::Proc, process.name);
    if options.versions {
        w.bytes(Key::ProcVersion, b"");
    }
    w.bytes(Key::ProcUser, process.user.as_bytes());
    w.bytes(Key::ProcGroup, process.group.as_bytes());
    w.integer(Key::ProcPPID, process.ppid.into());
    w.integer(Key::ProcPID, process.pid.into());
    w.integer(Key::ProcTID, process.tid.into());
    w.integer(Key::ProcUID, process.uid.into());
    w.integer(Key::ProcGID, process.gid.into());
    w.duration(Key::ProcAge, process.age);
    if let Some(extra) = &process.extra {
        w.text(Key::ProcExe, extra.exe);
        w.arguments(Key::ProcCmdline, extra.argv);
        w.time(Key::ProcStart, extra.start);
        w.raw(Key::ProcParent, process.parent);
        w.raw(Key::Proc, process.name);
        w.raw(Key::ProcExe, extra.exe);
        w.raw(Key::ProcCmdline, Text::one(extra.argv));
    }
}

/// The `File*` block.
pub(super) fn file(w: &mut Writer<'_>, file: &File<'_>, options: Options) {
    let body = file.body;
    names(w, file, options);
    w.integer(Key::FileEventCount, file.event_count());
    w.events(Key::FileEvents, &body.events);
    w.duration(Key::FileEventsDuration, file.duration());
    w.integer(Key::FileInode, body.inode);
    w.integer(Key::FileInodeLinkCount, body.nlink.into());
    w.bytes(Key::FileDevice, file.device.as_bytes());
    w.plain(Key::FilePermissions, &permissions(body.mode), 15);
    w.bytes(Key::FileUser, file.user.as_bytes());
    w.bytes(Key::FileGroup, file.group.as_bytes());
    w.integer(Key::FileUID, body.uid.into());
    w.integer(Key::FileGID, body.gid.into());
    w.integer(Key::FileSize, body.size);
    if body.size != body.size_first {
        w.difference(Key::FileSizeChange, body.size_first, body.size);
    }
    times(w, file);
    if options.checksums && file.executable() {
        w.bytes(Key::FileMD5, b"");
        w.bytes(Key::FileSHA256, b"");
    }
    if options.extra {
        extra(w, file, body);
    }
}

fn names(w: &mut Writer<'_>, file: &File<'_>, options: Options) {
    w.text(Key::FilePath, file.directory);
    w.bytes(Key::File, file.name);
    if let Some(origin) = file.origin {
        w.text(Key::FileOrigin, origin);
    }
    if options.versions && file.executable() {
        w.bytes(Key::FileVersion, b"");
    }
    w.bytes(Key::FileMode, file.kind().as_bytes());
}

fn times(w: &mut Writer<'_>, file: &File<'_>) {
    w.time(Key::FileAccessTime, file.body.atime.into());
    w.time(Key::FileStatusChangeTime, file.body.ctime.into());
    w.time(Key::FileModificationTime, file.body.mtime.into());
    let change = file.mtime_change();
    if change != 0 {
        w.signed_seconds(Key::FileModificationTimeChange, change);
    }
}

fn extra(w: &mut Writer<'_>, file: &File<'_>, body: &Body) {
    w.integer(Key::FileBytesRead, body.bytes_read);
    w.integer(Key::FileBytesWritten, body.bytes_written);
    w.raw(Key::FilePath, file.directory);
    w.raw(Key::File, Text::one(file.name));
    if let Some(origin) = file.origin {
        w.raw(Key::FileOrigin, origin);
    }
}

/// `0755/-rwxr-xr-x`, with the letters of `ls` for set-id and sticky bits.
fn permissions(bits: u32) -> [u8; 15] {
    const TRIPLES: [[u8; 3]; 8] = [*b"---", *b"--x", *b"-w-", *b"-wx", *b"r--", *b"r-x", *b"rw-", *b"rwx"];
    let group = |shift: u32| (bits >> shift & 7) as usize;
    let digit = |shift| b'0' + group(shift) as u8;
    let kind = if bits & mode::TYPE == mode::SYMLINK { b'l' } else { b'-' };
    let ([a, b, c], [d, e, f], [g, h, i]) = (TRIPLES[group(6)], TRIPLES[group(3)], TRIPLES[group(0)]);
    let mut text = [digit(9), digit(6), digit(3), digit(0), b'/', kind, a, b, c, d, e, f, g, h, i];
    if group(9) != 0 {
        set_letters(&mut text, bits);
    }
    text
}

/// `s` or `t` in the place of `x`, upper case where `x` is not set.
fn set_letters(text: &mut [u8; 15], bits: u32) {
    for (bit, at, both, alone) in
        [(0o4000, 8, b's', b'S'), (0o2000, 11, b's', b'S'), (0o1000, 14, b't', b'T')]
    {
        if bits & bit != 0 {
            text[at] = if text[at] == b'x' { both } else { alone };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_as_ls_shows_them() {
        for (bits, expected) in [
            (0o100_755, "0755/-rwxr-xr-x"),
            (0o100_644, "0644/-rw-r--r--"),
            (0o120_777, "0777/lrwxrwxrwx"),
            (0o104_755, "4755/-rwsr-xr-x"),
            (0o102_644, "2644/-rw-r-Sr--"),
            (0o101_777, "1777/-rwxrwxrwt"),
            (0o107_000, "7000/---S--S--T"),
        ] {
            assert_eq!(std::str::from_utf8(&permissions(bits)).unwrap(), expected);
        }
    }
}
