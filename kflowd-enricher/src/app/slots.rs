//! Where the flows of the table are, their memory, and the count of their messages.

use super::key::Key;
use super::{Flow, Setup};
use crate::enrich::hash::IdMap;

/// Memory of so many forgotten flows is kept for new ones.
const SPARE_MAX: usize = 256;
/// Flows that are compared when one has to go.
const SAMPLE: usize = 16;

/// A place in the table. Good until the flow is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

/// A flow and what is known of it.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) key: Key,
    pub(super) flow: Flow,
    /// The last record of the flow as it came; empty before the first.
    pub(super) frame: Vec<u8>,
    /// When the last piece or record came.
    pub(super) time: u64,
    pub(super) ended: bool,
}

impl Tracked {
    /// Bytes of memory.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>() + self.frame.capacity() + self.flow.held()
    }
}

/// What became of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Messages found in payload.
    pub found: u64,
    /// Of these: gone out with a record.
    pub written: u64,
    /// Of these: lost, no record of their flow came.
    pub no_record: u64,
}

/// The places.
#[derive(Debug, Default)]
pub(super) struct Slots {
    places: IdMap<Key, usize>,
    slots: Vec<Option<Box<Tracked>>>,
    free: Vec<usize>,
    /// By protocol, so that decoders are used again.
    #[allow(clippy::vec_box, reason = "moves between here and `slots` as it is")]
    spare: [Vec<Box<Tracked>>; 3],
    held: usize,
    /// Where the next sample begins.
    hand: usize,
    counts: MessageCounts,
}

impl Slots {
    /// Number of flows.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Number of places, used or not.
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    /// The place with a number below [`Slots::places`].
    pub(super) fn place(number: usize) -> Slot {
        Slot(number)
    }

    /// Bytes that all flows hold.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// What became of messages.
    pub(super) fn counts(&self) -> MessageCounts {
        self.counts
    }

    /// Where a flow is.
    pub(super) fn find(&self, key: &Key) -> Option<Slot> {
        self.places.get(key).copied().map(Slot)
    }

    /// The flow in a place.
    pub(super) fn get(&self, slot: Slot) -> Option<&Tracked> {
        self.slots.get(slot.0)?.as_deref()
    }

    /// Changes a flow and keeps the counts.
    pub(super) fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Tracked)) {
        let Some(tracked) = self.slots.get_mut(slot.0).and_then(Option::as_deref_mut) else { return };
        let (held, waiting) = (tracked.held(), tracked.flow.waiting());
        change(tracked);
        self.held = self.held + tracked.held() - held;
        self.counts.found += tracked.flow.waiting().saturating_sub(waiting) as u64;
    }

    /// The first `count` messages of a flow have gone out.
    pub(super) fn taken(&mut self, slot: Slot, count: usize) {
        self.change(slot, |tracked| tracked.flow.taken(count));
        self.counts.written += count as u64;
    }

    /// A new flow.
    pub(super) fn begin(&mut self, key: Key, setup: Setup) -> Slot {
        let tracked = match self.spare[setup.app as usize].pop() {
            Some(mut tracked) => {
                tracked.flow.reset(setup);
                tracked.frame.clear();
                (tracked.key, tracked.time, tracked.ended) = (key, 0, false);
                tracked
            }
            None => {
                Box::new(Tracked { key, flow: Flow::new(setup), frame: Vec::new(), time: 0, ended: false })
            }
        };
        self.held += tracked.held();
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place] = Some(tracked);
                place
            }
            None => {
                self.slots.push(Some(tracked));
                self.slots.len() - 1
            }
        };
        self.places.insert(key, place);
        Slot(place)
    }

    /// Forgets a flow; messages that still wait are lost.
    pub(super) fn forget(&mut self, slot: Slot) {
        let Some(mut tracked) = self.slots.get_mut(slot.0).and_then(Option::take) else { return };
        let waiting = tracked.flow.waiting();
        self.counts.no_record += waiting as u64;
        self.held -= tracked.held();
        self.places.remove(&tracked.key);
        self.free.push(slot.0);
        let spare = &mut self.spare[tracked.flow.app() as usize];
        if spare.len() < SPARE_MAX {
            tracked.flow.taken(waiting);
            spare.push(tracked);
        }
    }

    /// Of a few flows, the one that was quiet for longest.
    pub(super) fn quietest(&mut self) -> Option<Slot> {
        let len = self.slots.len();
        let mut best: Option<(u64, usize)> = None;
        let mut seen = 0;
        for step in 0..len {
            let place = (self.hand + step) % len;
            let Some(tracked) = &self.slots[place] else { continue };
            if best.is_none_or(|(time, _)| tracked.time < time) {
                best = Some((tracked.time, place));
            }
            seen += 1;
            if seen == SAMPLE {
                self.hand = (place + 1) % len;
                break;
            }
        }
        best.map(|(_, place)| Slot(place))
    }
}
