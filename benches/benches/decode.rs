//! Group `decode`: one message, bytes to JSON text. Cases:
//! - `dns_query`, `dns_response`, `http_request`, `http_response`, `syslog`: ours;
//! - `exchange`: request and response through a whole flow, with the block of the record;
//! - `*/simple-dns`, `*/httparse`, `*/syslog_loose`: rivals, which only parse and write no text.
//!
//! Before anything is measured, every case proves that its text is right, and every rival that it reads the message.

use std::hint::black_box;

use benches::decode::{
    CASES, DNS_QUERY, DNS_RESPONSE, Exchange, HTTP_REQUEST, HTTP_RESPONSE, SYSLOG, Subject, message, prove,
};
use criterion::{Criterion, criterion_group, criterion_main};
use simple_dns::Packet;
use syslog_loose::{Variant, parse_message};

const HEADERS: usize = 16;

fn request(bytes: &[u8]) -> usize {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    assert!(request.parse(bytes).unwrap().is_complete());
    request.headers.len()
}

fn response(bytes: &[u8]) -> usize {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    assert!(response.parse(bytes).unwrap().is_complete());
    response.headers.len()
}

fn prove_rivals() {
    assert_eq!(Packet::parse(DNS_QUERY).unwrap().questions.len(), 1);
    assert_eq!(Packet::parse(DNS_RESPONSE).unwrap().answers.len(), 2);
    assert_eq!((request(HTTP_REQUEST), response(HTTP_RESPONSE)), (3, 5));
    let line = std::str::from_utf8(SYSLOG).unwrap();
    assert_eq!(parse_message(line, Variant::RFC3164).appname, Some("CRON"));
}

fn decode(criterion: &mut Criterion) {
    prove();
    prove_rivals();
    let mut group = criterion.benchmark_group("decode");
    for (case, name) in CASES {
        let (mut subject, bytes) = (Subject::default(), message(case));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                black_box(subject.decode(case, black_box(bytes)));
            });
        });
    }
    let mut exchange = Exchange::default();
    group.bench_function("exchange", |bencher| {
        bencher.iter(|| {
            black_box(exchange.round());
        });
    });
    for (name, bytes) in [("dns_query", DNS_QUERY), ("dns_response", DNS_RESPONSE)] {
        group.bench_function(format!("{name}/simple-dns"), |bencher| {
            bencher.iter(|| Packet::parse(black_box(bytes)).unwrap());
        });
    }
    group.bench_function("http_request/httparse", |bencher| {
        bencher.iter(|| request(black_box(HTTP_REQUEST)));
    });
    group.bench_function("http_response/httparse", |bencher| {
        bencher.iter(|| response(black_box(HTTP_RESPONSE)));
    });
    let line = std::str::from_utf8(SYSLOG).unwrap();
    group.bench_function("syslog/syslog_loose", |bencher| {
        bencher.iter(|| parse_message(black_box(line), Variant::RFC3164));
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
