//! Addresses, texts and encoded bytes of the presentation form.

use crate::render::number::integer;
use crate::render::out::Out;

/// How a byte of a text is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// As it is.
    Plain,
    /// Behind a backslash, within names only.
    Name,
    /// Behind a backslash.
    Always,
    /// As its number.
    Number,
}

/// By byte. Names escape what master files give a meaning: `.` `;` `(` `)` `@` `$`, and the blank.
const HOW: [How; 256] = {
    let mut how = [How::Number; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        how[byte] = match byte as u8 {
            b'.' | b';' | b'(' | b')' | b'@' | b'$' | b' ' => How::Name,
            b'"' | b'\\' => How::Always,
            _ => How::Plain,
        };
        byte += 1;
    }
    how
};

/// Appends a label of a name.
#[inline]
pub(super) fn label(label: &[u8], out: &mut Out) {
    if label.iter().all(|&byte| HOW[usize::from(byte)] == How::Plain) {
        out.slice(label);
    } else {
        label
            .iter()
            .for_each(|&byte| if byte == b' ' { number(byte, out) } else { escaped(byte, How::Name, out) });
    }
}

/// Appends a quoted text.
pub(super) fn quoted(text: &[u8], out: &mut Out) {
    out.piece(b"\\\"");
    bare(text, out);
    out.piece(b"\\\"");
}

/// Appends a text without quotes around it.
pub(super) fn bare(text: &[u8], out: &mut Out) {
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.iter().position(|&b| HOW[usize::from(b)] >= How::Always).unwrap_or(rest.len());
        out.slice(&rest[..plain]);
        rest = &rest[plain..];
        if let Some((&byte, after)) = rest.split_first() {
            escaped(byte, How::Always, out);
            rest = after;
        }
    }
}

/// Appends a text of a list, whose commas are escaped, and whose escapes are escaped once more (RFC 9460 appendix A.1).
pub(super) fn listed(text: &[u8], out: &mut Out) {
    for &byte in text {
        match byte {
            b',' => out.slice(b"\\\\\\\\,"),
            b'\\' => out.slice(b"\\\\\\\\\\\\\\\\"),
            _ => escaped(byte, How::Always, out),
        }
    }
}

fn escaped(byte: u8, least: How, out: &mut Out) {
    match HOW[usize::from(byte)] {
        How::Number => number(byte, out),
        // The quote needs a backslash from JSON too.
        How::Always => out.slice(&[b'\\', b'\\', b'\\', byte]),
        How::Name if least == How::Name => out.put(&[b'\\', b'\\', byte], 3),
        _ => out.byte(byte),
    }
}

fn number(byte: u8, out: &mut Out) {
    out.put(&[b'\\', b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10], 5);
}

impl PartialOrd for How {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some((*self as u8).cmp(&(*other as u8)))
    }
}

/// Each byte in decimal with a dot behind it, and its length.
static OCTETS: [([u8; 4], usize); 256] = {
    let mut octets = [([b'.'; 4], 0); 256];
    let mut value = 0;
    while value < 256 {
        let digits = [b'0' + (value / 100) as u8, b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8];
        let skip = if value > 99 {
            0
        } else if value > 9 {
            1
        } else {
            2
        };
        let mut i = skip;
        while i < 3 {
            octets[value].0[i - skip] = digits[i];
            i += 1;
        }
        octets[value].1 = 4 - skip;
        value += 1;
    }
    octets
};

/// Appends an IPv4 address.
#[inline]
pub(super) fn ipv4(address: [u8; 4], out: &mut Out) {
    for byte in address {
        let (text, len) = &OCTETS[usize::from(byte)];
        out.put(text, *len);
    }
    // The last dot.
    out.truncate(out.len() - 1);
}

/// Appends an IPv6 address as RFC 5952 has it.
pub(super) fn ipv6(address: [u8; 16], out: &mut Out) {
    let (pairs, _) = address.as_chunks::<2>();
    let groups: [u16; 8] = std::array::from_fn(|i| u16::from_be_bytes(pairs[i]));
    if let [0, 0, 0, 0, 0, 0xffff, ..] = groups {
        out.piece(b"::ffff:");
        let [.., a, b, c, d] = address;
        return ipv4([a, b, c, d], out);
    }
    let (start, count) = longest_zeros(&groups);
    let mut i = 0;
    while i < 8 {
        if count > 1 && i == start {
            out.piece(b"::");
            i += count;
            continue;
        }
        if i > 0 && !(count > 1 && i == start + count) {
            out.byte(b':');
        }
        group(groups[i], out);
        i += 1;
    }
}

fn longest_zeros(groups: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), 0);
    for (i, &group) in groups.iter().enumerate() {
        run = if group == 0 { run + 1 } else { 0 };
        if run > best.1 {
            best = (i + 1 - run, run);
        }
    }
    best
}

fn group(value: u16, out: &mut Out) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |shift: u16| DIGITS[usize::from(value >> shift & 15)];
    let skip = (value.leading_zeros() / 4).min(3) as usize;
    let text = [digit(12), digit(8), digit(4), digit(0), 0, 0, 0];
    if let Some(piece) = text[skip..].first_chunk::<4>() {
        out.put(piece, 4 - skip);
    }
}

/// Appends bytes in hex, in upper case as master files have it.
pub(super) fn hex(bytes: &[u8], out: &mut Out) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.put(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]], 2);
    }
}

/// Appends bytes as pairs of hex digits with `-` between them.
pub(super) fn eui(bytes: &[u8], out: &mut Out) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            out.byte(b'-');
        }
        out.put(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]], 2);
    }
}

/// Appends bytes in base64 with padding.
pub(super) fn base64(bytes: &[u8], out: &mut Out) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |i: usize| {
            if i <= chunk.len() { DIGITS[(bits >> (18 - 6 * i) & 63) as usize] } else { b'=' }
        };
        out.put(&[digit(0), digit(1), digit(2), digit(3)], 4);
    }
}

/// Appends bytes in base32 with the extended hex alphabet, without padding.
pub(super) fn base32(bytes: &[u8], out: &mut Out) {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let (mut bits, mut count) = (0_u32, 0);
    for &byte in bytes {
        bits = bits << 8 | u32::from(byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            out.byte(DIGITS[(bits >> count & 31) as usize]);
        }
    }
    if count > 0 {
        out.byte(DIGITS[(bits << (5 - count) & 31) as usize]);
    }
}

/// Appends hundredths of a metre as metres.
pub(super) fn metres(centimetres: u64, out: &mut Out) {
    integer(centimetres / 100, out);
    let rest = (centimetres % 100) as u8;
    out.put(&[b'.', b'0' + rest / 10, b'0' + rest % 10, b'm'], 4);
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn text(write: impl Fn(&mut Out)) -> String {
        let mut out = Out::default();
        write(&mut out);
        serde_json::from_str(&format!("\"{}\"", std::str::from_utf8(out.text()).unwrap())).unwrap()
    }

    #[test]
    fn encodings() {
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(text(|out| base64(bytes.as_bytes(), out)), expected);
        }
        for (bytes, expected) in [("", ""), ("f", "CO"), ("fo", "CPNG"), ("foobar", "CPNMUOJ1E8")] {
            assert_eq!(text(|out| base32(bytes.as_bytes(), out)), expected);
        }
        assert_eq!(text(|out| eui(&[0, 0xab, 1], out)), "00-ab-01");
        assert_eq!(text(|out| hex(&[0, 0xab], out)), "00AB");
    }

    #[test]
    fn escapes() {
        assert_eq!(text(|out| label(b"a.b c\"\\;\xff", out)), "a\\.b\\032c\\\"\\\\\\;\\255");
        assert_eq!(text(|out| quoted(b"v=1; \"x\"\\\n", out)), "\"v=1; \\\"x\\\"\\\\\\010\"");
        assert_eq!(text(|out| listed(b"h2,\\", out)), "h2\\\\,\\\\\\\\");
    }

    proptest! {
        #[test]
        fn addresses_are_as_the_standard_library_writes_them(a: [u8; 16], zeros in 0_usize..16, run in 0_usize..16) {
            let mut b = a;
            for byte in b.iter_mut().skip(zeros).take(run) { *byte = 0; }
            prop_assert_eq!(text(|out| ipv6(b, out)), Ipv6Addr::from(b).to_string());
            let c = [a[0], a[1], a[2], a[3]];
            prop_assert_eq!(text(|out| ipv4(c, out)), Ipv4Addr::from(c).to_string());
        }
    }

    #[test]
    fn special_ipv6_addresses() {
        for address in ["::", "::1", "1::", "fe80::1:0:0:1", "1:0:0:2::", "::ffff:1.2.3.4", "1:2:3:4:5:6:0:8"]
        {
            let parsed: Ipv6Addr = address.parse().unwrap();
            assert_eq!(text(|out| ipv6(parsed.octets(), out)), parsed.to_string());
        }
    }
}
