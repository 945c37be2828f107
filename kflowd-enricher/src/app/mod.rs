//! Payload of a flow becomes messages as text, which wait for the flow's record.
//!
//! [`Flow`] is everything of one flow: both directions put in order ([`crate::decode::stream`]), cut into messages and
//! decoded ([`crate::decode`]), written ([`crate::render::app`]) and kept in [`Waiting`]. No message is dropped: when
//! [`Flow::full`] says so a record has to go out, which takes what [`Flow::block`] holds, and then further ones
//! until there is no block left. Memory of a flow is bounded by the limits of its parts: pieces out of order, the
//! beginning of a message per direction, and what waits; [`Flow::held`] tells how much it is.
//!
//! [`Flows`] is all of them: payload and flow records meet there.

mod flow;
mod key;
mod ports;
mod slots;
mod table;
mod waiting;

pub use flow::{Flow, Piece, Setup};
/// Which way, seen from the process.
pub use kflowd_proto::layout::Direction;
pub use ports::PortTable;
pub use slots::{MessageCounts, Slot};
pub use table::{Flows, Taken};
pub use waiting::{Limits, Waiting};

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// Domain names.
    Dns,
    /// HTTP/1.
    Http,
    /// Log messages.
    Syslog,
}

impl App {
    /// As the output shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Http => "HTTP",
            Self::Syslog => "SYSLOG",
        }
    }
}

/// What carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP or UNIX stream: bytes with offsets.
    Stream,
    /// UDP or UNIX datagrams: each piece is a message.
    Datagram,
}
