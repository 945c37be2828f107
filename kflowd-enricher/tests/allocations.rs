//! Decoders take no memory from the heap for a message, nor for a flow that begins in the place of another.

mod capture;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use capture::{Capture, all};
use kflowd_enricher::app::{Flow, Piece};
use kflowd_enricher::decode::stream::Segment;
use kflowd_enricher::render::Out;
use kflowd_enricher::render::app::{Form, Style, block};

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
