//! A fake probe drives the real enricher: queue and handshake on one side, stdout and UDP on the other.

mod common;
mod probe;

use std::io::{BufRead, BufReader};
use std::time::Duration;

use kflowd_proto::hello::{Hello, Host, Settings};
use probe::{NOBODY, Probe, compact, finish, numbers, receiver, signal};
use rustix::process::{Signal, getuid};
use serde_json::Value;

#[test]
fn one_stream_to_stdout_and_two_receivers() {
    let ((first, first_name), (second, second_name)) = (receiver(), receiver());
    let mut probe = Probe::new(Settings { udp: vec![first_name, second_name], ..compact() });
    let child = probe.start();
    probe.push_files(50);
    probe.close();
    let ended = finish(child);
    assert_eq!((ended.code, numbers(&ended.lines)), (Some(0), (1..=51).collect()), "{}", ended.stderr);
    assert_eq!(ended.lines[49]["File"], "file-50");
    let ledger = &ended.lines[50];
    assert_eq!(ledger["InfoMonitor"], "kflowd");
    assert_eq!((&ledger["Queue"]["Out"], &ledger["Enricher"]["Out"]), (&51.into(), &50.into()));
    assert_eq!((&ledger["Stdout"]["Out"], &ledger["Udp"][1]["Out"]), (&50.into(), &50.into()));
    assert!(ended.stderr.contains("Enricher In 51 Out 50 Kept 1"), "{}", ended.stderr);
    for socket in [first, second] {
        let mut datagram = [0; 65536];
        for line in &ended.lines {
            let len = socket.recv(&mut datagram).expect("datagram");
            assert_eq!(&serde_json::from_slice::<Value>(&datagram[..len]).expect("JSON"), line);
            assert_eq!(datagram[len - 1], b'}');
        }
    }
}

#[test]
fn a_dead_receiver_harms_nobody() {
    let dead = receiver().1;
    let (live, live_name) = receiver();
    let settings = Settings { udp: vec![dead, live_name], quiet: true, ..compact() };
    let mut probe = Probe::new(settings);
    let child = probe.start();
    let mut datagram = [0; 65536];
    for expected in 1..=20 {
        probe.push_files(1);
        let len = live.recv(&mut datagram).expect("datagram");
        let message: Value = serde_json::from_slice(&datagram[..len]).expect("JSON");
        assert_eq!(message["InfoSequenceNumber"], expected);
    }
    probe.close();
    let ended = finish(child);
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 0), "{}", ended.stderr);
    assert!(ended.stderr.matches("messages not sent").count() <= 1, "{}", ended.stderr);
}

#[test]
fn a_killed_enricher_is_continued_without_loss() {
    let (socket, name) = receiver();
    let mut probe = Probe::new(Settings { udp: vec![name], quiet: true, ..compact() });
    let mut seen = std::collections::BTreeMap::new();
    let mut datagram = [0; 65536];
    let mut take = |seen: &mut std::collections::BTreeMap<u64, (String, String)>| {
        let len = socket.recv(&mut datagram).expect("datagram");
        let message: Value = serde_json::from_slice(&datagram[..len]).expect("JSON");
        let number = message["InfoSequenceNumber"].as_u64().expect("number");
        let content = (message["InfoMonitor"].to_string(), message["File"].to_string());
        let before = seen.insert(number, content.clone());
        assert!(before.is_none_or(|before| before == content), "number {number} was used twice");
        message["InfoMonitor"] == "kflowd"
    };
    for _ in 0..5 {
        let mut child = probe.start();
        probe.push_files(100);
        take(&mut seen);
        child.kill().expect("kill");
        child.wait().expect("end");
        probe.push_files(100);
    }
    let child = probe.start();
    probe.close();
    while !take(&mut seen) {}
    assert_eq!(finish(child).code, Some(0));
    let files: Vec<_> = seen.values().filter(|(monitor, _)| monitor.contains("filesystem")).collect();
    assert_eq!(files.len(), 1000);
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), (1..=1001).collect::<Vec<_>>());
}

#[test]
fn terminated_it_goes_on_until_the_queue_is_closed() {
    let mut probe = Probe::new(compact());
    let mut child = probe.start();
    signal(&child, Signal::INT);
    signal(&child, Signal::TERM);
    probe.push_files(10);
    let mut lines = BufReader::new(child.stdout.take().expect("pipe")).lines();
    for _ in 0..10 {
        lines.next().expect("line").expect("text");
    }
    probe.close();
    let last: Value = serde_json::from_str(&lines.next().expect("line").expect("text")).expect("JSON");
    assert_eq!((&last["InfoMonitor"], &last["InfoSequenceNumber"]), (&"kflowd".into(), &11.into()));
    assert_eq!(finish(child).code, Some(0));
}

#[test]
fn terminated_it_does_not_wait_for_ever() {
    let mut probe = Probe::new(compact());
    let child = probe.start();
    probe.push_files(3);
    signal(&child, Signal::TERM);
    let ended = finish(child);
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 4));
    assert!(ended.stderr.contains("before kflowd-probe closed the queue"), "{}", ended.stderr);
}

#[test]
fn a_reader_that_left_is_no_error() {
    let mut probe = Probe::new(compact());
    let mut child = probe.start();
    drop(child.stdout.take());
    // A child of another test may hold a copy of the pipe between its fork and its exec, so one write is not enough.
    while child.try_wait().expect("state").is_none() {
        probe.push_files(1);
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = finish(child);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_probe_that_died_leaves_nothing_behind() {
    let mut probe = Probe::new(compact());
    let child = probe.start();
    probe.push_files(7);
    drop(probe.life.take());
    let ended = finish(child);
    assert_eq!((ended.code, numbers(&ended.lines)), (Some(1), (1..=8).collect()));
    assert!(ended.stderr.contains("kflowd-probe is gone"), "{}", ended.stderr);
}

#[test]
fn self_records_come_in_time_and_take_numbers() {
    let mut probe = Probe::new(Settings { stats_seconds: 1, ..compact() });
    let mut child = probe.start();
    probe.push_files(1);
    let mut lines = BufReader::new(child.stdout.take().expect("pipe")).lines();
    let mut next =
        || -> Value { serde_json::from_str(&lines.next().expect("line").expect("text")).expect("JSON") };
    assert_eq!(next()["InfoMonitor"], "filesystem");
    let stats = next();
    assert_eq!((&stats["InfoMonitor"], &stats["InfoSequenceNumber"]), (&"kflowd".into(), &2.into()));
    assert_eq!(stats["Stdout"]["Out"], 1);
    probe.close();
    assert_eq!(finish(child).code, Some(0));
}

#[test]
fn a_foreign_handshake_is_refused() {
    let probe = Probe::new(compact());
    let mut hello = Hello::new(compact(), Host::default());
    hello.abi_version += 1;
    let (child, answered) = probe.start_with(hello, NOBODY);
    let ended = finish(child);
    assert_eq!((answered, ended.code), (false, Some(3)));
    assert!(
        ended.stderr.starts_with("kflowd-enricher: handshake with kflowd-probe failed: "),
        "{}",
        ended.stderr
    );
}

#[test]
fn root_is_refused() {
    if !getuid().is_root() {
        eprintln!("skipped: needs root to start the enricher as root");
        return;
    }
    let probe = Probe::new(compact());
    let (child, answered) = probe.start_with(Hello::new(compact(), Host::default()), 0);
    let ended = finish(child);
    assert_eq!((answered, ended.code), (false, Some(3)));
    assert!(ended.stderr.contains("refused to run as root"), "{}", ended.stderr);
}
