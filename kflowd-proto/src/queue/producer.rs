//! The writing half.

#[cfg(not(loom))]
use std::os::fd::{BorrowedFd, OwnedFd};

use super::QueueError;
use super::atomics::{self, Ordering, fence};
use super::claim::{frame_bytes, padding_header, record_header};
use super::header::{ALIGN, Backing, CLOSED, Parts, SLEEP, aligned};
#[cfg(not(loom))]
use super::mem::Memfd;
use super::wake::Bell;

#[cfg(loom)]
type Memfd = super::heap::Heap;

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The consumer is too far behind.
    #[error("queue is full")]
    Full,
    /// The record would not fit into an empty queue either: it may take half of it.
    #[error("record does not fit into the queue")]
    TooLong,
}

/// The half that writes. Trusts nothing that it reads: see [`super`].
///
/// Invariant: `cursor <= tail <= head <= cursor + size`, all multiples of 8.
pub struct Producer<B: Backing = Memfd> {
    parts: Parts,
    bell: Bell,
    /// End of what was pushed.
    head: u64,
    /// End of what was published: the tail word without its flag.
    tail: u64,
    /// The last good cursor seen; the real one may be further.
    cursor: u64,
    /// 0 or [`CLOSED`].
    closed: u64,
    cursor_errors: u64,
    /// Bytes that only the last record may take.
    kept: u64,
    /// Keeps `parts` valid; last, so that it is dropped last.
    _backing: B,
}

// SAFETY: the pointers in `parts` may be used on any thread, by one at a time (`&mut self`); the backing moves along.
unsafe impl<B: Backing + Send> Send for Producer<B> {}

#[cfg(not(loom))]
impl Producer<Memfd> {
    /// Maps the files that [`super::create`] made and seals the data file: nobody can map it writable afterwards.
    ///
    /// # Errors
    /// When they are no queue, or the kernel refuses.
    pub fn open(data: BorrowedFd<'_>, cursor: BorrowedFd<'_>, wake: OwnedFd) -> Result<Self, QueueError> {
        Self::attach(Memfd::producer(data, cursor)?, wake.into())
    }
}

impl<B: Backing> Producer<B> {
    /// The producer of the queue in `backing`; it goes on after what was published.
    ///
    /// # Errors
    /// When the queue was closed or its words do not fit together.
    pub fn attach(backing: B, bell: Bell) -> Result<Self, QueueError> {
        let parts = backing.parts();
        let tail = parts.producer().tail.load(Ordering::Relaxed);
        let cursor = parts.consumer().cursor.load(Ordering::Relaxed) & !SLEEP;
        // Meets the release store of the consumer's commit: the memory below the cursor is ours.
        fence(Ordering::Acquire);
        if tail & CLOSED != 0 {
            return Err(QueueError::Closed);
        }
        let fits = cursor <= tail && tail - cursor <= parts.size() as u64;
        if !fits || !aligned(tail | cursor) {
            return Err(QueueError::Positions { tail, cursor });
        }
        Ok(Self {
            parts,
            bell,
            head: tail,
            tail,
            cursor,
            closed: 0,
            cursor_errors: 0,
            kept: 0,
            _backing: backing,
        })
    }

    /// Copies `record` into the queue. Nobody sees it before [`Producer::publish`].
    ///
    /// # Errors
    /// Nothing is changed then; after [`PushError::Full`] publish and try later.
    #[inline]
    pub fn push(&mut self, record: &[u8]) -> Result<(), PushError> {
        self.push_beside(record, self.kept)
    }

    /// From now on [`Producer::push`] leaves room for one record of `len` bytes that [`Producer::push_last`] takes,
    /// however far behind the consumer is.
    pub fn keep_room(&mut self, len: usize) {
        // As much again where its frame has to begin at the start of the data.
        self.kept = 2 * frame_bytes(len) as u64;
    }

    /// Copies a record into the queue, into the kept room too.
    ///
    /// # Errors
    /// As [`Producer::push`].
    pub fn push_last(&mut self, record: &[u8]) -> Result<(), PushError> {
        self.push_beside(record, 0)
    }

    #[inline]
    fn push_beside(&mut self, record: &[u8], room: u64) -> Result<(), PushError> {
        let size = self.parts.size();
        if record.len() > size / 2 - ALIGN {
            return Err(PushError::TooLong);
        }
        let bytes = frame_bytes(record.len());
        let mut offset = self.parts.offset(self.head);
        let rest = size - offset;
        let padding = if bytes > rest { rest } else { 0 };
        if !self.has_room((padding + bytes) as u64 + room) {
            return Err(PushError::Full);
        }
        if padding > 0 {
            self.store(offset, padding_header((padding - ALIGN) as u32));
            offset = 0;
        }
        self.store(offset, record_header(record.len() as u32));
        // SAFETY: `offset + bytes <= size`, and `has_room` says that the consumer has given this memory back.
        unsafe { atomics::copy_in(self.parts.data(), offset + ALIGN, record) };
        self.head += (padding + bytes) as u64;
        Ok(())
    }

    /// Makes all pushed records visible, with one store, and wakes the consumer if it said that it sleeps.
    pub fn publish(&mut self) {
        if self.head != self.tail {
            self.announce();
        }
    }

    /// Whether more than `numerator / denominator` of the queue is taken, unpublished records included.
    pub fn above(&mut self, numerator: usize, denominator: usize) -> bool {
        let limit = self.parts.size() as u64 * numerator as u64;
        let over = |producer: &Self| (producer.head - producer.cursor) * denominator as u64 > limit;
        over(self) && {
            self.look();
            over(self)
        }
    }

    /// Publishes, says that no more frames will come, and wakes the consumer. Nothing is pushed afterwards.
    pub fn close(&mut self) {
        self.closed = CLOSED;
        self.announce();
    }

    /// Whether the consumer has committed everything that was pushed.
    pub fn drained(&mut self) -> bool {
        self.look();
        self.cursor == self.head
    }

    /// Impossible cursors seen. Each was ignored; the consumer that wrote it cannot be trusted any more.
    pub fn cursor_errors(&self) -> u64 {
        self.cursor_errors
    }

    /// Stores the tail and rings when the consumer sleeps: the right column of the table in `wake.rs`.
    fn announce(&mut self) {
        self.tail = self.head;
        // Release: frames are written before the consumer's acquire fence in `Consumer::look` lets it see them.
        self.parts.producer().tail.store(self.tail | self.closed, Ordering::Release);
        // Full fence: the store above comes before the look below. Meets the fence in `Consumer::sleep`.
        fence(Ordering::SeqCst);
        if self.look() & SLEEP != 0 {
            self.bell.ring();
        }
    }

    /// Whether `bytes` fit behind the head; looks at the cursor only when the old one does not allow it.
    #[inline]
    fn has_room(&mut self, bytes: u64) -> bool {
        let room = |producer: &Self| producer.parts.size() as u64 - (producer.head - producer.cursor);
        bytes <= room(self) || {
            self.look();
            bytes <= room(self)
        }
    }

    /// Reads the cursor word once and takes over its position if it is possible. Returns the word.
    #[cold]
    fn look(&mut self) -> u64 {
        // Relaxed plus fence, not an acquire load: our mapping of this page is read-only. The fence meets the release
        // store in `Consumer::commit`: what the consumer has read there, it has read before we write over it.
        let word = self.parts.consumer().cursor.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let cursor = word & !SLEEP;
        if aligned(cursor) && self.cursor <= cursor && cursor <= self.tail {
            self.cursor = cursor;
        } else {
            self.cursor_errors += 1;
        }
        word
    }

    #[inline]
    fn store(&self, offset: usize, header: u64) {
        // SAFETY: called by `push` only, for the first word of a frame that fits between `offset` and the end.
        unsafe { atomics::store(self.parts.data(), offset, header) };
    }
}
