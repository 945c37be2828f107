//! One decoded message as an object of an `App*` array.

use std::fmt::{self, Display, Write as _};

use super::names::{self, Name};
use crate::render::escape::escape;
use crate::render::json::Style;
use crate::render::keys::Piece;
use crate::render::number;
use crate::render::out::Out;

/// Writes keys and values of one message to the end of a text.
pub(super) struct Object<'a> {
    pub(super) out: &'a mut Out,
    style: Style,
    names: &'static [Piece; names::COUNT],
}

/// Text of at most this many bytes may become a message; what is longer is cut with a mark. It is below what a
/// record takes, so that a record of one message can always be sent in a datagram.
pub(super) const TEXT_MAX: usize = 32 << 10;

/// Stands where text was cut.
pub(super) const CUT: &str = "…";

impl<'a> Object<'a> {
    /// Opens an object with its first key, behind which a value must follow.
    #[inline]
    pub(super) fn begin(style: Style, first: Name, out: &'a mut Out) -> Self {
        let object = Self::begun(style, b"", 0, out);
        let piece = &object.names[first as usize];
        // Behind the brace a key stands without comma, and on one line without the blank.
        let skip = match style {
            Style::Pretty => 1,
            Style::Compact => 2,
        };
        if let Some(text) = piece.bytes[skip..].first_chunk::<32>() {
            object.out.put(text, piece.len - skip);
        }
        object
    }

    /// Opens an object with its first keys and values, written before.
    #[inline]
    pub(super) fn begun<const N: usize>(style: Style, text: &[u8; N], len: usize, out: &'a mut Out) -> Self {
        out.byte(b'{');
        out.put(text, len);
        let names = match style {
            Style::Pretty => &names::PRETTY,
            Style::Compact => &names::COMPACT,
        };
        Self { out, style, names }
    }

    /// An object that only says why there is no message.
    #[cold]
    pub(super) fn only_exception(style: Style, reason: &dyn Display, out: &'a mut Out) -> Self {
        let mut object = Self::begin(style, Name::Exception, out);
        object.reason(reason);
        object
    }

    /// Closes it.
    pub(super) fn end(self) {
        match self.style {
            Style::Pretty => self.out.piece(b"\n  }"),
            Style::Compact => self.out.byte(b'}'),
        }
    }

    #[inline(always)]
    pub(super) fn key(&mut self, name: Name) {
        let piece = &self.names[name as usize];
        self.out.put(&piece.bytes, piece.len);
    }

    /// A key that the peer chose, of bytes that need no escapes. One that begins like ours gets a further `_`, so it
    /// never equals ours.
    #[inline]
    pub(super) fn foreign_key(&mut self, name: &[u8]) {
        match self.style {
            Style::Pretty => self.out.piece(b",\n    \""),
            Style::Compact => self.out.piece(b", \""),
        }
        if name.first() == Some(&b'_') {
            self.out.byte(b'_');
        }
        self.out.slice(name);
        self.out.piece(b"\": ");
    }

    #[inline]
    pub(super) fn integer(&mut self, name: Name, value: u64) {
        self.key(name);
        number::integer(value, self.out);
    }

    #[inline]
    pub(super) fn seconds(&mut self, nanoseconds: u64) {
        number::duration(nanoseconds, self.out);
    }

    /// A string that needs no escapes.
    #[inline]
    pub(super) fn plain(&mut self, name: Name, text: &[u8]) {
        self.key(name);
        self.out.byte(b'"');
        self.out.slice(text);
        self.out.byte(b'"');
    }

    #[inline]
    pub(super) fn string(&mut self, name: Name, bytes: &[u8], room: usize) -> bool {
        self.key(name);
        self.out.byte(b'"');
        let whole = limited(bytes, room, self.out);
        self.out.byte(b'"');
        whole
    }

    /// A string that is known to go on beyond its bytes.
    pub(super) fn cut_string(&mut self, name: Name, bytes: &[u8], room: usize) {
        self.key(name);
        self.out.byte(b'"');
        if limited(whole_characters(bytes), room, self.out) {
            self.out.slice(CUT.as_bytes());
        }
        self.out.byte(b'"');
    }

    /// The reason why there is not more.
    #[cold]
    pub(super) fn exception(&mut self, reason: &dyn Display) {
        self.key(Name::Exception);
        self.reason(reason);
    }

    fn reason(&mut self, reason: &dyn Display) {
        self.out.byte(b'"');
        // Writing to memory does not fail.
        let _ = write!(Escaped(self.out), "{reason}");
        self.out.byte(b'"');
    }

    /// Opens an array whose elements stand on lines of their own.
    pub(super) fn array(&mut self, name: Name) -> Rows {
        self.key(name);
        self.out.byte(b'[');
        Rows { style: self.style, empty: true }
    }
}

/// An array of arrays that is being written.
pub(super) struct Rows {
    style: Style,
    empty: bool,
}

impl Rows {
    /// Opens the next element.
    pub(super) fn next(&mut self, out: &mut Out) {
        match (self.style, self.empty) {
            (Style::Pretty, true) => out.piece(b"\n      ["),
            (Style::Pretty, false) => out.piece(b",\n      ["),
            (Style::Compact, true) => out.byte(b'['),
            (Style::Compact, false) => out.piece(b", ["),
        }
    }

    /// The element is whole.
    pub(super) fn done(&mut self, out: &mut Out) {
        out.byte(b']');
        self.empty = false;
    }

    /// Closes the array.
    pub(super) fn end(self, out: &mut Out) {
        if self.style == Style::Pretty && !self.empty {
            out.piece(b"\n    ");
        }
        out.byte(b']');
    }
}

/// Appends `bytes` escaped, and when they would take more than `room` bytes, their beginning and the mark. Whether
/// all of them fit.
#[inline]
pub(super) fn limited(bytes: &[u8], room: usize, out: &mut Out) -> bool {
    // No byte becomes more than six.
    if bytes.len() <= room / 6 {
        escape(bytes, out);
        return true;
    }
    let fit = fitting(bytes, room);
    escape(&bytes[..fit], out);
    if fit < bytes.len() {
        out.slice(CUT.as_bytes());
    }
    fit == bytes.len()
}

/// How many of the first bytes take at most `room` bytes of text.
#[cold]
fn fitting(bytes: &[u8], room: usize) -> usize {
    let (mut used, mut at) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            used += match c {
                '"' | '\\' | '\n' | '\r' | '\t' | '\x08' | '\x0c' => 2,
                '\0'..' ' => 6,
                _ => c.len_utf8(),
            };
            if used > room {
                return at;
            }
            at += c.len_utf8();
        }
        if !chunk.invalid().is_empty() {
            used += '\u{fffd}'.len_utf8();
            if used > room {
                return at;
            }
            at += chunk.invalid().len();
        }
    }
    at
}

/// `bytes` without the beginning of a character at their end, which a cut left there.
pub(super) fn whole_characters(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

struct Escaped<'a>(&'a mut Out);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(text.as_bytes(), self.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_fits_is_the_most_that_fits(bytes in proptest::collection::vec(any::<u8>(), 0..40), room in 0_usize..60) {
            let mut out = Out::default();
            let whole = limited(&bytes, room, &mut out);
            let text = std::str::from_utf8(out.text()).unwrap();
            let shown = text.strip_suffix(CUT).filter(|_| !whole).unwrap_or(text);
            prop_assert!(shown.len() <= room.max(6 * bytes.len()));
            prop_assert!(whole || shown.len() <= room);
            let mut full = Out::default();
            escape(&bytes, &mut full);
            prop_assert!(full.text().starts_with(shown.as_bytes()));
            prop_assert_eq!(whole, full.len() <= room);
            prop_assert!(whole || full.len() > room);
        }
    }

    #[test]
    fn a_cut_leaves_no_half_character() {
        assert_eq!(whole_characters("aé".as_bytes()), "aé".as_bytes());
        assert_eq!(whole_characters(b"a\xc3"), b"a");
        assert_eq!(whole_characters(b"a\xff\xc3"), b"a\xff\xc3");
    }
}
