//! RFC 5424: `VERSION TIME HOST APP PROCID MSGID DATA TEXT`; a field that is not known is `-`.

use super::{Message, SyslogError, is_timestamp, word};

/// In front of text that is UTF-8 (section 6.4); it is no part of the text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The version, when this is RFC 5424: a number that is followed by a time or by `-`. The same bytes could be the
/// text of an old message, which is only told apart by what follows.
#[inline]
pub(super) fn version(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = match *bytes {
        [a @ b'1'..=b'9', b' ', ref rest @ ..] => (u16::from(a - b'0'), rest),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', b' ', ref rest @ ..] => {
            (u16::from(a - b'0') * 10 + u16::from(b - b'0'), rest)
        }
        _ => return None,
    };
    let (time, _) = word(rest);
    (time == b"-" || is_timestamp(time)).then_some((digits, rest))
}

pub(super) fn parse(priority: u16, version: u16, bytes: &[u8]) -> Result<Message<'_>, SyslogError> {
    let mut rest = bytes;
    let mut field = || {
        let (value, after) = word(rest);
        rest = after;
        if value == b"-" { &b""[..] } else { value }
    };
    let (timestamp, hostname, appname, procid, msgid) = (field(), field(), field(), field(), field());
    let data = data(rest)?;
    let text = &rest[data.len()..];
    let text = match text {
        [] => text,
        [b' ', text @ ..] => text.strip_prefix(BOM).unwrap_or(text),
        _ => return Err(SyslogError::Data),
    };
    let data = if data == b"-" { b"" } else { data };
    let message = text;
    let raw = bytes;
    Ok(Message { raw, priority, version, timestamp, hostname, appname, procid, msgid, data, message })
}

/// `-`, or elements in brackets whose quoted values may hold anything, with `\` before `"`, `\` and `]`.
fn data(bytes: &[u8]) -> Result<&[u8], SyslogError> {
    match bytes.first() {
        None => return Err(SyslogError::Header),
        Some(b'-') => return Ok(&bytes[..1]),
        Some(b'[') => {}
        Some(_) => return Err(SyslogError::Data),
    }
    let (mut at, mut quoted) = (1, false);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b']' if !quoted => match bytes.get(at) {
                Some(b'[') => at += 1,
                _ => return Ok(&bytes[..at]),
            },
            _ => {}
        }
    }
    Err(SyslogError::Data)
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, parse};
    use super::*;

    fn read(line: &str) -> Result<Message<'_>, SyslogError> {
        parse(line.as_bytes(), Origin::Network)
    }

    #[test]
    fn lines_of_the_rfc() {
        let m =
            read("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed")
                .unwrap();
        assert_eq!((m.priority, m.version, m.timestamp), (34, 1, &b"2003-10-11T22:14:15.003Z"[..]));
        assert_eq!((m.hostname, m.appname, m.procid), (&b"mymachine.example.com"[..], &b"su"[..], &b""[..]));
        assert_eq!((m.msgid, m.data, m.message), (&b"ID47"[..], &b""[..], &b"'su root' failed"[..]));
        let data = "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"][examplePriority@32473 class=\"high\"]";
        let line = format!("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 {data}");
        let m = read(&line).unwrap();
        assert_eq!((m.data, m.message), (data.as_bytes(), &b""[..]));
    }

    #[test]
    fn values_may_hold_brackets_and_quotes() {
        let m = read(r#"<1>1 - - - - - [a b="x\"] [y\\"][c] text ] here"#).unwrap();
        assert_eq!((m.data, m.message), (&br#"[a b="x\"] [y\\"][c]"#[..], &b"text ] here"[..]));
        assert_eq!(m.appname, b"");
    }

    #[test]
    fn malformed() {
        assert_eq!(read("<1>1 - - -"), Err(SyslogError::Header));
        assert_eq!(read("<1>1 - - - - - [a b=\"]"), Err(SyslogError::Data));
        assert_eq!(read("<1>1 - - - - - text"), Err(SyslogError::Data));
        assert_eq!(read("<1>1 - - - - - [a]text"), Err(SyslogError::Data));
        assert_eq!(read("<1>1 - - - - - [a b=\"\\"), Err(SyslogError::Data));
    }

    #[test]
    fn text_that_begins_with_a_number_is_an_old_message() {
        let m = read("<13>1 bottle of beer").unwrap();
        assert_eq!((m.version, m.message), (0, &b"1 bottle of beer"[..]));
    }
}
