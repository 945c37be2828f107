//! Flows with payload, and the messages of each until a record takes them.
//!
//! Payload and flow records meet here by [`Key`]. A flow without record so far holds its messages. Later ones can go
//! out at any time, with what the last record said of the flow and without counts. A flow that is over stays for a
//! while: a program may read what came before the end only then.
//!
//! Memory is bounded: when there are too many flows, or they hold too much, [`Flows::crowded`] names one that has to
//! go, the ended ones first, else the one of a few that was quiet for longest. What it holds goes out when its record
//! is known; else its messages are lost, and counted.

use std::collections::VecDeque;

use kflowd_proto::layout::Flow as FlowBody;
use kflowd_proto::layout::Payload as PayloadBody;

use super::key::Key;
use super::{App, Direction, Flow, Limits, Piece, PortTable, Setup, Transport};
use crate::decode::stream::Segment;
use crate::decode::{FlowRecord, PayloadRecord};
use crate::enrich::SECOND;
use crate::enrich::hash::IdMap;
use crate::event::{self, socket};
use crate::render::app::{Block, Form};

/// Flows that are kept.
const FLOWS_MAX: usize = 1 << 16;
/// Bytes that they may hold together.
const BYTES_MAX: usize = 64 << 20;
/// Bytes that one may hold before its first record.
const ALONE_MAX: usize = 1 << 20;
/// How long a flow that is over is kept, nanoseconds.
const LATE: u64 = 2 * SECOND;
/// Flows that are over and kept.
const LATE_MAX: usize = 4096;
/// Memory of so many forgotten flows is kept for new ones.
const SPARE_MAX: usize = 256;
/// Flows that are compared when one has to go.
const SAMPLE: usize = 16;
/// Bytes of an HTTP body that are shown.
const BODY_MAX: usize = 1024;

/// A place in the table. Good until the flow is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

/// What payload led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Its messages wait.
    Waits,
    /// As many messages wait as a record takes, and the last record tells whose they are.
    Full(Slot),
    /// The flow holds too much for one whose record has not come.
    TooMuch(Slot),
}

#[derive(Debug)]
struct Tracked {
    key: Key,
    flow: Flow,
    /// The last record of the flow as it came; empty before the first.
    frame: Vec<u8>,
    /// When the last piece or record came.
    time: u64,
    ended: bool,
}

impl Tracked {
    fn held(&self) -> usize {
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

/// The table.
#[derive(Debug)]
pub struct Flows {
    ports: PortTable,
    form: Form,
    /// The beginning of streams may have been taken already: by an earlier process, or for a flow that was let go.
    resumed: bool,
    places: IdMap<Key, usize>,
    slots: Vec<Option<Box<Tracked>>>,
    free: Vec<usize>,
    /// By protocol, so that decoders are used again.
    #[allow(clippy::vec_box, reason = "moves between here and `slots` as it is")]
    spare: [Vec<Box<Tracked>>; 3],
    /// Flows that are over, and until when they stay.
    late: VecDeque<(u64, Key)>,
    held: usize,
    /// Where the next sample begins.
    hand: usize,
    counts: MessageCounts,
    now: u64,
}

impl Flows {
    /// An empty table. `resumed`: this is not the first process that takes the stream.
    pub fn new(ports: PortTable, form: Form, resumed: bool) -> Self {
        Self {
            ports,
            form,
            resumed,
            places: IdMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            spare: Default::default(),
            late: VecDeque::new(),
            held: 0,
            hand: 0,
            counts: MessageCounts::default(),
            now: 0,
        }
    }

    /// To be called once per batch with the time since boot.
    pub fn tick(&mut self, now: u64) {
        self.now = now;
    }

    /// What became of messages so far.
    pub fn counts(&self) -> MessageCounts {
        self.counts
    }

    /// Messages that wait.
    pub fn waiting(&self) -> u64 {
        self.counts.found - self.counts.written - self.counts.no_record
    }

    /// Takes payload; `None` when no decoder is for it.
    pub fn payload(&mut self, record: &PayloadRecord<'_>) -> Option<Taken> {
        let body = &record.body;
        let app = self.ports.app(body.family, body.protocol, body.local_port, body.remote_port)?;
        let slot = match self.places.get(&Key::from(body)) {
            Some(&place) => Slot(place),
            None => self.begin(Key::from(body), self.setup(app, body)),
        };
        let direction = if body.way == 0 { Direction::Tx } else { Direction::Rx };
        let time = body.head.time;
        let segment = Segment { offset: body.offset, length: body.len.into(), bytes: record.bytes, time };
        self.change(slot, |tracked| {
            tracked.time = time;
            tracked.flow.take(&Piece { direction, segment });
        });
        let tracked = self.get(slot)?;
        Some(match tracked.frame.is_empty() {
            false if tracked.flow.full() => Taken::Full(slot),
            true if tracked.held() > ALONE_MAX => {
                self.resumed = true;
                Taken::TooMuch(slot)
            }
            _ => Taken::Waits,
        })
    }

    /// Takes a flow record and its frame; the flow when messages may go out with the record.
    pub fn record(&mut self, record: &FlowRecord<'_>, frame: &[u8]) -> Option<Slot> {
        let body = &record.body;
        let app = self.ports.app(body.family, body.protocol, body.local_port, body.remote_port)?;
        let key = Key::from(body);
        let last = event::Flow::last(body);
        let slot = match self.places.get(&key) {
            Some(&place) => Slot(place),
            // Payload that was in the receive queue at the end may follow.
            None if last && body.protocol == socket::TCP => self.begin(key, self.setup_of(app, body)),
            None => return None,
        };
        self.change(slot, |tracked| {
            tracked.frame.clear();
            tracked.frame.extend_from_slice(frame);
            tracked.time = body.head.time;
            if last {
                tracked.flow.end();
            }
        });
        if last {
            self.end(slot);
        }
        Some(slot)
    }

    /// Messages for the next record of a flow; empty when none wait.
    pub fn block(&self, slot: Slot) -> Option<Block<'_>> {
        self.get(slot).map(|tracked| tracked.flow.block()).filter(|block| !block.is_empty())
    }

    /// The first `count` messages of a flow have gone out.
    pub fn taken(&mut self, slot: Slot, count: usize) {
        self.change(slot, |tracked| tracked.flow.taken(count));
        self.counts.written += count as u64;
    }

    /// The last record of a flow as it came, and when something of the flow last did; no bytes before the first.
    pub fn last_record(&self, slot: Slot) -> (&[u8], u64) {
        self.get(slot).map_or((&[], 0), |tracked| (&tracked.frame, tracked.time))
    }

    /// A flow that has to go because there is no room for all; what its decoders held back waits then, too.
    pub fn crowded(&mut self) -> Option<Slot> {
        let full = self.places.len() > FLOWS_MAX || self.held > BYTES_MAX;
        let late = if full || self.late.len() > LATE_MAX { self.next_late() } else { None };
        let slot = late.or_else(|| if full { self.quietest() } else { None })?;
        self.resumed = true;
        Some(self.finish(slot))
    }

    /// A flow that is over for long enough.
    pub fn expired(&mut self) -> Option<Slot> {
        if self.late.front()?.0 > self.now {
            return None;
        }
        let slot = self.next_late()?;
        Some(self.finish(slot))
    }

    /// When the next flow has expired.
    pub fn due(&self) -> Option<u64> {
        self.late.front().map(|&(until, _)| until)
    }

    /// Some flow, at the end of everything.
    pub fn any(&mut self) -> Option<Slot> {
        let place = self.slots.iter().rposition(Option::is_some)?;
        self.slots.truncate(place + 1);
        Some(self.finish(Slot(place)))
    }

    /// Forgets a flow; messages that still wait are lost.
    pub fn forget(&mut self, slot: Slot) {
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

    fn get(&self, slot: Slot) -> Option<&Tracked> {
        self.slots.get(slot.0)?.as_deref()
    }

    /// Changes a flow and keeps the counts.
    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Tracked)) {
        let Some(tracked) = self.slots.get_mut(slot.0).and_then(Option::as_deref_mut) else { return };
        let (held, waiting) = (tracked.held(), tracked.flow.waiting());
        change(tracked);
        self.held = self.held + tracked.held() - held;
        self.counts.found += tracked.flow.waiting().saturating_sub(waiting) as u64;
    }

    fn begin(&mut self, key: Key, setup: Setup) -> Slot {
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

    fn end(&mut self, slot: Slot) {
        if let Some(tracked) = self.slots.get_mut(slot.0).and_then(Option::as_deref_mut)
            && !tracked.ended
        {
            tracked.ended = true;
            self.late.push_back((self.now.saturating_add(LATE), tracked.key));
        }
    }

    /// What the decoders of a flow hold back becomes messages.
    fn finish(&mut self, slot: Slot) -> Slot {
        self.change(slot, |tracked| tracked.flow.end());
        slot
    }

    /// The flow that is over for longest. Some in the list are forgotten already.
    fn next_late(&mut self) -> Option<Slot> {
        while let Some((_, key)) = self.late.pop_front() {
            if let Some(&place) = self.places.get(&key) {
                return Some(Slot(place));
            }
        }
        None
    }

    fn quietest(&mut self) -> Option<Slot> {
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

    fn setup(&self, app: App, body: &PayloadBody) -> Setup {
        let datagram = body.flags & PayloadBody::DATAGRAM != 0;
        Setup {
            app,
            transport: if datagram { Transport::Datagram } else { Transport::Stream },
            local: body.family == socket::UNIX,
            joined: self.resumed && body.offset > 0,
            start: body.open_time,
            form: self.form,
            limits: Limits::default(),
            body_max: BODY_MAX,
        }
    }

    /// Of a TCP flow whose end came before its payload.
    fn setup_of(&self, app: App, body: &FlowBody) -> Setup {
        Setup {
            app,
            transport: Transport::Stream,
            local: false,
            joined: self.resumed,
            start: body.open_time,
            form: self.form,
            limits: Limits::default(),
            body_max: BODY_MAX,
        }
    }
}
