//! Bytes as the inside of a JSON string: always valid UTF-8, always valid JSON.

use super::out::Out;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Whether one of eight bytes is a control character, a quote, a backslash or not ASCII.
///
/// Each term sets the high bit of bytes that match; a borrow from a matching byte can set it in a later one too,
/// which only sends a harmless byte on the exact way.
fn special(chunk: u64) -> bool {
    let below_blank = chunk.wrapping_sub(LOW * 0x20);
    let quote = (chunk ^ (LOW * u64::from(b'"'))).wrapping_sub(LOW);
    let backslash = (chunk ^ (LOW * u64::from(b'\\'))).wrapping_sub(LOW);
    (below_blank | quote | backslash | chunk) & HIGH != 0
}

/// The bytes of a string shorter than eight, the first one lowest, from overlapping reads.
fn short(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) | u64::from(last) << (8 * (bytes.len() - 4));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let (first, last) = (u16::from_le_bytes(*first), u16::from_le_bytes(*last));
        return u64::from(first) | u64::from(last) << (8 * (bytes.len() - 2));
    }
    bytes.first().map_or(0, |&byte| u64::from(byte))
}

/// Whether no byte of two blocks is special. Without a branch per byte, so that it becomes vector instructions.
#[inline]
fn plain_blocks(a: &[u8; 16], b: &[u8; 16]) -> bool {
    // Below a blank, or not ASCII.
    let outside = |byte: u8| byte.wrapping_sub(0x20) > 0x5f;
    let special = |byte: u8| u8::from(outside(byte)) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    a.iter().zip(b).fold(0, |all, (&a, &b)| all | special(a) | special(b)) == 0
}

/// Whether `bytes` are the same in a JSON string. Blocks may overlap at the end.
#[inline]
pub(crate) fn plain(bytes: &[u8]) -> bool {
    match bytes.len() {
        0 => true,
        // Blanks where nothing is: zero would count as a control character.
        len @ 1..8 => !special(short(bytes) | (LOW * 0x20) << (8 * len)),
        8..16 => match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(a), Some(b)) => !special(u64::from_le_bytes(*a)) && !special(u64::from_le_bytes(*b)),
            _ => false,
        },
        _ => {
            let (blocks, _) = bytes.as_chunks::<16>();
            let (pairs, odd) = blocks.as_chunks::<2>();
            let last = bytes.last_chunk::<16>();
            pairs.iter().all(|[a, b]| plain_blocks(a, b))
                && last.is_some_and(|last| plain_blocks(odd.first().unwrap_or(last), last))
        }
    }
}

/// Appends `bytes` escaped; what is not UTF-8 becomes U+FFFD.
#[inline]
pub(crate) fn escape(bytes: &[u8], out: &mut Out) {
    if plain(bytes) {
        out.slice(bytes);
    } else {
        escape_rest(bytes, out);
    }
}

#[cold]
fn escape_rest(bytes: &[u8], out: &mut Out) {
    for chunk in bytes.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            escape_byte(byte, out);
        }
        if !chunk.invalid().is_empty() {
            out.slice("\u{fffd}".as_bytes());
        }
    }
}

fn escape_byte(byte: u8, out: &mut Out) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0..0x20 => {
            out.slice(b"\\u00");
            hex(&[byte], out);
            return;
        }
        _ => {
            out.byte(byte);
            return;
        }
    };
    out.slice(&[b'\\', short]);
}

/// Appends `bytes` as hex digits.
pub(super) fn hex(bytes: &[u8], out: &mut Out) {
    for byte in bytes {
        out.slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Appends `bytes` for a terminal: what could steer it becomes `?`.
pub(super) fn printable(bytes: &[u8], out: &mut Out) {
    for c in String::from_utf8_lossy(bytes).chars() {
        let shown = if c.is_control() { '?' } else { c };
        out.slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Out::default();
        escape(bytes, &mut out);
        String::from_utf8(out.text().to_vec()).unwrap()
    }

    #[test]
    fn escapes_what_json_wants() {
        assert_eq!(escaped(b"plain name.txt"), "plain name.txt");
        assert_eq!(
            escaped(b"a\"b\\c\n\r\t\x08\x0c\x01\x1f\x7f"),
            "a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001f\u{7f}"
        );
        assert_eq!(escaped("täst…\u{10348}".as_bytes()), "täst…\u{10348}");
        assert_eq!(escaped(b"12345678\xff9\xc3"), "12345678\u{fffd}9\u{fffd}");
    }

    #[test]
    fn terminals_get_no_control_characters() {
        let mut out = Out::default();
        printable(b"a\x1b[2J\xffb", &mut out);
        assert_eq!(out.text(), "a?[2J\u{fffd}b".as_bytes());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_json_string(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let text = format!("\"{}\"", escaped(&bytes));
            let back: String = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn ascii_takes_the_fast_way_rightly(text in "[ -~]{0,90}[ -~\n\"\u{80}]{0,9}[ -~]{0,40}") {
            let back: String = serde_json::from_str(&format!("\"{}\"", escaped(text.as_bytes()))).unwrap();
            prop_assert_eq!(back, text);
        }
    }
}
