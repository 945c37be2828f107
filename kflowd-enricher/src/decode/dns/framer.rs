//! DNS over TCP: messages with their length in front (RFC 1035 section 4.2.2).
//!
//! When bytes of a message are missing, its length still tells where the next one begins. When the missing bytes
//! reach into the next message, boundaries are lost; capture ends with a write of the program, so what follows the
//! missing bytes is taken for the start of a message if it looks like one, else everything up to the next gap is
//! left out. Each time this is said once.

use super::{DnsError, HEADER, Header};

/// A message, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed<'a> {
    /// A message of `length` bytes of which `bytes` are there.
    Message {
        /// Its bytes, without the length in front.
        bytes: &'a [u8],
        /// Bytes it has.
        length: u64,
    },
    /// Bytes that are no message.
    Error(DnsError),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// At a message or within what is held of it.
    #[default]
    Message,
    /// Behind missing bytes: where a message should begin.
    Doubt,
    /// Within a message that was given out before its end.
    Skip(u64),
    /// No boundary is known.
    Lost,
}

/// Cuts one direction of a stream.
#[derive(Debug, Default)]
pub struct Framer {
    state: State,
    /// The beginning of a message, with its length in front.
    held: Vec<u8>,
    /// When its first byte came.
    time: u64,
}

impl Framer {
    /// Begins anew, with the memory there is; `joined` when the beginning of the stream was not seen.
    pub fn reset(&mut self, joined: bool) {
        self.state = if joined { State::Doubt } else { State::Message };
        self.held.clear();
    }

    /// Takes the next bytes; gives messages and their times to `emit`.
    pub fn bytes(&mut self, mut bytes: &[u8], time: u64, emit: &mut impl FnMut(Framed<'_>, u64)) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Message | State::Doubt => self.message(bytes, time, emit),
                State::Skip(left) => self.skip(left, bytes),
                State::Lost => return,
            }
        }
    }

    fn message<'b>(
        &mut self,
        bytes: &'b [u8],
        time: u64,
        emit: &mut impl FnMut(Framed<'_>, u64),
    ) -> &'b [u8] {
        if self.held.is_empty() {
            self.time = time;
            if let Some((message, rest)) = whole(bytes) {
                self.out(message, emit);
                return rest;
            }
        }
        let want = match self.held.first_chunk::<2>() {
            Some(length) => 2 + usize::from(u16::from_be_bytes(*length)),
            None => 2,
        };
        let (more, rest) = bytes.split_at(bytes.len().min(want - self.held.len()));
        self.held.extend_from_slice(more);
        let mut held = std::mem::take(&mut self.held);
        if let Some((message, _)) = whole(&held) {
            self.out(message, emit);
            held.clear();
        }
        self.held = held;
        rest
    }

    /// Gives a whole message out; behind missing bytes only one that looks right.
    fn out(&mut self, message: &[u8], emit: &mut impl FnMut(Framed<'_>, u64)) {
        if self.state == State::Doubt && !plausible(message) {
            self.state = State::Lost;
            emit(Framed::Error(DnsError::Header), self.time);
            return;
        }
        self.state = State::Message;
        emit(Framed::Message { bytes: message, length: message.len() as u64 }, self.time);
    }

    fn skip<'b>(&mut self, left: u64, bytes: &'b [u8]) -> &'b [u8] {
        let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.skipped(left - count as u64);
        &bytes[count..]
    }

    fn skipped(&mut self, left: u64) {
        self.state = if left == 0 { State::Message } else { State::Skip(left) };
    }

    /// The next `count` bytes of the stream are missing.
    pub fn gap(&mut self, count: u64, time: u64, emit: &mut impl FnMut(Framed<'_>, u64)) {
        let left = match self.state {
            State::Lost => None,
            State::Skip(left) => Some(left),
            State::Message | State::Doubt => self.give_up(emit),
        };
        match left {
            Some(left) if count <= left => self.skipped(left - count),
            _ => {
                if self.state != State::Lost {
                    emit(Framed::Error(DnsError::Missing(count)), time);
                }
                self.state = State::Doubt;
            }
        }
    }

    /// Gives out what is held of a message; how many of its bytes are still to come, if that is known.
    fn give_up(&mut self, emit: &mut impl FnMut(Framed<'_>, u64)) -> Option<u64> {
        let length = u16::from_be_bytes(*self.held.first_chunk()?);
        let bytes = &self.held[2..];
        emit(Framed::Message { bytes, length: length.into() }, self.time);
        let left = u64::from(length) - bytes.len() as u64;
        self.held.clear();
        Some(left)
    }

    /// The stream ended.
    pub fn end(&mut self, emit: &mut impl FnMut(Framed<'_>, u64)) {
        if self.held.len() == 1 {
            emit(Framed::Error(DnsError::Cut { have: 0, need: HEADER as u64 }), self.time);
        } else {
            self.give_up(emit);
        }
        self.reset(false);
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.held.capacity()
    }
}

/// The first message of `bytes`, when it is whole, and what follows.
fn whole(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// Whether bytes look like a message: an operation that exists, no reserved bit, room for the questions.
fn plausible(message: &[u8]) -> bool {
    Header::read(message).is_ok_and(|header| {
        let least = usize::from(header.questions) * 5 + usize::from(header.answers) * 11;
        header.opcode() <= 6 && header.flags & 0x40 == 0 && HEADER + least <= message.len()
    })
}
