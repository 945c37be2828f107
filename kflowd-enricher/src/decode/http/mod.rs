//! HTTP/1.0 and HTTP/1.1 (RFC 9112): heads, lengths of bodies, and both directions of a connection.

mod chunked;
mod connection;
mod half;
mod head;
mod start;

pub use connection::{Connection, Emit};
pub use half::{Body, Message};
pub use head::{Field, FieldKind, Head, HeadBuffer};
pub use start::Start;

/// Why bytes are no HTTP message, or not a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The first line is neither a request nor a status line.
    #[error("no request or status line")]
    StartLine,
    /// The first words of HTTP/2 in clear text (RFC 9113 section 3.4).
    #[error("HTTP/2 is not decoded")]
    Http2,
    /// Another version.
    #[error("protocol version is not 1.0 or 1.1")]
    Version,
    /// A line of the head without a name and a colon.
    #[error("header line without a valid name")]
    FieldName,
    /// More headers than are taken.
    #[error("more than {0} headers")]
    Fields(usize),
    /// A head without end.
    #[error("head of more than {0} bytes")]
    LongHead(usize),
    /// A Content-Length that is no number, or several that differ.
    #[error("Content-Length is malformed")]
    Length,
    /// A request whose Transfer-Encoding does not end in chunked.
    #[error("Transfer-Encoding is not chunked")]
    Encoding,
    /// The chunks of a body do not fit together.
    #[error("chunked body is malformed")]
    Chunk,
    /// Bytes of the stream are missing, and with them the boundaries of messages.
    #[error("{0} bytes of the stream are missing")]
    Missing(u64),
    /// The head has not ended where bytes are missing, or where the stream ended.
    #[error("head is cut after {0} bytes")]
    CutHead(usize),
    /// The same for the body.
    #[error("body is cut")]
    CutBody,
}
