//! Nothing takes memory from the heap in steady state: no record, no message of an application, no flow that begins in
//! the place of another.

mod capture;
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use capture::{Capture, all};
use kflowd_enricher::app::{Flow, Piece};
use kflowd_enricher::decode::stream::Segment;
use kflowd_enricher::enrich::Sources;
use kflowd_enricher::enrich::host::HostFacts;
use kflowd_enricher::pipeline::Pipeline;
use kflowd_enricher::render::app::{Form, Style, block};
use kflowd_enricher::render::{Batch, Out};
use kflowd_proto::hello::Settings;
use kflowd_proto::layout::{Cause, Direction, Flow as FlowBody};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting by thread.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain cell of the calling thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of this function, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Plays a conversation once; the bytes of text.
fn play(capture: &Capture, flow: &mut Flow, out: &mut Out) -> usize {
    let mut offsets = [0; 2];
    let mut bytes = 0;
    for sent in &capture.sent {
        let offset = &mut offsets[sent.direction as usize];
        let length = sent.bytes.len() as u64;
        let segment = Segment { offset: *offset, length, bytes: &sent.bytes, time: sent.time };
        *offset += length;
        flow.take(&Piece { direction: sent.direction, segment });
    }
    flow.end();
    while !flow.block().is_empty() {
        out.clear();
        let next = flow.block();
        let count = next.len();
        block(&next, Style::Compact, out);
        flow.taken(count);
        bytes += out.text().len();
    }
    bytes
}

#[test]
fn no_allocation_in_steady_state() {
    let (captures, mut measured) = (all(), 0);
    for capture in &captures {
        let setup = capture.setup(Form::default());
        let (mut flow, mut out) = (Flow::new(setup), Out::default());
        let text = play(capture, &mut flow, &mut out);
        // Messages of more text than an empty flow may keep are the exception.
        if text > 16 << 10 {
            continue;
        }
        for _ in 0..3 {
            flow.reset(setup);
            play(capture, &mut flow, &mut out);
        }
        let before = ALLOCATIONS.with(Cell::get);
        for _ in 0..20 {
            flow.reset(setup);
            assert_eq!(play(capture, &mut flow, &mut out), text, "{}", capture.name);
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{}", capture.name);
        measured += 1;
    }
    // The zone transfer is longer.
    assert_eq!(measured, captures.len() - 1);
}

/// Frames of a second of work: files, connections with and without messages, datagrams, log lines.
fn second(number: u64) -> Vec<Vec<u8>> {
    let mut frames = vec![common::plain()];
    for i in 0..20 {
        let cookie = number * 20 + i;
        let client = FlowBody { cookie, ..common::flow_body() };
        let request = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n";
        // More than one record takes, a record between, and some after the end.
        for piece in 0..40 {
            frames.push(common::payload(&client, Direction::Tx, piece * request.len() as u64, request, 0));
            if piece == 35 {
                frames.push(common::flow(&FlowBody { cause: Cause::Active as u32, ..client }));
            }
        }
        frames.push(common::flow(&client));
        frames.push(common::payload(&client, Direction::Rx, 0, b"HTTP/1.1 204 No Content\r\n\r\n", 0));
        let log = FlowBody { cookie, ..common::unix_body() };
        frames.push(common::payload(&log, Direction::Tx, 0, b"<13>Sep 16 14:30:01 app: text", 0));
        frames.push(common::flow(&log));
        frames.push(common::flow(&FlowBody { cookie, remote_port: 443, ..common::server_body() }));
    }
    frames
}

#[test]
fn no_allocation_per_record_or_payload() {
    let seconds: Vec<_> = (0..40).map(second).collect();
    let sources = Sources::system(0, 0, false);
    let mut pipeline = Pipeline::new(&Settings::default(), sources, &HostFacts::default(), 1);
    let (mut batch, mut messages, mut before) = (Batch::default(), 0, 0);
    for (second, frames) in seconds.iter().enumerate() {
        if second == 20 {
            before = ALLOCATIONS.with(Cell::get);
        }
        batch.clear();
        // Without the lookups, which look at files once a second.
        pipeline.expire(second as u64 * common::SECOND, &mut batch);
        frames.iter().for_each(|frame| pipeline.take(frame, &mut batch));
        messages += batch.len();
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    // Per connection: one record between, two at the end, one for what came late; log, other connection; the file.
    assert_eq!(messages, 40 * (20 * (2 + 1 + 1 + 1) + 1) + 38 * 20);
}
