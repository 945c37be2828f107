//! Hostile bytes for the decoders: recorded conversations, damaged at random, cut and shuffled at random, with holes.
//! And for the whole pipeline: records and payload, damaged likewise, of which each is in a message or counted.
//!
//! One target per decoder, and one for records. Each input has to end in valid JSON of bounded size, without a panic, and a stream in
//! messages that do not depend on where it is cut. `KFLOWD_FUZZ_ROUNDS` sets the rounds of each target (default 3,000; records 100),
//! `KFLOWD_FUZZ_SEED` where the random numbers begin; a failure prints the seed of its round.

mod capture;
mod common;

use capture::{Capture, Sent, all, record};
use kflowd_enricher::app::{App, Direction, Flow, Piece, Transport};
use kflowd_enricher::decode::stream::Segment;
use kflowd_enricher::enrich::Sources;
use kflowd_enricher::enrich::host::HostFacts;
use kflowd_enricher::enrich::interface::Links;
use kflowd_enricher::pipeline::Pipeline;
use kflowd_enricher::render::Batch;
use kflowd_enricher::render::app::{Form, Style};
use kflowd_proto::hello::{Output, Settings};
use kflowd_proto::layout::Flow as FlowBody;
use serde_json::Value;

/// Random numbers that a seed determines (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Bytes that mean something to a decoder.
const WORDS: [&[u8]; 34] = [
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\0",
    b": ",
    b" ",
    b"\t",
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HEAD /x HTTP/1.0\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 18446744073709551615\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Set-Cookie: a=b\r\n",
    b"Content-Encoding: gzip\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"<13>",
    b"<191>1 - - - - - ",
    b"[a b=\"c\\]\"]",
    b"Nov 24 03:51:29 ",
    b"99 <13>",
    b"MESSAGE=",
    b"MESSAGE\n\x05\0\0\0\0\0\0\0",
    b"app[1]: ",
    b"\xc0\x0c",
    b"\xff\xff",
    b"\0\x29\x10\0",
    b"\0\x01\0\x01",
    b"\xef\xbb\xbf",
    b"\x80",
];

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len());
        match random.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => {
                let word = WORDS[random.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            4 => {
                let end = at + random.below(bytes.len() - at);
                bytes.drain(at..end);
            }
            5 => {
                let copy = bytes[at..at + random.below((bytes.len() - at).min(300))].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                let word = WORDS[random.below(WORDS.len())];
                let end = (at + word.len()).min(bytes.len());
                bytes.splice(at..end, word.iter().copied());
            }
        }
    }
}

/// Checks what comes of a conversation, and gives it back.
fn check(records: Vec<String>) -> Vec<String> {
    for record in &records {
        assert!(record.len() < 60 << 10, "record of {} bytes", record.len());
        let value: Value = serde_json::from_str(record).expect("JSON");
        let messages = value.as_object().expect("object").iter().filter(|(key, _)| *key != "App");
        let counts = messages.map(|(_, list)| list.as_array().expect("array").len());
        let count: usize = counts.sum();
        assert!((1..=32).contains(&count), "{count} messages");
    }
    records
}

fn form(random: &mut Random) -> Form {
    let style = if random.below(2) == 0 { Style::Compact } else { Style::Pretty };
    Form { style, extra: random.below(2) == 0, secrets: random.below(2) == 0 }
}

/// Each piece in up to a few parts, with the time of the piece.
fn cut(sent: &[Sent], random: &mut Random) -> Vec<Sent> {
    let mut parts = Vec::new();
    for piece in sent {
        let mut rest = &piece.bytes[..];
        let small = random.below(4) == 0;
        let most = 1 + random.below(if small { 3 } else { rest.len() });
        while !rest.is_empty() {
            let (part, after) = rest.split_at((1 + random.below(most)).min(rest.len()));
            parts.push(Sent { bytes: part.to_vec(), ..piece.clone() });
            rest = after;
        }
    }
    parts
}

/// The stream in pieces of which some come late, twice, in part, or not at all.
fn with_holes(capture: &Capture, sent: &[Sent], form: Form, random: &mut Random) -> Vec<String> {
    let mut offsets = [0; 2];
    let mut pieces: Vec<_> = sent
        .iter()
        .map(|piece| {
            let offset = &mut offsets[piece.direction as usize];
            let place = *offset;
            *offset += piece.bytes.len() as u64;
            (place, piece)
        })
        .collect();
    for _ in 0..random.below(4) {
        let (a, b) = (random.below(pieces.len()), random.below(pieces.len()));
        match random.below(3) {
            0 if !pieces.is_empty() => pieces.swap(a, b),
            1 if !pieces.is_empty() => pieces.push(pieces[a]),
            2 if !pieces.is_empty() => drop(pieces.remove(a)),
            _ => {}
        }
    }
    let mut setup = capture.setup(form);
    setup.joined = random.below(4) == 0;
    let mut flow = Flow::new(setup);
    for (offset, piece) in pieces {
        let there =
            if random.below(4) == 0 { random.below(piece.bytes.len() + 1) } else { piece.bytes.len() };
        let segment = Segment {
            offset: if random.below(50) == 0 { random.next() } else { offset },
            length: piece.bytes.len() as u64,
            bytes: &piece.bytes[..there],
            time: piece.time,
        };
        flow.take(&Piece { direction: piece.direction, segment });
    }
    flow.end();
    assert!(flow.held() < 1 << 20, "{} bytes held", flow.held());
    let mut records = Vec::new();
    while !flow.block().is_empty() {
        records.push(record(&mut flow, form.style));
    }
    records
}

fn round(captures: &[Capture], seed: u64) {
    let mut random = Random(seed);
    let mut capture = captures[random.below(captures.len())].clone();
    if random.below(8) == 0 {
        capture.transport = if random.below(2) == 0 { Transport::Stream } else { Transport::Datagram };
        capture.local = random.below(2) == 0;
    }
    for _ in 0..random.below(3) {
        let other = &captures[random.below(captures.len())];
        let piece = other.sent[random.below(other.sent.len())].clone();
        let at = random.below(capture.sent.len() + 1);
        capture.sent.insert(at, piece);
    }
    for piece in &mut capture.sent {
        damage(&mut piece.bytes, &mut random);
        if random.below(20) == 0 {
            piece.direction = Direction::Rx;
        }
    }
    let form = form(&mut random);
    let sent = capture.sent.clone();
    let whole = check(capture.records(&sent, form));
    let parts = cut(&sent, &mut random);
    if capture.transport == Transport::Stream || capture.app == App::Http {
        assert_eq!(capture.records(&parts, form), whole);
    }
    check(with_holes(&capture, &parts, form, &mut random));
}

/// A frame of any kind; the flows are few, so that records and payload meet.
fn frame(captures: &[Capture], random: &mut Random) -> Vec<u8> {
    let bodies = [common::flow_body(), common::server_body(), common::udp_body(), common::unix_body()];
    let body = bodies[random.below(bodies.len())];
    let body = FlowBody { cookie: random.next() % 8, cause: random.below(10) as u32, ..body };
    let mut bytes = match random.below(8) {
        0 => common::plain(),
        1 | 2 => common::flow(&body),
        _ => {
            let capture = &captures[random.below(captures.len())];
            let sent = &capture.sent[random.below(capture.sent.len())];
            let bytes = &sent.bytes[..sent.bytes.len().min(8000)];
            common::payload(&body, sent.direction, random.next() % 5000, bytes, (random.next() % 300) as u32)
        }
    };
    if random.below(3) == 0 {
        let kind = bytes[4..8].to_vec();
        damage(&mut bytes, random);
        // Lengths that fit lead on to what stands behind them.
        if bytes.len() >= 8 && random.below(8) > 0 {
            let len = bytes.len() as u32;
            bytes[..4].copy_from_slice(&len.to_ne_bytes());
            bytes[4..8].copy_from_slice(&kind);
        }
    }
    bytes
}

/// `In` of each stage is what the stage let out, keeps or lost.
fn sums_close(pipeline: &Pipeline) {
    for stage in pipeline.stages(&[]).iter().filter(|s| s.name == "Enricher" || s.name == "Messages") {
        let of = |prefix| {
            stage.counters.iter().filter(|(n, _)| n.starts_with(prefix)).map(|(_, n)| n).sum::<u64>()
        };
        assert_eq!(of("In"), of("Out") + of("Kept") + of("Lost"), "{:?}", stage.counters);
    }
}

fn records_round(captures: &[Capture], seed: u64) {
    let mut random = Random(seed);
    let form = form(&mut random);
    let output = if form.style == Style::Pretty { Output::Json } else { Output::JsonMin };
    let settings = Settings { output, extra: form.extra, secrets: form.secrets, ..Settings::default() };
    let none = std::path::PathBuf::from("/dev/null");
    let sources = Sources {
        passwd: none.clone(),
        group: none.clone(),
        mounts: none,
        links: Links::Table(0, Vec::new()),
        ..Sources::system(0, 0, form.extra)
    };
    let mut pipeline = Pipeline::new(&settings, sources, &HostFacts::default(), 1 + random.next() % 2);
    let (mut batch, mut now) = (Batch::default(), 0);
    for _ in 0..random.below(200) {
        pipeline.take(&frame(captures, &mut random), &mut batch);
        if random.below(30) == 0 {
            now += random.next() % (3 * common::SECOND);
            pipeline.tick(now, &mut batch);
            sums_close(&pipeline);
        }
    }
    while pipeline.finish(&mut batch, 1) {}
    sums_close(&pipeline);
    for i in 0..batch.len() {
        let message = batch.message(i);
        assert!(message.len() < 60 << 10, "message of {} bytes", message.len());
        serde_json::from_slice::<Value>(message).expect("JSON");
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Runs a target; of a failure the seed is printed.
fn rounds(name: &str, default: u64, round: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let (rounds, first) = (number("KFLOWD_FUZZ_ROUNDS", default), number("KFLOWD_FUZZ_SEED", 1));
    for seed in first..first + rounds {
        if let Err(panic) = std::panic::catch_unwind(|| round(seed)) {
            eprintln!("KFLOWD_FUZZ_SEED={seed} KFLOWD_FUZZ_ROUNDS=1");
            std::panic::resume_unwind(panic);
        }
    }
    eprintln!("{name}: {rounds} rounds from seed {first}");
}

fn fuzz(app: App) {
    let captures: Vec<_> = all().into_iter().filter(|capture| capture.app == app).collect();
    rounds(app.name(), 3000, |seed| round(&captures, seed));
}

#[test]
fn records() {
    let captures = all();
    rounds("records", 100, |seed| records_round(&captures, seed));
}

#[test]
fn dns() {
    fuzz(App::Dns);
}

#[test]
fn http() {
    fuzz(App::Http);
}

#[test]
fn syslog() {
    fuzz(App::Syslog);
}
