//! The `Sock*` block of a message.
//!
//! A direction has its keys when anything of it happened since the last record, counts that come without a packet of
//! its own (an acknowledgement for bytes sent before) included: the records of a flow add up to its totals.

use std::net::Ipv6Addr;

use kflowd_proto::layout::{Cause, Direction, Flow as Body, Role, Way};

use super::Options;
use super::json::Writer;
use super::keys::Key;
use crate::event::{Flow, duration, socket};

/// By number of the kernel.
const TCP_STATES: [&str; 14] = [
    "TCP_NONE",
    "TCP_ESTABLISHED",
    "TCP_SYN_SENT",
    "TCP_SYN_RECV",
    "TCP_FIN_WAIT1",
    "TCP_FIN_WAIT2",
    "TCP_TIME_WAIT",
    "TCP_CLOSE",
    "TCP_CLOSE_WAIT",
    "TCP_LAST_ACK",
    "TCP_LISTEN",
    "TCP_CLOSING",
    "TCP_NEW_SYN_RECV",
    "TCP_MAX_STATES",
];

/// The block, up to the messages.
pub(super) fn flow(w: &mut Writer<'_>, flow: &Flow<'_>, options: Options) {
    let body = flow.body;
    if body.family == socket::UNIX {
        w.bytes(Key::SockRole, role(body).as_bytes());
        w.text(Key::SockAddress, flow.address);
        w.bytes(Key::SockFamily, b"AF_UNIX");
        unix_ways(w, body);
    } else {
        head(w, body);
        ways(w, flow);
    }
    w.duration(Key::SockAge, flow.age());
    if options.extra {
        w.integer(Key::SockCookie, body.cookie);
        w.integer(Key::SockNetNamespace, body.netns.into());
        w.bytes(Key::SockCause, cause(body.cause).as_bytes());
        w.raw(Key::SockAddress, flow.address);
    }
}

/// `SockProtocol`.
pub(super) fn protocol(body: &Body) -> &'static str {
    match body.protocol {
        socket::TCP => "TCP",
        socket::UDP => "UDP",
        _ => "UNIX",
    }
}

/// `SockRole`.
pub(super) fn role(body: &Body) -> &'static str {
    if body.role == Role::Server as u8 { "SERVER" } else { "CLIENT" }
}

/// `SockState`.
pub(super) fn state(body: &Body) -> &'static str {
    match (body.protocol, body.state) {
        (socket::TCP, state) => TCP_STATES.get(usize::from(state)).copied().unwrap_or("TCP_NONE"),
        (_, 1) => "UDP_ESTABLISHED",
        _ => "UDP_CLOSE",
    }
}

fn cause(number: u32) -> &'static str {
    const NAMES: [(Cause, &str); 7] = [
        (Cause::Close, "CLOSE"),
        (Cause::Count, "COUNT"),
        (Cause::Idle, "IDLE"),
        (Cause::Active, "ACTIVE"),
        (Cause::Exit, "EXIT"),
        (Cause::Stop, "STOP"),
        (Cause::Reuse, "REUSE"),
    ];
    NAMES.iter().find(|(cause, _)| *cause as u32 == number).map_or("", |(_, name)| name)
}

fn head(w: &mut Writer<'_>, body: &Body) {
    w.bytes(Key::SockProtocol, protocol(body).as_bytes());
    w.bytes(Key::SockRole, role(body).as_bytes());
    w.bytes(Key::SockState, state(body).as_bytes());
    w.bytes(Key::SockFamily, if body.family == socket::INET { b"AF_INET" } else { b"AF_INET6" });
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
