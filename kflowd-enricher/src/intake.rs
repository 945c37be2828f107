//! The loop: frames from the queue in batches, each batch written and then committed.
//!
//! A batch that was written but not committed when the process dies comes again with the same numbers. A message
//! that is made anew each time must not come twice under one number: the self record, and records of flows that go out
//! only because application messages wait in this process. They are committed before they are written; a death in
//! between leaves a gap, which is what a loss looks like.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use kflowd_proto::queue::Consumer;
use kflowd_proto::sys;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::process::Signal;

use crate::enrich::SECOND;
use crate::error::{RunError, say};
use crate::pipeline::Pipeline;
use crate::render::Batch;
use crate::sink::{Sinks, Written};

/// Frames in a batch.
const FRAMES_MAX: usize = 512;
/// Text of a batch after which no further frame is taken, in bytes.
const TEXT_MAX: usize = 256 * 1024;
/// How long the probe may take to close the queue after SIGTERM, once the queue is empty.
const CLOSE_WAIT: u64 = 2 * SECOND;

const WAKE: Token = Token(0);
const LIFE: Token = Token(1);
const SIGNALS: Token = Token(2);

/// The loop and what it works with.
pub struct Intake {
    queue: Consumer,
    pipeline: Pipeline,
    sinks: Sinks,
    life: OwnedFd,
    signals: OwnedFd,
    poll: Poll,
    events: Events,
    frame: Vec<u8>,
    batch: Batch,
    times: Times,
    /// The probe has ended.
    gone: bool,
    /// SIGTERM has come.
    stop: bool,
}

/// What is due when, in nanoseconds since boot; `None` is never.
#[derive(Debug)]
struct Times {
    stats_every: Option<u64>,
    stats: Option<u64>,
    wall: u64,
    /// When the queue was first seen empty after SIGTERM, plus [`CLOSE_WAIT`].
    give_up: Option<u64>,
}

/// Why the loop ended without an error.
enum End {
    Closed,
    ProbeGone,
    NotClosed,
}

impl Intake {
    /// Sets the loop up. `stats_seconds` is the time between two self records, 0 for only the last one.
    ///
    /// # Errors
    /// When the descriptors cannot be waited for.
    pub fn new(
        queue: Consumer,
        life: OwnedFd,
        signals: OwnedFd,
        pipeline: Pipeline,
        sinks: Sinks,
        stats_seconds: u32,
    ) -> Result<Self, RunError> {
        let poll = Poll::new().map_err(|e| RunError::Wait("epoll", e))?;
        for (what, fd, token) in [
            ("queue", queue.wake_fd().as_raw_fd(), WAKE),
            ("probe", life.as_raw_fd(), LIFE),
            ("signals", signals.as_raw_fd(), SIGNALS),
        ] {
            watch(&poll, fd, token).map_err(|e| RunError::Wait(what, e))?;
        }
        let stats_every = (stats_seconds > 0).then(|| u64::from(stats_seconds) * SECOND);
        let stats = stats_every.map(|every| sys::boottime_ns().saturating_add(every));
        Ok(Self {
            queue,
            pipeline,
            sinks,
            life,
            signals,
            poll,
            events: Events::with_capacity(8),
            frame: Vec::new(),
            batch: Batch::default(),
            times: Times { stats_every, stats, wall: 0, give_up: None },
            gone: false,
            stop: false,
        })
    }

    /// Runs until the queue is closed and empty, and prints the ledger.
    ///
    /// # Errors
    /// When queue or stdout fail, and when the probe ended without closing the queue.
    pub fn run(mut self) -> Result<(), RunError> {
        let Some(end) = self.work()? else { return Ok(()) };
        if self.finish()? == Written::NobodyLeft {
            return Ok(());
        }
        let nobody = self.self_record(sys::boottime_ns())? == Written::NobodyLeft;
        self.print_ledger();
        match end {
            End::ProbeGone if !nobody => Err(RunError::ProbeGone),
            End::NotClosed => {
                say("stopped before kflowd-probe closed the queue");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// `None` when nobody reads any more.
    fn work(&mut self) -> Result<Option<End>, RunError> {
        loop {
            let now = sys::boottime_ns();
            // Asked before the queue is emptied: what was pushed before the end is then taken below.
            let gone = self.gone;
            self.tick(now);
            let taken = self.take_batch(now)?;
            if taken == Taken::NobodyLeft || self.stats_due(now)? == Written::NobodyLeft {
                return Ok(None);
            }
            if taken == Taken::Some {
                continue;
            }
            if self.queue.closed() {
                return Ok(Some(End::Closed));
            }
            if gone {
                return Ok(Some(End::ProbeGone));
            }
            if self.stop && now >= *self.times.give_up.get_or_insert(now.saturating_add(CLOSE_WAIT)) {
                return Ok(Some(End::NotClosed));
            }
            self.wait(now)?;
        }
    }

    fn tick(&mut self, now: u64) {
        if now >= self.times.wall {
            self.times.wall = now.saturating_add(SECOND);
            self.pipeline.set_wall_offset(sys::wall_offset());
        }
    }

    /// Takes what is there, writes it, commits it.
    fn take_batch(&mut self, now: u64) -> Result<Taken, RunError> {
        self.batch.clear();
        self.pipeline.tick(now, &mut self.batch);
        let mut frames = 0;
        while frames < FRAMES_MAX && self.batch.text().len() < TEXT_MAX && !self.batch.once() {
            let Some(frame) = self.queue.next()? else { break };
            frame.copy_into(&mut self.frame);
            self.pipeline.take(&self.frame, &mut self.batch);
            frames += 1;
        }
        if frames == 0 && self.batch.is_empty() {
            return Ok(Taken::None);
        }
        self.times.give_up = None;
        if self.write()? == Written::NobodyLeft { Ok(Taken::NobodyLeft) } else { Ok(Taken::Some) }
    }

    /// Writes the batch and commits it, in the order that it needs.
    fn write(&mut self) -> Result<Written, RunError> {
        if self.batch.once() {
            self.queue.commit(self.pipeline.sequence());
        }
        let now = sys::boottime_ns();
        let written = self.sinks.write(&self.batch, now)?;
        if written == Written::On && !self.batch.once() {
            self.queue.commit(self.pipeline.sequence());
        }
        Ok(written)
    }

    /// What waits of application messages goes out.
    fn finish(&mut self) -> Result<Written, RunError> {
        loop {
            self.batch.clear();
            let more = self.pipeline.finish(&mut self.batch, TEXT_MAX);
            let written = self.write()?;
            if written == Written::NobodyLeft || !more {
                return Ok(written);
            }
        }
    }

    fn stats_due(&mut self, now: u64) -> Result<Written, RunError> {
        let (Some(due), Some(every)) = (self.times.stats, self.times.stats_every) else {
            return Ok(Written::On);
        };
        if now < due {
            return Ok(Written::On);
        }
        self.times.stats = Some(now.saturating_add(every));
        self.self_record(now)
    }

    fn self_record(&mut self, now: u64) -> Result<Written, RunError> {
        self.batch.clear();
        self.pipeline.self_record(now, &self.sinks.counts(), &mut self.batch);
        self.batch.number_depends();
        self.write()
    }

    /// Sleeps until something happens or is due.
    fn wait(&mut self, now: u64) -> Result<(), RunError> {
        if !self.queue.sleep() {
            return Ok(());
        }
        let due = [self.times.stats, self.times.give_up, self.pipeline.due()].into_iter().flatten().min();
        let timeout = due.map(|due| Duration::from_nanos(due.saturating_sub(now)));
        let waited = self.poll.poll(&mut self.events, timeout);
        self.queue.awake();
        match waited {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(RunError::Wait("poll", error));
            }
            _ => {}
        }
        for event in &self.events {
            match event.token() {
                LIFE => self.gone |= ended(&self.life),
                SIGNALS => self.stop |= asked_to_stop(&self.signals),
                _ => {}
            }
        }
        Ok(())
    }

    fn print_ledger(&self) {
        for stage in self.pipeline.stages(&self.sinks.counts()) {
            let mut line = stage.name.to_owned();
            if let Some(server) = &stage.server {
                line.push_str(&format!(" {server}"));
            }
            for (name, count) in stage.counters {
                line.push_str(&format!(" {name} {count}"));
            }
            say(&line);
        }
    }
}

/// What a look into the queue gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    None,
    Some,
    NobodyLeft,
}

fn watch(poll: &Poll, fd: RawFd, token: Token) -> std::io::Result<()> {
    poll.registry().register(&mut SourceFd(&fd), token, Interest::READABLE)
}

/// Whether the other end of the pipe is closed. Nothing is ever written to it.
fn ended(life: &OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(life, PollFlags::empty())];
    let ready = poll(&mut fds, Some(&Timespec::default()));
    ready.is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Reads all waiting signals.
fn asked_to_stop(signals: &OwnedFd) -> bool {
    let mut stop = false;
    while let Ok(Some(number)) = sys::read_signal(signals.as_fd()) {
        stop |= number == Signal::TERM.as_raw();
    }
    stop
}
