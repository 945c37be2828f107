//! Both directions of a connection. What a response's body is depends on the request, so methods wait for their
//! responses.

use super::half::{Half, Message};
use super::head::{Framing, Head, HeadBuffer};
use super::{HttpError, Start};

/// Takes messages: from the first or the second half.
pub trait Emit: FnMut(usize, &Message<'_>) {}
impl<F: FnMut(usize, &Message<'_>)> Emit for F {}

/// A connection. Either half may hold the requests; the messages tell.
#[derive(Debug)]
pub struct Connection {
    halves: [Half; 2],
    shared: Shared,
}

/// What both halves know.
#[derive(Debug, Default)]
pub(super) struct Shared {
    waiting: Waiting,
    /// The connection became another protocol's.
    pub(super) ended: bool,
    pub(super) buffer: HeadBuffer,
    /// Most bytes of a body that are kept.
    pub(super) body_max: usize,
}

/// What a request means for the body of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Other,
    Head,
    Connect,
}

/// Requests without response so far, two bits each, the oldest lowest. When there are more than fit, they are
/// counted and taken for ordinary ones.
#[derive(Debug, Default)]
struct Waiting {
    methods: u128,
    count: u32,
    more: u64,
}

impl Waiting {
    const MOST: u32 = 64;

    fn push(&mut self, method: Method) {
        if self.count == Self::MOST || self.more > 0 {
            self.more += 1;
            return;
        }
        self.methods |= (method as u128) << (2 * self.count);
        self.count += 1;
    }

    fn pop(&mut self) -> Method {
        if self.count == 0 {
            self.more = self.more.saturating_sub(1);
            return Method::Other;
        }
        let method = self.methods & 3;
        self.methods >>= 2;
        self.count -= 1;
        match method {
            1 => Method::Head,
            2 => Method::Connect,
            _ => Method::Other,
        }
    }
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// There is none.
    None,
    /// After so many bytes.
    Fixed(u64),
    /// With a chunk of size 0.
    Chunked,
    /// With the stream.
    Close,
    /// None; what follows is another protocol.
    Tunnel,
}

impl Shared {
    /// RFC 9112 section 6.3. Requests are remembered for their responses.
    pub(super) fn length(&mut self, start: Start<'_>, framing: Framing) -> Result<Length, HttpError> {
        match start {
            Start::Request { method, .. } => {
                self.waiting.push(match method {
                    b"HEAD" => Method::Head,
                    b"CONNECT" => Method::Connect,
                    _ => Method::Other,
                });
                match framing {
                    Framing { chunked: Some(true), .. } => Ok(Length::Chunked),
                    Framing { chunked: Some(false), .. } => Err(HttpError::Encoding),
                    Framing { length: Some(0) | None, .. } => Ok(Length::None),
                    Framing { length: Some(length), .. } => Ok(Length::Fixed(length)),
                }
            }
            Start::Response { status, .. } => Ok(self.response_length(status, framing)),
        }
    }

    fn response_length(&mut self, status: u16, framing: Framing) -> Length {
        // Interim responses come before the one that the request waits for.
        let method =
            if (100..200).contains(&status) && status != 101 { Method::Other } else { self.waiting.pop() };
        match (status, method, framing) {
            (101, ..) | (200..300, Method::Connect, _) => Length::Tunnel,
            (100..200 | 204 | 304, ..) | (_, Method::Head, _) => Length::None,
            (.., Framing { chunked: Some(true), .. }) => Length::Chunked,
            (.., Framing { chunked: None, length: Some(0) }) => Length::None,
            (.., Framing { chunked: None, length: Some(length) }) => Length::Fixed(length),
            _ => Length::Close,
        }
    }

    /// Requests were lost: which one a response answers is not known any more.
    pub(super) fn forget_requests(&mut self) {
        self.waiting = Waiting::default();
    }
}

impl Connection {
    /// A connection; of each body at most `body_max` bytes are kept.
    pub fn new(body_max: usize) -> Self {
        Self { halves: Default::default(), shared: Shared { body_max, ..Shared::default() } }
    }

    /// Begins anew, with the memory there is; `joined` when the beginning of the connection was not seen.
    pub fn reset(&mut self, joined: bool) {
        self.halves.iter_mut().for_each(|half| half.reset(joined));
        self.shared.waiting = Waiting::default();
        self.shared.ended = false;
    }

    /// Takes the next bytes of half `side`.
    pub fn bytes(&mut self, side: usize, bytes: &[u8], time: u64, emit: &mut impl Emit) {
        self.halves[side & 1].bytes(bytes, time, &mut self.shared, &mut |message| emit(side, message));
    }

    /// The next `count` bytes of half `side` are missing.
    pub fn gap(&mut self, side: usize, count: u64, time: u64, emit: &mut impl Emit) {
        self.halves[side & 1].gap(count, time, &mut self.shared, &mut |message| emit(side, message));
    }

    /// The connection ended.
    pub fn end(&mut self, emit: &mut impl Emit) {
        for (side, half) in self.halves.iter_mut().enumerate() {
            half.end(&mut self.shared, &mut |message| emit(side, message));
        }
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.halves.iter().map(Half::held).sum()
    }
}

/// Whether the head is a request's.
pub(super) fn is_request(head: &Head<'_>) -> bool {
    matches!(head.start, Start::Request { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_wait_in_order() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.pop(), Method::Other);
        for i in 0..200 {
            waiting.push(if i % 3 == 0 { Method::Head } else { Method::Connect });
        }
        for i in 0..64 {
            assert_eq!(waiting.pop(), if i % 3 == 0 { Method::Head } else { Method::Connect });
        }
        waiting.push(Method::Head);
        for _ in 64..201 {
            assert_eq!(waiting.pop(), Method::Other);
        }
        waiting.push(Method::Head);
        assert_eq!(waiting.pop(), Method::Head);
    }
}
