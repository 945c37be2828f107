//! Frame bytes in, messages out: decode, enrich and render in one piece, without any descriptor.

use kflowd_proto::hello::{Output, Settings};
use kflowd_proto::layout::Ledger;

use crate::counters::{self, Counts, SinkCounts, Stage};
use crate::decode::{self, FileRecord, Paths, Record};
use crate::enrich::host::HostFacts;
use crate::enrich::{Enrich, Sources};
use crate::render::{Batch, Renderer};

/// The stages and what goes from one record to the next.
#[derive(Debug)]
pub struct Pipeline {
    enrich: Enrich,
    renderer: Renderer,
    counts: Counts,
    ledger: Ledger,
    /// Frames taken since the ledger came.
    since_ledger: u64,
    /// Number of the next message.
    sequence: u64,
    /// Memory that decoding uses again and again.
    paths: Paths,
}

impl Pipeline {
    /// Sets the stages up; `sequence` is the number of the first message.
    pub fn new(settings: &Settings, sources: Sources, host: &HostFacts, sequence: u64) -> Self {
        Self {
            enrich: Enrich::open(sources),
            renderer: Renderer::new(settings, host),
            counts: Counts::default(),
            ledger: Ledger::default(),
            since_ledger: 0,
            sequence,
            paths: Paths::default(),
        }
    }

    /// To be called once per batch with the time since boot.
    pub fn tick(&mut self, now: u64) {
        self.enrich.tick(now);
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

    /// Number of the next message.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The ledger as of now.
    pub fn stages(&self, sinks: &[SinkCounts]) -> Vec<Stage> {
        counters::stages(&self.ledger, self.since_ledger, &self.counts, sinks)
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
