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

/// What a checked header turned out to be.
#[derive(Clone, Copy)]
pub(super) enum Checked {
    /// A record.
    Record(Span),
    /// Filler to the end of the data area.
    Padding {
        /// Bytes of the frame.
        bytes: usize,
    },
}

impl Claimed {
    /// Splits the word into its halves.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the halves are meant")]
    pub(super) const fn new(word: u64) -> Self {
        Self { tag: (word >> 32) as u32, len: word as u32 }
    }

    /// Proves the claim of a frame at `position` (which is `offset` in a data area of `size` bytes) when `left`
    /// bytes are published from there.
    ///
    /// Needs: `offset < size`, both multiples of [`ALIGN`].
    #[inline]
    pub(super) fn check(
        self,
        position: u64,
        offset: usize,
        size: usize,
        left: u64,
    ) -> Result<Checked, Corrupt> {
        // No overflow: a 32-bit length and two small numbers in a usize of 64 bits.
        let bytes = frame_bytes(self.len as usize);
        let rest = size - offset;
        if bytes > rest || bytes as u64 > left {
            return Err(Corrupt::Length { len: self.len, position });
        }
        match self.tag {
            RECORD => Ok(Checked::Record(Span { offset: offset + ALIGN, len: self.len as usize })),
            // Padding never begins a data area: whatever does not fit there does not fit at all.
            PADDING if offset != 0 && ALIGN + self.len as usize == rest => Ok(Checked::Padding { bytes }),
            PADDING => Err(Corrupt::Length { len: self.len, position }),
            tag => Err(Corrupt::Tag { tag, position }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: u64, offset: usize, left: u64) -> Result<usize, Corrupt> {
        Claimed::new(word).check(offset as u64, offset, 64, left).map(|checked| match checked {
            Checked::Record(span) => span.len,
            Checked::Padding { bytes } => bytes,
        })
    }

    #[test]
    fn proves_what_fits() {
        assert_eq!(check(record_header(0), 56, 8), Ok(0));
        assert_eq!(check(record_header(56), 0, 64), Ok(56));
        assert_eq!(check(record_header(3), 8, 16), Ok(3));
        assert_eq!(check(padding_header(8), 48, 64), Ok(16));
    }

    #[test]
    fn refuses_what_does_not() {
        let wrong = |len, position| Err(Corrupt::Length { len, position });
        assert_eq!(check(record_header(57), 0, 64), wrong(57, 0), "beyond the data area");
        assert_eq!(check(record_header(1), 56, 64), wrong(1, 56), "filler beyond the data area");
        assert_eq!(check(record_header(16), 0, 16), wrong(16, 0), "beyond the tail");
        assert_eq!(check(record_header(u32::MAX), 0, 64), wrong(u32::MAX, 0));
        assert_eq!(check(padding_header(56), 0, 64), wrong(56, 0), "padding that fills everything");
        assert_eq!(check(padding_header(0), 48, 64), wrong(0, 48), "padding that ends too early");
        assert_eq!(check(7, 0, 64), Err(Corrupt::Tag { tag: 0, position: 0 }));
    }
}
