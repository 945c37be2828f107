//! Memory with a name, from the `shared_memory` crate: for processes of one user that trust each other.
//!
//! The other side can write everything and can cut the segment, which kills the reader (SIGBUS). So benchmarks, replay
//! and tests may use it, the probe and the enricher do not. The bell is a descriptor and has to be passed by hand.

use std::io;
use std::ptr::NonNull;

use shared_memory::{Shmem, ShmemConf, ShmemError};

use super::header::{Backing, ConsumerPage, PAGE, Parts, ProducerPage};
use super::{QueueError, SIZE_MAX, SIZE_MIN};

/// A named segment: producer page, consumer page, data area.
pub struct Shared {
    start: NonNull<u8>,
    size: usize,
    /// Keeps `start` valid.
    _segment: Shmem,
}

fn os(what: &'static str) -> impl Fn(ShmemError) -> QueueError {
    move |error| QueueError::Os { what, source: io::Error::other(error) }
}

impl Shared {
    /// Makes the segment `name` with a queue of `size` bytes. It goes away with this value.
    ///
    /// # Errors
    /// When the size is not allowed, the name is taken, or the kernel refuses.
    pub fn create(name: &str, size: usize) -> Result<Self, QueueError> {
        check_size(size)?;
        let conf = ShmemConf::new().os_id(name).size(2 * PAGE + size);
        let shared = Self::new(conf.create().map_err(os("create segment"))?, size)?;
        let start = shared.start;
        // SAFETY: the segment is new, has the size asked for, is aligned to pages, and nobody else uses it before
        // both pages are there: the magic comes with the second one.
        unsafe {
            start.byte_add(PAGE).cast::<ConsumerPage>().write(ConsumerPage::new());
            start.cast::<ProducerPage>().write(ProducerPage::new(size));
        }
        Ok(shared)
    }

    /// Opens the segment `name`.
    ///
    /// # Errors
    /// When there is no such segment, or it is no queue.
    pub fn open(name: &str) -> Result<Self, QueueError> {
        let segment = ShmemConf::new().os_id(name).open().map_err(os("open segment"))?;
        let size = segment.len().saturating_sub(2 * PAGE);
        check_size(size)?;
        let shared = Self::new(segment, size)?;
        shared.parts().producer().check(size)?;
        Ok(shared)
    }

    fn new(segment: Shmem, size: usize) -> Result<Self, QueueError> {
        let start = NonNull::new(segment.as_ptr())
            .ok_or(QueueError::Os { what: "map segment", source: io::ErrorKind::InvalidData.into() })?;
        Ok(Self { start, size, _segment: segment })
    }
}

fn check_size(size: usize) -> Result<(), QueueError> {
    if !size.is_power_of_two() || !(SIZE_MIN..=SIZE_MAX).contains(&size) {
        return Err(QueueError::Size(size));
    }
    Ok(())
}

// SAFETY: the segment is mapped until drop and does not move with the value.
unsafe impl Backing for Shared {
    fn parts(&self) -> Parts {
        let start = self.start;
        // SAFETY: two pages and `size` bytes are mapped, writable and aligned to a page.
        unsafe {
            Parts::new(start.cast(), start.byte_add(PAGE).cast(), start.byte_add(2 * PAGE).cast(), self.size)
        }
    }
}

// SAFETY: the mapping belongs to the process; the crate's handle is only dropped, by one thread.
unsafe impl Send for Shared {}
