//! Payload and flow records through the whole pipeline: what waits for what, what goes out when, and that nothing is
//! lost without being counted.

mod common;

use kflowd_enricher::enrich::Sources;
use kflowd_enricher::enrich::host::HostFacts;
use kflowd_enricher::enrich::interface::Links;
use kflowd_enricher::pipeline::Pipeline;
use kflowd_enricher::render::Batch;
use kflowd_proto::hello::{AppPorts, Output, Ports, Settings};
use kflowd_proto::layout::{Cause, Direction, Flow};
use serde_json::Value;

use Direction::{Rx, Tx};
use common::{SECOND, flow, flow_body, payload, udp_body};

const GET: &[u8] = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct Test {
    pipeline: Pipeline,
    batch: Batch,
}

impl Test {
    fn new() -> Self {
        Self::with(Settings::default(), 1)
    }

    fn with(settings: Settings, sequence: u64) -> Self {
        let sources = Sources { links: Links::Table(0, Vec::new()), ..Sources::system(0, 0, settings.extra) };
        let settings = Settings { output: Output::JsonMin, ..settings };
        let host = HostFacts::default();
        Self { pipeline: Pipeline::new(&settings, sources, &host, sequence), batch: Batch::default() }
    }

    /// The messages of these frames.
    fn take(&mut self, frames: &[Vec<u8>]) -> Vec<Value> {
        self.batch.clear();
        frames.iter().for_each(|frame| self.pipeline.take(frame, &mut self.batch));
        self.messages()
    }

    fn tick(&mut self, now: u64) -> Vec<Value> {
        self.batch.clear();
        self.pipeline.tick(now, &mut self.batch);
        self.messages()
    }

    fn finish(&mut self) -> Vec<Value> {
        self.batch.clear();
        assert!(!self.pipeline.finish(&mut self.batch, usize::MAX));
        self.messages()
    }

    fn messages(&self) -> Vec<Value> {
        let messages = (0..self.batch.len()).map(|i| self.batch.message(i));
        messages.map(|text| serde_json::from_slice(text).expect("JSON")).collect()
    }

    /// In, Out, Kept and the sum of losses of a stage; checks that the first is the sum of the others.
    fn stage(&self, name: &str) -> [u64; 4] {
        let stages = self.pipeline.stages(&[]);
        let stage = stages.iter().find(|stage| stage.name == name).expect("stage");
        let of = |prefix| stage.counters.iter().filter(|(n, _)| n.starts_with(prefix)).map(|(_, n)| n).sum();
        let [all, out, kept, lost]: [u64; 4] = ["In", "Out", "Kept", "Lost"].map(of);
        assert_eq!(all, out + kept + lost, "{:?}", stage.counters);
        [all, out, kept, lost]
    }
}

/// Messages of applications in each record.
fn lengths(records: &[Value], key: &str) -> Vec<usize> {
    records.iter().map(|record| record[key].as_array().map_or(0, Vec::len)).collect()
}

fn with(cause: Cause, body: Flow) -> Flow {
    Flow { cause: cause as u32, ..body }
}

/// So many requests in one connection, from offset 0.
fn requests(of: &Flow, from: u64, count: u64) -> Vec<Vec<u8>> {
    (from..from + count).map(|i| payload(of, Tx, i * GET.len() as u64, GET, 0)).collect()
}

#[test]
fn messages_go_out_with_the_next_record_of_their_flow() {
    let mut test = Test::new();
    let body = flow_body();
    let half = GET.len() / 2;
    let frames = [payload(&body, Tx, 0, &GET[..half], 0), payload(&body, Tx, half as u64, &GET[half..], 0)];
    assert_eq!(test.take(&frames), Vec::<Value>::new());
    let records = test.take(&[flow(&with(Cause::Active, body))]);
    assert_eq!((records.len(), &records[0]["AppTxHttp"][0]["_Url"]), (1, &"/1".into()));
    let records = test.take(&[payload(&body, Rx, 0, OK, 0), flow(&body)]);
    assert_eq!((lengths(&records, "AppTxHttp"), lengths(&records, "AppRxHttp")), (vec![0], vec![1]));
    assert!(!test.batch.once());
    assert_eq!(test.stage("Messages"), [2, 2, 0, 0]);
    assert_eq!(test.stage("Enricher"), [5, 2, 3, 0]);
    assert_eq!(test.finish(), Vec::<Value>::new());
}

#[test]
fn datagrams_of_one_socket_have_their_own_flows() {
    let mut test = Test::new();
    let question = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\x02co\0\0\x01\0\x01";
    let bodies: Vec<_> =
        (0..3).map(|port| Flow { remote_port: 4000 + port, local_port: 53, ..udp_body() }).collect();
    let questions: Vec<_> = bodies.iter().map(|body| payload(body, Rx, 0, question, 0)).collect();
    test.take(&questions);
    test.take(&questions[1..2]);
    let records = test.take(&bodies.iter().map(flow).collect::<Vec<_>>());
    assert_eq!(lengths(&records, "AppRxDns"), [1, 2, 1]);
    assert_eq!(test.stage("Messages"), [4, 4, 0, 0]);
}

#[test]
fn more_messages_than_a_record_takes_follow_in_further_ones() {
    let mut test = Test::new();
    let body = flow_body();
    assert!(test.take(&requests(&body, 0, 70)).is_empty());
    let records = test.take(&[flow(&with(Cause::Count, body))]);
    assert_eq!(lengths(&records, "AppTxHttp"), [32, 32, 6]);
    assert!(test.batch.once(), "the numbers depend on what waited");
    let numbers: Vec<_> = records.iter().map(|r| r["InfoSequenceNumber"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
    // What was counted is counted once.
    assert_eq!((&records[0]["SockTxBytes"], &records[1]["SockTxBytes"]), (&78.into(), &Value::Null));
    for key in ["Proc", "SockRemoteIP", "SockState", "SockAge", "InfoTimestamp"] {
        assert_eq!(records[0][key], records[2][key], "{key}");
    }
    assert_eq!(test.stage("Enricher"), [73, 3, 70, 0]);
}

#[test]
fn a_known_flow_does_not_wait_for_its_next_record() {
    let mut test = Test::new();
    let body = flow_body();
    test.take(&requests(&body, 0, 1));
    assert_eq!(test.take(&[flow(&with(Cause::Active, body))]).len(), 1);
    assert!(test.take(&requests(&body, 1, 31)).is_empty());
    let records = test.take(&requests(&body, 32, 1));
    assert_eq!(lengths(&records, "AppTxHttp"), [32]);
    assert!(test.batch.once());
    assert_eq!((&records[0]["Proc"], &records[0]["SockTxPackets"]), (&"curl".into(), &Value::Null));
    assert_eq!(test.stage("Messages"), [33, 33, 0, 0]);
}

/// A program reads what was in the receive queue after the connection is closed.
#[test]
fn payload_after_the_last_record_goes_out_a_little_later() {
    for early in [true, false] {
        let mut test = Test::new();
        let body = flow_body();
        test.tick(10 * SECOND);
        if early {
            test.take(&[payload(&body, Tx, 0, GET, 0)]);
        }
        assert_eq!(test.take(&[flow(&body)]).len(), 1);
        assert!(test.take(&[payload(&body, Rx, 0, &OK[..20], 0)]).is_empty());
        assert!(test.take(&[payload(&body, Rx, 20, &OK[20..], 0)]).is_empty());
        assert_eq!(test.pipeline.due(), Some(12 * SECOND));
        assert!(test.tick(12 * SECOND - 1).is_empty());
        let records = test.tick(12 * SECOND);
        assert_eq!(lengths(&records, "AppRxHttp"), [1], "{early}");
        assert_eq!(records[0]["AppRxHttp"][0]["_Body"], "ok");
        assert!(test.batch.once());
        assert_eq!((test.pipeline.due(), test.stage("Messages")[3]), (None, 0));
    }
}

/// Nothing is counted after the last record, so no other one comes.
#[test]
fn messages_of_a_quiet_flow_go_out_after_a_while() {
    let mut test = Test::new();
    let body = flow_body();
    test.take(&[payload(&body, Tx, 0, GET, 0), flow(&with(Cause::Idle, body)), payload(&body, Rx, 0, OK, 0)]);
    let read = body.open_time + 876_589;
    assert!(test.tick(read + 60 * SECOND - 1).is_empty());
    assert_eq!(lengths(&test.tick(read + 60 * SECOND), "AppRxHttp"), [1]);
    assert!(test.tick(read + 200 * SECOND).is_empty());
    assert!(test.finish().is_empty());
}

#[test]
fn what_holds_back_at_the_end_goes_out() {
    let mut test = Test::new();
    let body = flow_body();
    test.take(&[flow(&with(Cause::Active, body)), payload(&body, Tx, 0, &GET[..20], 0)]);
    let records = test.take(&[flow(&with(Cause::Stop, body))]);
    assert_eq!(records[0]["AppTxHttp"][0]["_Exception"], "head is cut after 20 bytes");
    // Known, but no last record came.
    let other = Flow { cookie: 9, ..body };
    test.take(&[payload(&other, Tx, 0, GET, 0), flow(&with(Cause::Active, other))]);
    test.take(&[payload(&other, Tx, GET.len() as u64, GET, 0)]);
    // No record at all.
    let lost = Flow { cookie: 10, ..body };
    test.take(&[payload(&lost, Tx, 0, GET, 0), payload(&lost, Rx, 0, &OK[..9], 0)]);
    assert_eq!(test.stage("Messages"), [4, 2, 2, 0]);
    let records = test.finish();
    assert_eq!(lengths(&records, "AppTxHttp"), [1]);
    assert_eq!(test.stage("Messages"), [5, 3, 0, 2]);
    assert_eq!(test.finish(), Vec::<Value>::new());
}

#[test]
fn a_flow_without_record_is_bounded() {
    let mut test = Test::new();
    let body = flow_body();
    let long = [&GET[..GET.len() - 2], &b"X: "[..], &[b'y'; 4000], b"\r\n\r\n"].concat();
    for i in 0..1000 {
        assert!(test.take(&[payload(&body, Tx, i * long.len() as u64, &long, 0)]).is_empty());
    }
    let [found, out, waits, lost] = test.stage("Messages");
    assert_eq!((found, out), (1000, 0));
    assert!(lost > 600 && waits > 0 && waits < 300, "{waits} wait, {lost} lost");
    let records = test.take(&[flow(&body)]);
    assert_eq!(lengths(&records, "AppTxHttp").iter().sum::<usize>() as u64, waits);
}

#[test]
fn too_many_flows_let_the_quietest_go() {
    let mut test = Test::new();
    let count = (1 << 16) + 100;
    let question = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\x02co\0\0\x01\0\x01";
    for cookie in 0..count {
        let mut body = Flow { cookie, ..udp_body() };
        body.open_time += cookie;
        test.pipeline.take(&payload(&body, Tx, 0, question, 0), &mut test.batch);
    }
    let [found, out, waits, lost] = test.stage("Messages");
    assert_eq!((found, out, waits), (count, 0, count - lost));
    // Memory may set the bound before the number does.
    assert!(lost >= 100 && waits > 20_000, "{waits} wait, {lost} lost");
    test.finish();
    assert_eq!(test.stage("Messages"), [count, 0, 0, count]);
}

#[test]
fn payload_of_other_ports_is_counted() {
    let off = Ports { http: AppPorts::default(), ..Ports::default() };
    let mut test = Test::with(Settings { ports: off, ..Settings::default() }, 1);
    let body = flow_body();
    let records = test.take(&[payload(&body, Tx, 0, GET, 0), flow(&body)]);
    assert_eq!((records.len(), &records[0]["App"]), (1, &Value::Null));
    assert_eq!((test.stage("Enricher"), test.stage("Messages")), ([2, 1, 0, 1], [0, 0, 0, 0]));
}

#[test]
fn a_successor_goes_on_in_the_middle_of_streams() {
    let mut test = Test::with(Settings::default(), 1000);
    let body = flow_body();
    let frames =
        [payload(&body, Tx, 5000, b"rest of a body\n", 0), payload(&body, Tx, 5015, GET, 0), flow(&body)];
    let records = test.take(&frames);
    assert_eq!((lengths(&records, "AppTxHttp"), &records[0]["InfoSequenceNumber"]), (vec![1], &1000.into()));
    assert_eq!(records[0]["AppTxHttp"][0]["_Url"], "/1");
}
