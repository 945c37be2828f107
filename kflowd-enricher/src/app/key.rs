//! How payload and records of one flow find each other.

use kflowd_proto::layout::{Flow, Payload};

/// What names a flow for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    cookie: u64,
    open_time: u64,
    local: (u64, u64),
    remote: (u64, u64),
    /// Ports, family, protocol.
    kind: u64,
}

fn halves(address: [u8; 16]) -> (u64, u64) {
    let whole = u128::from_ne_bytes(address);
    (whole as u64, (whole >> 64) as u64)
}

fn kind(ports: (u16, u16), family: u8, protocol: u8) -> u64 {
    u64::from(ports.0) | u64::from(ports.1) << 16 | u64::from(family) << 32 | u64::from(protocol) << 40
}

impl From<&Flow> for Key {
    fn from(body: &Flow) -> Self {
        Self {
            cookie: body.cookie,
            open_time: body.open_time,
            local: halves(body.local),
            remote: halves(body.remote),
            kind: kind((body.local_port, body.remote_port), body.family, body.protocol),
        }
    }
}

impl From<&Payload> for Key {
    fn from(body: &Payload) -> Self {
        Self {
            cookie: body.cookie,
            open_time: body.open_time,
            local: halves(body.local),
            remote: halves(body.remote),
            kind: kind((body.local_port, body.remote_port), body.family, body.protocol),
        }
    }
}
