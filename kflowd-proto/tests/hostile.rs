//! Each half against a peer that writes whatever it likes: typed errors, no panic, nothing out of range.
#![cfg(not(loom))]

mod common;

use std::os::fd::AsFd;

use common::{Random, consumer, copy, producer};
use kflowd_proto::queue::{Consumer, Corrupt, PushError, QueueError, QueueFds, SIZE_MIN, create};
use rustix::io::pwrite;

const TAIL: u64 = 128;
const DATA: u64 = 4096;
const RECORD: u64 = 0x4b46_5231 << 32;
const PADDING: u64 = 0x4b46_5031 << 32;

fn set(fds: &QueueFds, at: u64, value: u64) {
    pwrite(&fds.data, &value.to_ne_bytes(), at).unwrap();
}

fn set_cursor(fds: &QueueFds, at: u64, value: u64) {
    pwrite(&fds.cursor, &value.to_ne_bytes(), at).unwrap();
}

/// A queue whose producer is the test itself: no one has sealed the data yet.
fn open_queue() -> QueueFds {
    create(SIZE_MIN).unwrap()
}

fn try_consumer(fds: &QueueFds) -> Result<Consumer, QueueError> {
    Consumer::open(fds.data_readonly.as_fd(), fds.cursor.as_fd(), copy(&fds.wake))
}

#[test]
fn bad_headers_are_refused_at_open() {
    let fds = open_queue();
    set(&fds, 0, 7);
    assert!(matches!(try_consumer(&fds), Err(QueueError::Magic(7))));
    let fds = open_queue();
    set(&fds, 8, 1 << 40);
    assert!(matches!(try_consumer(&fds), Err(QueueError::Mismatch { header: 0x100_0000_0000, .. })));
    let fds = open_queue();
    set(&fds, TAIL, 12);
    assert!(matches!(try_consumer(&fds), Err(QueueError::Positions { tail: 12, .. })));
    set(&fds, TAIL, SIZE_MIN as u64 + 8);
    assert!(matches!(try_consumer(&fds), Err(QueueError::Positions { .. })));
    let fds = open_queue();
    set_cursor(&fds, 0, 8);
    assert!(matches!(try_consumer(&fds), Err(QueueError::Positions { cursor: 8, .. })));
    set(&fds, TAIL, 8);
    assert!(matches!(try_consumer(&fds), Err(QueueError::Sequence(8))));
}

#[test]
fn bad_tails_and_frames_are_typed_and_final() {
    let case = |tail: u64, header: u64| {
        let fds = open_queue();
        let mut reader = consumer(&fds);
        set(&fds, DATA, header);
        set(&fds, TAIL, tail);
        let error = reader.next().err().unwrap();
        set(&fds, TAIL, 0);
        assert_eq!(reader.next().err(), Some(error), "stays broken");
        assert!(!reader.sleep(), "does not wait for a broken queue");
        assert!(!reader.closed());
        error
    };
    assert_eq!(case(4, 0), Corrupt::Tail { tail: 4, position: 0 });
    assert_eq!(case(!7, 0), Corrupt::Tail { tail: !7, position: 0 });
    assert_eq!(case(16, 0), Corrupt::Tag { tag: 0, position: 0 });
    assert_eq!(case(16, RECORD | 9), Corrupt::Length { len: 9, position: 0 });
    assert_eq!(case(16, RECORD | 0xffff_ffff), Corrupt::Length { len: u32::MAX, position: 0 });
    assert_eq!(
        case(SIZE_MIN as u64, PADDING | (SIZE_MIN as u64 - 8)),
        Corrupt::Length { len: SIZE_MIN as u32 - 8, position: 0 }
    );
}

#[test]
fn a_padding_must_be_followed_by_a_record() {
    let size = SIZE_MIN as u64;
    let fds = open_queue();
    let mut reader = consumer(&fds);
    set(&fds, DATA, RECORD | (size - 24));
    set(&fds, DATA + size - 16, PADDING | 8);
    set(&fds, TAIL, size);
    assert_eq!(reader.next().unwrap().unwrap().len() as u64, size - 24);
    assert_eq!(reader.next().err(), Some(Corrupt::Length { len: 8, position: size - 16 }));
}

#[test]
fn random_data_never_breaks_the_consumer() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut buffer = Vec::new();
    let fds = open_queue();
    for _ in 0..3000 {
        set_cursor(&fds, 0, 0);
        set_cursor(&fds, 128, 0);
        set_cursor(&fds, 144, 0);
        set(&fds, TAIL, 0);
        let mut reader = consumer(&fds);
        let tail = random.below(SIZE_MIN as u64 / 8 + 2) * 8;
        set(&fds, TAIL, if random.below(8) == 0 { random.word() } else { tail });
        for _ in 0..40 {
            let at = if random.below(2) == 0 { random.below(16) } else { random.below(SIZE_MIN as u64 / 8) };
            let tag = [RECORD, RECORD, RECORD, PADDING, random.word()][random.below(5) as usize];
            let bits = random.below(17);
            set(&fds, DATA + at * 8, tag | random.below(1 << bits));
            match reader.next() {
                Ok(Some(frame)) => {
                    frame.copy_into(&mut buffer);
                    assert!(buffer.len() <= SIZE_MIN - 8);
                }
                Ok(None) => reader.commit(reader.sequence() + 1),
                Err(_) => break,
            }
        }
        assert!(reader.backlog() <= SIZE_MIN as u64);
    }
}

#[test]
fn impossible_cursors_are_counted_and_ignored() {
    let fds = open_queue();
    let mut writer = producer(&fds);
    let mut errors = 0;
    while writer.push(&[1; 504]).is_ok() {}
    writer.publish();
    assert_eq!(writer.cursor_errors(), errors);
    let full = SIZE_MIN as u64;
    for bad in [full + 8, u64::MAX, 4, 2, full - 4, 1 << 63] {
        set_cursor(&fds, 0, bad);
        errors += 1;
        assert_eq!(writer.push(&[2; 8]), Err(PushError::Full), "cursor {bad:#x}");
        assert_eq!(writer.cursor_errors(), errors);
    }
    set_cursor(&fds, 0, 512);
    assert_eq!(writer.push(&[2; 8]), Ok(()), "a good cursor counts again");
    set_cursor(&fds, 0, 0);
    assert!(!writer.drained());
    assert_eq!(writer.cursor_errors(), errors + 1, "it may not fall");
}

#[test]
fn an_unpublished_frame_cannot_be_given_back() {
    let fds = open_queue();
    let mut writer = producer(&fds);
    writer.push(&[1; 8]).unwrap();
    set_cursor(&fds, 0, 16);
    assert!(!writer.drained());
    assert_eq!(writer.cursor_errors(), 1);
}

#[test]
fn random_cursors_never_break_the_producer() {
    let mut random = Random(42);
    let fds = open_queue();
    let mut writer = producer(&fds);
    for _ in 0..100_000 {
        if random.below(4) == 0 {
            let value = random.word() >> random.below(64);
            set_cursor(&fds, random.below(20) * 8, value);
        }
        match writer.push(&vec![0; random.below(2000) as usize]) {
            Ok(()) | Err(PushError::Full) => {}
            Err(PushError::TooLong) => panic!("all of them fit"),
        }
        if random.below(3) == 0 {
            writer.publish();
        }
        assert!(!writer.above(1, 1), "never more than the queue holds");
    }
    assert!(writer.cursor_errors() > 0);
}
