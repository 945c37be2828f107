//! One direction of a connection: heads, bodies, and what to do when bytes are missing.
//!
//! A message is given out when its body has ended or as much of it is there as is kept. Held are at most a head and
//! that much of its body. Where boundaries are lost, everything up to the next line that is a request or status
//! line is left out; this is said once, unless it happens in a body whose message is given out: of long bodies not all
//! is captured.

use super::chunked::Chunk;
use super::connection::{Length, Shared, is_request};
use super::head::{self, Head};
use super::{HttpError, Start};

/// Longest head.
const HEAD_MAX: usize = 64 << 10;
/// Longest line that is looked at where boundaries are lost.
const LINE_MAX: usize = 8 << 10;

/// A message as far as it is there.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// When its first byte came.
    pub time: u64,
    /// Its head, unless it is malformed.
    pub head: Option<&'a Head<'a>>,
    /// The beginning of its body.
    pub body: Body<'a>,
    /// Why there is not more.
    pub error: Option<HttpError>,
}

/// The beginning of a body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Body<'a> {
    /// Bytes.
    pub bytes: &'a [u8],
    /// There is more.
    pub cut: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// At a message or within its head.
    #[default]
    Head,
    /// In a body of so many more bytes.
    Fixed(u64),
    /// In a body of chunks.
    Chunked(Chunk),
    /// In a body that ends with the stream.
    Close,
    /// Boundaries are lost; whether the rest of this line is to be left out.
    Lost { skip: bool },
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Half {
    state: State,
    /// The head of a message that is not given out yet; where boundaries are lost, the beginning of a line.
    held: Vec<u8>,
    /// No head ends in so many bytes of `held`.
    searched: usize,
    /// The first line in `held` is whole and right.
    started: bool,
    /// The head is whole and waits for the body.
    collecting: bool,
    body: Vec<u8>,
    time: u64,
    /// The last message was a request.
    requests: bool,
}

type Given<'e> = &'e mut dyn FnMut(&Message<'_>);

impl Half {
    /// Begins anew, with the memory there is; `joined` when the beginning of the stream was not seen.
    pub(super) fn reset(&mut self, joined: bool) {
        self.state = if joined { State::Lost { skip: false } } else { State::Head };
        self.held.clear();
        self.body.clear();
        self.searched = 0;
        self.collecting = false;
        self.requests = false;
    }

    pub(super) fn bytes(&mut self, mut bytes: &[u8], time: u64, shared: &mut Shared, emit: Given<'_>) {
        while !bytes.is_empty() && !shared.ended {
            bytes = match self.state {
                State::Head if self.held.is_empty() => self.new_head(bytes, time, shared, emit),
                State::Head => self.more_head(bytes, shared, emit),
                State::Lost { skip } => self.scan(skip, bytes, time),
                State::Fixed(left) => {
                    let (data, rest) = bytes.split_at(least(left, bytes.len()));
                    self.collect(data, shared, emit);
                    self.fixed(left - data.len() as u64, shared, emit);
                    rest
                }
                State::Chunked(chunk) => self.chunks(chunk, bytes, shared, emit),
                State::Close => {
                    self.collect(bytes, shared, emit);
                    b""
                }
            }
        }
    }

    /// At a message: most often its whole head is here, and is read in place.
    fn new_head<'b>(&mut self, bytes: &'b [u8], time: u64, shared: &mut Shared, emit: Given<'_>) -> &'b [u8] {
        // Empty lines before a message are passed over (RFC 9112 section 2.2).
        let blank = bytes.iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count();
        let bytes = &bytes[blank..];
        self.time = time;
        let mut buffer = std::mem::take(&mut shared.buffer);
        let rest = match buffer.parse(&bytes[..bytes.len().min(HEAD_MAX)]) {
            Ok(head) if head.complete => {
                let (text, rest) = bytes.split_at(head.length);
                self.begin(&head, rest, shared, emit);
                if self.collecting {
                    self.held.extend_from_slice(text);
                }
                Some(rest)
            }
            Err(error @ (HttpError::StartLine | HttpError::Version | HttpError::Http2)) => {
                let line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
                self.lose(error, shared, emit);
                Some(&bytes[line..])
            }
            _ => None,
        };
        shared.buffer = buffer;
        rest.unwrap_or_else(|| {
            self.started = false;
            self.more_head(bytes, shared, emit)
        })
    }

    /// Adds to the head that is held.
    fn more_head<'b>(&mut self, bytes: &'b [u8], shared: &mut Shared, emit: Given<'_>) -> &'b [u8] {
        let before = self.held.len();
        let more = bytes.len().min(HEAD_MAX - before);
        self.held.extend_from_slice(&bytes[..more]);
        if !self.started
            && let Some(at) = memchr::memchr(b'\n', &self.held[before..])
        {
            self.started = true;
            let line = &self.held[..before + at];
            if let Err(error) = Start::parse(line.strip_suffix(b"\r").unwrap_or(line)) {
                self.lose(error, shared, emit);
                return &bytes[at + 1..];
            }
        }
        match head::end(&self.held, self.searched) {
            Some(end) => self.whole_head(end, &bytes[end - before..], shared, emit),
            None if self.held.len() == HEAD_MAX => {
                self.lose(HttpError::LongHead(HEAD_MAX), shared, emit);
                self.state = State::Lost { skip: true };
                &bytes[more..]
            }
            None => {
                // A line end and a CR may be there of the three or four bytes that end a head.
                self.searched = self.held.len().saturating_sub(2);
                b""
            }
        }
    }

    fn whole_head<'b>(
        &mut self,
        end: usize,
        rest: &'b [u8],
        shared: &mut Shared,
        emit: Given<'_>,
    ) -> &'b [u8] {
        let mut held = std::mem::take(&mut self.held);
        let mut buffer = std::mem::take(&mut shared.buffer);
        held.truncate(end);
        match buffer.parse(&held) {
            Ok(head) => self.begin(&head, rest, shared, emit),
            Err(error) => self.lose(error, shared, emit),
        }
        shared.buffer = buffer;
        if !self.collecting {
            held.clear();
        }
        self.held = held;
        self.searched = 0;
        rest
    }

    /// The head is whole: gives the message out, or has it wait for the body, of which `rest` is the beginning.
    fn begin(&mut self, head: &Head<'_>, rest: &[u8], shared: &mut Shared, emit: Given<'_>) {
        self.requests = is_request(head);
        self.collecting = true;
        let mut message = Message { time: self.time, head: Some(head), body: Body::default(), error: None };
        self.state = match shared.length(head.start, head.framing) {
            Ok(Length::None) => State::Head,
            Ok(Length::Tunnel) => {
                shared.ended = true;
                State::Head
            }
            Ok(Length::Fixed(length)) => {
                self.state = State::Fixed(length);
                let want = least(length, shared.body_max);
                let Some(bytes) = rest.get(..want) else { return };
                message.body = Body { bytes, cut: want as u64 != length };
                self.state
            }
            Ok(Length::Chunked) => return self.state = State::Chunked(Chunk::START),
            Ok(Length::Close) => return self.state = State::Close,
            Err(error) => {
                message.error = Some(error);
                State::Lost { skip: false }
            }
        };
        self.collecting = false;
        emit(&message);
    }

    fn collect(&mut self, data: &[u8], shared: &mut Shared, emit: Given<'_>) {
        if self.collecting {
            let room = shared.body_max - self.body.len();
            self.body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                self.finish(true, None, shared, emit);
            }
        }
    }

    /// Gives out the message that waits for its body.
    fn finish(&mut self, cut: bool, error: Option<HttpError>, shared: &mut Shared, emit: Given<'_>) {
        if !std::mem::replace(&mut self.collecting, false) {
            return;
        }
        let head = shared.buffer.parse(&self.held);
        let body = Body { bytes: &self.body, cut };
        emit(&Message { time: self.time, head: head.as_ref().ok(), body, error: error.or(head.err()) });
        self.held.clear();
        self.body.clear();
    }

    fn fixed(&mut self, left: u64, shared: &mut Shared, emit: Given<'_>) {
        self.state = State::Fixed(left);
        if left == 0 {
            self.finish(false, None, shared, emit);
            self.state = State::Head;
        } else if self.body.len() == shared.body_max {
            // There is more than is kept: as when all of this came at once.
            self.finish(true, None, shared, emit);
        }
    }

    fn chunks<'b>(
        &mut self,
        chunk: Chunk,
        bytes: &'b [u8],
        shared: &mut Shared,
        emit: Given<'_>,
    ) -> &'b [u8] {
        if let Chunk::Data(left) = chunk {
            let (data, rest) = bytes.split_at(least(left, bytes.len()));
            self.collect(data, shared, emit);
            let left = left - data.len() as u64;
            let chunk = if left == 0 { Chunk::DataEnd { cr: false } } else { Chunk::Data(left) };
            self.state = State::Chunked(chunk);
            return rest;
        }
        match chunk.step(bytes[0]) {
            Ok(Chunk::End) => {
                self.finish(false, None, shared, emit);
                self.state = State::Head;
            }
            Ok(chunk) => self.state = State::Chunked(chunk),
            Err(error) => {
                let waited = self.collecting;
                self.finish(true, Some(error), shared, emit);
                if waited {
                    self.state = State::Lost { skip: false };
                } else {
                    self.lose(error, shared, emit);
                }
            }
        }
        &bytes[1..]
    }

    /// What comes next begins a message, or is left out up to one that does.
    fn lose_boundaries(&mut self, shared: &mut Shared) {
        self.held.clear();
        self.searched = 0;
        self.state = State::Lost { skip: false };
        if self.requests {
            shared.forget_requests();
        }
    }

    /// Boundaries are lost, which is told.
    fn lose(&mut self, error: HttpError, shared: &mut Shared, emit: Given<'_>) {
        self.lose_boundaries(shared);
        // HTTP/2 in clear text stays that.
        shared.ended |= error == HttpError::Http2;
        emit(&Message { time: self.time, head: None, body: Body::default(), error: Some(error) });
    }

    /// Looks for a line that begins a message.
    fn scan<'b>(&mut self, skip: bool, bytes: &'b [u8], time: u64) -> &'b [u8] {
        let Some(at) = memchr::memchr(b'\n', bytes) else {
            self.time = if self.held.is_empty() { time } else { self.time };
            if skip || self.held.len() + bytes.len() > LINE_MAX {
                self.held.clear();
                self.state = State::Lost { skip: true };
            } else {
                self.held.extend_from_slice(bytes);
            }
            return b"";
        };
        self.state = State::Lost { skip: false };
        if skip {
            return &bytes[at + 1..];
        }
        if self.held.is_empty() {
            let Some(start) = message_start(&bytes[..at]) else { return &bytes[at + 1..] };
            self.state = State::Head;
            return &bytes[start..];
        }
        self.held.extend_from_slice(&bytes[..=at]);
        if let Some(start) = message_start(&self.held[..self.held.len() - 1]) {
            self.held.drain(..start);
            self.state = State::Head;
            self.started = true;
        } else {
            self.held.clear();
        }
        &bytes[at + 1..]
    }

    pub(super) fn gap(&mut self, count: u64, time: u64, shared: &mut Shared, emit: Given<'_>) {
        if shared.ended {
            return;
        }
        match self.state {
            State::Head if !self.held.is_empty() => self.cut_head(shared, emit),
            State::Head => self.missing(count, time, shared, emit),
            State::Fixed(left) => {
                self.finish(true, None, shared, emit);
                if count <= left {
                    self.fixed(left - count, shared, emit);
                } else {
                    self.missing(count, time, shared, emit);
                }
            }
            State::Chunked(chunk) => {
                self.finish(true, None, shared, emit);
                match chunk.behind_gap(count) {
                    Some(Chunk::End) => self.state = State::Head,
                    Some(chunk) => self.state = State::Chunked(chunk),
                    None => self.lose_boundaries(shared),
                }
            }
            State::Close => self.finish(true, None, shared, emit),
            State::Lost { .. } => {
                self.held.clear();
                self.state = State::Lost { skip: false };
            }
        }
    }

    fn missing(&mut self, count: u64, time: u64, shared: &mut Shared, emit: Given<'_>) {
        self.time = time;
        self.lose(HttpError::Missing(count), shared, emit);
    }

    /// Gives out the whole lines of a head that is not whole.
    fn cut_head(&mut self, shared: &mut Shared, emit: Given<'_>) {
        let error = Some(HttpError::CutHead(self.held.len()));
        let head = shared.buffer.parse(&self.held).ok();
        if head.is_some_and(|head| is_request(&head)) {
            self.requests = true;
        }
        emit(&Message { time: self.time, head: head.as_ref(), body: Body::default(), error });
        self.lose_boundaries(shared);
    }

    pub(super) fn end(&mut self, shared: &mut Shared, emit: Given<'_>) {
        match self.state {
            State::Head if !self.held.is_empty() => self.cut_head(shared, emit),
            State::Fixed(_) | State::Chunked(_) => {
                self.finish(true, Some(HttpError::CutBody), shared, emit);
            }
            State::Close => self.finish(false, None, shared, emit),
            State::Head | State::Lost { .. } => {}
        }
        self.reset(true);
    }

    pub(super) fn held(&self) -> usize {
        self.held.capacity() + self.body.capacity()
    }
}

/// Where in a line a message begins: with the line, or, if it is a response, behind a body without a line end.
fn message_start(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LINE_MAX {
        return None;
    }
    if Start::parse(line).is_ok() {
        return Some(0);
    }
    let at = memchr::memmem::rfind(line, b"HTTP/1.")?;
    matches!(Start::parse(&line[at..]), Ok(Start::Response { .. })).then_some(at)
}

fn least(length: u64, most: usize) -> usize {
    usize::try_from(length).map_or(most, |length| length.min(most))
}
