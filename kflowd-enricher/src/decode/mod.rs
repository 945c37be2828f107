//! Bytes of a frame to a typed record. Pure; every byte is hostile until it is checked here.

mod record;

pub use record::{DecodeError, FileRecord, ProcessRecord, Record, Strings, Tailed, decode};
