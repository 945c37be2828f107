//! Counters of the kernel side and of the probe. Do not reorder: the order is the format.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Head;

/// `struct kf_counters`: counts of one processor, or their sum. Seen = in records + lost by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Counters {
    /// File events that a hook saw and the filter kept.
    pub file_events: u64,
    /// Of these: in records that the ring buffer took.
    pub file_events_sent: u64,
    /// Of these: lost, the session map was full.
    pub file_events_map: u64,
    /// Of these: lost, the ring buffer was full.
    pub file_events_ring: u64,
    /// File records that the ring buffer took.
    pub file_records: u64,
    /// File records lost, the ring buffer was full.
    pub file_records_ring: u64,
    /// Forks, execs and exits seen.
    pub process_events: u64,
    /// Of these: taken by the ring buffer.
    pub process_records: u64,
    /// Of these: lost, the ring buffer was full.
    pub process_ring: u64,
    /// Of these: kflowd's own, not sent.
    pub process_own: u64,
    /// Processes whose entry did not fit into the process map.
    pub process_map: u64,
    /// Records lost because no scratch buffer was free.
    pub scratch_busy: u64,
    /// Paths that were cut at the left.
    pub path_cut: u64,
    /// Sessions opened.
    pub sessions_open: u64,
    /// Sessions ended.
    pub sessions_closed: u64,
    /// Hook runs that the kernel skipped and a stand-in did.
    pub rescued: u64,
    /// Packets, datagrams and messages of flows that a hook saw.
    pub flow_events: u64,
    /// Of these: in records that the ring buffer took.
    pub flow_events_sent: u64,
    /// Of these: lost, the flow map was full.
    pub flow_events_map: u64,
    /// Of these: lost, the ring buffer was full.
    pub flow_events_ring: u64,
    /// Flow records that the ring buffer took.
    pub flow_records: u64,
    /// Flow records lost, the ring buffer was full.
    pub flow_records_ring: u64,
    /// Flows begun.
    pub flows_open: u64,
    /// Flows ended.
    pub flows_closed: u64,
    /// Pieces of payload to copy.
    pub payload_events: u64,
    /// Of these: taken by the ring buffer.
    pub payload_records: u64,
    /// Of these: lost, the ring buffer was full.
    pub payload_ring: u64,
    /// Of these: lost, the memory could not be read.
    pub payload_fault: u64,
}

/// `struct kf_ledger`: the probe's view of the stream so far, sent as a frame of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ledger {
    /// Common head; `tgid` and `start` are the probe's.
    pub head: Head,
    /// Sum of the kernel counters over all processors.
    pub kernel: Counters,
    /// Hook runs that the kernel skipped, where it tells.
    pub missed: u64,
    /// Records taken from the ring buffer.
    pub ring_read: u64,
    /// Records of the ring buffer with an impossible length.
    pub ring_malformed: u64,
    /// Frames put into the queue, this one included.
    pub queue_pushed: u64,
    /// Bulk records refused because the queue was above three quarters.
    pub queue_refused: u64,
    /// Records dropped because the queue was full at stop.
    pub queue_full: u64,
    /// Impossible read cursors seen.
    pub cursor_bad: u64,
    /// Zero.
    pub pad: u64,
}

impl core::fmt::Display for Ledger {
    /// One line: events seen, records sent, every loss by its place.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let k = &self.kernel;
        write!(
            f,
            "file events {} = sent {} + map full {} + ring full {}; process events {} = sent {} + own {} + ring full {}; \
             flow events {} = sent {} + map full {} + ring full {}; payloads {} = sent {} + ring full {} + faults {}; ",
            k.file_events,
            k.file_events_sent,
            k.file_events_map,
            k.file_events_ring,
            k.process_events,
            k.process_records,
            k.process_own,
            k.process_ring,
            k.flow_events,
            k.flow_events_sent,
            k.flow_events_map,
            k.flow_events_ring,
            k.payload_events,
            k.payload_records,
            k.payload_ring,
            k.payload_fault,
        )?;
        write!(
            f,
            "ring records {} = queue {} + refused {} + malformed {} + dropped {}; paths cut {}",
            self.ring_read,
            self.ring_read - self.ring_malformed - self.queue_refused - self.queue_full,
            self.queue_refused,
            self.ring_malformed,
            self.queue_full,
            k.path_cut,
        )
    }
}
