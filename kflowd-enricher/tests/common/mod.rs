//! Records as a probe would write them.
#![allow(dead_code, reason = "each test binary uses its part")]

use kflowd_proto::layout::{
    Cause, Direction, File, Flow, InodeTime, Kind, Payload, Role, TAG_CUT, Tag, TailEntry, Task, Way,
};
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

fn mapped<const N: usize>(address: [u8; N]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..N].copy_from_slice(&address);
    bytes
}

/// Packets of one direction of a TCP connection.
fn way(ifindex: u32, packets: u64, bytes: u64, flags: &[(u8, u32)]) -> Way {
    let mut way = Way { packets, data_packets: packets / 2, bytes, ifindex, ..Way::default() };
    (way.first_time, way.last_time) = (4995 * SECOND + 5, 5000 * SECOND + 643_031_330);
    for (i, &(bits, count)) in flags.iter().enumerate() {
        (way.flags[i], way.flags_count[i]) = (bits, count);
    }
    way
}

/// An ordinary flow record: a client fetched a page.
pub(crate) fn flow_body() -> Flow {
    let mut flow = Flow { head: body().head, task: body().task, ..Flow::default() };
    flow.task = Task { tid: 4242, comm: *b"curl\0\0\0\0\0\0\0\0\0\0\0\0", ..flow.task };
    flow.cookie = 77;
    flow.open_time = 4995 * SECOND;
    flow.sent_time = 5000 * SECOND + 643_031_330;
    flow.rtt = 12_345_678;
    (flow.bytes_acked, flow.bytes_retrans) = (78, 40);
    (flow.ttl_sum, flow.ttl_packets) = (5 * 57 + 2, 5);
    (flow.packets_retrans, flow.packets_dups, flow.packets_reorder) = (1, 2, 3);
    (flow.packets_drop, flow.packets_frag, flow.packets_queued) = (4, 5, 6);
    (flow.rto, flow.netns, flow.cause) = (204, 4_026_531_840, Cause::Close as u32);
    (flow.local, flow.remote) = (mapped([192, 0, 2, 7]), mapped([198, 51, 100, 200]));
    (flow.local_port, flow.remote_port) = (54_321, 80);
    (flow.family, flow.protocol, flow.role, flow.state) = (2, 6, Role::Client as u8, 7);
    flow.ways = [
        way(4, 6, 78, &[(0x02, 1), (0x10, 3), (0x18, 1), (0x11, 1)]),
        way(4, 5, 1447, &[(0x12, 1), (0x10, 1), (0x18, 2), (0x11, 1)]),
    ];
    flow
}

/// The same by IPv6, on the side of a server, as the loopback interface has it.
pub(crate) fn server_body() -> Flow {
    let mut flow = flow_body();
    flow.cookie = 78;
    let local = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    (flow.local, flow.remote) = (local, mapped([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]));
    (flow.local_port, flow.remote_port) = (80, 33_333);
    (flow.family, flow.role, flow.state, flow.cause) = (10, Role::Server as u8, 1, Cause::Active as u32);
    flow.ways = [flow.ways[1], flow.ways[0]];
    (flow.ways[0].ifindex, flow.ways[1].ifindex) = (1, 99);
    flow.ways[1].flags_other = 9;
    flow
}

/// A question and an answer of the name service.
pub(crate) fn udp_body() -> Flow {
    let mut flow = flow_body();
    (flow.cookie, flow.protocol, flow.state) = (79, 17, 1);
    (flow.remote_port, flow.cause) = (53, Cause::Idle as u32);
    for way in &mut flow.ways {
        *way =
            Way { packets: 1, bytes: way.bytes, first_time: 5, last_time: 5, ifindex: 4, ..Way::default() };
    }
    flow
}

/// A program and the log.
pub(crate) fn unix_body() -> Flow {
    let mut flow = udp_body();
    (flow.cookie, flow.family, flow.protocol, flow.local_port, flow.remote_port) = (80, 1, 0, 0, 0);
    (flow.local, flow.remote, flow.cause) = ([0; 16], [0; 16], Cause::Close as u32);
    flow.ways[1] = Way::default();
    flow
}

/// The frame of a flow record.
pub(crate) fn flow(body: &Flow) -> Vec<u8> {
    let mut strings = vec![(1, &b"curl"[..]), (2, b"bash")];
    if body.family == 1 {
        strings.push((7, b"/run/systemd/journal/dev-log"));
    }
    frame(Kind::Flow, body.as_bytes(), &strings)
}

/// The frame of payload of the flow `of`, of `missing` bytes more than there are.
pub(crate) fn payload(of: &Flow, way: Direction, offset: u64, bytes: &[u8], missing: u32) -> Vec<u8> {
    let mut body =
        Payload { head: of.head, cookie: of.cookie, open_time: of.open_time, ..Payload::default() };
    body.head.time = of.open_time + 876_589 + offset;
    (body.local, body.remote) = (of.local, of.remote);
    (body.local_port, body.remote_port) = (of.local_port, of.remote_port);
    (body.family, body.protocol, body.role) = (of.family, of.protocol, of.role);
    body.flags = if of.protocol == 6 { 0 } else { Payload::DATAGRAM };
    (body.offset, body.way, body.len) = (offset, way as u8, bytes.len() as u32 + missing);
    frame(Kind::Payload, body.as_bytes(), &[(8, bytes)])
}
