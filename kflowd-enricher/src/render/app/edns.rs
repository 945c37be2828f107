//! OPT, which is no record but more of the header (RFC 6891 section 6.1): its class is the size of datagrams that
//! the sender takes, its ttl holds version and flags, its data options.

use super::rdata_parts::hex;
use crate::decode::dns::Record;
use crate::render::number::integer;
use crate::render::out::Out;

/// Number of the type.
pub(super) const OPT: u16 = 41;

/// Padding (RFC 7830), whose bytes say nothing.
const PADDING: u16 = 12;

/// Appends `0, "<size>", "version=<n> rcode=<high bits> DO <option>=<bytes> ..."`, behind the owner.
pub(super) fn edns(record: &Record<'_>, out: &mut Out) {
    out.piece(b", 0, \"");
    integer(record.class.into(), out);
    out.piece(b"\", \"version=");
    let [rcode, version, flags, _] = record.ttl.to_be_bytes();
    integer(version.into(), out);
    if rcode > 0 {
        out.piece(b" rcode=");
        // The upper eight bits of twelve; the lower four are in the header.
        integer(u64::from(rcode) << 4, out);
    }
    if flags & 0x80 != 0 {
        out.piece(b" DO");
    }
    let mut data = record.data;
    while let (Some(code), Some(length)) = (data.u16(), data.u16()) {
        let Some(value) = data.take(length.into()) else { break };
        out.byte(b' ');
        option(code, out);
        out.byte(b'=');
        if code == PADDING {
            integer(length.into(), out);
        } else {
            hex(value, out);
        }
    }
    out.byte(b'"');
}

/// Name of an option (IANA registry "DNS EDNS0 Option Codes").
fn option(code: u16, out: &mut Out) {
    let name = match code {
        1 => "LLQ",
        2 => "UL",
        3 => "NSID",
        5 => "DAU",
        6 => "DHU",
        7 => "N3U",
        8 => "ECS",
        9 => "EXPIRE",
        10 => "COOKIE",
        11 => "KEEPALIVE",
        PADDING => "PADDING",
        13 => "CHAIN",
        14 => "KEYTAG",
        15 => "EDE",
        _ => {
            out.piece(b"option");
            return integer(code.into(), out);
        }
    };
    out.slice(name.as_bytes());
}
