//! The same queue over each kind of memory, and what opening refuses.
#![cfg(not(loom))]

mod common;

use std::os::fd::AsFd;

use common::{consumer, copy, producer, record};
use kflowd_proto::queue::{
    Backing, Bell, Consumer, Heap, Producer, PushError, QueueError, SIZE_MAX, SIZE_MIN, Shared, create,
};
use kflowd_proto::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// More than the queue holds at once, so it wraps often.
fn exercise<P: Backing, C: Backing>(mut producer: Producer<P>, mut consumer: Consumer<C>) {
    let (mut pushed, mut taken, mut buffer) = (0, 0, Vec::new());
    while taken < 2000 {
        while pushed < 2000 && producer.push(&record(pushed)).is_ok() {
            pushed += 1;
        }
        producer.publish();
        while let Some(frame) = consumer.next().unwrap() {
            frame.copy_into(&mut buffer);
            assert_eq!(buffer, record(taken));
            taken += 1;
        }
        assert!(!producer.drained());
        consumer.commit(taken + 1);
        assert!(producer.drained());
    }
    assert!(!consumer.closed());
    producer.close();
    assert!(consumer.closed());
    assert!(!consumer.sleep(), "nothing to wait for in a closed queue");
    assert_eq!(consumer.sequence(), 2001);
    assert_eq!(producer.cursor_errors(), 0);
}

fn bell() -> Bell {
    sys::eventfd().unwrap().into()
}

#[test]
fn memfds() {
    let fds = create(SIZE_MIN).unwrap();
    let writer = producer(&fds);
    exercise(writer, consumer(&fds));
}

#[test]
fn heap() {
    let heap = Heap::new(4096);
    exercise(Producer::attach(heap.clone(), bell()).unwrap(), Consumer::attach(heap, bell()).unwrap());
}

#[test]
fn named_segment() {
    let name = format!("/kflowd-test-{}", std::process::id());
    let ours = Shared::create(&name, SIZE_MIN).unwrap();
    let theirs = Shared::open(&name).unwrap();
    assert!(Shared::create(&name, SIZE_MIN).is_err(), "the name is taken");
    exercise(Producer::attach(ours, bell()).unwrap(), Consumer::attach(theirs, bell()).unwrap());
    assert!(Shared::open(&name).is_err(), "the segment went with its maker");
}

#[test]
fn the_greatest_record_always_fits_into_an_empty_queue() {
    let heap = Heap::new(256);
    let mut producer = Producer::attach(heap.clone(), bell()).unwrap();
    let mut consumer = Consumer::attach(heap, bell()).unwrap();
    for small in 0..200 {
        producer.push(&vec![1; small % 64]).unwrap();
        producer.publish();
        consumer.next().unwrap().unwrap();
        consumer.commit(1);
        producer.push(&[2; 120]).unwrap();
        producer.publish();
        assert_eq!(consumer.next().unwrap().unwrap().len(), 120);
        consumer.commit(1);
    }
    assert_eq!(producer.push(&[3; 121]), Err(PushError::TooLong));
}

#[test]
fn rings_only_for_a_sleeper() {
    let fds = create(SIZE_MIN).unwrap();
    let mut writer = producer(&fds);
    let mut reader = consumer(&fds);
    let rung = |reader: &Consumer| {
        let fd = reader.wake_fd();
        let mut set = [PollFd::new(&fd, PollFlags::IN)];
        poll(&mut set, Some(&Timespec::default())).unwrap() == 1
    };
    let mut send = || {
        writer.push(b"record").unwrap();
        writer.publish();
    };
    send();
    assert!(!rung(&reader));
    assert!(!reader.sleep(), "there is something to take");
    while reader.next().unwrap().is_some() {}
    assert!(reader.sleep());
    reader.commit(2);
    send();
    assert!(rung(&reader), "a commit does not withdraw the announcement");
    reader.awake();
    assert!(!rung(&reader));
    send();
    assert!(!rung(&reader));
}

#[test]
fn a_full_bell_does_not_hold_the_producer() {
    let fds = create(SIZE_MIN).unwrap();
    let mut writer = producer(&fds);
    let mut reader = consumer(&fds);
    rustix::io::write(&fds.wake, &(u64::MAX - 1).to_ne_bytes()).unwrap();
    assert!(reader.sleep());
    writer.push(b"record").unwrap();
    writer.publish();
    reader.awake();
    assert!(reader.next().unwrap().is_some());
}

#[test]
fn says_what_it_cannot_open() {
    for size in [0, 1, SIZE_MIN - 1, SIZE_MIN + 8, SIZE_MIN / 2, SIZE_MAX * 2] {
        assert!(matches!(create(size), Err(QueueError::Size(s)) if s == size));
    }
    let fds = create(SIZE_MIN).unwrap();
    let open = |data, cursor| Consumer::open(data, cursor, copy(&fds.wake)).err().unwrap();
    let loose = rustix::fs::memfd_create("loose", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    assert!(matches!(open(loose.as_fd(), fds.cursor.as_fd()), QueueError::Os { .. } | QueueError::NotSealed));
    assert!(matches!(open(fds.wake.as_fd(), fds.cursor.as_fd()), QueueError::Os { .. }));
    assert!(matches!(open(fds.cursor.as_fd(), fds.cursor.as_fd()), QueueError::Size(0)));
    assert!(matches!(open(fds.data.as_fd(), fds.data.as_fd()), QueueError::Size(_)));
    let mut writer = producer(&fds);
    writer.close();
    let again = Producer::open(fds.data.as_fd(), fds.cursor.as_fd(), copy(&fds.wake));
    assert!(matches!(again, Err(QueueError::Os { .. })), "sealed: nobody maps it writable again");
}
