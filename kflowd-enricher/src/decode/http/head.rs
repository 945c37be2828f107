//! The head of a message: its first line and its headers (RFC 9112 sections 2 to 6).

use super::HttpError;
use super::start::{Start, TOKEN};

/// Most headers of a message.
const FIELDS_MAX: usize = 256;

/// What a header means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Nothing.
    Plain,
    /// Its value is a secret.
    Secret,
    /// A secret whose values must not be joined (RFC 9110 section 5.3).
    SetCookie,
}

/// A header as places in the head.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    name: (u32, u32),
    value: (u32, u32),
    /// What it means.
    pub kind: FieldKind,
    /// An earlier one has its name.
    pub repeats: bool,
    /// A later one has its name.
    pub repeated: bool,
    /// The value has line ends in it (RFC 9112 section 5.2).
    pub folded: bool,
}

/// How long the body is, as far as the head tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) length: Option<u64>,
    /// There is a Transfer-Encoding, and whether chunked is its last coding.
    pub(super) chunked: Option<bool>,
}

/// A head.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    bytes: &'a [u8],
    /// First line.
    pub start: Start<'a>,
    /// Headers in their order.
    pub fields: &'a [Field],
    pub(super) framing: Framing,
    /// How the body is encoded, when it is.
    pub encoding: Option<&'a [u8]>,
    /// The empty line was there.
    pub(super) complete: bool,
    /// Bytes up to and with it.
    pub(super) length: usize,
}

impl<'a> Head<'a> {
    /// Name of a header.
    #[inline]
    pub fn name(&self, field: &Field) -> &'a [u8] {
        slice(self.bytes, field.name)
    }

    /// Value of a header.
    #[inline]
    pub fn value(&self, field: &Field) -> &'a [u8] {
        slice(self.bytes, field.value)
    }
}

fn slice(bytes: &[u8], (start, end): (u32, u32)) -> &[u8] {
    bytes.get(start as usize..end as usize).unwrap_or_default()
}

/// Where the head ends that begins at the front, its empty line included. No empty line ends before `from`.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(b'\n', bytes.get(at..)?)? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// Memory for the headers of one head, used again for the next.
#[derive(Debug, Default)]
pub struct HeadBuffer(Vec<Field>);

/// Names that were seen: a bit for each by its length and ends, so that few have to be compared.
struct Seen(u64);

impl Seen {
    /// Whether a name with this bit was there before.
    #[inline]
    fn add(&mut self, name: &[u8]) -> bool {
        let (first, last) = (name[0] | 0x20, name[name.len() - 1] | 0x20);
        let mix = usize::from(first).wrapping_mul(31) ^ usize::from(last).wrapping_mul(7) ^ name.len();
        let bit = 1 << (mix & 63);
        let seen = self.0 & bit != 0;
        self.0 |= bit;
        seen
    }
}

impl HeadBuffer {
    /// Reads a head up to its empty line, or the whole lines of a head that was cut.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub fn parse<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Head<'a>, HttpError> {
        let fields = &mut self.0;
        fields.clear();
        let mut lines = Lines { bytes, ends: memchr::memchr_iter(b'\n', bytes), at: 0 };
        let start = Start::parse(lines.next().ok_or(HttpError::CutHead(bytes.len()))?)?;
        let (mut framing, mut encoding) = (Framing::default(), None);
        let (mut seen, mut complete) = (Seen(0), false);
        let mut at = lines.at;
        while let Some(text) = lines.next() {
            match text.first() {
                None => complete = true,
                Some(b' ' | b'\t') => fold(fields, at + text.len())?,
                Some(_) if fields.len() == FIELDS_MAX => return Err(HttpError::Fields(FIELDS_MAX)),
                Some(_) => {
                    let field = field(text, at)?;
                    let name = slice(bytes, field.name);
                    fields.push(field);
                    if seen.add(name) {
                        mark(bytes, fields, name);
                    }
                }
            }
            at = lines.at;
            if complete {
                break;
            }
        }
        // Folded values are whole only now.
        for field in fields.iter().filter(|field| matches!(field.name.1 - field.name.0, 14 | 16 | 17)) {
            let (name, value) = (slice(bytes, field.name), slice(bytes, field.value));
            if name.eq_ignore_ascii_case(b"Content-Length") {
                framing.length(value)?;
            } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
                framing.encoding(value);
            } else if name.eq_ignore_ascii_case(b"Content-Encoding") {
                encoding = Some(value).filter(|value| !value.eq_ignore_ascii_case(b"identity"));
            }
        }
        Ok(Head { bytes, start, fields, framing, encoding, complete, length: at })
    }
}

/// The whole lines of a text, without their ends.
struct Lines<'a> {
    bytes: &'a [u8],
    ends: memchr::Memchr<'a>,
    /// Where the next line begins.
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.ends.next()?;
        let text = self.bytes.get(self.at..end)?;
        self.at = end + 1;
        Some(text.strip_suffix(b"\r").unwrap_or(text))
    }
}

#[inline]
fn field(text: &[u8], at: usize) -> Result<Field, HttpError> {
    let colon = text.iter().position(|&byte| !TOKEN[usize::from(byte)]).ok_or(HttpError::FieldName)?;
    if colon == 0 || text[colon] != b':' {
        return Err(HttpError::FieldName);
    }
    let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let (mut start, mut end) = (colon + 1, text.len());
    while text.get(start).is_some_and(blank) {
        start += 1;
    }
    while end > start && blank(&text[end - 1]) {
        end -= 1;
    }
    // A head has at most 64 KiB.
    let place = |from: usize, to: usize| ((at + from) as u32, (at + to) as u32);
    Ok(Field {
        name: place(0, colon),
        value: place(start, end),
        kind: kind(&text[..colon]),
        repeats: false,
        repeated: false,
        folded: false,
    })
}

#[inline]
fn kind(name: &[u8]) -> FieldKind {
    let is = |secret: &[u8]| name.eq_ignore_ascii_case(secret);
    match (name.len(), name[0] | 0x20) {
        (6, b'c') if is(b"Cookie") => FieldKind::Secret,
        (7, b'c') if is(b"Cookie2") => FieldKind::Secret,
        (13, b'a') if is(b"Authorization") => FieldKind::Secret,
        (19, b'p') if is(b"Proxy-Authorization") => FieldKind::Secret,
        (10, b's') if is(b"Set-Cookie") => FieldKind::SetCookie,
        (11, b's') if is(b"Set-Cookie2") => FieldKind::SetCookie,
        _ => FieldKind::Plain,
    }
}

/// A line that begins with a blank goes on with the value before it.
#[cold]
fn fold(fields: &mut [Field], end: usize) -> Result<(), HttpError> {
    let field = fields.last_mut().ok_or(HttpError::FieldName)?;
    field.value.1 = end as u32;
    field.folded = true;
    Ok(())
}

/// Says of the last header and the first one with its name that they belong together.
#[cold]
fn mark(bytes: &[u8], fields: &mut [Field], name: &[u8]) {
    let Some((last, before)) = fields.split_last_mut() else { return };
    if let Some(first) = before.iter_mut().find(|f| slice(bytes, f.name).eq_ignore_ascii_case(name)) {
        first.repeated = true;
        last.repeats = true;
    }
}

impl Framing {
    /// One number, or the same one several times (RFC 9112 section 6.3).
    fn length(&mut self, value: &[u8]) -> Result<(), HttpError> {
        for part in value.split(|&byte| byte == b',') {
            let part = part.trim_ascii();
            if part.is_empty() {
                return Err(HttpError::Length);
            }
            let mut number = 0_u64;
            for &byte in part {
                let digit = u64::from(byte.wrapping_sub(b'0'));
                let more = number.checked_mul(10).and_then(|n| n.checked_add(digit)).filter(|_| digit < 10);
                number = more.ok_or(HttpError::Length)?;
            }
            if self.length.is_some_and(|before| before != number) {
                return Err(HttpError::Length);
            }
            self.length = Some(number);
        }
        Ok(())
    }

    fn encoding(&mut self, value: &[u8]) {
        let last = value.rsplit(|&byte| byte == b',').next().unwrap_or_default();
        self.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<(String, String)>, HttpError> {
        let mut buffer = HeadBuffer::default();
        let head = buffer.parse(bytes)?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(head.fields.iter().map(|f| (text(head.name(f)), text(head.value(f)))).collect())
    }

    fn framing(headers: &str) -> Result<Framing, HttpError> {
        Ok(HeadBuffer::default().parse(format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes())?.framing)
    }

    #[test]
    fn headers() {
        let found = fields(b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t b c \t\nZ:d\r\n  e\r\n\r\n").unwrap();
        let expected = [("Host", "a"), ("X", ""), ("Y", "b c"), ("Z", "d\r\n  e")];
        assert!(found.iter().map(|(a, b)| (a.as_str(), b.as_str())).eq(expected));
    }

    #[test]
    fn repeats_are_marked_whatever_their_case() {
        let mut buffer = HeadBuffer::default();
        let head = buffer.parse(b"GET / HTTP/1.1\r\nVia: a\r\nHost: h\r\nvia: b\r\nVIA: c\r\n\r\n").unwrap();
        let marks: Vec<_> = head.fields.iter().map(|f| (f.repeated, f.repeats)).collect();
        assert_eq!(marks, [(true, false), (false, false), (false, true), (false, true)]);
    }

    #[test]
    fn malformed_headers() {
        for bad in ["Host", ": x", "Ho st: x", "Host : x", " folded: first", "H\u{e9}: x", "(x): y"] {
            let head = format!("GET / HTTP/1.1\r\n{bad}\r\n\r\n");
            assert_eq!(fields(head.as_bytes()), Err(HttpError::FieldName), "{bad}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(FIELDS_MAX + 1));
        assert_eq!(fields(many.as_bytes()), Err(HttpError::Fields(FIELDS_MAX)));
    }

    #[test]
    fn lengths() {
        assert_eq!(framing("Content-Length: 5, 5\r\ncontent-length: 5").unwrap().length, Some(5));
        assert_eq!(framing("Content-Length: 18446744073709551615").unwrap().length, Some(u64::MAX));
        for bad in ["5, 6", "", "5x", "-1", "18446744073709551616", "5,", "+5"] {
            assert_eq!(framing(&format!("Content-Length: {bad}")), Err(HttpError::Length), "{bad}");
        }
        assert_eq!(framing("Transfer-Encoding: gzip, Chunked").unwrap().chunked, Some(true));
        assert_eq!(framing("Transfer-Encoding: chunked, gzip").unwrap().chunked, Some(false));
        assert_eq!(framing("Host: x").unwrap(), Framing::default());
    }

    #[test]
    fn ends() {
        assert_eq!(end(b"a\r\n\r\nb", 0), Some(5));
        assert_eq!(end(b"a\n\nb", 0), Some(3));
        assert_eq!(end(b"a\n\r\n", 0), Some(4));
        assert_eq!(end(b"a\r\nb\r\n\r", 0), None);
        assert_eq!(end(b"a\r\nb\r\n\r\n", 4), Some(8));
    }
}
