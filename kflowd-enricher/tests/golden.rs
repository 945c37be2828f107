//! Golden pairs: a frame in hex beside the messages that it gives. `KFLOWD_GOLDEN=write` writes them anew.

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kflowd_enricher::enrich::Sources;
use kflowd_enricher::enrich::host::HostFacts;
use kflowd_enricher::pipeline::Pipeline;
use kflowd_enricher::render::{Batch, keys};
use kflowd_proto::hello::{Output, Settings};
use kflowd_proto::layout::{Flags, Kind, Ledger, Process, TAG_CUT};
use zerocopy::IntoBytes;

use common::{SECOND, body, file, frame, plain};

struct Case {
    name: &'static str,
    settings: Settings,
    frames: Vec<Vec<u8>>,
}

fn rename() -> Vec<Vec<u8>> {
    let mut process = Process::default();
    (process.head.tgid, process.head.start) = (4242, 4990 * SECOND);
    let exec = frame(Kind::Exec, process.as_bytes(), &[(3, b"/usr/bin/mv"), (4, b"mv\0-f\0old\0n\xffw\0")]);
    let mut moved = body();
    moved.mode = 0o104_755;
    moved.mtime_first.sec += 9;
    moved.size_first = 5000;
    moved.events = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0];
    moved.dev = 259 << 20 | 300;
    (moved.uid, moved.gid) = (4_294_967_000, 4_294_967_295);
    vec![exec, file(&moved, b"mv", &[(5, b"/srv/my data/n\xffw"), (6, b"/home/dirk/old")])]
}

fn odd() -> Vec<Vec<u8>> {
    let mut odd = body();
    odd.head.flags = Flags::KTHREAD;
    odd.task.comm = *b"kworker/0:1\0\0\0\0\0";
    odd.task.thread_start = odd.head.time + 5;
    odd.first_time = odd.head.time;
    odd.mode = 0o120_777;
    odd.atime.nsec = u32::MAX;
    odd.mtime_first = odd.mtime;
    odd.size_first = odd.size;
    odd.dev = 7;
    odd.inode = u64::MAX;
    vec![file(&odd, b"", &[(5 | TAG_CUT, "/d\u{e9}j\u{e0}/quo\"te\\/new\nline\u{1}".as_bytes())])]
}

fn cases() -> Vec<Case> {
    let extra = Settings {
        extra: true,
        versions: true,
        checksums: true,
        token: Some("t\"k".into()),
        ..Settings::default()
    };
    let ledger = Ledger { queue_pushed: 2, ring_read: 1, ..Ledger::default() };
    let ledger = vec![plain(), frame(Kind::Ledger, ledger.as_bytes(), &[])];
    let case = |name, settings, frames| Case { name, settings, frames };
    vec![
        case("plain", Settings::default(), vec![plain()]),
        case("rename", extra, rename()),
        case("odd", Settings::default(), odd()),
        case("ledger", Settings::default(), ledger),
    ]
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn messages(case: &Case, output: Output) -> Batch {
    let from = directory();
    let sources = Sources {
        passwd: from.join("passwd"),
        group: from.join("group"),
        mounts: from.join("mountinfo"),
        wall_offset: 1_712_239_875 * SECOND as i64,
        monitor_start: 4000 * SECOND,
        extra: case.settings.extra,
    };
    let host = HostFacts {
        name: "host".into(),
        ip: "192.0.2.7".into(),
        token: case.settings.token.clone(),
        system: "Linux".into(),
        kernel: "6.1.0".into(),
        version: "kflowd-golden".into(),
    };
    let settings = Settings { output, ..case.settings.clone() };
    let (mut pipeline, mut batch) = (Pipeline::new(&settings, sources, &host, 1), Batch::default());
    for frame in &case.frames {
        pipeline.take(frame, &mut batch);
    }
    if case.name == "ledger" {
        pipeline.self_record(5001 * SECOND, &[], &mut batch);
    }
    batch
}

fn compare(file: &str, found: &str) {
    let path = directory().join(file);
    if std::env::var_os("KFLOWD_GOLDEN").is_some_and(|v| v == "write") {
        std::fs::write(&path, found).expect("golden file is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{file}; KFLOWD_GOLDEN=write makes it the expectation");
}

#[test]
fn golden_pairs() {
    for case in cases() {
        let hex = case.frames.iter().fold(String::new(), |mut text, frame| {
            frame.iter().for_each(|byte| write!(text, "{byte:02x}").expect("string"));
            text + "\n"
        });
        compare(&format!("{}.hex", case.name), &hex);
        for (output, kind) in
            [(Output::Json, "json"), (Output::JsonMin, "json-min"), (Output::Table, "table")]
        {
            let batch = messages(&case, output);
            compare(&format!("{}.{kind}", case.name), std::str::from_utf8(batch.text()).expect("UTF-8"));
        }
    }
}

#[test]
fn both_forms_are_the_same_json_with_keys_in_the_order_of_the_table() {
    for case in cases() {
        let (pretty, compact) = (messages(&case, Output::Json), messages(&case, Output::JsonMin));
        for i in 0..pretty.len() {
            let value: serde_json::Value = serde_json::from_slice(pretty.message(i)).expect("JSON");
            assert_eq!(value, serde_json::from_slice::<serde_json::Value>(compact.message(i)).expect("JSON"));
            assert!(!compact.message(i).contains(&b'\n'));
            let known = |key: &String| keys::TABLE.iter().position(|row| row.name == key);
            let object = value.as_object().expect("object");
            let order: Vec<_> = object.keys().filter_map(known).collect();
            assert!(order.is_sorted(), "{object:?}");
            assert!(object.keys().all(|key| known(key).is_some() || key.ends_with("Raw")), "{object:?}");
        }
    }
}

#[test]
fn bad_frames_are_counted_and_take_no_number() {
    let mut frames = vec![vec![], vec![1; 40], plain()[..100].to_vec(), plain()];
    let mut newer = plain();
    newer[4] = 200;
    frames.push(newer);
    let case = Case { name: "bad", settings: Settings::default(), frames };
    let batch = messages(&case, Output::JsonMin);
    assert_eq!(batch.len(), 1);
    assert!(batch.message(0).starts_with(b"{\"InfoSequenceNumber\": 1, "));
}
