//! Records as a probe would write them.
#![allow(dead_code, reason = "each test binary uses its part")]

use kflowd_proto::layout::{File, InodeTime, Kind, TAG_CUT, Tag, TailEntry};
use zerocopy::IntoBytes;

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// `/root/t/f` as the kernel writes it: `f/t/root/`.
pub(crate) fn from_leaf(path: &[u8]) -> Vec<u8> {
    let components: Vec<&[u8]> = path.strip_prefix(b"/").unwrap_or(path).rsplit(|&b| b == b'/').collect();
    components.iter().flat_map(|component| [*component, b"/"].concat()).collect()
}

/// A frame of `kind`: body, then the strings; paths are given as people write them.
pub(crate) fn frame(kind: Kind, body: &[u8], strings: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = body.to_vec();
    for (tag, text) in strings {
        let path = [Tag::ExePath as u16, Tag::Path as u16, Tag::Origin as u16].contains(&(tag & !TAG_CUT));
        let text = if path { from_leaf(text) } else { text.to_vec() };
        let len = u16::try_from(text.len()).expect("short string");
        bytes.extend_from_slice(TailEntry { tag: *tag, len }.as_bytes());
        bytes.extend_from_slice(&text);
    }
    let len = u32::try_from(bytes.len()).expect("short record");
    bytes[..4].copy_from_slice(&len.to_ne_bytes());
    bytes[4..6].copy_from_slice(&(kind as u16).to_ne_bytes());
    bytes
}

/// An ordinary file record: a process wrote a file.
pub(crate) fn body() -> File {
    let mut body = File::default();
    body.head.time = 5000 * SECOND + 643_031_330;
    body.head.tgid = 4242;
    body.head.start = 4990 * SECOND;
    body.task.thread_start = 4990 * SECOND + 1;
    body.task.ppid = 4000;
    body.task.tid = 4243;
    body.task.uid = 1000;
    body.task.gid = 1000;
    body.task.comm[..4].copy_from_slice(b"tool");
    body.first_time = body.head.time - 1_500_000;
    body.inode = 0x1_0000_0007;
    (body.size, body.size_first) = (4096, 1024);
    (body.bytes_read, body.bytes_written) = (0, 3072);
    body.atime = InodeTime { sec: 1_712_244_000, nsec: 1, pad: 0 };
    body.mtime = InodeTime { sec: 1_712_244_875, nsec: 643_031_330, pad: 0 };
    body.ctime = body.mtime;
    body.mtime_first = InodeTime { sec: 1_712_244_870, nsec: 0, pad: 0 };
    body.dev = 9 << 20 | 2;
    body.mode = 0o100_644;
    body.nlink = 1;
    (body.uid, body.gid) = (0, 1000);
    body.events = [1, 1, 0, 0, 0, 3, 1, 0, 0, 0, 0];
    body
}

/// The frame of `body` with the strings of a process named `exe`.
pub(crate) fn file(body: &File, exe: &[u8], more: &[(u16, &[u8])]) -> Vec<u8> {
    let mut strings = vec![(1, exe), (2, b"bash")];
    strings.extend_from_slice(more);
    frame(Kind::File, body.as_bytes(), &strings)
}

/// The ordinary frame: a path of 60 bytes.
pub(crate) fn plain() -> Vec<u8> {
    let path = b"/home/dirk/projects/kflowd/target/release/build/output-1.txt";
    file(&body(), b"tool", &[(5, path)])
}
