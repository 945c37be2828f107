//! Golden pairs: a frame in hex beside the messages that it gives. `KFLOWD_GOLDEN=write` writes them anew.

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kflowd_enricher::enrich::Sources;
use kflowd_enricher::enrich::host::HostFacts;
use kflowd_enricher::enrich::interface::Links;
use kflowd_enricher::pipeline::Pipeline;
use kflowd_enricher::render::Batch;
use kflowd_enricher::render::keys::{self, Key};
use kflowd_proto::hello::{Output, Settings};
use kflowd_proto::layout::{Cause, Direction, Flags, Flow, Kind, Ledger, Process, TAG_CUT, Way};
use zerocopy::IntoBytes;

use common::{SECOND, body, file, flow, flow_body, frame, payload, plain, server_body, udp_body, unix_body};

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

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: kflow.co\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 301 Moved Permanently\r\nContent-Length: 18\r\n\r\nMoved Permanently.";
const QUESTION: &[u8] = b"\xde\x20\x01\0\0\x01\0\0\0\0\0\0\x05kflow\x02co\0\0\x01\0\x01";
const ANSWER: &[u8] = b"\xde\x20\x81\x80\0\x01\0\x01\0\0\0\0\x05kflow\x02co\0\0\x01\0\x01\
                        \xc0\x0c\0\x01\0\x01\0\0\x02\x58\0\x04\x0f\xc5\x8e\xad";

fn tcp() -> Vec<Vec<u8>> {
    let client = flow_body();
    // In another network namespace, where nothing is known of the interface.
    let mut other = Flow { netns: 1, cookie: 1, ..flow_body() };
    other.remote_port = 443;
    // Refused: no answer that counts.
    let mut refused = Flow { ways: [Way::default(); 2], bytes_acked: 0, bytes_retrans: 0, ..other };
    (refused.packets_retrans, refused.packets_dups, refused.packets_drop) = (0, 0, 0);
    (refused.packets_reorder, refused.packets_frag) = (0, 0);
    vec![
        payload(&client, Direction::Tx, 0, REQUEST, 0),
        payload(&client, Direction::Rx, 0, RESPONSE, 0),
        flow(&client),
        flow(&other),
        flow(&refused),
    ]
}

fn server() -> Vec<Vec<u8>> {
    let server = server_body();
    let last = Flow { cause: Cause::Close as u32, state: 7, ..server };
    vec![
        payload(&server, Direction::Rx, 0, REQUEST, 0),
        flow(&server),
        payload(&server, Direction::Tx, 0, RESPONSE, 1000),
        flow(&last),
    ]
}

fn datagrams() -> Vec<Vec<u8>> {
    let (udp, unix) = (udp_body(), unix_body());
    let log = b"<85>Sep 16 14:30:01 CRON[2122368]: session opened";
    let mut hidden = flow(&unix);
    // An abstract address.
    let path = hidden.len() - b"/run/systemd/journal/dev-log".len();
    hidden[path] = 0;
    vec![
        payload(&udp, Direction::Tx, 0, QUESTION, 0),
        payload(&udp, Direction::Rx, 0, ANSWER, 0),
        flow(&udp),
        payload(&unix, Direction::Tx, 0, log, 0),
        flow(&unix),
        hidden,
    ]
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
        case("tcp", Settings::default(), tcp()),
        case("server", Settings { extra: true, ..Settings::default() }, server()),
        case("datagrams", Settings::default(), datagrams()),
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
        links: Links::Table(
            4_026_531_840,
            vec![(1, "1:lo:00:00:00:00:00:00".into()), (4, "4:enp5s0:0c:c4:7a:88:84:c2".into())],
        ),
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

/// Whether a key is about what a socket sent.
fn sent(row: usize) -> bool {
    keys::TABLE[row].name.starts_with("SockTx")
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
            let server = object.get("SockRole").is_some_and(|role| role == "SERVER");
            // A server shows what it received before what it sent.
            let place = |row: &usize| (server && *row >= Key::SockAge as usize, server && sent(*row), *row);
            assert!(order.is_sorted_by_key(place), "{object:?}");
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
