//! Recorded conversations of real programs, from `tests/captures`.
//!
//! A file says in its first line which programs it is from. `flow APP stream|datagram [local]` follows, then one
//! line per piece: direction, nanoseconds, bytes in hex; and for DNS what `dig` printed.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use std::path::{Path, PathBuf};

use kflowd_enricher::app::{App, Direction, Flow, Limits, Piece, Setup, Transport};
use kflowd_enricher::decode::stream::Segment;
use kflowd_enricher::render::Out;
use kflowd_enricher::render::app::{Form, Style, block};

/// Bytes that went one way at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub direction: Direction,
    pub time: u64,
    pub bytes: Vec<u8>,
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Capture {
    pub name: String,
    pub app: App,
    pub transport: Transport,
    pub local: bool,
    pub sent: Vec<Sent>,
    /// Lines that dig printed.
    pub dig: Vec<String>,
}

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2) && text.is_ascii(), "{text}");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
}

fn read(path: &Path) -> Capture {
    let text = std::fs::read_to_string(path).expect("capture is readable");
    let mut capture = Capture {
        name: path.file_stem().expect("name").to_string_lossy().into_owned(),
        app: App::Dns,
        transport: Transport::Stream,
        local: false,
        sent: Vec::new(),
        dig: Vec::new(),
    };
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["#", ..] => {}
            ["flow", app, transport, ref rest @ ..] => {
                capture.app = match app {
                    "dns" => App::Dns,
                    "http" => App::Http,
                    _ => App::Syslog,
                };
                capture.transport =
                    if transport == "stream" { Transport::Stream } else { Transport::Datagram };
                capture.local = rest == ["local"];
            }
            ["dig", ..] => capture.dig.push(line["dig ".len()..].to_owned()),
            [way, time, bytes] => capture.sent.push(Sent {
                direction: if way == "tx" { Direction::Tx } else { Direction::Rx },
                time: time.parse().expect("time"),
                bytes: unhex(bytes),
            }),
            _ => panic!("{}: {line}", capture.name),
        }
    }
    capture
}

/// All captures, by name.
pub fn all() -> Vec<Capture> {
    let mut paths: Vec<_> = std::fs::read_dir(directory())
        .expect("captures")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "capture"))
        .collect();
    paths.sort();
    assert!(paths.len() > 50, "captures are missing");
    paths.iter().map(|path| read(path)).collect()
}

impl Capture {
    pub fn setup(&self, form: Form) -> Setup {
        Setup {
            app: self.app,
            transport: self.transport,
            local: self.local,
            joined: false,
            start: 500,
            form,
            limits: Limits::default(),
            body_max: 1024,
        }
    }

    /// All blocks that come of `sent`, each as a JSON object.
    pub fn records(&self, sent: &[Sent], form: Form) -> Vec<String> {
        let mut flow = Flow::new(self.setup(form));
        let (mut offsets, mut records) = ([0; 2], Vec::new());
        for piece in sent {
            let offset = &mut offsets[piece.direction as usize];
            let length = piece.bytes.len() as u64;
            let segment = Segment { offset: *offset, length, bytes: &piece.bytes, time: piece.time };
            *offset += length;
            flow.take(&Piece { direction: piece.direction, segment });
            while flow.full() {
                records.push(record(&mut flow, form.style));
            }
        }
        flow.end();
        while !flow.block().is_empty() {
            records.push(record(&mut flow, form.style));
        }
        records
    }
}

/// The next block as a JSON object.
pub fn record(flow: &mut Flow, style: Style) -> String {
    let mut out = Out::default();
    let next = flow.block();
    let count = next.len();
    block(&next, style, &mut out);
    flow.taken(count);
    let text = std::str::from_utf8(out.text()).expect("UTF-8");
    match style {
        Style::Pretty => format!("{{{}\n}}\n", text.strip_prefix(',').expect("separator")),
        Style::Compact => format!("{{{}}}", text.strip_prefix(", ").expect("separator")),
    }
}
