//! From what a header says to what is proven.
//!
//! A [`Claimed`] is a word that the other side wrote. Only [`Claimed::check`] turns it into a [`Span`], the proof
//! that the bytes lie inside the data area and below the tail.

use super::header::ALIGN;

/// High half of the header of a record.
const RECORD: u32 = 0x4b46_5231;
/// High half of the header of a padding frame.
const PADDING: u32 = 0x4b46_5031;

/// What the producer's side wrote cannot be; the queue is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// The tail fell, is not aligned, or is too far ahead.
    #[error("queue tail {tail:#x} is impossible at position {position:#x}")]
    Tail {
        /// What the producer's word says.
        tail: u64,
        /// Where the consumer is.
        position: u64,
    },
    /// The header of a frame is neither that of a record nor that of a padding.
    #[error("queue frame at {position:#x} has the unknown tag {tag:#x}")]
    Tag {
        /// The tag found.
        tag: u32,
        /// Where the frame begins.
        position: u64,
    },
    /// A frame goes beyond the data area or the tail, or a padding does not end with the data area.
    #[error("queue frame at {position:#x} has the impossible length {len}")]
    Length {
        /// The length found.
        len: u32,
        /// Where the frame begins.
        position: u64,
    },
}

/// Bytes of a frame with a record of `len` bytes: header, record, filler.
#[inline]
pub(super) const fn frame_bytes(len: usize) -> usize {
    ALIGN + len.next_multiple_of(ALIGN)
}

/// Header of a record of `len` bytes.
#[inline]
pub(super) const fn record_header(len: u32) -> u64 {
    (RECORD as u64) << 32 | len as u64
}

/// Header of a padding frame; `len` does not count the header.
#[inline]
pub(super) const fn padding_header(len: u32) -> u64 {
    (PADDING as u64) << 32 | len as u64
}

/// A header as it was read: nothing is proven.
#[derive(Clone, Copy)]
pub(super) struct Claimed {
    tag: u32,
    len: u32,
}

/// The bytes of a record, proven to lie inside the data area and below the tail.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// Where the record begins in the data area, a multiple of [`ALIGN`].
    pub(super) offset: usize,
    /// Bytes of the record.
    pub(super) len: usize,
}

impl Claimed {
    /// Splits the word into its halves.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the halves are meant")]
    pub(super) const fn new(word: u64) -> Self {
        Self { tag: (word >> 32) as u32, len: word as u32 }
    }

    /// Proves that this is a record which begins at `offset` of a data area of `size` bytes, when `left` bytes are
    /// published from there.
    ///
    /// Needs: `offset < size`, both multiples of [`ALIGN`].
    #[inline]
    pub(super) fn record(self, offset: usize, size: usize, left: u64) -> Option<Span> {
        // No overflow: a 32-bit length and two small numbers in 64 bits.
        let bytes = frame_bytes(self.len as usize) as u64;
        let fits = bytes <= left.min((size - offset) as u64);
        (self.tag == RECORD && fits).then_some(Span { offset: offset + ALIGN, len: self.len as usize })
    }

    /// Proves that this is a padding, under the same conditions, that a record can follow. Returns its bytes.
    pub(super) fn padding(self, offset: usize, size: usize, left: u64) -> Option<u64> {
        // Padding never begins a data area: whatever does not fit there does not fit at all. What is published with it
        // is more than itself.
        let bytes = ALIGN as u64 + u64::from(self.len);
        let ends = bytes == (size - offset) as u64 && offset != 0;
        (self.tag == PADDING && ends && bytes < left).then_some(bytes)
    }

    /// Why neither of them holds at `position`.
    pub(super) fn fault(self, position: u64) -> Corrupt {
        match self.tag {
            RECORD | PADDING => Corrupt::Length { len: self.len, position },
            tag => Corrupt::Tag { tag, position },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(word: u64, offset: usize, left: u64) -> Option<usize> {
        Claimed::new(word).record(offset, 64, left).map(|span| {
            assert_eq!(span.offset, offset + 8);
            span.len
        })
    }

    fn padding(word: u64, offset: usize, left: u64) -> Option<u64> {
        Claimed::new(word).padding(offset, 64, left)
    }

    #[test]
    fn proves_what_fits() {
        assert_eq!(record(record_header(0), 56, 8), Some(0));
        assert_eq!(record(record_header(56), 0, 64), Some(56));
        assert_eq!(record(record_header(3), 8, 16), Some(3));
        assert_eq!(padding(padding_header(8), 48, 64), Some(16));
    }

    #[test]
    fn refuses_what_does_not() {
        assert_eq!(record(record_header(57), 0, 64), None, "beyond the data area");
        assert_eq!(record(record_header(1), 56, 64), None, "filler beyond the data area");
        assert_eq!(record(record_header(16), 0, 16), None, "beyond the tail");
        assert_eq!(record(record_header(u32::MAX), 0, u64::MAX), None);
        assert_eq!(record(padding_header(8), 48, 64), None);
        assert_eq!(padding(record_header(8), 48, 64), None);
        assert_eq!(padding(padding_header(56), 0, 128), None, "padding that fills everything");
        assert_eq!(padding(padding_header(0), 48, 64), None, "padding that ends too early");
        assert_eq!(padding(padding_header(8), 48, 16), None, "padding without a record");
    }

    #[test]
    fn tells_what_is_wrong() {
        assert_eq!(Claimed::new(7).fault(8), Corrupt::Tag { tag: 0, position: 8 });
        assert_eq!(Claimed::new(record_header(7)).fault(8), Corrupt::Length { len: 7, position: 8 });
        assert_eq!(Claimed::new(padding_header(7)).fault(8), Corrupt::Length { len: 7, position: 8 });
    }
}
