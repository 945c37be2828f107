//! JSON, pretty (`json`) or on one line (`json-min`).
//!
//! Every key brings the separator of the value before it; only the first key of a message stands behind a brace.

use std::net::Ipv6Addr;

use kflowd_proto::layout::{FILE_EVENTS, Way};

use super::address;
use super::app::{self, Block};
use super::escape::{escape, hex};
use super::keys::{self, Key, Piece};
use super::number;
use super::out::Out;
use super::time::Clock;
use crate::event::{Text, Wall};

/// What differs between the two forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// One key per line.
    Pretty,
    /// One line.
    #[default]
    Compact,
}

impl Style {
    pub(super) const fn keys(self) -> &'static [Piece; keys::COUNT] {
        match self {
            Self::Pretty => &keys::PRETTY,
            Self::Compact => &keys::COMPACT,
        }
    }

    /// What ends a value before the next key.
    const fn separator(self) -> &'static str {
        match self {
            Self::Pretty => ",\n  ",
            Self::Compact => ", ",
        }
    }
}

/// Appends keys and values of one message.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Out,
    clock: &'a mut Clock,
    style: Style,
    keys: &'static [Piece; keys::COUNT],
}

impl<'a> Writer<'a> {
    /// A writer to the end of `out`.
    pub(super) fn new(out: &'a mut Out, clock: &'a mut Clock, style: Style) -> Self {
        Self { out, clock, style, keys: style.keys() }
    }

    /// Begins a message with its first key, an integer.
    pub(super) fn begin(&mut self, key: Key, value: u64) {
        let piece = &self.keys[key as usize];
        self.out.byte(b'{');
        // Without the comma, and on one line without the blank behind it.
        let skip = if self.style == Style::Pretty { 1 } else { 2 };
        self.out.slice(&piece.bytes[skip..piece.len]);
        number::integer(value, self.out);
    }

    /// Ends the message.
    pub(super) fn end(&mut self) {
        match self.style {
            Style::Pretty => self.out.put(b"\n}\n", 3),
            Style::Compact => self.out.put(b"}\n", 2),
        }
    }

    /// Keys and values that were written before.
    pub(super) fn block(&mut self, block: &[u8]) {
        self.out.slice(block);
    }

    /// Messages of a flow.
    pub(super) fn messages(&mut self, messages: &Block<'_>) {
        app::block(messages, self.style, self.out);
    }

    #[inline]
    fn key(&mut self, key: Key) {
        let piece = &self.keys[key as usize];
        self.out.put(&piece.bytes, piece.len);
    }

    /// A difference of integers.
    pub(super) fn difference(&mut self, key: Key, before: u64, after: u64) {
        self.key(key);
        number::signed(before, after, self.out);
    }

    /// An integer.
    pub(super) fn integer(&mut self, key: Key, value: u64) {
        self.key(key);
        number::integer(value, self.out);
    }

    /// Seconds, always with decimals.
    pub(super) fn seconds(&mut self, key: Key, nanoseconds: u64) {
        self.key(key);
        number::seconds(nanoseconds, self.out);
    }

    /// Seconds, `0` when there are none.
    pub(super) fn duration(&mut self, key: Key, nanoseconds: u64) {
        self.key(key);
        number::duration(nanoseconds, self.out);
    }

    /// Signed seconds, always with decimals.
    pub(super) fn signed_seconds(&mut self, key: Key, nanoseconds: i128) {
        self.key(key);
        number::signed_seconds(nanoseconds, self.out);
    }

    /// A point of time.
    pub(super) fn time(&mut self, key: Key, time: Wall) {
        self.key(key);
        self.out.byte(b'"');
        self.clock.write(time, self.out);
        self.out.byte(b'"');
    }

    /// A string of any bytes.
    pub(super) fn bytes(&mut self, key: Key, bytes: &[u8]) {
        self.key(key);
        self.out.byte(b'"');
        escape(bytes, self.out);
        self.out.byte(b'"');
    }

    /// A string that needs no escapes, of which `used` bytes count.
    #[inline]
    pub(super) fn plain<const N: usize>(&mut self, key: Key, text: &[u8; N], used: usize) {
        self.key(key);
        self.out.byte(b'"');
        self.out.put(text, used);
        self.out.byte(b'"');
    }

    /// A string that is known before.
    #[inline]
    pub(super) fn word(&mut self, key: Key, word: &'static Piece) {
        self.key(key);
        self.out.put(&word.bytes, word.len);
    }

    /// A string in pieces.
    pub(super) fn text(&mut self, key: Key, text: Text<'_>) {
        self.key(key);
        self.out.byte(b'"');
        for piece in text.0 {
            if !piece.is_empty() {
                escape(piece, self.out);
            }
        }
        self.out.byte(b'"');
    }

    /// A command line: NUL ends each argument; one that is not ended was cut, which gets a mark.
    pub(super) fn arguments(&mut self, key: Key, argv: &[u8]) {
        self.key(key);
        self.out.byte(b'"');
        let whole = argv.strip_suffix(b"\0");
        for (i, argument) in whole.unwrap_or(argv).split(|&b| b == 0).enumerate() {
            if i > 0 {
                self.out.byte(b' ');
            }
            escape(argument, self.out);
        }
        if whole.is_none() && !argv.is_empty() {
            self.out.slice("…".as_bytes());
        }
        self.out.byte(b'"');
    }

    /// `<Key>Raw` in hex, only when the bytes are not UTF-8.
    pub(super) fn raw(&mut self, key: Key, text: Text<'_>) {
        if text.0.iter().all(|piece| std::str::from_utf8(piece).is_ok()) {
            return;
        }
        self.out.slice(self.style.separator().as_bytes());
        self.out.byte(b'"');
        self.out.slice(key.row().name.as_bytes());
        self.out.slice(b"Raw\": \"");
        for piece in text.0 {
            hex(piece, self.out);
        }
        self.out.byte(b'"');
    }

    /// An IPv4 address.
    pub(super) fn ipv4(&mut self, key: Key, address: [u8; 4]) {
        self.key(key);
        self.out.byte(b'"');
        address::ipv4(address, self.out);
        self.out.byte(b'"');
    }

    /// An IPv6 address.
    pub(super) fn ipv6(&mut self, key: Key, address: Ipv6Addr) {
        self.key(key);
        self.out.byte(b'"');
        address::ipv6(address, self.out);
        self.out.byte(b'"');
    }

    /// An object of the file events that happened, on one line.
    pub(super) fn events(&mut self, key: Key, events: &[u32; FILE_EVENTS]) {
        self.key(key);
        self.out.byte(b'{');
        let mut first = true;
        for (name, &count) in keys::EVENTS.iter().zip(events) {
            self.happened::<24>(name, count, &mut first);
        }
        self.out.byte(b'}');
    }

    /// An object of the combinations of TCP flags that one direction had, on one line.
    pub(super) fn flags(&mut self, key: Key, way: &Way) {
        self.key(key);
        self.out.byte(b'{');
        let mut first = true;
        for (&bits, &count) in way.flags.iter().zip(&way.flags_count) {
            if bits == 0 {
                break;
            }
            self.happened::<38>(&keys::TCP_FLAGS[usize::from(bits)], count, &mut first);
        }
        self.happened::<38>(&keys::OTHER_FLAGS, way.flags_other, &mut first);
        self.out.byte(b'}');
    }

    /// A name, at most `N` bytes with what stands around it, and how often it happened, if it did.
    #[inline]
    fn happened<const N: usize>(&mut self, name: &Piece, count: u32, first: &mut bool) {
        if count == 0 {
            return;
        }
        // The first name stands behind the brace: without comma and blank.
        let skip = if *first { 2 } else { 0 };
        if let Some(text) = name.bytes[skip..].first_chunk::<N>() {
            self.out.put(text, name.len - skip);
        }
        number::integer(count.into(), self.out);
        *first = false;
    }

    /// An object of counters, on one line.
    pub(super) fn counters(&mut self, key: Key, counters: &[(&'static str, u64)]) {
        self.key(key);
        self.object(counters.iter().copied());
    }

    /// An array of objects, each a name and its counters, on one line.
    pub(super) fn list<'b>(
        &mut self,
        key: Key,
        name: &str,
        items: impl Iterator<Item = (&'b str, &'b [(&'static str, u64)])>,
    ) {
        self.key(key);
        self.out.byte(b'[');
        for (i, (value, counters)) in items.enumerate() {
            self.out.slice(if i == 0 { b"{\"" } else { b", {\"" });
            self.out.slice(name.as_bytes());
            self.out.slice(b"\": \"");
            escape(value.as_bytes(), self.out);
            self.out.slice(b"\", ");
            self.pairs(counters.iter().copied());
            self.out.byte(b'}');
        }
        self.out.byte(b']');
    }

    fn object<'b>(&mut self, counters: impl Iterator<Item = (&'b str, u64)>) {
        self.out.byte(b'{');
        self.pairs(counters);
        self.out.byte(b'}');
    }

    fn pairs<'b>(&mut self, counters: impl Iterator<Item = (&'b str, u64)>) {
        for (i, (name, count)) in counters.enumerate() {
            self.out.slice(if i == 0 { b"\"" } else { b", \"" });
            self.out.slice(name.as_bytes());
            self.out.slice(b"\": ");
            number::integer(count, self.out);
        }
    }
}
