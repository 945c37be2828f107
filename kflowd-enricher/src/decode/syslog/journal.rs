//! The journal's own protocol: `KEY=value` lines, or `KEY`, a line end, a 64-bit little-endian length, and that
//! many bytes with a line end behind them.
//!
//! Only what a syslog message has is taken; other fields (code line, unit, ...) say nothing about the text.

use super::{Message, PRIORITY_MAX, SyslogError};

/// What syslog(3) uses when a program names no facility: user.
const FACILITY: u16 = 1;
/// What the journal uses when a program names no severity: informational.
const SEVERITY: u16 = 6;

/// Whether the first line is a field.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    let name =
        bytes.iter().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b'_').count();
    name > 0 && matches!(bytes.get(name), Some(b'=' | b'\n'))
}

pub(super) fn parse(bytes: &[u8]) -> Result<Message<'_>, SyslogError> {
    let mut message = Message::default();
    let (mut facility, mut severity, mut text) = (FACILITY, SEVERITY, None);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (name, value, after) = field(rest)?;
        rest = after;
        match name {
            b"MESSAGE" => text = text.or(Some(value)),
            b"PRIORITY" => severity = number(value).filter(|&n| n < 8).unwrap_or(severity),
            b"SYSLOG_FACILITY" => {
                facility = number(value).filter(|&n| n <= PRIORITY_MAX / 8).unwrap_or(facility);
            }
            b"SYSLOG_IDENTIFIER" => message.appname = value,
            b"SYSLOG_PID" => message.procid = value,
            b"SYSLOG_TIMESTAMP" => message.timestamp = value.strip_suffix(b" ").unwrap_or(value),
            b"MESSAGE_ID" => message.msgid = value,
            _ => {}
        }
    }
    message.priority = facility * 8 + severity;
    message.message = text.unwrap_or_default();
    Ok(message)
}

type Field<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Name and value of the first field, and what follows.
fn field(bytes: &[u8]) -> Result<Field<'_>, SyslogError> {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (line, after) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    if let Some(equals) = line.iter().position(|&byte| byte == b'=') {
        return Ok((&line[..equals], &line[equals + 1..], after));
    }
    // A line end that the last field lacks is no reason to refuse it; a length that is too long is.
    let (length, after) = after.split_first_chunk().ok_or(SyslogError::Field)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| SyslogError::Field)?;
    let (value, after) = after.split_at_checked(length).ok_or(SyslogError::Field)?;
    match after {
        [] => Ok((line, value, after)),
        [b'\n', after @ ..] => Ok((line, value, after)),
        _ => Err(SyslogError::Field),
    }
}

fn number(value: &[u8]) -> Option<u16> {
    if value.is_empty() || value.len() > 3 {
        return None;
    }
    value.iter().try_fold(0, |sum, &b| b.is_ascii_digit().then(|| sum * 10 + u16::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, parse};
    use super::*;

    #[test]
    fn fields_of_a_message() {
        let mut bytes =
            b"PRIORITY=4\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=app\nSYSLOG_PID=77\nCODE_LINE=3\n".to_vec();
        bytes.extend_from_slice(b"MESSAGE\n\x0b\0\0\0\0\0\0\0two\nlines=x\nMESSAGE=second\n");
        let m = parse(&bytes, Origin::Local).unwrap();
        assert_eq!((m.priority, m.appname, m.procid), (84, &b"app"[..], &b"77"[..]));
        assert_eq!(m.message, b"two\nlines=x");
    }

    #[test]
    fn defaults_and_damage() {
        let m = parse(b"MESSAGE=x\nPRIORITY=9", Origin::Local).unwrap();
        assert_eq!((m.priority, m.message), (14, &b"x"[..]));
        for bad in [
            &b"MESSAGE\n\x05\0\0\0\0\0\0\0abc"[..],
            b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc",
            b"A\n\x01",
        ] {
            assert_eq!(parse(bad, Origin::Local), Err(SyslogError::Field));
        }
        assert_eq!(parse(b"A\n\x01\0\0\0\0\0\0\0xy", Origin::Local), Err(SyslogError::Field));
    }
}
