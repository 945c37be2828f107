//! What real programs said to each other: the messages that come of it are the expected ones, however the stream is
//! cut, and DNS records read as `dig` prints them. `KFLOWD_GOLDEN=write` writes the expectations anew.

mod capture;

use capture::{Capture, Sent, all, directory};
use kflowd_enricher::app::{App, Direction, Transport};
use kflowd_enricher::render::app::{Form, Style};
use proptest::prelude::*;
use serde_json::Value;

const COMPACT: Form = Form { style: Style::Compact, extra: false, secrets: false };
const EVERYTHING: Form = Form { style: Style::Pretty, extra: true, secrets: false };

#[test]
fn messages_are_the_expected_ones() {
    for capture in all() {
        let found = capture.records(&capture.sent, EVERYTHING).concat();
        let path = directory().join(format!("{}.json", capture.name));
        if std::env::var_os("KFLOWD_GOLDEN").is_some_and(|v| v == "write") {
            std::fs::write(&path, &found).expect("golden file is writable");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, expected, "{}; KFLOWD_GOLDEN=write makes it the expectation", capture.name);
    }
}

fn values(records: &[String]) -> Vec<Value> {
    records.iter().map(|record| serde_json::from_str(record).expect("JSON")).collect()
}

#[test]
fn both_forms_are_the_same_json() {
    for capture in all() {
        let compact = Form { style: Style::Compact, ..EVERYTHING };
        let records = capture.records(&capture.sent, compact);
        assert!(records.iter().all(|record| !record.contains('\n')));
        assert_eq!(values(&records), values(&capture.records(&capture.sent, EVERYTHING)), "{}", capture.name);
    }
}

#[test]
fn no_secret_is_shown_unless_asked_for() {
    let mut secrets = 0;
    for capture in all() {
        let text = capture.records(&capture.sent, COMPACT).concat();
        assert!(!text.contains("SECRET"), "{text}");
        // Basic authorization is base64 of user and password.
        assert!(!text.contains("dXNlcjpTRUNSRVRQQVNTV09SRA"), "{text}");
        let shown = capture.records(&capture.sent, Form { secrets: true, ..COMPACT }).concat();
        secrets += shown.matches("SECRET").count() + shown.matches("dXNlcjpTRUNSRVRQQVNTV09SRA").count();
    }
    assert_eq!(secrets, 5);
}

/// Owner, ttl, class, type and data of each answer, as dig writes them.
fn rows(records: &[Value]) -> Vec<String> {
    let mut rows = Vec::new();
    for record in records {
        for message in record["AppRxDns"].as_array().into_iter().flatten() {
            for row in message["ResourceRecords"].as_array().expect("rows") {
                let text = |i: usize| row[i].as_str().expect("text");
                rows.push(format!("{} {} {} {} {}", text(1), row[2], text(3), text(0), text(4)));
            }
        }
    }
    rows
}

/// Words without the dot at the end of names; dig cuts long words of some types into pieces, we do not.
fn words(line: &str) -> String {
    line.split_whitespace()
        .map(|word| word.strip_suffix('.').filter(|w| !w.is_empty()).unwrap_or(word))
        .collect()
}

#[test]
fn records_read_as_dig_prints_them() {
    let mut compared = 0;
    for capture in all().iter().filter(|capture| !capture.dig.is_empty()) {
        let found = rows(&values(&capture.records(&capture.sent, COMPACT)));
        let found: Vec<_> = found.iter().map(|row| words(row)).collect();
        // dig writes the two numbers of CERT as mnemonics (RFC 4398 section 2.2 allows both).
        let numbers = |line: &String| line.replace("PKIX 12345 RSASHA1", "1 12345 5");
        let expected: Vec<_> = capture.dig.iter().map(|line| words(&numbers(line))).collect();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{}", capture.name);
        }
        assert_eq!(found.len(), expected.len(), "{}", capture.name);
        compared += found.len();
    }
    assert!(compared > 290, "{compared}");
}

/// Cuts the pieces of a stream at random places; each part keeps the time of its piece.
fn cut(sent: &[Sent], seed: u64, most: u64) -> Vec<Sent> {
    let mut random = seed | 1;
    let mut parts = Vec::new();
    for piece in sent {
        let mut rest = &piece.bytes[..];
        while !rest.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = (1 + (random >> 33) % most).min(rest.len() as u64) as usize;
            let (part, after) = rest.split_at(length);
            parts.push(Sent { bytes: part.to_vec(), ..piece.clone() });
            rest = after;
        }
    }
    parts
}

fn streams() -> Vec<Capture> {
    all().into_iter().filter(|capture| capture.transport == Transport::Stream).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_messages(seed: u64, most in 1_u64..200) {
        for capture in streams() {
            let whole = capture.records(&capture.sent, COMPACT);
            prop_assert_eq!(capture.records(&cut(&capture.sent, seed, most), COMPACT), whole, "{}", capture.name);
        }
    }
}

#[test]
fn single_bytes_give_the_same_messages() {
    for capture in streams() {
        let whole = capture.records(&capture.sent, COMPACT);
        assert_eq!(capture.records(&cut(&capture.sent, 7, 1), COMPACT), whole, "{}", capture.name);
    }
}

#[test]
fn records_have_at_most_the_messages_and_text_of_the_limits() {
    let app = |app: App| all().into_iter().filter(move |c| c.app == app && c.transport == Transport::Stream);
    let mut http: Vec<Sent> = app(App::Http)
        .find(|c| c.name == "http-get")
        .map(|c| c.sent)
        .expect("capture")
        .into_iter()
        .filter(|sent| sent.direction == Direction::Tx)
        .collect();
    let one = http[0].bytes.clone();
    http[0].bytes = one.repeat(100);
    let capture = app(App::Http).next().expect("capture");
    let records = values(&capture.records(&http, COMPACT));
    let counts: Vec<_> = records.iter().map(|r| r["AppTxHttp"].as_array().expect("array").len()).collect();
    assert_eq!(counts, [32, 32, 32, 4]);
    let padding = format!("X: {}\r\n\r\n", "y".repeat(20_000));
    http[0].bytes = [&one[..one.len() - 2], padding.as_bytes()].concat().repeat(7);
    let records = capture.records(&http, COMPACT);
    let counts: Vec<_> =
        values(&records).iter().map(|r| r["AppTxHttp"].as_array().expect("array").len()).collect();
    assert_eq!(counts, [2, 2, 2, 1]);
    assert!(records.iter().all(|record| record.len() < 50 << 10));
}
