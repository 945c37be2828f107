//! The shared words, and where they lie. Do not reorder: the offsets are the format.

use std::ptr::NonNull;

use super::QueueError;
use super::atomics::{AtomicU64, Ordering, Word};

/// First word of the data file: "kfqueue" and the version of this layout.
pub(super) const MAGIC: u64 = u64::from_be_bytes(*b"kfqueue1");
/// Bytes before the data area, and bytes of the cursor file.
#[cfg(not(loom))]
pub(super) const PAGE: usize = 4096;
/// Bytes of a frame's header; frames begin at multiples of it.
pub(super) const ALIGN: usize = 8;
/// Bit of [`ProducerPage::tail`]: no more frames will come.
pub(super) const CLOSED: u64 = 1;
/// Bit of [`ConsumerPage::cursor`]: ring the bell after the next publish.
pub(super) const SLEEP: u64 = 1;
/// The sequence number of a new queue.
pub(super) const FIRST_SEQUENCE: u64 = 1;

/// Whether a frame can begin at `position`.
#[inline]
pub(super) const fn aligned(position: u64) -> bool {
    position.is_multiple_of(ALIGN as u64)
}

/// Written by the producer (and once by the creator), read by the consumer.
#[repr(C)]
#[cfg_attr(not(loom), repr(align(64)))]
pub(super) struct ProducerPage {
    /// [`MAGIC`]; never changes.
    magic: AtomicU64,
    /// Bytes of the data area, a power of two; never changes.
    size: AtomicU64,
    gap: [u64; 14],
    /// Position behind the last published frame, with [`CLOSED`].
    /// Never falls, never more than the size above the cursor, multiple of [`ALIGN`].
    pub(super) tail: AtomicU64,
}

/// Written by the consumer, read by the producer (the cursor word) and by later consumers (all of it).
#[repr(C)]
#[cfg_attr(not(loom), repr(align(64)))]
pub(super) struct ConsumerPage {
    /// Position behind the last committed frame, with [`SLEEP`].
    /// Never falls, never above the tail, multiple of [`ALIGN`].
    pub(super) cursor: AtomicU64,
    gap: [u64; 15],
    /// One of them belongs to the cursor; the other is being written or holds an older pair.
    pub(super) slots: [Slot; 2],
}

/// A cursor and what belongs to it.
#[repr(C)]
pub(super) struct Slot {
    /// Equals the cursor word (without its flag) when the slot is in force.
    pub(super) cursor: AtomicU64,
    /// Number of the first sequence that was not yet used at this cursor. At one cursor it only grows.
    pub(super) sequence: AtomicU64,
}

#[cfg(not(loom))]
const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(offset_of!(ProducerPage, size) == 8);
    assert!(offset_of!(ProducerPage, tail) == 128);
    assert!(size_of::<ProducerPage>() <= PAGE);
    assert!(offset_of!(ConsumerPage, cursor) == 0);
    assert!(offset_of!(ConsumerPage, slots) == 128);
    assert!(offset_of!(Slot, sequence) == 8);
    assert!(size_of::<ConsumerPage>() <= PAGE);
    // Any record fits twice, so it fits at any position of an empty queue.
    assert!(super::SIZE_MIN >= 2 * (crate::layout::RECORD_MAX + ALIGN));
};

/// Offset of the first slot's sequence number in the cursor file.
#[cfg(not(loom))]
pub(super) const FIRST_SEQUENCE_AT: u64 = 136;

impl ProducerPage {
    /// A page outside shared memory.
    pub(super) fn new(size: usize) -> Self {
        Self {
            magic: AtomicU64::new(MAGIC),
            size: AtomicU64::new(size as u64),
            gap: [0; 14],
            tail: AtomicU64::new(0),
        }
    }

    /// The first bytes of the data file: magic and size.
    #[cfg(not(loom))]
    pub(super) fn first_bytes(size: usize) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&MAGIC.to_ne_bytes());
        bytes[8..].copy_from_slice(&(size as u64).to_ne_bytes());
        bytes
    }

    /// Whether this is a queue with a data area of `file` bytes.
    #[cfg(not(loom))]
    pub(super) fn check(&self, file: usize) -> Result<(), QueueError> {
        let magic = self.magic.load(Ordering::Relaxed);
        if magic != MAGIC {
            return Err(QueueError::Magic(magic));
        }
        let header = self.size.load(Ordering::Relaxed);
        if header != file as u64 {
            return Err(QueueError::Mismatch { header, file: file as u64 });
        }
        Ok(())
    }
}

impl ConsumerPage {
    /// A page outside shared memory.
    pub(super) fn new() -> Self {
        let slot = |sequence| Slot { cursor: AtomicU64::new(0), sequence: AtomicU64::new(sequence) };
        Self { cursor: AtomicU64::new(0), gap: [0; 15], slots: [slot(FIRST_SEQUENCE), slot(0)] }
    }
}

/// Memory of one queue, as one of its halves sees it.
///
/// # Safety
/// What [`Backing::parts`] returns stays the same and stays valid until the value is dropped, also when it is moved.
pub unsafe trait Backing {
    /// Where the parts of the queue lie.
    fn parts(&self) -> Parts;
}

/// Where the parts of a queue lie in this process.
#[derive(Clone, Copy)]
pub struct Parts {
    producer: NonNull<ProducerPage>,
    consumer: NonNull<ConsumerPage>,
    data: NonNull<Word>,
    size: usize,
}

impl Parts {
    /// # Safety
    /// The pointers are aligned and point to a [`ProducerPage`], a [`ConsumerPage`] and `size` bytes. While the
    /// [`Backing`] lives they can be read; the producer's half can write page and data, the consumer's half its page.
    pub(super) unsafe fn new(
        producer: NonNull<ProducerPage>,
        consumer: NonNull<ConsumerPage>,
        data: NonNull<Word>,
        size: usize,
    ) -> Self {
        debug_assert!(size.is_power_of_two() && size >= 4 * ALIGN);
        Self { producer, consumer, data, size }
    }

    /// The producer's words.
    pub(super) fn producer(&self) -> &ProducerPage {
        // SAFETY: valid by the contract of `new`, and each half keeps its backing as long as the parts.
        unsafe { self.producer.as_ref() }
    }

    /// The consumer's words.
    pub(super) fn consumer(&self) -> &ConsumerPage {
        // SAFETY: as in `producer`.
        unsafe { self.consumer.as_ref() }
    }

    /// The data area.
    pub(super) fn data(&self) -> *const Word {
        self.data.as_ptr()
    }

    /// Bytes of the data area.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The offset that belongs to `position`.
    #[allow(clippy::cast_possible_truncation, reason = "the mask is a usize")]
    pub(super) fn offset(&self, position: u64) -> usize {
        position as usize & (self.size - 1)
    }
}
