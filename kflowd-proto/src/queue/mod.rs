//! The queue between probe and enricher: one producer, one consumer, frames of any size, shared memory.
//!
//! # What the code leans on
//! - One process pushes, one takes. Each half exists once and is not `Sync`.
//! - The size of the data area is a power of two, fixed at [`create`], and the files are sealed against shrinking.
//! - Positions count bytes from the start of the queue and never wrap: 2^64 bytes take centuries.
//!   A position modulo the size is the offset in the data area.
//! - Every frame begins at a multiple of 8, so the low bits of a position are free for a flag.
//!
//! # Layout
//! | file   | offset | bytes | who writes | what                                                          |
//! |--------|--------|-------|------------|---------------------------------------------------------------|
//! | data   | 0      | 8     | creator    | magic                                                         |
//! | data   | 8      | 8     | creator    | size of the data area                                         |
//! | data   | 128    | 8     | producer   | tail: end of the published frames; bit 0: no more will come   |
//! | data   | 4096   | size  | producer   | frames                                                        |
//! | cursor | 0      | 8     | consumer   | cursor: end of the committed frames; bit 0: "I sleep"         |
//! | cursor | 128    | 2x16  | consumer   | two slots of (cursor, next sequence number)                   |
//!
//! A frame is a header of 8 bytes (length in the low half, tag in the high half), the record, and 0 to 7 bytes
//! that mean nothing. A frame never wraps: where the rest of the data area is too short, a padding frame fills it.
//!
//! # Operation
//! - Push copies behind the tail, visible to nobody. Publish moves the tail with one release store.
//! - Next copies nothing: it proves the bounds of one frame and hands it out. Commit writes the slot that is not
//!   in force, then moves the cursor with one release store; the memory then belongs to the producer again.
//! - A consumer that is killed anywhere leaves a cursor word and a slot that fits it; the next one goes on there.
//! - Wake-up: see [`wake`](self) in `wake.rs`; the eventfd is rung only when the consumer said that it sleeps.
//!
//! # What a bad peer can do
//! - The consumer's side may write anything to the cursor page. The producer reads one word of it and believes
//!   only what lies between the last good cursor and its own tail; the rest is counted. It can stop the flow, no more.
//! - The producer's side may write anything to the data file at any time. The consumer reads each word once, checks
//!   the copy, and never builds a slice over memory that the other side can change.
//!
//! # What it does not do
//! No waiting, no overwriting, no second producer or consumer, no growing.

use std::io;

mod atomics;
mod claim;
mod consumer;
mod header;
mod heap;
#[cfg(not(loom))]
mod mem;
mod producer;
#[cfg(not(loom))]
mod shared;
mod wake;

pub use claim::Corrupt;
pub use consumer::{Consumer, Frame};
pub use header::{Backing, Parts};
pub use heap::Heap;
#[cfg(not(loom))]
pub use mem::{Memfd, QueueFds, create};
pub use producer::{Producer, PushError};
#[cfg(not(loom))]
pub use shared::Shared;
pub use wake::Bell;

/// The smallest queue that [`create`] makes, in bytes: it holds two records of the greatest length.
pub const SIZE_MIN: usize = 32 * 1024;
/// The largest queue that [`create`] makes, in bytes.
pub const SIZE_MAX: usize = 1 << 30;

/// Why a queue could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Not a power of two from [`SIZE_MIN`] to [`SIZE_MAX`].
    #[error("queue size {0}: a power of two from {SIZE_MIN} to {SIZE_MAX} is needed")]
    Size(usize),
    /// A system call failed.
    #[error("queue: {what}")]
    Os {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The data file does not begin with the queue's magic.
    #[error("not a kflowd queue (magic {0:#x})")]
    Magic(u64),
    /// The size in the header does not fit the file.
    #[error("queue header names {header} bytes, the file has room for {file}")]
    Mismatch {
        /// Data bytes that the header names.
        header: u64,
        /// Data bytes that the file has.
        file: u64,
    },
    /// The other side could shrink the file under us.
    #[error("queue memory is not sealed against shrinking")]
    NotSealed,
    /// The producer has closed this queue.
    #[error("queue is closed")]
    Closed,
    /// Tail and cursor cannot belong together.
    #[error("queue positions do not fit: tail {tail:#x}, cursor {cursor:#x}")]
    Positions {
        /// The producer's word.
        tail: u64,
        /// The consumer's word.
        cursor: u64,
    },
    /// No slot belongs to the cursor.
    #[error("queue cursor {0:#x} has no sequence number")]
    Sequence(u64),
}
