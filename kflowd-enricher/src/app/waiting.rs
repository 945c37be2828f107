//! Messages that wait for the record of their flow.

use super::{App, Direction};
use crate::render::Out;
use crate::render::app::Block;

/// When a record has to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most messages of a record.
    pub messages: usize,
    /// Most bytes of their text. One message always fits: none has more than 33 KiB.
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 32, text: 48 << 10 }
    }
}

/// Memory that an empty one keeps.
const KEEP: usize = 16 << 10;

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub struct Waiting {
    text: Out,
    ends: Vec<(usize, Direction)>,
    limits: Limits,
}

impl Waiting {
    /// Nothing, with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Nothing, with the memory there is.
    pub fn reset(&mut self, limits: Limits) {
        self.taken(self.ends.len());
        self.limits = limits;
    }

    /// Adds what `write` appends as one message.
    #[inline]
    pub fn add(&mut self, direction: Direction, write: impl FnOnce(&mut Out)) {
        write(&mut self.text);
        self.ends.push((self.text.len(), direction));
    }

    /// Whether as much waits as a record takes.
    pub fn full(&self) -> bool {
        self.ends.len() >= self.limits.messages || self.text.len() >= self.limits.text
    }

    /// Number of messages.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Messages for the next record, as many as the limits allow and at least one; empty when none wait.
    pub fn block(&self, app: App) -> Block<'_> {
        let fit = self.ends.partition_point(|&(end, _)| end <= self.limits.text);
        let count = fit.min(self.limits.messages).max(1).min(self.ends.len());
        let ends = &self.ends[..count];
        let end = ends.last().map_or(0, |&(end, _)| end);
        Block { app, text: &self.text.text()[..end], ends }
    }

    /// The first `count` messages have gone out.
    pub fn taken(&mut self, count: usize) {
        let count = count.min(self.ends.len());
        let end = self.ends[..count].last().map_or(0, |&(end, _)| end);
        self.ends.drain(..count);
        if self.ends.is_empty() {
            self.text.shrink(KEEP);
            return;
        }
        self.text.remove_front(end);
        for (place, _) in &mut self.ends {
            *place -= end;
        }
    }

    /// Bytes of text that wait.
    pub fn held(&self) -> usize {
        self.text.len()
    }
}
