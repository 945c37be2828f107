//! Rows for people.

use std::net::Ipv6Addr;

use super::address;
use super::escape::printable;
use super::flow;
use super::keys::FILE_EVENTS;
use super::number;
use super::out::Out;
use super::time::Clock;
use crate::counters::Stage;
use crate::event::{Event, File, Flow, Info, Subject, socket};

/// Stands above the rows.
pub(super) const HEADING: &str = "TIME                                     EVENTS  PROCESS          PID      FILE OR ENDS  SIZE OR BYTES\n";

/// One row per event.
pub(super) fn event(event: &Event<'_>, clock: &mut Clock, out: &mut Out) {
    clock.write(event.info.time, out);
    out.slice(b"  ");
    match &event.subject {
        Subject::File(file) => file_events(file, out),
        Subject::Flow(flow) => flow_kind(flow, out),
    }
    out.slice(b"  ");
    event.process.name.0.iter().for_each(|part| printable(part, out));
    out.slice(b"  ");
    number::integer(event.process.pid.into(), out);
    out.slice(b"  ");
    match &event.subject {
        Subject::File(file) => {
            file.directory.0.iter().for_each(|part| printable(part, out));
            printable(file.name, out);
            out.slice(b"  ");
            number::integer(file.body.size, out);
        }
        Subject::Flow(flow) => flow_ends(flow, out),
    }
    out.byte(b'\n');
}

fn file_events(file: &File<'_>, out: &mut Out) {
    let happened = FILE_EVENTS.iter().zip(file.body.events).filter(|&(_, count)| count > 0);
    for (i, (name, _)) in happened.enumerate() {
        out.slice(if i == 0 { b"" } else { b"," });
        out.slice(name.as_bytes());
    }
}

/// Protocol, role, state.
fn flow_kind(flow: &Flow<'_>, out: &mut Out) {
    out.slice(flow::protocol(flow.body).text());
    out.byte(b',');
    out.slice(flow::role(flow.body).text());
    if flow.body.family != socket::UNIX {
        out.byte(b',');
        out.slice(flow::state(flow.body).text());
    }
}

/// Who talks to whom; bytes sent, bytes received; messages.
fn flow_ends(flow: &Flow<'_>, out: &mut Out) {
    let body = flow.body;
    if body.family == socket::UNIX {
        flow.address.0.iter().for_each(|part| printable(part, out));
    } else {
        end(body.family, body.local, body.local_port, out);
        out.slice(b" > ");
        end(body.family, body.remote, body.remote_port, out);
    }
    out.slice(b"  ");
    number::integer(body.ways[0].bytes, out);
    out.byte(b'/');
    number::integer(body.ways[1].bytes, out);
    if let Some(messages) = &flow.messages {
        out.slice(b"  ");
        out.slice(messages.app.name().as_bytes());
        out.byte(b' ');
        number::integer(messages.len() as u64, out);
    }
}

fn end(family: u8, bytes: [u8; 16], port: u16, out: &mut Out) {
    if family == socket::INET {
        let [a, b, c, d, ..] = bytes;
        address::ipv4([a, b, c, d], out);
    } else {
        out.byte(b'[');
        address::ipv6(Ipv6Addr::from(bytes), out);
        out.byte(b']');
    }
    out.byte(b':');
    number::integer(port.into(), out);
}

/// One row for the ledger: what came in, and what was lost on the way.
pub(super) fn stages(info: &Info, stages: &[Stage], clock: &mut Clock, out: &mut Out) {
    clock.write(info.time, out);
    out.slice(b"  kflowd");
    for stage in stages {
        let lost: u64 =
            stage.counters.iter().filter(|(name, _)| name.starts_with("Lost")).map(|(_, n)| n).sum();
        out.slice(b"  ");
        out.slice(stage.name.as_bytes());
        out.slice(b" lost ");
        number::integer(lost, out);
    }
    out.byte(b'\n');
}
