//! Group `queue`. Cases:
//! - `memcpy`: the two copies that the queue cannot avoid, alone;
//! - `one_thread`: push, publish, take, commit of one record;
//! - `one_thread_batch`: the same, 64 records per publish;
//! - `two_threads/{queue,seqpacket,pipe}`: a writer thread and a reader thread, one record per call for the rivals.
//!
//! Before anything is measured, every way proves that it carries the bytes.

use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use benches::{RECORD, halves, push_and_pop, push_and_pop_batch};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kflowd_proto::sys::seqpacket_pair;
use rustix::event::{PollFd, PollFlags, poll};

const SIZE: usize = 1 << 20;
const BATCH: usize = 64;

fn record() -> Vec<u8> {
    (0..RECORD).map(|i| i as u8).collect()
}

/// Sends `rounds` records through the queue to another thread; the time until all are there.
fn through_queue(rounds: u64) -> Duration {
    let (mut producer, mut consumer) = halves(SIZE);
    let expected = record();
    let start = Instant::now();
    let writer = std::thread::spawn(move || {
        let record = record();
        for number in 1..=rounds {
            while producer.push(&record).is_err() {
                producer.publish();
                std::thread::yield_now();
            }
            if number % BATCH as u64 == 0 {
                producer.publish();
            }
        }
        producer.close();
    });
    let (mut buffer, mut taken) = (Vec::new(), 0);
    while !consumer.closed() {
        let mut batch = 0;
        while batch < BATCH {
            let Some(frame) = consumer.next().unwrap() else { break };
            frame.copy_into(&mut buffer);
            batch += 1;
        }
        taken += batch as u64;
        consumer.commit(taken + 1);
        if batch == 0 && consumer.sleep() {
            let fd = consumer.wake_fd();
            poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
            consumer.awake();
        }
    }
    let time = start.elapsed();
    writer.join().unwrap();
    assert_eq!((taken, &buffer), (rounds, &expected));
    time
}

/// The same through two descriptors of the kernel; records are read whole.
fn through_kernel(writer: OwnedFd, reader: OwnedFd, rounds: u64) -> Duration {
    let expected = record();
    let start = Instant::now();
    let thread = std::thread::spawn(move || {
        let record = record();
        for _ in 0..rounds {
            assert_eq!(rustix::io::write(&writer, &record), Ok(RECORD));
        }
    });
    let mut buffer = vec![0; RECORD];
    let mut filled = 0;
    for _ in 0..rounds {
        while filled < RECORD {
            filled += rustix::io::read(&reader, &mut buffer[filled..]).unwrap();
        }
        filled = 0;
    }
    let time = start.elapsed();
    thread.join().unwrap();
    assert_eq!(buffer, expected);
    time
}

fn through_seqpacket(rounds: u64) -> Duration {
    let (writer, reader) = seqpacket_pair().unwrap();
    through_kernel(writer, reader, rounds)
}

fn through_pipe(rounds: u64) -> Duration {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    through_kernel(writer, reader, rounds)
}

fn prove() {
    for rounds in [1, 1000] {
        through_queue(rounds);
        through_seqpacket(rounds);
        through_pipe(rounds);
    }
}

fn queue(criterion: &mut Criterion) {
    prove();
    let record = record();
    let mut group = criterion.benchmark_group("queue");
    group.throughput(Throughput::Bytes(RECORD as u64));

    // As large as the queue, so that both touch the same amount of memory.
    let mut memory = vec![0; SIZE];
    let (mut at, mut buffer) = (0, vec![0; RECORD]);
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| {
            at = if at + 2 * RECORD > SIZE { 0 } else { at + RECORD + 8 };
            memory[at..at + RECORD].copy_from_slice(black_box(&record));
            buffer.copy_from_slice(black_box(&memory[at..at + RECORD]));
            black_box(&buffer);
        });
    });

    let (mut producer, mut consumer) = halves(SIZE);
    let mut buffer = Vec::with_capacity(RECORD);
    group.bench_function("one_thread", |bencher| {
        bencher.iter(|| push_and_pop(&mut producer, &mut consumer, black_box(&record), &mut buffer));
    });
    group.throughput(Throughput::Bytes((BATCH * RECORD) as u64));
    group.bench_function("one_thread_batch", |bencher| {
        bencher.iter(|| {
            push_and_pop_batch(&mut producer, &mut consumer, black_box(&record), &mut buffer, BATCH);
        });
    });
    group.finish();
}

fn two_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue/two_threads");
    group.throughput(Throughput::Bytes(RECORD as u64)).sample_size(20);
    group.bench_function("queue", |bencher| bencher.iter_custom(through_queue));
    group.bench_function("seqpacket", |bencher| bencher.iter_custom(through_seqpacket));
    group.bench_function("pipe", |bencher| bencher.iter_custom(through_pipe));
    group.finish();
}

criterion_group!(benches, queue, two_threads);
criterion_main!(benches);
