//! The reading half.

use std::marker::PhantomData;
#[cfg(not(loom))]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::QueueError;
use super::atomics::{self, Ordering, Word, fence};
use super::claim::{Claimed, Corrupt, Span, frame_bytes};
use super::header::{Backing, CLOSED, Parts, SLEEP, aligned};
#[cfg(not(loom))]
use super::mem::Memfd;
use super::wake::Bell;

#[cfg(loom)]
type Memfd = super::heap::Heap;

/// The half that reads.
///
/// Invariant: `committed <= position <= tail <= committed + size`, all multiples of 8.
pub struct Consumer<B: Backing = Memfd> {
    parts: Parts,
    bell: Bell,
    /// End of what was taken.
    position: u64,
    /// The last tail that was read and checked; falls back to `position` when the queue is broken.
    tail: u64,
    /// End of what was committed: the cursor word without its flag.
    committed: u64,
    /// The sequence number that belongs to `committed`.
    sequence: u64,
    /// Which slot holds them.
    slot: usize,
    /// 0 or [`SLEEP`]: the flag that stands in the cursor word.
    asleep: u64,
    broken: Option<Corrupt>,
    /// Keeps `parts` valid; last, so that it is dropped last.
    _backing: B,
}

// SAFETY: the pointers in `parts` may be used on any thread, by one at a time (`&mut self`); the backing moves along.
unsafe impl<B: Backing + Send> Send for Consumer<B> {}

/// One record in the queue; its memory is the queue's until the next commit.
pub struct Frame<'a> {
    data: *const Word,
    span: Span,
    queue: PhantomData<&'a mut ()>,
}

#[cfg(not(loom))]
impl Consumer<Memfd> {
    /// Maps the files of a queue and goes on where the last consumer has committed.
    ///
    /// # Errors
    /// When they are no queue, can be shrunk by the other side, or hold positions that do not fit together.
    pub fn open(data: BorrowedFd<'_>, cursor: BorrowedFd<'_>, wake: OwnedFd) -> Result<Self, QueueError> {
        Self::attach(Memfd::consumer(data, cursor)?, wake.into())
    }
}

impl<B: Backing> Consumer<B> {
    /// The consumer of the queue in `backing`; it goes on where the last one has committed.
    ///
    /// # Errors
    /// When the words of the queue do not fit together.
    pub fn attach(backing: B, bell: Bell) -> Result<Self, QueueError> {
        let parts = backing.parts();
        let page = parts.consumer();
        // Acquire: meets the release store of the earlier consumer's commit, so its slot is complete.
        let cursor = page.cursor.load(Ordering::Acquire) & !SLEEP;
        let tail = look(&parts) & !CLOSED;
        let fits = cursor <= tail && tail - cursor <= parts.size() as u64;
        if !fits || !aligned(tail | cursor) {
            return Err(QueueError::Positions { tail, cursor });
        }
        // Two slots fit when a commit moved only the sequence number: the greater one is the newer.
        let (sequence, slot) = (0..page.slots.len())
            .filter(|&i| page.slots[i].cursor.load(Ordering::Relaxed) == cursor)
            .map(|i| (page.slots[i].sequence.load(Ordering::Relaxed), i))
            .max()
            .ok_or(QueueError::Sequence(cursor))?;
        // The earlier consumer may have died asleep. Release, as in `commit`.
        page.cursor.store(cursor, Ordering::Release);
        Ok(Self {
            parts,
            bell,
            position: cursor,
            tail,
            committed: cursor,
            sequence,
            slot,
            asleep: 0,
            broken: None,
            _backing: backing,
        })
    }

    /// Takes the next record; `None` when there is no published one. Its place is kept until [`Consumer::commit`].
    ///
    /// # Errors
    /// When the producer's side wrote what cannot be. The same error is then returned for ever.
    #[inline(always)]
    #[allow(clippy::should_implement_trait, reason = "a frame borrows the queue, which Iterator cannot say")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, Corrupt> {
        if self.position == self.tail && !self.refresh()? {
            return Ok(None);
        }
        let (claimed, offset, size, left) = self.claim();
        let span = match claimed.record(offset, size, left) {
            Some(span) => span,
            None => self.behind_padding()?,
        };
        self.position += frame_bytes(span.len) as u64;
        Ok(Some(Frame { data: self.parts.data(), span, queue: PhantomData }))
    }

    /// Gives the memory of everything taken so far back to the producer. `sequence` is the next sequence number, kept
    /// beside the cursor for the consumer that comes after this one; it never falls.
    pub fn commit(&mut self, sequence: u64) {
        if self.position == self.committed && self.sequence == sequence {
            return;
        }
        self.slot ^= 1;
        let page = self.parts.consumer();
        // Killed between any two of these stores, the cursor word still fits the other slot.
        page.slots[self.slot].cursor.store(self.position, Ordering::Relaxed);
        page.slots[self.slot].sequence.store(sequence, Ordering::Relaxed);
        self.committed = self.position;
        self.sequence = sequence;
        self.store_cursor();
    }

    /// The next sequence number, as last committed by this or an earlier consumer; 1 in a new queue.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Announces that this side is about to wait, then looks again. `true`: the queue is empty and not closed, the
    /// next publish rings the bell, so it is safe to wait for [`Consumer::wake_fd`]. `false`: look again now.
    pub fn sleep(&mut self) -> bool {
        self.asleep = SLEEP;
        self.store_cursor();
        // Full fence: the store above comes before the look below. Meets the fence in `Producer::announce`.
        fence(Ordering::SeqCst);
        if self.broken.is_none() && look(&self.parts) == self.position {
            return true;
        }
        self.asleep = 0;
        self.store_cursor();
        false
    }

    /// Takes the announcement back and drains the bell; call it after each wait.
    pub fn awake(&mut self) {
        if self.asleep != 0 {
            self.asleep = 0;
            self.store_cursor();
        }
        // A bell that is rung between the store and here announces frames that the next look sees anyway.
        self.bell.drain();
    }

    /// Readable when the producer has rung.
    #[cfg(not(loom))]
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Whether the producer has closed the queue and everything is taken.
    pub fn closed(&self) -> bool {
        look(&self.parts) == self.position | CLOSED
    }

    /// Bytes that are published and not yet taken.
    pub fn backlog(&self) -> u64 {
        let tail = look(&self.parts) & !CLOSED;
        tail.saturating_sub(self.position).min(self.parts.size() as u64)
    }

    /// Reads and checks the tail; whether there is something to take.
    #[cold]
    fn refresh(&mut self) -> Result<bool, Corrupt> {
        if let Some(corrupt) = self.broken {
            return Err(corrupt);
        }
        let tail = look(&self.parts) & !CLOSED;
        if !aligned(tail) || tail < self.tail || tail - self.committed > self.parts.size() as u64 {
            return Err(self.fail(Corrupt::Tail { tail, position: self.position }));
        }
        self.tail = tail;
        Ok(self.position != tail)
    }

    /// Reads the header at the position, which is below the tail, with the limits for the frame.
    #[inline]
    fn claim(&self) -> (Claimed, usize, usize, u64) {
        let offset = self.parts.offset(self.position);
        // SAFETY: positions are multiples of 8 and the mask keeps the offset below the size.
        let word = unsafe { atomics::load(self.parts.data(), offset) };
        (Claimed::new(word), offset, self.parts.size(), self.tail - self.position)
    }

    /// The record behind the padding that has to be at the position. At the start of the data area there can be no
    /// second padding, so this is the only step.
    #[cold]
    fn behind_padding(&mut self) -> Result<Span, Corrupt> {
        let (claimed, offset, size, left) = self.claim();
        let Some(bytes) = claimed.padding(offset, size, left) else {
            return Err(self.fail(claimed.fault(self.position)));
        };
        self.position += bytes;
        let (claimed, offset, size, left) = self.claim();
        claimed.record(offset, size, left).ok_or_else(|| self.fail(claimed.fault(self.position)))
    }

    /// Makes the queue unusable: nothing is left below the tail, so the next call asks `refresh`.
    #[cold]
    fn fail(&mut self, corrupt: Corrupt) -> Corrupt {
        self.tail = self.position;
        self.broken = Some(corrupt);
        corrupt
    }

    /// Release: slots are written and frames are read before the producer's acquire fence in `Producer::look` lets it
    /// see the cursor. A relaxed store of an unchanged position would end that promise, so all stores come here.
    fn store_cursor(&self) {
        self.parts.consumer().cursor.store(self.committed | self.asleep, Ordering::Release);
    }
}

/// Reads the tail word once. Relaxed plus fence, not an acquire load: our mapping of this page is read-only. The fence
/// meets the release store in `Producer::announce`: frames below the tail are complete.
fn look(parts: &Parts) -> u64 {
    let word = parts.producer().tail.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    word
}

impl Frame<'_> {
    /// Bytes of the record.
    #[inline]
    pub fn len(&self) -> usize {
        self.span.len
    }

    /// Whether the record has no bytes.
    pub fn is_empty(&self) -> bool {
        self.span.len == 0
    }

    /// Replaces the content of `buf` by the record. Allocates only when `buf` is too small.
    ///
    /// There is no access without a copy: the producer's side could change the bytes after they were checked.
    #[inline]
    pub fn copy_into(&self, buf: &mut Vec<u8>) {
        buf.clear();
        buf.reserve(self.span.len);
        // SAFETY: a `Span` is proven to lie in the data area; `buf` has room for its length, and after the copy that
        // many bytes are initialised.
        unsafe {
            atomics::copy_out(self.data, self.span.offset, buf.as_mut_ptr(), self.span.len);
            buf.set_len(self.span.len);
        }
    }
}
