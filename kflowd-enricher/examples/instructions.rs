//! The pure stages on ordinary records of one kind, N times: what `valgrind --tool=callgrind` counts instructions of.
//! The difference of two runs, divided by the difference of their N, is the cost of a record. Arguments: N, `json` or
//! `min`, and the kind: `file`, `tcp`, `udp`, or `dns` for a record with its question and answer (three frames).

#[path = "../tests/common/mod.rs"]
mod common;

use kflowd_enricher::enrich::Sources;
use kflowd_enricher::enrich::host::HostFacts;
use kflowd_enricher::pipeline::Pipeline;
use kflowd_enricher::render::Batch;
use kflowd_proto::hello::{Output, Settings};
use kflowd_proto::layout::{Direction, Flow};

const QUESTION: &[u8] = b"\xde\x20\x01\0\0\x01\0\0\0\0\0\0\x05kflow\x02co\0\0\x01\0\x01";
const ANSWER: &[u8] = b"\xde\x20\x81\x80\0\x01\0\x01\0\0\0\0\x05kflow\x02co\0\0\x01\0\x01\
                        \xc0\x0c\0\x01\0\x01\0\0\x02\x58\0\x04\x0f\xc5\x8e\xad";

/// The frames of record number `i`.
fn frames(kind: &str, i: u64) -> Vec<Vec<u8>> {
    let path = b"/home/dirk/projects/kflowd/target/release/build/output-1.txt";
    let mut file = common::body();
    file.head.time += 12_345_678 * i;
    file.inode = i;
    let flow = |flow: Flow| Flow { head: file.head, cookie: i, sent_time: file.head.time, netns: 1, ..flow };
    match kind {
        "tcp" => vec![common::flow(&Flow { remote_port: 443, ..flow(common::flow_body()) })],
        "udp" => vec![common::flow(&Flow { remote_port: 123, ..flow(common::udp_body()) })],
        "dns" => {
            let flow = flow(common::udp_body());
            let said = |way, bytes| common::payload(&flow, way, 0, bytes, 0);
            vec![said(Direction::Tx, QUESTION), said(Direction::Rx, ANSWER), common::flow(&flow)]
        }
        _ => vec![common::file(&file, b"tool", &[(5, path)])],
    }
}

fn main() {
    let argument = |place| std::env::args().nth(place).unwrap_or_default();
    let count: usize = argument(1).parse().unwrap_or(1000);
    let output = if argument(2) == "min" { Output::JsonMin } else { Output::Json };
    let settings = Settings { output, ..Settings::default() };
    let sources = Sources::system(1_712_239_875_000_000_000, 0, false);
    let mut pipeline = Pipeline::new(&settings, sources, &HostFacts::read("", None), 1);
    // Built before, so that only the stages are counted in the difference.
    let records: Vec<_> = (0..256).map(|i| frames(&argument(3), i)).collect();
    let (mut batch, mut bytes, mut now) = (Batch::default(), 0, 0);
    for frames in records.iter().cycle().take(count) {
        frames.iter().for_each(|frame| pipeline.take(frame, &mut batch));
        if batch.len() >= records.len() {
            bytes += batch.text().len();
            batch.clear();
            // Flows that are over are forgotten after a while.
            now += 3 * common::SECOND;
            pipeline.tick(now, &mut batch);
        }
    }
    println!("{count} records, {} bytes", bytes + batch.text().len());
}
