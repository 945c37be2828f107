//! Flows as programs and captures make them: kept-alive connections, bodies of all kinds, long writes of which only
//! the beginning was captured, holes, joined streams.

use kflowd_enricher::app::{App, Direction, Flow, Limits, Piece, Setup, Transport};
use kflowd_enricher::decode::stream::Segment;
use kflowd_enricher::render::Out;
use kflowd_enricher::render::app::{Form, Style, block};
use serde_json::{Value, json};

use Direction::{Rx, Tx};

struct Test {
    flow: Flow,
    offsets: [u64; 2],
}

fn setup(app: App, transport: Transport) -> Setup {
    Setup {
        app,
        transport,
        local: false,
        joined: false,
        start: 0,
        form: Form::default(),
        limits: Limits { messages: 1000, text: 1 << 20 },
        body_max: 16,
    }
}

impl Test {
    fn new(app: App) -> Self {
        Self::with(setup(app, Transport::Stream))
    }

    fn with(setup: Setup) -> Self {
        Self { flow: Flow::new(setup), offsets: [0; 2] }
    }

    /// A write of `bytes` and of `missing` more that were not captured.
    fn cut(mut self, direction: Direction, bytes: &[u8], missing: u64) -> Self {
        let offset = &mut self.offsets[direction as usize];
        let length = bytes.len() as u64 + missing;
        let segment = Segment { offset: *offset, length, bytes, time: 0 };
        *offset += length;
        self.flow.take(&Piece { direction, segment });
        self
    }

    fn take(self, direction: Direction, bytes: impl AsRef<[u8]>) -> Self {
        self.cut(direction, bytes.as_ref(), 0)
    }

    /// Writes that were lost altogether.
    fn lost(mut self, direction: Direction, count: u64) -> Self {
        self.offsets[direction as usize] += count;
        self
    }

    /// Messages so far, of both directions, and after the end.
    fn messages(&mut self) -> Vec<Value> {
        let mut out = Out::default();
        let next = self.flow.block();
        let count = next.len();
        block(&next, Style::Compact, &mut out);
        self.flow.taken(count);
        let text = std::str::from_utf8(out.text()).expect("UTF-8");
        let value: Value = serde_json::from_str(&format!("{{\"\": 0{text}}}")).expect("JSON");
        let arrays = value.as_object().expect("object").values().filter_map(Value::as_array);
        arrays.flatten().cloned().collect()
    }

    fn end(mut self) -> Vec<Value> {
        self.flow.end();
        self.messages()
    }
}

/// One key of each message; absent ones are null.
fn column(messages: &[Value], key: &str) -> Vec<Value> {
    messages.iter().map(|message| message[key].clone()).collect()
}

const GET: &str = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn http() -> Test {
    Test::new(App::Http)
}

#[test]
fn bodies_end_where_their_requests_say() {
    let requests = "HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let responses = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\
                     HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n\
                     HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let messages = http().take(Tx, requests).take(Rx, responses).end();
    let status = json!([null, null, null, 200, 103, 304, 200]);
    assert_eq!(json!(column(&messages, "_Status")), status);
    assert_eq!(messages[6]["_Body"], "ok");
    assert!(column(&messages, "_Exception").iter().all(Value::is_null));
}

#[test]
fn long_bodies_are_shown_up_to_the_limit() {
    let response = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let exact = "0123456789abcdef";
    let text = response(exact) + &response(&exact.repeat(2)) + &response("0123456789abcdé…") + OK;
    let messages = http().take(Rx, text).end();
    let bodies = json!([exact, "0123456789abcdef…", "0123456789abcdé…", "ok"]);
    assert_eq!(json!(column(&messages, "_Body")), bodies);
}

/// Found by the fuzz target: the stream ended where the kept part of the body did.
#[test]
fn a_stream_that_ends_behind_the_kept_part() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let whole = http().take(Rx, format!("{head}0123456789abcdef")).end();
    assert_eq!((&whole[0]["_Body"], &whole[0]["_Exception"]), (&json!("0123456789abcdef…"), &Value::Null));
    assert_eq!(http().take(Rx, format!("{head}0123456789abcde")).take(Rx, "f").end(), whole);
}

#[test]
fn a_server_sees_the_same() {
    let messages = http().take(Rx, GET).take(Tx, OK).end();
    assert_eq!((&messages[0]["_Status"], &messages[1]["_Url"]), (&json!(200), &json!("/1")));
}

#[test]
fn another_protocol_ends_decoding() {
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x01\x02";
    let connect = "HTTP/1.1 200 Connected\r\n\r\n\x16\x03\x01";
    for (request, response) in [(GET, upgrade), ("CONNECT h:443 HTTP/1.1\r\n\r\n", connect)] {
        let test = http().take(Tx, request).take(Rx, response).take(Tx, GET).take(Rx, OK);
        assert_eq!(test.end().len(), 2);
    }
    let messages = http().take(Tx, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").take(Tx, GET).end();
    assert_eq!(json!(column(&messages, "_Exception")), json!(["HTTP/2 is not decoded"]));
}

#[test]
fn chunks() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let text = format!("{head}3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n{OK}");
    let messages = http().take(Rx, &text).end();
    assert_eq!(json!(column(&messages, "_Body")), json!(["abc0123456789", "ok"]));
    let bad = http().take(Rx, format!("{head}3\r\nabcd\r\n{OK}")).end();
    assert_eq!(bad[0]["_Exception"], "chunked body is malformed");
    assert_eq!(bad[1]["_Status"], 200);
}

#[test]
fn what_is_no_text_is_named() {
    let response = |more: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}{more}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let test = http()
        .take(Rx, response("\r\nContent-Encoding: gzip", b"\x1f\x8b\x08"))
        .take(Rx, response("", b"\x89PNG\r\n\x1a\n"))
        .take(Rx, response("", b"a\xff"))
        .take(Rx, response("\r\nContent-Encoding: identity", "täxt\n".as_bytes()));
    assert_eq!(json!(column(&test.end(), "_Body")), json!(["(gzip)", "(binary)", "(binary)", "täxt\n"]));
}

#[test]
fn a_body_without_length_ends_with_the_stream() {
    let mut test = http().take(Rx, "HTTP/1.0 200 OK\r\n\r\nbo").take(Rx, "dy");
    assert_eq!(test.messages(), Vec::<Value>::new());
    let messages = test.end();
    assert_eq!((&messages[0]["_Body"], &messages[0]["_Exception"]), (&json!("body"), &Value::Null));
}

#[test]
fn streams_that_end_early() {
    let messages = http().take(Rx, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbo").end();
    assert_eq!((&messages[0]["_Body"], &messages[0]["_Exception"]), (&json!("bo…"), &json!("body is cut")));
    let messages = http().take(Tx, "GET / HTTP/1.1\r\nHost: h\r\nCookie: SEC").end();
    assert_eq!(messages[0]["Host"], "h");
    assert_eq!(messages[0]["Cookie"], Value::Null);
    assert_eq!(messages[0]["_Exception"], "head is cut after 36 bytes");
}

#[test]
fn malformed_messages_are_left_out_up_to_the_next() {
    for (bad, reason) in [
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", "header line without a valid name"),
        ("GET /\r\n\r\n", "no request or status line"),
        ("GET / HTTP/2.0\r\n\r\n", "protocol version is not 1.0 or 1.1"),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length is malformed"),
    ] {
        let messages = http().take(Tx, format!("{bad}noise\r\n{GET}")).end();
        assert_eq!(json!(column(&messages, "_Exception")), json!([reason, null]), "{bad}");
        assert_eq!(messages[1]["_Url"], "/1", "{bad}");
    }
    let text = format!("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n\x01\x02\r\n{GET}");
    let messages = http().take(Tx, text).end();
    assert_eq!(messages[0]["Transfer-Encoding"], "gzip");
    assert_eq!(messages[0]["_Exception"], "Transfer-Encoding is not chunked");
    assert_eq!(messages[1]["_Url"], "/1");
}

#[test]
fn missing_bytes_of_bodies_do_no_harm() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let messages = http().cut(Rx, format!("{head}begin").as_bytes(), 95).take(Rx, OK).end();
    assert_eq!(json!(column(&messages, "_Body")), json!(["begin…", "ok"]));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nbegin";
    let messages = http().cut(Rx, chunked.as_bytes(), 97).take(Rx, "0\r\n\r\n").take(Rx, OK).end();
    assert_eq!(json!(column(&messages, "_Body")), json!(["begin…", "ok"]));
    assert!(column(&messages, "_Exception").iter().all(Value::is_null));
}

#[test]
fn missing_bytes_of_heads_are_told() {
    let long = format!("GET /long HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(20));
    let messages = http().cut(Tx, long.as_bytes(), 500).take(Tx, GET).lost(Tx, 70).take(Tx, GET).end();
    let exceptions = json!(["head is cut after 52 bytes", null, "70 bytes of the stream are missing", null]);
    assert_eq!(json!(column(&messages, "_Exception")), exceptions);
    assert_eq!((&messages[0]["_Url"], &messages[0]["Host"]), (&json!("/long"), &json!("h")));
}

#[test]
fn a_joined_connection_begins_with_the_next_message() {
    let setup = Setup { joined: true, ..setup(App::Http, Transport::Stream) };
    let test = Test::with(setup).lost(Tx, 1000).take(Tx, "rest of a body\n").take(Tx, GET);
    let messages = test.take(Rx, OK).end();
    assert_eq!((messages.len(), &messages[0]["_Url"]), (2, &json!("/1")));
}

#[test]
fn headers_cannot_forge_keys_or_show_secrets() {
    let head = "HTTP/1.1 200 OK\r\n_Status: 1\r\n__Status: 2\r\n_Body: b\r\nsEt-cOOkie: SECRET1\r\n\
                SET-COOKIE: SECRET2\r\nAuthorization: SECRET3\r\n SECRET4\r\nProxy-Authorization:SECRET5\r\n\
                cookie: SECRET6\r\nCookie: SECRET7\r\nA\": x\r\nContent-Length: 0\r\n\r\n";
    let messages = http().take(Rx, head).end();
    assert_eq!(messages[0]["_Exception"], "header line without a valid name");
    let messages = http().take(Rx, head.replace("A\": x\r\n", "X: a\r\n b\r\nx: c\"\\\r\n")).end();
    let expected = json!({
        "_Timestamp": 0, "_Version": "HTTP/1.1", "_Status": 200, "_Reason": "OK", "__Status": "1", "___Status": "2",
        "__Body": "b", "sEt-cOOkie": ["***", "***"], "Authorization": "***", "Proxy-Authorization": "***",
        "cookie": "***, ***", "X": "a b, c\"\\", "Content-Length": "0",
    });
    assert_eq!(messages, [expected]);
}

/// A query for `name`, with its length in front.
fn query(id: u16, name: &str) -> Vec<u8> {
    let mut message = vec![(id >> 8) as u8, id as u8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}

fn dns() -> Test {
    Test::new(App::Dns)
}

#[test]
fn dns_over_tcp_goes_on_behind_missing_bytes() {
    let (one, two) = (query(1, "one.test"), query(2, "two.test"));
    // A message that was cut: its length tells where the next one begins.
    let messages = dns().cut(Tx, &one[..20], one.len() as u64 - 20).take(Tx, &two).end();
    assert_eq!(json!(column(&messages, "TransactionId")), json!([1, 2]));
    assert_eq!(messages[0]["_Exception"], "only the first 18 of 26 bytes are there");
    // Whole writes that were lost.
    let messages = dns().take(Tx, &one).lost(Tx, 100).take(Tx, &two).end();
    assert_eq!(json!(column(&messages, "TransactionId")), json!([1, null, 2]));
    assert_eq!(messages[1]["_Exception"], "100 bytes of the stream are missing");
    // Behind them no message: said once, until the next hole.
    let noise = vec![0, 12].into_iter().chain([0xff; 12]).collect::<Vec<u8>>();
    let messages = dns().lost(Tx, 9).take(Tx, &noise).take(Tx, &one).lost(Tx, 1).take(Tx, &two).end();
    assert_eq!(json!(column(&messages, "TransactionId")), json!([null, null, 2]));
    let messages = dns().take(Tx, &one[..1]).end();
    assert_eq!(messages[0]["_Exception"], "only the first 0 of 12 bytes are there");
}

#[test]
fn malformed_dns_is_an_exception_alone() {
    let datagram = |bytes: &[u8]| Test::with(setup(App::Dns, Transport::Datagram)).take(Tx, bytes).end();
    let name = |name: &[u8]| [b"\0\x01\x01\0\0\x01\0\0\0\0\0\0", name, b"\0\x01\0\x01"].concat();
    for (bytes, reason) in [
        (b"\0\x01\x01".to_vec(), "message ends in the middle of its header"),
        (name(b"\xc0\x0c"), "compression pointer does not point backwards"),
        (name(b"\x80"), "label of unknown kind"),
        (name(b"\x3fabc"), "message ends in the middle of its name"),
    ] {
        assert_eq!(datagram(&bytes), [json!({ "_Exception": reason })]);
    }
    // The response from the issue of cut datagrams: what is there is shown.
    let cut = Test::with(setup(App::Dns, Transport::Datagram)).cut(Tx, &query(7, "a.test")[2..14], 300).end();
    assert_eq!((&cut[0]["TransactionId"], &cut[0]["ResourceRecords"]), (&json!(7), &json!([])));
    assert_eq!(cut[0]["_Exception"], "only the first 12 of 312 bytes are there");
}

#[test]
fn several_questions_and_multicast_flags() {
    let header = b"\0\0\0\0\0\x02\0\0\0\0\0\0";
    let bytes = [&header[..], b"\x01a\x05local\0\0\x01\x80\x01", b"\x01b\xc0\x0e\xff\xf0\0\x01"].concat();
    let messages = Test::with(setup(App::Dns, Transport::Datagram)).take(Tx, &bytes).end();
    assert_eq!(messages[0]["ResourceRecords"], json!([["A", "a.local"], ["TYPE65520", "b.local"]]));
    let header = b"\0\0\x84\0\0\0\0\x03\0\0\0\0";
    let record = |kind: u8, class: &[u8], data: &[u8]| {
        [b"\x01a\0\0", &[kind][..], class, b"\0\0\0\x78\0", &[data.len() as u8], data].concat()
    };
    let records = [
        record(1, b"\x80\x01", &[192, 0, 2, 1]),
        // Data that is not what its type says.
        record(1, b"\0\x01", &[192, 0, 2]),
        record(16, b"\0\x07", b"\x02\"\\"),
    ];
    let bytes = [&header[..], &records.concat()].concat();
    let messages = Test::with(setup(App::Dns, Transport::Datagram)).take(Rx, &bytes).end();
    let expected = json!([
        ["A", "a", 120, "IN", "192.0.2.1"],
        ["A", "a", 120, "IN", "\\# 3 C00002"],
        ["TXT", "a", 120, "CLASS7", "\"\\\"\\\\\""],
    ]);
    assert_eq!(messages[0]["ResourceRecords"], expected);
}

/// Names that are long as text, again and again: a small message, much text.
#[test]
fn compression_does_not_blow_messages_up() {
    let labels: Vec<u8> = (0..3).flat_map(|_| [&[63][..], &[0xff; 63]].concat()).chain([0]).collect();
    let count = 2000_u16;
    let mut bytes =
        [&b"\0\0\x80\0\0\x01"[..], &count.to_be_bytes(), b"\0\0\0\0", &labels, b"\0\x05\0\x01"].concat();
    for _ in 0..count {
        bytes.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\0\0\x02\xc0\x0c");
    }
    let messages = Test::with(setup(App::Dns, Transport::Datagram)).take(Rx, &bytes).end();
    let rows = messages[0]["ResourceRecords"].as_array().expect("rows").len();
    assert!((10..30).contains(&rows), "{rows}");
    assert_eq!(messages[0]["AnswerCount"], 2000);
    assert_eq!(messages[0]["_Exception"], "further records are left out");
}

fn syslog() -> Test {
    Test::new(App::Syslog)
}

#[test]
fn syslog_frames_of_both_kinds() {
    let text = "<13>one\n8 <13>two\n<13>three\r\n10 <14>f\nou\0r\n<13>five";
    let messages = syslog().take(Tx, text).end();
    assert_eq!(json!(column(&messages, "Message")), json!(["one", "two", "three", "f\nou\0r", "five"]));
}

#[test]
fn syslog_goes_on_behind_missing_bytes() {
    let messages = syslog().cut(Tx, b"<13>begin", 100).take(Tx, "<13>next\n").end();
    assert_eq!(json!(column(&messages, "Message")), json!(["begin…", "next"]));
    let messages = syslog().cut(Tx, b"105 <13>begin", 96).take(Tx, "8 <13>next").end();
    assert_eq!(json!(column(&messages, "Message")), json!(["begin…", "next"]));
    let messages = syslog().take(Tx, "<13>a\n").lost(Tx, 50).take(Tx, "tail\n<13>b\n").end();
    assert_eq!(json!(column(&messages, "Message")), json!(["a", null, "b"]));
    assert_eq!(messages[1], json!({ "_Exception": "50 bytes of the stream are missing" }));
    let datagram = Test::with(setup(App::Syslog, Transport::Datagram)).cut(Tx, "<13>é".as_bytes(), 9).end();
    assert_eq!(datagram[0]["Message"], "é…");
}

#[test]
fn syslog_that_does_not_parse_is_shown_raw() {
    let messages = syslog().take(Tx, "no priority \"x\"\n<999>a\n<13>1 - a b c d x\n<13>good\n").end();
    let expected =
        json!(["no priority in front", "priority 999 is above 191", "structured data is malformed", null]);
    assert_eq!(json!(column(&messages, "_Exception")), expected);
    assert_eq!(messages[0]["_Message"], "no priority \"x\"");
    assert_eq!(messages[3]["Message"], "good");
}

#[test]
fn syslog_lines_without_end_are_cut() {
    let text = [b"<13>".to_vec(), vec![1; 100_000], b"\n<13>next\n".to_vec()].concat();
    let mut test = syslog();
    for part in text.chunks(4096) {
        test = test.take(Tx, part);
    }
    let messages = test.end();
    assert!(messages[0]["Message"].as_str().expect("text").ends_with('…'));
    assert_eq!(messages[1]["Message"], "next");
}
