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

use kflowd_proto::layout::Payload as PayloadBody;

use super::key::Key;
use super::slots::{MessageCounts, Slot, Slots, Tracked};
use super::{App, Direction, Limits, Piece, PortTable, Setup, Transport};
use crate::decode::stream::Segment;
use crate::decode::{FlowRecord, PayloadRecord};
use crate::enrich::SECOND;
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
/// How long messages of a flow that is known wait for its next record, nanoseconds. Usually one comes earlier: it waits
/// for the end of the flow or for a timeout. None comes when nothing was counted since the last one.
const STALE: u64 = 60 * SECOND;
/// Flows that are looked at in a tick for messages that have waited for too long.
const LOOK: usize = 64;
/// Flows that are over and kept.
const LATE_MAX: usize = 4096;
/// Bytes of an HTTP body that are shown.
const BODY_MAX: usize = 1024;

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

/// The table.
#[derive(Debug)]
pub struct Flows {
    ports: PortTable,
    form: Form,
    /// The beginning of streams may have been taken already: by an earlier process, or for a flow that was let go.
    resumed: bool,
    slots: Slots,
    /// Flows that are over, and until when they stay.
    late: VecDeque<(u64, Key)>,
    /// Where the next look at waiting messages begins.
    eye: usize,
    now: u64,
}

impl Flows {
    /// An empty table. `resumed`: this is not the first process that takes the stream.
    pub fn new(ports: PortTable, form: Form, resumed: bool) -> Self {
        Self { ports, form, resumed, slots: Slots::default(), late: VecDeque::new(), eye: 0, now: 0 }
    }

    /// To be called once per batch with the time since boot.
    pub fn tick(&mut self, now: u64) {
        self.now = now;
    }

    /// What became of messages so far.
    pub fn counts(&self) -> MessageCounts {
        self.slots.counts()
    }

    /// Messages that wait.
    pub fn waiting(&self) -> u64 {
        self.counts().found - self.counts().written - self.counts().no_record
    }

    /// Takes payload; `None` when no decoder is for it.
    pub fn payload(&mut self, record: &PayloadRecord<'_>) -> Option<Taken> {
        let body = &record.body;
        let app = self.ports.app(body.family, body.protocol, body.local_port, body.remote_port)?;
        let slot = match self.slots.find(&Key::from(body)) {
            Some(slot) => slot,
            None => self.slots.begin(Key::from(body), self.setup(app, body)),
        };
        let direction = if body.way == 0 { Direction::Tx } else { Direction::Rx };
        let time = body.head.time;
        let segment = Segment { offset: body.offset, length: body.len.into(), bytes: record.bytes, time };
        self.slots.change(slot, |tracked| {
            tracked.time = time;
            tracked.flow.take(&Piece { direction, segment });
        });
        let tracked = self.slots.get(slot)?;
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
        let slot = match self.slots.find(&key) {
            Some(slot) => slot,
            // Payload that was in the receive queue at the end may follow.
            None if last && body.protocol == socket::TCP => {
                self.slots.begin(key, self.stream(app, body.open_time, self.resumed))
            }
            None => return None,
        };
        self.slots.change(slot, |tracked| {
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
        self.slots.get(slot).map(|tracked| tracked.flow.block()).filter(|block| !block.is_empty())
    }

    /// The first `count` messages of a flow have gone out.
    pub fn taken(&mut self, slot: Slot, count: usize) {
        self.slots.taken(slot, count);
    }

    /// The last record of a flow as it came, and when something of the flow last did; no bytes before the first.
    pub fn last_record(&self, slot: Slot) -> (&[u8], u64) {
        self.slots.get(slot).map_or((&[], 0), |tracked| (&tracked.frame, tracked.time))
    }

    /// A flow that has to go because there is no room for all; what its decoders held back waits then, too.
    pub fn crowded(&mut self) -> Option<Slot> {
        let full = self.slots.len() > FLOWS_MAX || self.slots.held() > BYTES_MAX;
        let late = if full || self.late.len() > LATE_MAX { self.next_late(u64::MAX) } else { None };
        let slot = late.or_else(|| if full { self.slots.quietest() } else { None })?;
        self.resumed = true;
        Some(self.finish(slot))
    }

    /// A flow that is over for long enough.
    pub fn expired(&mut self) -> Option<Slot> {
        let slot = self.next_late(self.now)?;
        Some(self.finish(slot))
    }

    /// Of the next few flows, one whose messages have waited for too long; `looked` counts those of this tick.
    pub fn stale(&mut self, looked: &mut usize) -> Option<Slot> {
        while *looked < LOOK.min(self.slots.places()) {
            *looked += 1;
            self.eye = (self.eye + 1) % self.slots.places();
            let slot = Slots::place(self.eye);
            let old = |t: &Tracked| !t.frame.is_empty() && t.time.saturating_add(STALE) <= self.now;
            if self.slots.get(slot).is_some_and(|t| t.flow.waiting() > 0 && old(t)) {
                return Some(slot);
            }
        }
        None
    }

    /// When the next flow has expired.
    pub fn due(&self) -> Option<u64> {
        self.late.front().map(|&(until, _)| until)
    }

    /// The next flow from place `from` on, at the end of everything.
    pub fn next(&mut self, from: &mut usize) -> Option<Slot> {
        while *from < self.slots.places() {
            let slot = Slots::place(*from);
            *from += 1;
            if self.slots.get(slot).is_some() {
                return Some(self.finish(slot));
            }
        }
        None
    }

    /// Forgets a flow; messages that still wait are lost.
    pub fn forget(&mut self, slot: Slot) {
        self.slots.forget(slot);
    }

    fn end(&mut self, slot: Slot) {
        let Some(key) = self.slots.get(slot).filter(|tracked| !tracked.ended).map(|tracked| tracked.key)
        else {
            return;
        };
        self.slots.change(slot, |tracked| tracked.ended = true);
        self.late.push_back((self.now.saturating_add(LATE), key));
    }

    /// What the decoders of a flow hold back becomes messages.
    fn finish(&mut self, slot: Slot) -> Slot {
        self.slots.change(slot, |tracked| tracked.flow.end());
        slot
    }

    /// The flow that is over for longest, if it may go at `now`. Some in the list are forgotten already.
    fn next_late(&mut self, now: u64) -> Option<Slot> {
        while self.late.front().is_some_and(|&(until, _)| until <= now) {
            let (_, key) = self.late.pop_front()?;
            if let Some(slot) = self.slots.find(&key) {
                return Some(slot);
            }
        }
        None
    }

    fn setup(&self, app: App, body: &PayloadBody) -> Setup {
        let datagram = body.flags & PayloadBody::DATAGRAM != 0;
        let transport = if datagram { Transport::Datagram } else { Transport::Stream };
        let local = body.family == socket::UNIX;
        let joined = body.flags & PayloadBody::JOINED != 0 || (self.resumed && body.offset > 0);
        Setup { transport, local, ..self.stream(app, body.open_time, joined) }
    }

    /// A TCP flow; `joined`: its first payload may not be the first of its stream.
    fn stream(&self, app: App, start: u64, joined: bool) -> Setup {
        Setup {
            app,
            transport: Transport::Stream,
            local: false,
            joined,
            start,
            form: self.form,
            limits: Limits::default(),
            body_max: BODY_MAX,
        }
    }
}
