//! Syslog messages: RFC 5424, RFC 3164 as it is used, and the datagrams of the journal.
//!
//! Nothing is copied: a [`Message`] borrows from the bytes, except what the journal gives as separate numbers.

mod bsd;
mod framer;
mod journal;
mod structured;

pub use framer::{Framed, Framer};

/// Why bytes are no syslog message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyslogError {
    /// Nothing there.
    #[error("empty message")]
    Empty,
    /// No `<number>` in front.
    #[error("no priority in front")]
    Priority,
    /// The number has no meaning.
    #[error("priority {0} is above 191")]
    PriorityRange(u16),
    /// RFC 5424 without one of its fields.
    #[error("RFC 5424 header ends early")]
    Header,
    /// Structured data that is not closed.
    #[error("structured data is malformed")]
    Data,
    /// A field of the journal's protocol that does not end.
    #[error("journal field is malformed")]
    Field,
    /// The stream lost bytes and with them the boundaries of messages.
    #[error("{0} bytes of the stream are missing")]
    Missing(u64),
}

/// Largest priority: facility 23, severity 7.
const PRIORITY_MAX: u16 = 191;

/// A message; fields that it does not have are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// All its bytes, without the end of line.
    pub raw: &'a [u8],
    /// Facility times 8 plus severity, at most 191.
    pub priority: u16,
    /// 0 for what is not RFC 5424.
    pub version: u16,
    /// Time as it was written.
    pub timestamp: &'a [u8],
    /// Host as it was written.
    pub hostname: &'a [u8],
    /// Program.
    pub appname: &'a [u8],
    /// Process id.
    pub procid: &'a [u8],
    /// Kind of message.
    pub msgid: &'a [u8],
    /// Structured data with its brackets.
    pub data: &'a [u8],
    /// Text.
    pub message: &'a [u8],
}

/// Where a message came from: only messages from other hosts name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A socket of this host.
    Local,
    /// The network.
    Network,
}

/// Reads one message. The end of line that many senders append is no part of it.
///
/// # Errors
/// See [`SyslogError`].
#[inline]
pub fn parse(bytes: &[u8], origin: Origin) -> Result<Message<'_>, SyslogError> {
    if bytes.first() == Some(&b'<') {
        let raw = trimmed(bytes);
        let (priority, rest) = priority(raw)?;
        let message = match structured::version(rest) {
            Some((version, rest)) => structured::parse(priority, version, rest)?,
            None => bsd::parse(priority, rest, origin),
        };
        return Ok(Message { raw, ..message });
    }
    if origin == Origin::Local && journal::looks_like(bytes) {
        return Ok(Message { raw: bytes, ..journal::parse(bytes)? });
    }
    Err(if trimmed(bytes).is_empty() { SyslogError::Empty } else { SyslogError::Priority })
}

fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r' | 0] = bytes {
        bytes = rest;
    }
    bytes
}

/// `<number>`, one to three digits.
#[inline]
fn priority(bytes: &[u8]) -> Result<(u16, &[u8]), SyslogError> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let (number, rest) = match *bytes {
        [b'<', a, b'>', ref rest @ ..] => (digit(a), rest),
        [b'<', a, b, b'>', ref rest @ ..] => (both(digit(a), digit(b)), rest),
        [b'<', a, b, c, b'>', ref rest @ ..] => (both(both(digit(a), digit(b)), digit(c)), rest),
        _ => return Err(SyslogError::Priority),
    };
    match number.ok_or(SyslogError::Priority)? {
        number @ 0..=PRIORITY_MAX => Ok((number, rest)),
        number => Err(SyslogError::PriorityRange(number)),
    }
}

fn both(high: Option<u16>, low: Option<u16>) -> Option<u16> {
    Some(high? * 10 + low?)
}

/// The bytes up to a blank, and those behind it.
#[inline]
fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == b' ') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b""),
    }
}

/// Whether this is a time as RFC 3339 has it, as far as its date goes.
fn is_timestamp(word: &[u8]) -> bool {
    let Some((date, rest)) = word.split_first_chunk::<10>() else { return false };
    let digits = [0, 1, 2, 3, 5, 6, 8, 9].iter().all(|&i: &usize| date[i].is_ascii_digit());
    digits && date[4] == b'-' && date[7] == b'-' && matches!(rest.first(), Some(b'T' | b't'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities() {
        assert_eq!(priority(b"<0>x"), Ok((0, &b"x"[..])));
        assert_eq!(priority(b"<34>"), Ok((34, &b""[..])));
        assert_eq!(priority(b"<191>x"), Ok((191, &b"x"[..])));
        assert_eq!(priority(b"<192>x"), Err(SyslogError::PriorityRange(192)));
        for bad in [&b"<>x"[..], b"<1234>", b"<1", b"<a>", b"< 1>", b"<-1>", b"<"] {
            assert_eq!(priority(bad), Err(SyslogError::Priority), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_message() {
        assert_eq!(parse(b"", Origin::Network), Err(SyslogError::Empty));
        assert_eq!(parse(b"\n", Origin::Local), Err(SyslogError::Empty));
        assert_eq!(parse(b"hello", Origin::Local), Err(SyslogError::Priority));
        assert_eq!(parse(b"MESSAGE=x\n", Origin::Network), Err(SyslogError::Priority));
    }
}
