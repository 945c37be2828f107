//! Bodies of flow and payload records. Do not reorder: the order is the format.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Head, Task};

/// `enum kf_role`: [`Flow::role`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Connected, or sent first.
    Client = 1,
    /// Accepted, or received first.
    Server = 2,
}

/// `enum kf_direction`: index into [`Flow::ways`], and [`Payload::way`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Direction {
    /// Sent.
    Tx = 0,
    /// Received.
    Rx = 1,
}

/// Combinations of TCP flags that one direction of a record tells apart.
pub const TCP_FLAGS: usize = 10;

/// `struct kf_way`: one direction of a flow. What counts, counts since the last record of the flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Way {
    /// Segments of TCP, datagrams, messages; large ones by what is on the wire.
    pub packets: u64,
    /// TCP: of these with payload.
    pub data_packets: u64,
    /// Payload; sent again, counted again.
    pub bytes: u64,
    /// First packet of this record, nanoseconds of `CLOCK_BOOTTIME`; 0 = none.
    pub first_time: u64,
    /// Last packet of this record, likewise.
    pub last_time: u64,
    /// Interface of the last packet, 0 = unknown.
    pub ifindex: u32,
    /// Packets with a combination of flags that found no place below.
    pub flags_other: u32,
    /// Packets with each combination.
    pub flags_count: [u32; TCP_FLAGS],
    /// Combinations in order of appearance, as in the header: FIN 1 ... CWR 0x80; 0 = no further one.
    pub flags: [u8; TCP_FLAGS],
    /// Zero.
    pub pad: [u8; 6],
}

/// `struct kf_flow`: body of a flow record. An IPv4 address is in the first four of its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flow {
    /// Common head.
    pub head: Head,
    /// Who did it.
    pub task: Task,
    /// Of the socket, unique since boot.
    pub cookie: u64,
    /// When the flow was first seen, nanoseconds of `CLOCK_BOOTTIME`.
    pub open_time: u64,
    /// When this record was written, nanoseconds of `CLOCK_BOOTTIME`.
    pub sent_time: u64,
    /// TCP: smoothed round-trip time, nanoseconds.
    pub rtt: u64,
    /// TCP: bytes acknowledged by the peer, since the last record.
    pub bytes_acked: u64,
    /// TCP: bytes sent again, since the last record.
    pub bytes_retrans: u64,
    /// Sum of the TTL or hop limit of the packets that [`Flow::ttl_packets`] counts.
    pub ttl_sum: u64,
    /// Received packets, large ones once, since the last record.
    pub ttl_packets: u32,
    /// TCP: packets sent again, since the last record.
    pub packets_retrans: u32,
    /// TCP: packets sent and reported twice by the peer, since the last record.
    pub packets_dups: u32,
    /// TCP: reordering seen by the sender, since the last record.
    pub packets_reorder: u32,
    /// Packets received and dropped at the socket, since the last record.
    pub packets_drop: u32,
    /// Packets received in IP fragments, since the last record.
    pub packets_frag: u32,
    /// Packets in the receive queue now.
    pub packets_queued: u32,
    /// TCP: retransmission timeout, milliseconds.
    pub rto: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// [`super::Cause`] as a number.
    pub cause: u32,
    /// Local address, network byte order.
    pub local: [u8; 16],
    /// Remote address, likewise.
    pub remote: [u8; 16],
    /// Local port.
    pub local_port: u16,
    /// Remote port.
    pub remote_port: u16,
    /// Of the packets: `AF_UNIX` 1, `AF_INET` 2, `AF_INET6` 10.
    pub family: u8,
    /// `IPPROTO_TCP` 6, `IPPROTO_UDP` 17; 0 = UNIX.
    pub protocol: u8,
    /// [`Role`] as a number.
    pub role: u8,
    /// State as the kernel numbers it: 1 established ... 7 closed.
    pub state: u8,
    /// By [`Direction`].
    pub ways: [Way; 2],
}

/// `struct kf_payload`: what one call sent or received, or the beginning of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Payload {
    /// Common head.
    pub head: Head,
    /// [`Flow::cookie`].
    pub cookie: u64,
    /// [`Flow::open_time`].
    pub open_time: u64,
    /// Bytes of this direction before these, since the flow was first seen.
    pub offset: u64,
    /// Bytes that the call moved; the tail may have fewer.
    pub len: u32,
    /// [`Payload::DATAGRAM`], [`Payload::JOINED`].
    pub flags: u32,
    /// Local address as in [`Flow`]: flows of one UDP socket share the cookie.
    pub local: [u8; 16],
    /// Remote address, likewise.
    pub remote: [u8; 16],
    /// Local port.
    pub local_port: u16,
    /// Remote port.
    pub remote_port: u16,
    /// As [`Flow::family`].
    pub family: u8,
    /// As [`Flow::protocol`].
    pub protocol: u8,
    /// As [`Flow::role`].
    pub role: u8,
    /// [`Direction`] as a number.
    pub way: u8,
}

impl Payload {
    /// In [`Payload::flags`]: a message of its own, not a piece of a stream.
    pub const DATAGRAM: u32 = 0x1;

    /// In [`Payload::flags`]: the connection is older than kflowd, its first bytes were not seen.
    pub const JOINED: u32 = 0x2;
}
