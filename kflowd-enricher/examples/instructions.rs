//! The pure stages on one ordinary file record, N times: what `valgrind --tool=callgrind` counts instructions of.
//! The difference of two runs, divided by the difference of their N, is the cost of a record.

#[path = "../tests/common/mod.rs"]
mod common;

use kflowd_enricher::enrich::Sources;
use kflowd_enricher::enrich::host::HostFacts;
use kflowd_enricher::pipeline::Pipeline;
use kflowd_enricher::render::Batch;
use kflowd_proto::hello::{Output, Settings};

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000);
    let output =
        if std::env::args().nth(2).as_deref() == Some("min") { Output::JsonMin } else { Output::Json };
    let settings = Settings { output, ..Settings::default() };
    let sources = Sources::system(1_712_239_875_000_000_000, 0, false);
    let mut pipeline = Pipeline::new(&settings, sources, &HostFacts::read("", None), 1);
    let path = b"/home/dirk/projects/kflowd/target/release/build/output-1.txt";
    let mut body = common::body();
    // Built before, so that only the stages are counted in the difference.
    let frames: [Vec<u8>; 256] = std::array::from_fn(|i| {
        body.head.time += 12_345_678;
        body.inode = i as u64;
        common::file(&body, b"tool", &[(5, path)])
    });
    let (mut batch, mut bytes) = (Batch::default(), 0);
    for frame in frames.iter().cycle().take(count) {
        pipeline.take(frame, &mut batch);
        if batch.len() == frames.len() {
            bytes += batch.text().len();
            batch.clear();
        }
    }
    println!("{count} records, {} bytes", bytes + batch.text().len());
}
