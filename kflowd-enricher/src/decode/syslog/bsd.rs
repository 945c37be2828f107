//! RFC 3164 as programs write it: `Mmm dd hh:mm:ss host tag[pid]: text`, where everything but the text may be
//! missing. The C library's syslog() leaves the host out; relays may write the time as RFC 3339 has it.

use super::{Message, Origin, is_timestamp, word};

/// Whether this is a month as syslog writes it.
fn is_month(name: [u8; 3]) -> bool {
    matches!(
        &name,
        b"Jan"
            | b"Feb"
            | b"Mar"
            | b"Apr"
            | b"May"
            | b"Jun"
            | b"Jul"
            | b"Aug"
            | b"Sep"
            | b"Oct"
            | b"Nov"
            | b"Dec"
    )
}

/// Longest tag; a longer word before a colon is text. RFC 3164 section 4.1.3 says 32, programs are longer.
const TAG_MAX: usize = 64;

#[inline]
pub(super) fn parse(priority: u16, bytes: &[u8], origin: Origin) -> Message<'_> {
    let mut message = Message { priority, ..Message::default() };
    let mut rest = bytes;
    if let Some(length) = timestamp(bytes) {
        message.timestamp = &bytes[..length];
        rest = &bytes[length..];
        rest = rest.strip_prefix(b" ").unwrap_or(rest);
        if origin == Origin::Network && tag(rest).is_none() {
            let (hostname, after) = word(rest);
            (message.hostname, rest) = (hostname, after);
        }
    }
    if let Some(tag) = tag(rest) {
        (message.appname, message.procid, rest) = (tag.name, tag.pid, tag.rest);
    }
    message.message = rest;
    message
}

/// Length of the time in front: `Mmm dd hh:mm:ss` with a fraction or with the year behind the day, or RFC 3339.
#[inline]
fn timestamp(bytes: &[u8]) -> Option<usize> {
    if bytes.first_chunk().is_some_and(|month| is_month(*month)) {
        return old_timestamp(bytes);
    }
    let (word, _) = word(bytes);
    is_timestamp(word).then_some(word.len())
}

fn old_timestamp(bytes: &[u8]) -> Option<usize> {
    let &[_, _, _, b' ', tens, ones, b' ', ref rest @ ..] = bytes else { return None };
    if !(tens == b' ' || tens.is_ascii_digit()) || !ones.is_ascii_digit() {
        return None;
    }
    let (at, rest) = match rest {
        [a, b, c, d, b' ', rest @ ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) => (12, rest),
        _ => (7, rest),
    };
    let &[a, b, b':', c, d, b':', e, f, ref rest @ ..] = rest else { return None };
    let digit = |byte: u8| byte.is_ascii_digit();
    if !(digit(a) & digit(b) & digit(c) & digit(d) & digit(e) & digit(f)) {
        return None;
    }
    let fraction = match rest {
        [b'.', digits @ ..] => 1 + digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    // Anything but a blank: this was no time.
    matches!(rest.get(fraction), None | Some(b' ')).then_some(at + 8 + fraction)
}

struct Tag<'a> {
    name: &'a [u8],
    pid: &'a [u8],
    rest: &'a [u8],
}

/// Bytes that are no part of a tag's name, and of a process id.
const NO_NAME: [bool; 256] = outside(b":[]");
const NO_PID: [bool; 256] = outside(b"]");

/// Bytes that are no letters, digits or marks, and `also`.
const fn outside(also: &[u8]) -> [bool; 256] {
    let mut outside = [true; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        outside[byte] = false;
        byte += 1;
    }
    let mut i = 0;
    while i < also.len() {
        outside[also[i] as usize] = true;
        i += 1;
    }
    outside
}

/// `name:`, `name[pid]:` or `name[pid]` in front.
#[inline]
fn tag(bytes: &[u8]) -> Option<Tag<'_>> {
    let head = &bytes[..bytes.len().min(TAG_MAX)];
    let end = head.iter().position(|&byte| NO_NAME[usize::from(byte)])?;
    let name = &bytes[..end];
    let (pid, after) = match bytes[end] {
        b':' => (&b""[..], &bytes[end + 1..]),
        b'[' => {
            let inner = &bytes[end + 1..];
            let near = &inner[..inner.len().min(TAG_MAX)];
            let close = near.iter().position(|&byte| NO_PID[usize::from(byte)])?;
            if inner[close] != b']' {
                return None;
            }
            let after = &inner[close + 1..];
            (&inner[..close], after.strip_prefix(b":").unwrap_or(after))
        }
        _ => return None,
    };
    // `::1` and `http://...` are no tags: a blank follows, or nothing.
    if name.is_empty() || !matches!(after.first(), None | Some(b' ')) {
        return None;
    }
    Some(Tag { name, pid, rest: after.strip_prefix(b" ").unwrap_or(after) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8], origin: Origin) -> [String; 5] {
        let m = parse(13, bytes, origin);
        [m.timestamp, m.hostname, m.appname, m.procid, m.message]
            .map(|f| String::from_utf8_lossy(f).into_owned())
    }

    #[test]
    fn lines_of_the_rfc() {
        for (line, expected) in [
            (
                &b"Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"[..],
                ["Oct 11 22:14:15", "mymachine", "su", "", "'su root' failed for lonvick on /dev/pts/8"],
            ),
            (
                b"Feb  5 17:32:18 10.0.0.99 Use the BFG!",
                ["Feb  5 17:32:18", "10.0.0.99", "", "", "Use the BFG!"],
            ),
            (
                b"Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time",
                ["Aug 24 05:34:00", "CST", "", "", "1987 mymachine myproc[10]: %% It's time"],
            ),
            (b"Use the BFG!", ["", "", "", "", "Use the BFG!"]),
        ] {
            assert_eq!(fields(line, Origin::Network), expected);
        }
    }

    #[test]
    fn lines_of_programs() {
        let local = [
            (
                &b"Sep 16 14:30:01 CRON[2122368]: pam_unix(cron:session): session opened"[..],
                ["Sep 16 14:30:01", "", "CRON", "2122368", "pam_unix(cron:session): session opened"],
            ),
            (b"Sep 16 14:30:01 just text: here", ["Sep 16 14:30:01", "", "", "", "just text: here"]),
            (b"Sep 16 14:30:01 ", ["Sep 16 14:30:01", "", "", "", ""]),
            (b"Sep 16 14:30:01", ["Sep 16 14:30:01", "", "", "", ""]),
            (b"dnsmasq[12]: started", ["", "", "dnsmasq", "12", "started"]),
            (b"systemd[1]:", ["", "", "systemd", "1", ""]),
            (b"Sep 16 14:30:0x text", ["", "", "", "", "Sep 16 14:30:0x text"]),
        ];
        for (line, expected) in local {
            assert_eq!(fields(line, Origin::Local), expected);
        }
        let network = [
            (
                &b"Sep  6 2024 14:30:01.123 fw01 %ASA-6-302013: Built"[..],
                ["Sep  6 2024 14:30:01.123", "fw01", "%ASA-6-302013", "", "Built"],
            ),
            (
                b"2003-08-24T05:14:15.000003-07:00 host app[7]: text",
                ["2003-08-24T05:14:15.000003-07:00", "host", "app", "7", "text"],
            ),
            (b"Sep 16 14:30:01 app[1]: no host", ["Sep 16 14:30:01", "", "app", "1", "no host"]),
            (b"Sep 16 14:30:01 ::1 app: x", ["Sep 16 14:30:01", "::1", "app", "", "x"]),
        ];
        for (line, expected) in network {
            assert_eq!(fields(line, Origin::Network), expected);
        }
    }
}
