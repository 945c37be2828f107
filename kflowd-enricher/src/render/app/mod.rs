//! Messages of applications as JSON: one object each, and the `App*` block of a flow's record.

mod block;
mod dns;
mod edns;
mod http;
mod location;
mod names;
mod object;
mod rdata;
mod rdata_parts;
mod syslog;

pub use block::{Block, block};
pub use dns::{dns, dns_error};
pub use http::http;
pub use syslog::{syslog, syslog_error};

pub use super::json::Style;

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Line breaks and blanks.
    pub style: Style,
    /// `-x`: keys that are not in the default output.
    pub extra: bool,
    /// `--no-redact`: secrets of HTTP headers are shown.
    pub secrets: bool,
}
