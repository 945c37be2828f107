//! All interleavings of the two halves: `RUSTFLAGS="--cfg loom" cargo test -p kflowd-proto --release --test loom`.
#![cfg(loom)]

use kflowd_proto::queue::{Bell, Consumer, Heap, Producer, PushError};
use loom::thread;

fn halves(size: usize) -> (Producer<Heap>, Consumer<Heap>, Bell) {
    let (heap, bell) = (Heap::new(size), Bell::new());
    let producer = Producer::attach(heap.clone(), bell.clone()).unwrap();
    (producer, Consumer::attach(heap, bell.clone()).unwrap(), bell)
}

/// Runs all interleavings with at most `preemptions` forced switches; the faults of such code need one or two.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Takes what is there; checks that it is `expected` and the numbers after it.
fn take(consumer: &mut Consumer<Heap>, expected: &mut u8) {
    let mut buffer = Vec::new();
    while let Some(frame) = consumer.next().unwrap() {
        frame.copy_into(&mut buffer);
        assert_eq!(buffer, [*expected; 8]);
        *expected += 1;
    }
    consumer.commit(u64::from(*expected) + 1);
}

/// Waits as the enricher does, until the queue is closed and empty.
fn consume(consumer: &mut Consumer<Heap>, bell: &Bell) -> u8 {
    let mut taken = 0;
    loop {
        take(consumer, &mut taken);
        if consumer.closed() {
            return taken;
        }
        if consumer.sleep() {
            bell.wait();
            consumer.awake();
        }
    }
}

/// No wake-up is lost: a lost one is a deadlock of the model. Frames are complete when they are seen.
#[test]
fn the_sleeper_is_woken() {
    check(3, || {
        let (mut producer, mut consumer, bell) = halves(64);
        let writer = thread::spawn(move || {
            for number in 0..2 {
                producer.push(&[number; 8]).unwrap();
                producer.publish();
            }
            producer.close();
            assert_eq!(producer.cursor_errors(), 0);
        });
        assert_eq!(consume(&mut consumer, &bell), 2);
        writer.join().unwrap();
    });
}

/// Memory is written again only after it was read: loom watches each word.
#[test]
fn memory_is_reused_after_the_commit_only() {
    check(2, || {
        let (mut producer, mut consumer, _bell) = halves(32);
        let writer = thread::spawn(move || {
            // Two frames of 16 bytes fill the queue.
            for number in 0..3 {
                while producer.push(&[number; 8]) == Err(PushError::Full) {
                    producer.publish();
                    thread::yield_now();
                }
            }
            producer.publish();
        });
        let mut taken = 0;
        while taken < 3 {
            take(&mut consumer, &mut taken);
            thread::yield_now();
        }
        writer.join().unwrap();
    });
}

/// A consumer that ends without a commit loses nothing, and the pair of cursor and sequence holds.
#[test]
fn the_next_consumer_goes_on() {
    check(3, || {
        let (heap, bell) = (Heap::new(64), Bell::new());
        let mut producer = Producer::attach(heap.clone(), bell.clone()).unwrap();
        let writer = thread::spawn(move || {
            producer.push(&[0; 8]).unwrap();
            producer.publish();
            producer.push(&[1; 8]).unwrap();
            producer.close();
        });
        let mut first = Consumer::attach(heap.clone(), bell.clone()).unwrap();
        let mut committed = 0;
        take(&mut first, &mut committed);
        let _ = first.next().unwrap();
        let _ = first.sleep();
        drop(first);
        let mut second = Consumer::attach(heap, bell.clone()).unwrap();
        assert_eq!(second.sequence(), u64::from(committed) + 1);
        loop {
            take(&mut second, &mut committed);
            if second.closed() {
                break;
            }
            if second.sleep() {
                bell.wait();
                second.awake();
            }
        }
        assert_eq!(committed, 2);
        writer.join().unwrap();
    });
}
