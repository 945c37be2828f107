//! Shared parts of the measurements: the two halves of a queue, and one round of work on one thread.

pub mod decode;

use std::os::fd::AsFd;

use kflowd_proto::queue::{Consumer, Producer, create};

/// Bytes of the record that all queue measurements use: a socket record with its names.
pub const RECORD: usize = 600;

/// Both halves of a new queue over memfds, as probe and enricher open it.
///
/// # Panics
/// When the kernel refuses.
pub fn halves(size: usize) -> (Producer, Consumer) {
    let fds = create(size).unwrap();
    let wake = fds.wake.try_clone().unwrap();
    let producer = Producer::open(fds.data.as_fd(), fds.cursor.as_fd(), wake).unwrap();
    (producer, Consumer::open(fds.data_readonly.as_fd(), fds.cursor.as_fd(), fds.wake).unwrap())
}

/// Pushes `record` and takes it again into `buffer`; publishes and commits, as a batch of one would.
/// Never inlined, so that callgrind can count it.
///
/// # Panics
/// When the queue does not give back what was put in.
#[inline(never)]
pub fn push_and_pop(producer: &mut Producer, consumer: &mut Consumer, record: &[u8], buffer: &mut Vec<u8>) {
    producer.push(record).unwrap();
    producer.publish();
    consumer.next().unwrap().unwrap().copy_into(buffer);
    consumer.commit(1);
}

/// The same in batches, as both programs do it: one publish and one commit for `batch` records.
///
/// # Panics
/// As [`push_and_pop`].
#[inline(never)]
pub fn push_and_pop_batch(
    producer: &mut Producer,
    consumer: &mut Consumer,
    record: &[u8],
    buffer: &mut Vec<u8>,
    batch: usize,
) {
    for _ in 0..batch {
        producer.push(record).unwrap();
    }
    producer.publish();
    while let Some(frame) = consumer.next().unwrap() {
        frame.copy_into(buffer);
    }
    consumer.commit(1);
}
