//! The generated skeletons, and the two places of the kernel side's `.bss` that are read and written while it runs.
#![allow(unsafe_code)]

/// Hooks, maps and knobs.
#[allow(missing_docs, clippy::all, clippy::undocumented_unsafe_blocks, dead_code, unreachable_pub)]
pub(crate) mod kflowd {
    include!(concat!(env!("OUT_DIR"), "/kflowd.skel.rs"));
}

/// Two empty programs.
#[allow(missing_docs, clippy::all, clippy::undocumented_unsafe_blocks, dead_code, unreachable_pub)]
pub(crate) mod preflight {
    include!(concat!(env!("OUT_DIR"), "/preflight.skel.rs"));
}

use kflowd::types::bss;
use kflowd_proto::layout::Counters;
use zerocopy::{FromBytes, IntoBytes};

/// The kernel side's variables, mapped; both sides write, so every access is volatile.
pub(crate) struct Variables(&'static mut bss);

impl Variables {
    pub(crate) fn new(mapped: &'static mut bss) -> Self {
        Self(mapped)
    }

    /// Sessions are opened while this is on.
    pub(crate) fn set_running(&mut self, on: bool) {
        // SAFETY: a valid, aligned, mapped u32; the kernel writes it never.
        unsafe { (&raw mut self.0.running).write_volatile(on.into()) }
    }

    /// The last sweep: every session is due.
    pub(crate) fn set_stopping(&mut self) {
        // SAFETY: as in `set_running`.
        unsafe { (&raw mut self.0.stopping).write_volatile(1) }
    }

    /// The next record must wake the probe.
    pub(crate) fn set_sleeps(&mut self, on: bool) {
        // SAFETY: a valid, aligned, mapped u32; the kernel side may set it to zero, which is a plain store too.
        unsafe { (&raw mut self.0.probe_sleeps).write_volatile(on.into()) }
    }

    /// Sessions that were due and did not fit at the last sweep; starts the next count.
    pub(crate) fn take_left(&mut self) -> u32 {
        let left = &raw mut self.0.sweep_left;
        // SAFETY: a valid, aligned, mapped u32, written only while this thread itself reads an iterator.
        unsafe {
            let value = left.read_volatile();
            left.write_volatile(0);
            value
        }
    }

    /// Sum of the counters over all processors.
    pub(crate) fn counters(&self) -> Counters {
        const WORDS: usize = size_of::<Counters>() / 8;
        let mut sum = [0u64; WORDS];
        for cpu in &self.0.counters {
            let words = (&raw const *cpu).cast::<u64>();
            for (i, total) in sum.iter_mut().enumerate() {
                // SAFETY: kf_counters is an array of aligned u64 of the size of Counters (tests/layout.rs).
                *total = total.wrapping_add(unsafe { words.add(i).read_volatile() });
            }
        }
        Counters::read_from_bytes(sum.as_bytes()).expect("the sum has the size of Counters")
    }
}
