//! From the BPF ring buffer to the queue: each record is copied once, as bytes, and the ring's read position is
//! stored once per batch. Nothing is parsed but the length and the two words of the head that rank a record.
//!
//! When the queue is full the drain stops reading: the ring fills up, then the kernel counts what it drops. Above
//! three quarters of the queue records of files that were only read are refused first, and counted.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use kflowd_proto::layout::{Flags, Head, Kind, Ledger, RECORD_MAX};
use kflowd_proto::queue::{Producer, PushError};
use kflowd_proto::sys;
use libbpf_rs::Link;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use zerocopy::{FromBytes, IntoBytes};

use crate::attach::Attachments;
use crate::missed;
use crate::skel::Variables;
use crate::sweep::Sweep;

/// Records per batch: the queue is published and the ring's position stored after each.
const BATCH: usize = 512;
/// While records come the drain looks again after this time instead of being woken for each, nanoseconds.
const NAP_NS: u64 = 10_000_000;
/// Between two sweeps, nanoseconds.
const SWEEP_NS: u64 = 1_000_000_000;
/// How long a stop waits for an enricher that does not read, nanoseconds.
const STOP_NS: u64 = 30_000_000_000;
/// Header of a ring record (include/uapi/linux/bpf.h: BPF_RINGBUF_HDR_SZ, BPF_RINGBUF_BUSY_BIT, ..._DISCARD_BIT).
const RING_HEADER: u64 = 8;
const RING_BUSY: u32 = 1 << 31;
const RING_DISCARD: u32 = 1 << 30;

/// Why draining ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrainError {
    /// The ring buffer could not be mapped.
    #[error("mmap of the ring buffer: {0}")]
    Map(#[source] io::Error),
    /// Waiting failed.
    #[error("poll: {0}")]
    Poll(#[source] io::Error),
    /// The kernel did not run the sweep.
    #[error("sweep of open sessions: {0}")]
    Sweep(#[source] io::Error),
}

/// The BPF ring buffer, mapped: a page with the read position, a page with the write position, the data twice.
struct Ring {
    fd: OwnedFd,
    read: &'static AtomicU64,
    written: &'static AtomicU64,
    data: *const u8,
    mask: u64,
    position: u64,
}

impl Ring {
    fn map(fd: OwnedFd, size: usize) -> Result<Self, DrainError> {
        let page = rustix::param::page_size();
        let map = |offset: usize, len: usize, access| {
            // SAFETY: a new mapping at an address of the kernel's choice; lives as long as the process.
            unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, &fd, offset as u64) }
                .map_err(|e| DrainError::Map(e.into()))
        };
        let read = map(0, page, ProtFlags::READ | ProtFlags::WRITE)?;
        let written = map(page, page + 2 * size, ProtFlags::READ)?;
        // SAFETY: page aligned and mapped for the life of the process; the kernel accesses both words atomically.
        let (read, written_word) = unsafe { (&*read.cast::<AtomicU64>(), &*written.cast::<AtomicU64>()) };
        // SAFETY: the mapping is one page longer than the data.
        let data = unsafe { written.cast::<u8>().cast_const().add(page) };
        let position = read.load(Ordering::Acquire);
        Ok(Self { fd, read, written: written_word, data, mask: size as u64 - 1, position })
    }

    fn is_empty(&self) -> bool {
        self.written.load(Ordering::Acquire) == self.position
    }

    /// The record at the read position and its length in the ring; `None` when there is none (yet).
    fn front(&self) -> Option<(&[u8], u64)> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: position & mask lies in the data, which is mapped; record headers are 8-byte aligned.
        let start = unsafe { self.data.add((self.position & self.mask) as usize) };
        #[allow(clippy::cast_ptr_alignment)]
        // SAFETY: as above. Acquire pairs with the kernel's xchg that clears the busy bit after writing the record.
        let header = unsafe { &*start.cast::<AtomicU32>() }.load(Ordering::Acquire);
        if header & RING_BUSY != 0 {
            return None;
        }
        let len = u64::from(header & !RING_DISCARD).min(self.mask + 1 - RING_HEADER);
        let bytes = if header & RING_DISCARD != 0 { 0 } else { len as usize };
        // SAFETY: the data is mapped twice in a row, so that no record wraps; a committed record is not written again
        // before the read position passes it.
        let record = unsafe { std::slice::from_raw_parts(start.add(RING_HEADER as usize), bytes) };
        Some((record, (len + RING_HEADER).next_multiple_of(8)))
    }

    fn advance(&mut self, len: u64) {
        self.position += len;
    }

    /// Gives what was read back to the kernel.
    fn release(&self) {
        self.read.store(self.position, Ordering::Release);
    }
}

/// The probe after it gave up its privileges.
pub(crate) struct Drain {
    ring: Ring,
    producer: Producer,
    /// Closed by the end of the process, after the queue: detaching takes the kernel seconds.
    _links: Vec<Link>,
    programs: Vec<OwnedFd>,
    sweep: Sweep,
    variables: Variables,
    counts: Ledger,
    swept: u64,
}

impl Drain {
    pub(crate) fn new(
        ring: OwnedFd,
        size: usize,
        mut producer: Producer,
        attachments: Attachments,
        sweep: Sweep,
        variables: Variables,
    ) -> Result<Self, DrainError> {
        let ring = Ring::map(ring, size)?;
        producer.keep_room(size_of::<Ledger>());
        let (counts, swept) = (Ledger::default(), sys::boottime_ns());
        let Attachments { links, programs, .. } = attachments;
        Ok(Self { ring, producer, _links: links, programs, sweep, variables, counts, swept })
    }

    /// Moves records until `stop` is readable or closed or a signal comes; then sends what is still open, closes the
    /// queue and returns the last counts.
    ///
    /// # Errors
    /// When the kernel refuses to wait or to sweep.
    pub(crate) fn run(mut self, stop: BorrowedFd<'_>, signals: BorrowedFd<'_>) -> Result<Ledger, DrainError> {
        loop {
            let moved = self.batch();
            self.sweep_when_due()?;
            if moved == BATCH {
                continue;
            }
            if self.wait(moved > 0, stop, signals)? {
                return self.finish();
            }
        }
    }

    /// Copies up to [`BATCH`] records; fewer when the ring is empty or the queue full.
    fn batch(&mut self) -> usize {
        let refuse_bulk = self.producer.above(3, 4);
        let mut moved = 0;
        while moved < BATCH {
            let Some((record, len)) = self.ring.front() else { break };
            if !deliver(record, refuse_bulk, &mut self.producer, &mut self.counts) {
                break;
            }
            self.ring.advance(len);
            moved += 1;
        }
        if moved > 0 {
            self.ring.release();
            self.producer.publish();
        }
        moved
    }

    /// Waits for a record, a stop or the next sweep; true = stop.
    fn wait(
        &mut self,
        busy: bool,
        stop: BorrowedFd<'_>,
        signals: BorrowedFd<'_>,
    ) -> Result<bool, DrainError> {
        let mut timeout = NAP_NS;
        if !busy && self.ring.is_empty() {
            self.variables.set_sleeps(true);
            // The kernel writes a record, then looks at the flag; we set the flag, then look at the ring.
            fence(Ordering::SeqCst);
            timeout = if self.ring.is_empty() { SWEEP_NS } else { 0 };
        }
        let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let limit =
            Timespec { tv_sec: (timeout / 1_000_000_000) as i64, tv_nsec: (timeout % 1_000_000_000) as i64 };
        let mut fds =
            [stop, signals, self.ring.fd.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        // While records come their arrival is no reason to wake up: the nap gathers them.
        let watched = if timeout == NAP_NS { 2 } else { 3 };
        let polled = poll(&mut fds[..watched], Some(&limit));
        let stopped = polled.is_ok() && fds[..2].iter().any(ready);
        self.variables.set_sleeps(false);
        match polled {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(stopped),
            Err(error) => Err(DrainError::Poll(error.into())),
        }
    }

    fn sweep_when_due(&mut self) -> Result<(), DrainError> {
        let now = sys::boottime_ns();
        if now.saturating_sub(self.swept) < SWEEP_NS {
            return Ok(());
        }
        self.swept = now;
        self.sweep.records().and_then(|()| self.sweep.programs()).map_err(DrainError::Sweep)?;
        self.push_ledger();
        Ok(())
    }

    /// Puts the counts into the queue; they are cumulative, so one that does not fit is made good by the next.
    fn push_ledger(&mut self) {
        let ledger = self.ledger();
        self.counts.queue_pushed += u64::from(self.producer.push(ledger.as_bytes()).is_ok());
        self.producer.publish();
    }

    fn ledger(&self) -> Ledger {
        let head = Head {
            len: size_of::<Ledger>() as u32,
            kind: Kind::Ledger as u16,
            time: sys::boottime_ns(),
            tgid: std::process::id(),
            ..Head::default()
        };
        let (kernel, cursor_bad) = (self.variables.counters(), self.producer.cursor_errors());
        let missed = missed::count(&self.programs).saturating_sub(kernel.rescued);
        let queue_pushed = self.counts.queue_pushed + 1;
        Ledger { head, kernel, missed, cursor_bad, queue_pushed, ..self.counts }
    }

    /// Hooks deaf, open sessions out, ring empty, ledger last, queue closed.
    fn finish(mut self) -> Result<Ledger, DrainError> {
        self.variables.set_running(false);
        self.variables.set_stopping();
        let deadline = sys::boottime_ns() + STOP_NS;
        loop {
            self.empty_ring(deadline)?;
            self.sweep.records().map_err(DrainError::Sweep)?;
            if self.variables.take_left() == 0 || sys::boottime_ns() > deadline {
                break;
            }
        }
        self.empty_ring(deadline)?;
        let ledger = self.ledger();
        // Has room of its own: what was lost is told whatever the enricher does.
        self.counts.queue_pushed += u64::from(self.producer.push_last(ledger.as_bytes()).is_ok());
        self.producer.close();
        // Not dropped: see `_links`.
        std::mem::forget(self);
        Ok(ledger)
    }

    /// Moves all records; what an enricher that does not read leaves no room for until `deadline` is counted.
    fn empty_ring(&mut self, deadline: u64) -> Result<(), DrainError> {
        loop {
            let moved = self.batch();
            if moved == 0 && self.ring.front().is_none() {
                return Ok(());
            }
            if moved > 0 {
                continue;
            }
            if sys::boottime_ns() > deadline {
                self.drop_rest();
                return Ok(());
            }
            nap()?;
        }
    }

    fn drop_rest(&mut self) {
        while let Some((_, len)) = self.ring.front() {
            self.counts.ring_read += 1;
            self.counts.queue_full += 1;
            self.ring.advance(len);
        }
        self.ring.release();
    }
}

fn nap() -> Result<(), DrainError> {
    let limit = Timespec { tv_sec: 0, tv_nsec: NAP_NS as i64 };
    match poll(&mut [], Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(DrainError::Poll(error.into())),
    }
}

/// Puts one record into the queue, or counts why not; false = the queue is full, try later.
fn deliver(record: &[u8], refuse_bulk: bool, producer: &mut Producer, counts: &mut Ledger) -> bool {
    // The kernel reserves a fixed length for short records: what is used of it, the head says.
    let well_formed =
        |head: &Head| (size_of::<Head>()..=RECORD_MAX.min(record.len())).contains(&(head.len as usize));
    let Some(head) = Head::read_from_prefix(record).ok().map(|(head, _)| head).filter(well_formed) else {
        // A discarded reservation has no bytes and is no record.
        counts.ring_malformed += u64::from(!record.is_empty());
        counts.ring_read += u64::from(!record.is_empty());
        return true;
    };
    if refuse_bulk && Flags(head.flags).has(Flags::BULK) {
        counts.ring_read += 1;
        counts.queue_refused += 1;
        return true;
    }
    match producer.push(&record[..head.len as usize]) {
        Ok(()) => counts.queue_pushed += 1,
        Err(PushError::Full) => return false,
        Err(PushError::TooLong) => counts.ring_malformed += 1,
    }
    counts.ring_read += 1;
    true
}
