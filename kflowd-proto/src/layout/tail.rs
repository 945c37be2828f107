//! The tail of a record: tagged strings behind the body.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bit in [`TailEntry::tag`]: the left end of the string is missing.
pub const TAG_CUT: u16 = 0x8000;

/// `struct kf_tail`: stands before each string of the tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TailEntry {
    /// [`Tag`] as a number, perhaps with [`TAG_CUT`].
    pub tag: u16,
    /// Bytes of the string that follows.
    pub len: u16,
}

/// `enum kf_tag`: what a string of the tail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Tag {
    /// Base name of the executable.
    ExeName = 1,
    /// Base name of the parent's executable.
    ParentName = 2,
    /// Full path of the executable.
    ExePath = 3,
    /// Arguments, each ended by NUL.
    Argv = 4,
    /// Full path of the file; after a move the new one.
    Path = 5,
    /// Full path before a move.
    Origin = 6,
    /// Address of a UNIX socket: a path, or a name behind a NUL.
    Address = 7,
    /// Bytes that were sent or received.
    Payload = 8,
}

/// Why a tail could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TailError {
    /// Fewer bytes than a [`TailEntry`] are left.
    #[error("{0} stray bytes after the last string")]
    Stray(usize),
    /// A string is said to be longer than what is left.
    #[error("string of {len} bytes where {left} are left")]
    TooLong {
        /// Bytes the entry claims.
        len: usize,
        /// Bytes that are there.
        left: usize,
    },
}

/// Walks the strings of `tail` as (raw tag, bytes); ends after the first error.
pub fn entries(tail: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), TailError>> {
    let mut left = tail;
    core::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let Ok((entry, rest)) = TailEntry::read_from_prefix(left) else {
            let stray = left.len();
            left = &[];
            return Some(Err(TailError::Stray(stray)));
        };
        let len = usize::from(entry.len);
        if len > rest.len() {
            left = &[];
            return Some(Err(TailError::TooLong { len, left: rest.len() }));
        }
        let (text, after) = rest.split_at(len);
        left = after;
        Some(Ok((entry.tag, text)))
    })
}
