//! Keys inside the messages of the `App*` arrays.

use crate::render::keys::{Piece, pieces};

macro_rules! names {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// A key of a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub(super) enum Name {
            $($name,)*
        }

        /// Number of keys.
        pub(super) const COUNT: usize = [$($text),*].len();

        const TEXTS: [&str; COUNT] = [$($text),*];
    };
}

names! {
    Timestamp = "_Timestamp",
    Exception = "_Exception",
    TransactionId = "TransactionId",
    OpCode = "OpCode",
    ResponseCode = "ResponseCode",
    Flags = "Flags",
    AnswerCount = "AnswerCount",
    ResourceRecords = "ResourceRecords",
    AuthorityRecords = "AuthorityRecords",
    AdditionalRecords = "AdditionalRecords",
    Method = "_Method",
    Url = "_Url",
    Version = "_Version",
    Status = "_Status",
    Reason = "_Reason",
    Body = "_Body",
    SyslogVersion = "Version",
    SyslogTimestamp = "Timestamp",
    Hostname = "Hostname",
    Appname = "Appname",
    ProcId = "ProcId",
    MsgId = "MsgId",
    Data = "Data",
    Message = "Message",
    RawMessage = "_Message",
}

/// Each key as `json` writes it behind another.
pub(super) static PRETTY: [Piece; COUNT] = pieces(TEXTS, ",\n    \"");
/// Each key as `json-min` writes it behind another.
pub(super) static COMPACT: [Piece; COUNT] = pieces(TEXTS, ", \"");
