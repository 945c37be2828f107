//! Real memory or loom's model of it: the only place that knows the difference.
//!
//! The data area is an array of [`Word`]. Under loom every word is watched, so a frame that is read while it is
//! written fails the model.

#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(super) use std::sync::atomic::{AtomicU64, Ordering, fence};

/// 8 bytes of the data area.
#[cfg(loom)]
pub(super) type Word = loom::cell::UnsafeCell<u64>;
/// 8 bytes of the data area.
#[cfg(not(loom))]
pub(super) type Word = std::cell::UnsafeCell<u64>;

#[cfg(not(loom))]
mod access {
    use super::{AtomicU64, Ordering, Word};

    /// Copies `bytes` to `offset`.
    ///
    /// # Safety
    /// `offset..offset + bytes.len()` lies inside the writable memory at `data`, and nobody else writes there.
    #[inline]
    pub(in super::super) unsafe fn copy_in(data: *const Word, offset: usize, bytes: &[u8]) {
        // SAFETY: in bounds by contract; `bytes` is private memory, so the two cannot overlap. `Word` is an
        // `UnsafeCell`, which allows the write through a shared pointer.
        unsafe {
            let target = data.cast::<u8>().cast_mut().add(offset);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
    }

    /// Copies `len` bytes at `offset` to `out`. When the peer breaks the protocol and writes meanwhile, the copy
    /// holds any mixture of bytes; nothing is derived from them here.
    ///
    /// # Safety
    /// `offset..offset + len` lies inside the memory at `data`; `out` is private memory of `len` bytes.
    #[inline]
    pub(in super::super) unsafe fn copy_out(data: *const Word, offset: usize, out: *mut u8, len: usize) {
        // SAFETY: both ranges are valid by contract and cannot overlap: one is shared, the other private.
        unsafe { std::ptr::copy_nonoverlapping(data.cast::<u8>().add(offset), out, len) }
    }

    /// Reads the word at byte `offset`, once.
    ///
    /// # Safety
    /// `offset` is a multiple of 8 and `offset + 8` is not beyond the memory at `data`.
    #[inline]
    pub(in super::super) unsafe fn load(data: *const Word, offset: usize) -> u64 {
        // SAFETY: in bounds and aligned by contract. A relaxed load of 8 bytes is allowed on read-only memory and
        // is no data race whatever the peer does.
        unsafe { (*data.byte_add(offset).cast::<AtomicU64>()).load(Ordering::Relaxed) }
    }

    /// Writes the word at byte `offset`.
    ///
    /// # Safety
    /// As for [`load`], and the memory is writable.
    #[inline]
    pub(in super::super) unsafe fn store(data: *const Word, offset: usize, value: u64) {
        // SAFETY: in bounds, aligned and writable by contract.
        unsafe { (*data.byte_add(offset).cast::<AtomicU64>()).store(value, Ordering::Relaxed) }
    }
}

#[cfg(loom)]
mod access {
    use super::Word;

    /// As the real one; `offset` is a multiple of 8.
    ///
    /// # Safety
    /// As for the real one.
    pub(in super::super) unsafe fn copy_in(data: *const Word, offset: usize, bytes: &[u8]) {
        for (i, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // SAFETY: the contract is the same.
            unsafe { store(data, offset + 8 * i, u64::from_ne_bytes(word)) };
        }
    }

    /// As the real one; `offset` is a multiple of 8.
    ///
    /// # Safety
    /// As for the real one.
    pub(in super::super) unsafe fn copy_out(data: *const Word, offset: usize, out: *mut u8, len: usize) {
        for at in (0..len).step_by(8) {
            // SAFETY: the contract is the same; the last copy stops at `len`.
            unsafe {
                let word = load(data, offset + at).to_ne_bytes();
                std::ptr::copy_nonoverlapping(word.as_ptr(), out.add(at), (len - at).min(8));
            }
        }
    }

    /// As the real one.
    ///
    /// # Safety
    /// As for the real one.
    pub(in super::super) unsafe fn load(data: *const Word, offset: usize) -> u64 {
        // SAFETY: in bounds by contract; loom checks that nobody writes.
        unsafe { (*data.add(offset / 8)).with(|word| *word) }
    }

    /// As the real one.
    ///
    /// # Safety
    /// As for the real one.
    pub(in super::super) unsafe fn store(data: *const Word, offset: usize, value: u64) {
        // SAFETY: in bounds by contract; loom checks that nobody reads or writes.
        unsafe { (*data.add(offset / 8)).with_mut(|word| *word = value) };
    }
}

pub(super) use access::{copy_in, copy_out, load, store};
