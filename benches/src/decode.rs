//! The messages that the decoders are measured with, and one round of each: bytes to text.

use kflowd_enricher::app::{App, Direction, Flow, Limits, Piece, Setup, Transport};
use kflowd_enricher::decode::http::Connection;
use kflowd_enricher::decode::stream::Segment;
use kflowd_enricher::decode::syslog::{Origin, parse};
use kflowd_enricher::render::Out;
use kflowd_enricher::render::app::{Form, block, dns, http, syslog};
use serde_json::{Value, json};

/// A question for an address.
pub const DNS_QUERY: &[u8] = b"\xde\x20\x01\0\0\x01\0\0\0\0\0\0\x05kflow\x02co\0\0\x01\0\x01";

/// Two addresses.
pub const DNS_RESPONSE: &[u8] = b"\xde\x20\x81\x80\0\x01\0\x02\0\0\0\0\x05kflow\x02co\0\0\x01\0\x01\
    \xc0\x0c\0\x01\0\x01\0\0\x02\x58\0\x04\x0f\xc5\x8e\xad\xc0\x0c\0\x01\0\x01\0\0\x02\x58\0\x04\x03\x21\x98\x93";

/// What curl sends.
pub const HTTP_REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: kflow.co\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";

/// A redirect.
pub const HTTP_RESPONSE: &[u8] = b"HTTP/1.1 301 Moved Permanently\r\nDate: Mon, 16 Sep 2024 14:30:01 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\nContent-Length: 18\r\nConnection: keep-alive\r\n\
    Location: https://kflow.co/\r\n\r\nMoved Permanently.";

/// A line of cron.
pub const SYSLOG: &[u8] = b"<85>Sep 16 14:30:01 CRON[2122368]: \
    pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// [`DNS_QUERY`]
    DnsQuery,
    /// [`DNS_RESPONSE`]
    DnsResponse,
    /// [`HTTP_REQUEST`]
    HttpRequest,
    /// [`HTTP_RESPONSE`]
    HttpResponse,
    /// [`SYSLOG`]
    Syslog,
}

/// The cases and their names.
pub const CASES: [(Case, &str); 5] = [
    (Case::DnsQuery, "dns_query"),
    (Case::DnsResponse, "dns_response"),
    (Case::HttpRequest, "http_request"),
    (Case::HttpResponse, "http_response"),
    (Case::Syslog, "syslog"),
];

/// Memory that the decoders use again.
#[derive(Debug)]
pub struct Subject {
    out: Out,
    connection: Connection,
    form: Form,
}

impl Default for Subject {
    fn default() -> Self {
        Self { out: Out::default(), connection: Connection::new(1024), form: Form::default() }
    }
}

impl Subject {
    /// One message to text. Never inlined, so that callgrind can count it.
    ///
    /// # Panics
    /// When the message is refused.
    #[inline(never)]
    pub fn decode(&mut self, case: Case, bytes: &[u8]) -> &[u8] {
        let Self { out, connection, form } = self;
        out.clear();
        match case {
            Case::DnsQuery | Case::DnsResponse => dns(bytes, bytes.len() as u64, 1177, form, out),
            Case::HttpRequest | Case::HttpResponse => {
                let side = usize::from(case == Case::HttpResponse);
                connection
                    .bytes(side, bytes, 876_589, &mut |_, message| http(message, message.time, form, out));
            }
            Case::Syslog => syslog(&parse(bytes, Origin::Local).unwrap(), false, form, out),
        }
        self.out.text()
    }
}

/// The message of a case.
pub fn message(case: Case) -> &'static [u8] {
    match case {
        Case::DnsQuery => DNS_QUERY,
        Case::DnsResponse => DNS_RESPONSE,
        Case::HttpRequest => HTTP_REQUEST,
        Case::HttpResponse => HTTP_RESPONSE,
        Case::Syslog => SYSLOG,
    }
}

/// What has to come out.
pub fn expected(case: Case) -> Value {
    match case {
        Case::DnsQuery => json!({
            "_Timestamp": 0.000001177, "TransactionId": 56864, "OpCode": "QUERY", "Flags": ["RD"],
            "ResourceRecords": [["A", "kflow.co"]],
        }),
        Case::DnsResponse => json!({
            "_Timestamp": 0.000001177, "TransactionId": 56864, "ResponseCode": "NOERROR",
            "Flags": ["QR", "RD", "RA"], "AnswerCount": 2,
            "ResourceRecords": [
                ["A", "kflow.co", 600, "IN", "15.197.142.173"], ["A", "kflow.co", 600, "IN", "3.33.152.147"],
            ],
        }),
        Case::HttpRequest => json!({
            "_Timestamp": 0.000876589, "_Method": "GET", "_Url": "/", "_Version": "HTTP/1.1",
            "Host": "kflow.co", "User-Agent": "curl/7.88.1", "Accept": "*/*",
        }),
        Case::HttpResponse => json!({
            "_Timestamp": 0.000876589, "_Version": "HTTP/1.1", "_Status": 301, "_Reason": "Moved Permanently",
            "Date": "Mon, 16 Sep 2024 14:30:01 GMT", "Content-Type": "text/html; charset=utf-8",
            "Content-Length": "18", "Connection": "keep-alive", "Location": "https://kflow.co/",
            "_Body": "Moved Permanently.",
        }),
        Case::Syslog => json!({
            "Facility": "Security/Authorization", "Severity": "Notice (5)", "Priority": 85, "Version": 0,
            "Timestamp": "Sep 16 14:30:01", "Appname": "CRON", "ProcId": "2122368",
            "Message": "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
        }),
    }
}

/// Proves that every case gives what it must, key order included.
///
/// # Panics
/// When one does not.
pub fn prove() {
    let mut subject = Subject::default();
    for (case, name) in CASES {
        for _ in 0..3 {
            let text = std::str::from_utf8(subject.decode(case, message(case))).unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value.to_string(), expected(case).to_string(), "{name}");
        }
    }
}

/// A flow of HTTP requests and responses, as the enricher runs it: streams, decoders, waiting, block.
#[derive(Debug)]
pub struct Exchange {
    flow: Flow,
    offsets: [u64; 2],
    out: Out,
}

impl Default for Exchange {
    fn default() -> Self {
        let setup = Setup {
            app: App::Http,
            transport: Transport::Stream,
            local: false,
            joined: false,
            start: 0,
            form: Form::default(),
            limits: Limits::default(),
            body_max: 1024,
        };
        Self { flow: Flow::new(setup), offsets: [0; 2], out: Out::default() }
    }
}

impl Exchange {
    /// One request, one response, and the block with both.
    #[inline(never)]
    pub fn round(&mut self) -> &[u8] {
        for (direction, bytes) in [(Direction::Tx, HTTP_REQUEST), (Direction::Rx, HTTP_RESPONSE)] {
            let offset = &mut self.offsets[direction as usize];
            let length = bytes.len() as u64;
            let segment = Segment { offset: *offset, length, bytes, time: 1000 };
            *offset += length;
            self.flow.take(&Piece { direction, segment });
        }
        self.out.clear();
        let next = self.flow.block();
        let count = next.len();
        block(&next, Form::default().style, &mut self.out);
        self.flow.taken(count);
        self.out.text()
    }
}
