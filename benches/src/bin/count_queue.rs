//! For callgrind: a known number of records through the queue on one thread. Argument: `single`, `batch` or `none`
//! (start and end only, to subtract), then the number of records.

use benches::{RECORD, halves, push_and_pop, push_and_pop_batch};

const BATCH: usize = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let records: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(64_000);
    let (mut producer, mut consumer) = halves(1 << 20);
    let (record, mut buffer) = (vec![7; RECORD], Vec::with_capacity(RECORD));
    match mode.as_str() {
        "single" => {
            for _ in 0..records {
                push_and_pop(&mut producer, &mut consumer, &record, &mut buffer);
            }
        }
        "batch" => {
            for _ in 0..records / BATCH {
                push_and_pop_batch(&mut producer, &mut consumer, &record, &mut buffer, BATCH);
            }
        }
        _ => buffer.extend_from_slice(&record),
    }
    assert_eq!(buffer, record);
}
