//! Bytes to typed values: of a frame to a record, of a stream to messages. Pure; every byte is hostile until it is
//! checked here.

pub mod dns;
pub mod http;
mod record;
pub mod stream;
pub mod syslog;

pub use record::{
    DecodeError, FileRecord, FlowRecord, Paths, PayloadRecord, ProcessRecord, Record, Strings, Tailed, decode,
};
