//! Frame bytes in, messages out: decode, enrich and render in one piece, without any descriptor.

use kflowd_proto::hello::{Output, Settings};
use kflowd_proto::layout::Ledger;

use crate::app::{Flows, PortTable, Slot, Taken};
use crate::counters::{self, Counts, SinkCounts, Stage};
use crate::decode::{self, FileRecord, FlowRecord, Paths, PayloadRecord, Record};
use crate::enrich::host::HostFacts;
use crate::enrich::{Enrich, Sources};
use crate::render::app::Form;
use crate::render::{self, Batch, Renderer};

/// The stages and what goes from one record to the next.
#[derive(Debug)]
pub struct Pipeline {
    enrich: Enrich,
    flows: Flows,
    renderer: Renderer,
    counts: Counts,
    ledger: Ledger,
    /// Frames taken since the ledger came.
    since_ledger: u64,
    /// Number of the next message.
    sequence: u64,
    /// Memory that decoding uses again and again.
    paths: Paths,
    /// Memory for a flow record that is used once more.
    frame: Vec<u8>,
}

impl Pipeline {
    /// Sets the stages up; `sequence` is the number of the first message.
    pub fn new(settings: &Settings, sources: Sources, host: &HostFacts, sequence: u64) -> Self {
        let form =
            Form { style: render::style(settings.output), extra: settings.extra, secrets: settings.secrets };
        Self {
            enrich: Enrich::open(sources),
            flows: Flows::new(PortTable::new(&settings.ports), form, sequence > 1),
            renderer: Renderer::new(settings, host),
            counts: Counts::default(),
            ledger: Ledger::default(),
            since_ledger: 0,
            sequence,
            paths: Paths::default(),
            frame: Vec::new(),
        }
    }

    /// To be called once per batch with the time since boot. Messages of flows that are over for long enough go to
    /// the end of `batch`.
    pub fn tick(&mut self, now: u64, batch: &mut Batch) {
        self.enrich.tick(now);
        self.expire(now, batch);
    }

    /// The part of [`Pipeline::tick`] that asks nobody.
    pub fn expire(&mut self, now: u64, batch: &mut Batch) {
        self.flows.tick(now);
        while let Some(slot) = self.flows.expired() {
            self.forget(slot, batch);
        }
        let mut looked = 0;
        while let Some(slot) = self.flows.stale(&mut looked) {
            self.waiting(slot, batch);
        }
    }

    /// When [`Pipeline::tick`] has something to do without further frames.
    pub fn due(&self) -> Option<u64> {
        self.flows.due()
    }

    /// No further frame comes: messages that wait go out, as far as the records of their flows are known. Whether there
    /// are more than `room` bytes of text.
    pub fn finish(&mut self, batch: &mut Batch, room: usize) -> bool {
        let mut from = 0;
        while let Some(slot) = self.flows.next(&mut from) {
            self.forget(slot, batch);
            if batch.text().len() >= room {
                return true;
            }
        }
        false
    }

    /// The wall clock was set, or drifts.
    pub fn set_wall_offset(&mut self, wall_offset: i64) {
        self.enrich.set_wall_offset(wall_offset);
    }

    /// Takes one frame; its message, if it has one, goes to the end of `batch`.
    pub fn take(&mut self, frame: &[u8], batch: &mut Batch) {
        self.counts.taken += 1;
        self.since_ledger += 1;
        let mut paths = std::mem::take(&mut self.paths);
        match decode::decode(frame, &mut paths) {
            Ok(Record::File(record)) => self.file(&record, batch),
            Ok(Record::Flow(record)) => self.flow(&record, frame, batch),
            Ok(Record::Payload(record)) => self.payload(&record, batch),
            Ok(Record::Process(record)) => {
                self.counts.kept += 1;
                self.enrich.learn(&record);
            }
            Ok(Record::Ledger(ledger)) => {
                self.counts.kept += 1;
                self.ledger = ledger;
                self.since_ledger = 0;
            }
            Ok(Record::Unknown(_)) => self.counts.unknown += 1,
            Err(_) => self.counts.malformed += 1,
        }
        self.paths = paths;
    }

    fn file(&mut self, record: &FileRecord<'_>, batch: &mut Batch) {
        let event = self.enrich.file(self.sequence, record);
        self.renderer.event(&event, batch);
        self.sequence += 1;
        self.counts.messages += 1;
    }

    fn flow(&mut self, record: &FlowRecord<'_>, frame: &[u8], batch: &mut Batch) {
        let slot = self.flows.record(record, frame);
        self.flow_message(record, slot, batch);
        if let Some(slot) = slot {
            self.further(record, slot, batch);
            self.make_room(batch);
        }
    }

    fn payload(&mut self, record: &PayloadRecord<'_>, batch: &mut Batch) {
        let Some(taken) = self.flows.payload(record) else {
            self.counts.unknown += 1;
            return;
        };
        self.counts.kept += 1;
        match taken {
            Taken::Waits => {}
            Taken::Full(slot) => self.waiting(slot, batch),
            Taken::TooMuch(slot) => self.forget(slot, batch),
        }
        self.make_room(batch);
    }

    /// The message of a flow record, with as many messages of its application as fit.
    fn flow_message(&mut self, record: &FlowRecord<'_>, slot: Option<Slot>, batch: &mut Batch) {
        let messages = slot.and_then(|slot| self.flows.block(slot));
        let count = messages.map_or(0, |messages| messages.len());
        let event = self.enrich.flow(self.sequence, record, messages);
        self.renderer.event(&event, batch);
        self.sequence += 1;
        self.counts.messages += 1;
        if let Some(slot) = slot.filter(|_| count > 0) {
            self.flows.taken(slot, count);
        }
    }

    /// What did not fit goes out with records that count nothing.
    fn further(&mut self, record: &FlowRecord<'_>, slot: Slot, batch: &mut Batch) {
        if self.flows.block(slot).is_none() {
            return;
        }
        let record = record.without_counts();
        while self.flows.block(slot).is_some() {
            batch.number_depends();
            self.counts.further += 1;
            self.flow_message(&record, Some(slot), batch);
        }
    }

    /// What waits goes out with what the last record said of the flow.
    fn waiting(&mut self, slot: Slot, batch: &mut Batch) {
        let (bytes, time) = self.flows.last_record(slot);
        if bytes.is_empty() || self.flows.block(slot).is_none() {
            return;
        }
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        frame.extend_from_slice(bytes);
        // The frame was a flow record when it came.
        if let Ok(Record::Flow(mut record)) = decode::decode(&frame, &mut Paths::default()) {
            record.body.head.time = record.body.head.time.max(time);
            record.body.sent_time = record.body.sent_time.max(time);
            self.further(&record, slot, batch);
        }
        self.frame = frame;
    }

    /// Lets flows go that are too many.
    fn make_room(&mut self, batch: &mut Batch) {
        while let Some(slot) = self.flows.crowded() {
            self.forget(slot, batch);
        }
    }

    fn forget(&mut self, slot: Slot, batch: &mut Batch) {
        self.waiting(slot, batch);
        self.flows.forget(slot);
    }

    /// Number of the next message.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The ledger as of now.
    pub fn stages(&self, sinks: &[SinkCounts]) -> Vec<Stage> {
        let messages = (self.flows.counts(), self.flows.waiting());
        counters::stages(&self.ledger, self.since_ledger, &self.counts, messages, sinks)
    }

    /// Writes the self record, which takes a number: the next one must be committed before the batch is written.
    pub fn self_record(&mut self, now: u64, sinks: &[SinkCounts], batch: &mut Batch) {
        let info = self.enrich.info(self.sequence, now);
        let stages = self.stages(sinks);
        self.renderer.self_record(&info, &stages, batch);
        self.sequence += 1;
    }

    /// What stdout shows before the first message.
    pub fn heading(output: Output) -> &'static str {
        Renderer::heading(output)
    }
}
