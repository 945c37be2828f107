//! The `Sock*` block of a message.
//!
//! A direction has its keys when anything of it happened since the last record, counts that come without a packet of
//! its own (an acknowledgement for bytes sent before) included: the records of a flow add up to its totals.

use std::net::Ipv6Addr;

use kflowd_proto::layout::{Direction, Flow as Body, Role, Way};

use super::Options;
use super::json::Writer;
use super::keys::{Key, Piece};
use crate::event::{Flow, duration, socket};

/// By number of the kernel.
static TCP_STATES: [Piece; 14] = [
    Piece::word("TCP_NONE"),
    Piece::word("TCP_ESTABLISHED"),
    Piece::word("TCP_SYN_SENT"),
    Piece::word("TCP_SYN_RECV"),
    Piece::word("TCP_FIN_WAIT1"),
    Piece::word("TCP_FIN_WAIT2"),
    Piece::word("TCP_TIME_WAIT"),
    Piece::word("TCP_CLOSE"),
    Piece::word("TCP_CLOSE_WAIT"),
    Piece::word("TCP_LAST_ACK"),
    Piece::word("TCP_LISTEN"),
    Piece::word("TCP_CLOSING"),
    Piece::word("TCP_NEW_SYN_RECV"),
    Piece::word("TCP_MAX_STATES"),
];
static UDP_STATES: [Piece; 2] = [Piece::word("UDP_ESTABLISHED"), Piece::word("UDP_CLOSE")];
static PROTOCOLS: [Piece; 3] = [Piece::word("TCP"), Piece::word("UDP"), Piece::word("UNIX")];
static ROLES: [Piece; 2] = [Piece::word("CLIENT"), Piece::word("SERVER")];
static FAMILIES: [Piece; 3] = [Piece::word("AF_INET"), Piece::word("AF_INET6"), Piece::word("AF_UNIX")];
/// By [`kflowd_proto::layout::Cause`].
static CAUSES: [Piece; 8] = [
    Piece::word(""),
    Piece::word("CLOSE"),
    Piece::word("NAME"),
    Piece::word("COUNT"),
    Piece::word("IDLE"),
    Piece::word("ACTIVE"),
    Piece::word("EXIT"),
    Piece::word("STOP"),
];

/// The block, up to the messages.
pub(super) fn flow(w: &mut Writer<'_>, flow: &Flow<'_>, options: Options) {
    let body = flow.body;
    if body.family == socket::UNIX {
        w.word(Key::SockRole, role(body));
        w.text(Key::SockAddress, flow.address);
        w.word(Key::SockFamily, &FAMILIES[2]);
        unix_ways(w, body);
    } else {
        head(w, body);
        ways(w, flow);
    }
    w.duration(Key::SockAge, flow.age());
    if options.extra {
        w.integer(Key::SockCookie, body.cookie);
        w.integer(Key::SockNetNamespace, body.netns.into());
        w.word(Key::SockCause, cause(body.cause));
        w.raw(Key::SockAddress, flow.address);
    }
}

/// `SockProtocol`.
pub(super) fn protocol(body: &Body) -> &'static Piece {
    match body.protocol {
        socket::TCP => &PROTOCOLS[0],
        socket::UDP => &PROTOCOLS[1],
        _ => &PROTOCOLS[2],
    }
}

/// `SockRole`.
pub(super) fn role(body: &Body) -> &'static Piece {
    &ROLES[usize::from(body.role == Role::Server as u8)]
}

/// `SockState`. A number that no kernel of today has is none.
pub(super) fn state(body: &Body) -> &'static Piece {
    if body.protocol == socket::TCP {
        return TCP_STATES.get(usize::from(body.state)).unwrap_or(&TCP_STATES[0]);
    }
    &UDP_STATES[usize::from(body.state != 1)]
}

fn cause(number: u32) -> &'static Piece {
    CAUSES.get(number as usize).unwrap_or(&CAUSES[0])
}

fn head(w: &mut Writer<'_>, body: &Body) {
    w.word(Key::SockProtocol, protocol(body));
    w.word(Key::SockRole, role(body));
    w.word(Key::SockState, state(body));
    w.word(Key::SockFamily, &FAMILIES[usize::from(body.family != socket::INET)]);
    address(w, Key::SockLocalIP, body.family, body.local);
    w.integer(Key::SockLocalPort, body.local_port.into());
    address(w, Key::SockRemoteIP, body.family, body.remote);
    w.integer(Key::SockRemotePort, body.remote_port.into());
}

fn address(w: &mut Writer<'_>, key: Key, family: u8, bytes: [u8; 16]) {
    if family == socket::INET {
        let [a, b, c, d, ..] = bytes;
        w.ipv4(key, [a, b, c, d]);
    } else {
        w.ipv6(key, Ipv6Addr::from(bytes));
    }
}

/// What the process began comes first.
fn ways(w: &mut Writer<'_>, flow: &Flow<'_>) {
    let server = flow.body.role == Role::Server as u8;
    if !server {
        sent(w, flow);
    }
    received(w, flow);
    if server {
        sent(w, flow);
    }
}

fn sent(w: &mut Writer<'_>, flow: &Flow<'_>) {
    let (body, way) = (flow.body, &flow.body.ways[Direction::Tx as usize]);
    let told = u64::from(body.packets_retrans) | u64::from(body.packets_dups) | body.bytes_acked;
    if way.packets | told | body.bytes_retrans == 0 {
        return;
    }
    let tcp = body.protocol == socket::TCP;
    w.bytes(Key::SockTxInterface, flow.interfaces[Direction::Tx as usize].as_bytes());
    if tcp {
        w.integer(Key::SockTxDataPackets, way.data_packets);
    }
    w.integer(Key::SockTxPackets, way.packets);
    if tcp {
        w.integer(Key::SockTxPacketsRetrans, body.packets_retrans.into());
        w.integer(Key::SockTxPacketsDups, body.packets_dups.into());
        w.flags(Key::SockTxFlags, way);
    }
    w.duration(Key::SockTxDuration, duration(way));
    w.integer(Key::SockTxBytes, way.bytes);
    if tcp {
        w.integer(Key::SockTxBytesAcked, body.bytes_acked);
        w.integer(Key::SockTxBytesRetrans, body.bytes_retrans);
        w.integer(Key::SockTxRTO, body.rto.into());
    }
}

fn received(w: &mut Writer<'_>, flow: &Flow<'_>) {
    let (body, way) = (flow.body, &flow.body.ways[Direction::Rx as usize]);
    let told = body.packets_drop | body.packets_reorder | body.packets_frag;
    if way.packets | u64::from(told) == 0 {
        return;
    }
    let tcp = body.protocol == socket::TCP;
    w.bytes(Key::SockRxInterface, flow.interfaces[Direction::Rx as usize].as_bytes());
    if tcp {
        w.integer(Key::SockRxDataPackets, way.data_packets);
    }
    w.integer(Key::SockRxPackets, way.packets);
    w.integer(Key::SockRxPacketsQueued, body.packets_queued.into());
    w.integer(Key::SockRxPacketsDrop, body.packets_drop.into());
    if tcp {
        w.integer(Key::SockRxPacketsReorder, body.packets_reorder.into());
    }
    w.integer(Key::SockRxPacketsFrag, body.packets_frag.into());
    if tcp {
        w.flags(Key::SockRxFlags, way);
    }
    w.duration(Key::SockRxDuration, duration(way));
    w.integer(Key::SockRxBytes, way.bytes);
    w.integer(Key::SockRxTTL, flow.ttl());
    if tcp {
        w.duration(Key::SockRTT, body.rtt);
    }
}

fn unix_ways(w: &mut Writer<'_>, body: &Body) {
    let some = |way: &Way| way.packets > 0;
    let [sent, received] = &body.ways;
    if some(sent) {
        w.integer(Key::SockTxBytes, sent.bytes);
    }
    if some(received) {
        w.integer(Key::SockRxBytes, received.bytes);
    }
}
