//! Helpers of several test binaries.
#![allow(dead_code, reason = "no binary uses all of them")]

use std::os::fd::{AsFd, OwnedFd};

use kflowd_proto::queue::{Consumer, Producer, QueueFds};

/// Copies a descriptor.
pub(crate) fn copy(fd: &OwnedFd) -> OwnedFd {
    fd.try_clone().unwrap()
}

/// The writing half of a queue.
pub(crate) fn producer(fds: &QueueFds) -> Producer {
    Producer::open(fds.data.as_fd(), fds.cursor.as_fd(), copy(&fds.wake)).unwrap()
}

/// The reading half, as the enricher opens it.
pub(crate) fn consumer(fds: &QueueFds) -> Consumer {
    Consumer::open(fds.data_readonly.as_fd(), fds.cursor.as_fd(), copy(&fds.wake)).unwrap()
}

/// Record number `number`: its length and every byte depend on the number.
pub(crate) fn record(number: u64) -> Vec<u8> {
    let len = 8 + (number * 37 % 900) as usize;
    let mut bytes = vec![(number % 251) as u8; len];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Small, fast, the same every time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number (xorshift).
    pub(crate) fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.word() % limit
    }
}
