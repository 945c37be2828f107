//! Random use of the queue against a model of plain collections. Runs under miri too:
//! `cargo +nightly miri test -p kflowd-proto --test model`.
#![cfg(not(loom))]

use std::collections::VecDeque;

use kflowd_proto::queue::{Bell, Consumer, Heap, Producer, PushError};
use kflowd_proto::sys;
use proptest::prelude::*;

const SIZE: usize = 256;
/// Miri is about a thousand times slower.
const STEPS: usize = if cfg!(miri) { 50 } else { 200 };

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Publish,
    Take,
    Commit,
    Sleep,
    NewConsumer,
    NewProducer,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..140_usize).prop_map(Step::Push),
        4 => Just(Step::Publish),
        8 => Just(Step::Take),
        4 => Just(Step::Commit),
        1 => Just(Step::Sleep),
        1 => Just(Step::NewConsumer),
        1 => Just(Step::NewProducer),
    ]
}

fn bell() -> Bell {
    sys::eventfd().unwrap().into()
}

/// A record and the position behind it.
type Entry = (Vec<u8>, u64);

/// What the queue has to be.
#[derive(Default)]
struct Model {
    pushed: VecDeque<Entry>,
    published: VecDeque<Entry>,
    taken: VecDeque<Entry>,
    head: u64,
    cursor: u64,
    sequence: u64,
    next_byte: u8,
}

impl Model {
    /// Where a record of `len` bytes would end, by the rules of the format.
    fn end(&self, len: usize) -> u64 {
        let frame = 8 + len.div_ceil(8) as u64 * 8;
        let rest = SIZE as u64 - self.head % SIZE as u64;
        self.head + frame + if frame > rest { rest } else { 0 }
    }

    fn push(&mut self, len: usize) -> (Vec<u8>, Result<(), PushError>) {
        self.next_byte = self.next_byte.wrapping_add(1);
        let record = vec![self.next_byte; len];
        let end = self.end(len);
        if len > SIZE / 2 - 8 {
            return (record, Err(PushError::TooLong));
        }
        if end - self.cursor > SIZE as u64 {
            return (record, Err(PushError::Full));
        }
        self.head = end;
        self.pushed.push_back((record.clone(), end));
        (record, Ok(()))
    }

    fn commit(&mut self) -> u64 {
        self.sequence += self.taken.len() as u64;
        if let Some((_, end)) = self.taken.drain(..).next_back() {
            self.cursor = end;
        }
        self.sequence
    }

    fn lose_unpublished(&mut self) {
        self.pushed.clear();
        self.head = [&self.taken, &self.published]
            .iter()
            .filter_map(|entries| entries.back().map(|entry| entry.1))
            .max()
            .unwrap_or(self.cursor);
    }

    fn give_back_uncommitted(&mut self) {
        while let Some(entry) = self.taken.pop_back() {
            self.published.push_front(entry);
        }
    }
}

fn run(steps: &[Step]) {
    let heap = Heap::new(SIZE);
    let mut producer = Producer::attach(heap.clone(), bell()).unwrap();
    let mut consumer = Consumer::attach(heap.clone(), bell()).unwrap();
    let mut model = Model { sequence: 1, ..Model::default() };
    let mut buffer = Vec::new();
    for step in steps {
        match *step {
            Step::Push(len) => {
                let (record, expected) = model.push(len);
                assert_eq!(producer.push(&record), expected);
            }
            Step::Publish => {
                producer.publish();
                model.published.append(&mut model.pushed);
            }
            Step::Take => {
                let got = consumer.next().unwrap().map(|frame| {
                    frame.copy_into(&mut buffer);
                    assert_eq!(frame.len(), buffer.len());
                    &buffer
                });
                let entry = model.published.pop_front();
                assert_eq!(got, entry.as_ref().map(|e| &e.0));
                model.taken.extend(entry);
            }
            Step::Commit => consumer.commit(model.commit()),
            Step::Sleep => {
                assert_eq!(consumer.sleep(), model.published.is_empty());
                consumer.awake();
            }
            Step::NewConsumer => {
                consumer = Consumer::attach(heap.clone(), bell()).unwrap();
                model.give_back_uncommitted();
            }
            Step::NewProducer => {
                producer = Producer::attach(heap.clone(), bell()).unwrap();
                model.lose_unpublished();
            }
        }
        assert_eq!(consumer.sequence(), model.sequence);
        assert_eq!(consumer.backlog() == 0, model.published.is_empty());
        assert_eq!(producer.drained(), model.head == model.cursor);
        assert_eq!(producer.above(1, 2), model.head - model.cursor > SIZE as u64 / 2);
        assert!(!consumer.closed());
    }
    assert_eq!(producer.cursor_errors(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 6 } else { 600 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn agrees_with_the_model(steps in proptest::collection::vec(step(), 1..STEPS)) {
        run(&steps);
    }
}

#[test]
fn carries_everything_between_threads() {
    let total: u64 = if cfg!(miri) { 200 } else { 200_000 };
    let heap = Heap::new(1024);
    let mut producer = Producer::attach(heap.clone(), bell()).unwrap();
    let mut consumer = Consumer::attach(heap, bell()).unwrap();
    let writer = std::thread::spawn(move || {
        for number in 0..total {
            let record = vec![number as u8; (number % 300) as usize];
            while producer.push(&record) == Err(PushError::Full) {
                producer.publish();
                std::thread::yield_now();
            }
            if number % 7 == 0 {
                producer.publish();
            }
        }
        producer.close();
        while !producer.drained() {
            std::thread::yield_now();
        }
        assert_eq!(producer.cursor_errors(), 0);
    });
    let (mut buffer, mut taken) = (Vec::new(), 0);
    while !consumer.closed() {
        while let Some(frame) = consumer.next().unwrap() {
            frame.copy_into(&mut buffer);
            assert_eq!(buffer, vec![taken as u8; (taken % 300) as usize]);
            taken += 1;
        }
        consumer.commit(taken + 1);
        std::thread::yield_now();
    }
    assert_eq!(taken, total);
    writer.join().unwrap();
}

#[test]
fn a_commit_may_move_only_the_sequence() {
    let heap = Heap::new(SIZE);
    for expected in 1..6 {
        let mut consumer = Consumer::attach(heap.clone(), bell()).unwrap();
        assert_eq!(consumer.sequence(), expected);
        consumer.commit(expected + 1);
    }
}

#[test]
fn a_full_queue_has_room_for_the_last_record() {
    for start in 0..40 {
        let heap = Heap::new(1024);
        let mut producer = Producer::attach(heap.clone(), bell()).unwrap();
        let mut consumer = Consumer::attach(heap, bell()).unwrap();
        for _ in 0..start {
            producer.push(&[1; 24]).unwrap();
            producer.publish();
            assert!(consumer.next().unwrap().is_some());
            consumer.commit(1);
        }
        producer.keep_room(200);
        while producer.push(&[2; 24]).is_ok() {}
        producer.push_last(&[3; 200]).unwrap_or_else(|e| panic!("{e} from {start}"));
        producer.close();
        let (mut buffer, mut last) = (Vec::new(), Vec::new());
        while let Some(frame) = consumer.next().unwrap() {
            frame.copy_into(&mut buffer);
            last.clone_from(&buffer);
        }
        assert_eq!(last, [3; 200]);
    }
}
