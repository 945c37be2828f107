//! A queue in the memory of one process: for tests, for model checkers, and where no second process is wanted.

use std::ptr::NonNull;
use std::sync::Arc;

use super::atomics::Word;
use super::header::{ALIGN, Backing, ConsumerPage, Parts, ProducerPage};

/// Queue memory on the heap; a clone is the same memory.
#[derive(Clone)]
pub struct Heap(Arc<Memory>);

struct Memory {
    producer: ProducerPage,
    consumer: ConsumerPage,
    data: Box<[Word]>,
}

// SAFETY: pages are atomics; the data words are reached only through the two halves of one queue, which keep apart
// what each may touch (loom and miri check that they do).
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Heap {
    /// A new queue of `size` bytes, without the limits of [`super::create`].
    ///
    /// # Panics
    /// When `size` is not a power of two of at least 32.
    pub fn new(size: usize) -> Self {
        assert!(size.is_power_of_two() && size >= 4 * ALIGN, "queue of {size} bytes");
        let data = (0..size / ALIGN).map(|_| Word::new(0)).collect();
        let memory = Memory { producer: ProducerPage::new(size), consumer: ConsumerPage::new(), data };
        Self(Arc::new(memory))
    }
}

// SAFETY: the memory lives in the `Arc` until the last clone is dropped, and does not move with it.
unsafe impl Backing for Heap {
    fn parts(&self) -> Parts {
        let memory = &*self.0;
        let data = NonNull::from(&*memory.data).cast::<Word>();
        // SAFETY: pages are what they are said to be, data has its length; all is shared memory with interior
        // mutability.
        unsafe {
            Parts::new(
                NonNull::from(&memory.producer),
                NonNull::from(&memory.consumer),
                data,
                memory.data.len() * ALIGN,
            )
        }
    }
}
