//! Syslog over streams: octet counting (RFC 6587 section 3.4.1) or one message per line, told apart message by
//! message by the first byte. On local stream sockets a NUL ends a message (syslog(3)), which is taken everywhere.
//!
//! A message is held up to a limit; what is longer is given out with its beginning and marked. The same happens when
//! bytes of it are missing. Where the next one begins is then known with octet counting; else it is at the next
//! line end, or behind the missing bytes when a priority stands there.

use super::SyslogError;

/// A message, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed<'a> {
    /// A message, `cut` when only its beginning is there.
    Message {
        /// Its bytes.
        bytes: &'a [u8],
        /// The end is missing.
        cut: bool,
    },
    /// Bytes that are no message.
    Error(SyslogError),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// At a message or within what is held of it.
    #[default]
    Message,
    /// Behind missing bytes.
    Doubt,
    /// Within a line that was given out.
    SkipLine,
    /// Within a counted message that was given out.
    Skip(u64),
}

/// Most bytes that are held.
const MESSAGE_MAX: usize = 64 << 10;
/// Most digits of a count.
const DIGITS_MAX: usize = 9;

/// Cuts one direction of a stream.
#[derive(Debug, Default)]
pub struct Framer {
    state: State,
    held: Vec<u8>,
    /// Bytes of `held` in which no line ends.
    searched: usize,
}

/// What stands in front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    /// Not enough to tell.
    Unknown,
    /// A line.
    Line,
    /// A count of so many digits and a blank, and the bytes that it counts.
    Counted { before: usize, length: usize },
}

fn front(bytes: &[u8]) -> Front {
    if !matches!(bytes.first(), None | Some(b'1'..=b'9')) {
        return Front::Line;
    }
    let digits = bytes.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    match (bytes.get(digits), bytes.get(digits + 1)) {
        _ if digits > DIGITS_MAX => Front::Line,
        (None, _) | (Some(b' '), None) => Front::Unknown,
        (Some(b' '), Some(b'<')) => {
            let length = bytes[..digits].iter().fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0'));
            Front::Counted { before: digits + 1, length }
        }
        _ => Front::Line,
    }
}

fn ends_line(byte: u8) -> bool {
    byte == b'\n' || byte == 0
}

impl Framer {
    /// Begins anew, with the memory there is; `joined` when the beginning of the stream was not seen.
    pub fn reset(&mut self, joined: bool) {
        self.state = if joined { State::Doubt } else { State::Message };
        self.forget();
    }

    /// Takes the next bytes; gives messages to `emit`.
    pub fn bytes(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(Framed<'_>)) {
        while let Some(&first) = bytes.first() {
            bytes = match self.state {
                State::Message => self.message(bytes, emit),
                State::Doubt => {
                    let begins = first == b'<' || first.is_ascii_digit();
                    self.state = if begins { State::Message } else { State::SkipLine };
                    bytes
                }
                State::SkipLine => match bytes.iter().position(|&byte| ends_line(byte)) {
                    Some(at) => {
                        self.state = State::Message;
                        &bytes[at + 1..]
                    }
                    None => return,
                },
                State::Skip(left) => {
                    let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    self.skipped(left - count as u64);
                    &bytes[count..]
                }
            }
        }
    }

    fn skipped(&mut self, left: u64) {
        self.state = if left == 0 { State::Message } else { State::Skip(left) };
    }

    fn message<'b>(&mut self, bytes: &'b [u8], emit: &mut impl FnMut(Framed<'_>)) -> &'b [u8] {
        if self.held.is_empty() {
            // Between messages: the line end behind a counted one, NULs.
            let blank = bytes.iter().take_while(|&&byte| ends_line(byte) || byte == b'\r').count();
            let bytes = &bytes[blank..];
            if let Some(used) = whole(bytes, 0, emit) {
                return &bytes[used..];
            }
            return self.hold(bytes, emit);
        }
        self.hold(bytes, emit)
    }

    /// Adds to what is held, at most up to the end of the message.
    fn hold<'b>(&mut self, bytes: &'b [u8], emit: &mut impl FnMut(Framed<'_>)) -> &'b [u8] {
        let before = self.held.len();
        let room = MESSAGE_MAX - before;
        self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Some(used) = whole(&self.held, self.searched, emit) {
            self.forget();
            return &bytes[used - before..];
        }
        if self.held.len() == MESSAGE_MAX {
            self.give_up(emit);
        } else {
            self.searched = self.held.len();
        }
        &bytes[bytes.len().min(room)..]
    }

    fn forget(&mut self) {
        self.held.clear();
        self.searched = 0;
    }

    /// Gives out the beginning of a message, and goes on behind its end.
    fn give_up(&mut self, emit: &mut impl FnMut(Framed<'_>)) {
        match front(&self.held) {
            Front::Counted { before, length } => {
                emit(Framed::Message { bytes: &self.held[before..], cut: true });
                let left = before + length - self.held.len();
                self.skipped(left as u64);
            }
            Front::Line | Front::Unknown => {
                emit(Framed::Message { bytes: &self.held, cut: true });
                self.state = State::SkipLine;
            }
        }
        self.forget();
    }

    /// The next `count` bytes of the stream are missing.
    pub fn gap(&mut self, count: u64, emit: &mut impl FnMut(Framed<'_>)) {
        let whole_messages = match self.state {
            State::Message if self.held.is_empty() => true,
            State::Message => {
                self.give_up(emit);
                false
            }
            State::Doubt | State::SkipLine | State::Skip(_) => false,
        };
        match self.state {
            State::Skip(left) if count <= left => self.skipped(left - count),
            State::Skip(_) => self.lost(count, emit),
            // The end of the line may be among what is missing, and further messages with it.
            _ if whole_messages => self.lost(count, emit),
            _ => self.state = State::Doubt,
        }
    }

    fn lost(&mut self, count: u64, emit: &mut impl FnMut(Framed<'_>)) {
        emit(Framed::Error(SyslogError::Missing(count)));
        self.state = State::Doubt;
    }

    /// The stream ended: a line needs no end, a counted message does.
    pub fn end(&mut self, emit: &mut impl FnMut(Framed<'_>)) {
        if !self.held.is_empty() {
            match front(&self.held) {
                Front::Counted { .. } => self.give_up(emit),
                Front::Line | Front::Unknown => emit(Framed::Message { bytes: &self.held, cut: false }),
            }
        }
        self.reset(false);
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.held.capacity()
    }
}

/// Gives out the message at the front when it is whole; the bytes it took, its end included. No line ends in the
/// first `searched` bytes. A message above the limit is never whole, wherever the stream is cut.
fn whole(bytes: &[u8], searched: usize, emit: &mut impl FnMut(Framed<'_>)) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(MESSAGE_MAX)];
    match front(bytes) {
        Front::Unknown => None,
        Front::Line => {
            let end = searched + bytes.get(searched..)?.iter().position(|&byte| ends_line(byte))?;
            emit(Framed::Message { bytes: &bytes[..end], cut: false });
            Some(end + 1)
        }
        Front::Counted { before, length } => {
            let message = bytes.get(before..before + length)?;
            emit(Framed::Message { bytes: message, cut: false });
            Some(before + length)
        }
    }
}
