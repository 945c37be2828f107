//! What the front decides, without doing any of it: events go in, actions come out.
//!
//! Ends when the probe has ended and no enricher is left to wait for. The enricher is restarted as long as the probe
//! runs; afterwards only [`LAST_TRIES`] times, because then all that is left is the rest of the queue.

use std::time::{Duration, Instant};

use crate::child::End;

/// First pause before a restart; doubles each time.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Longest pause before a restart.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// An enricher that lived this long starts the pauses anew.
const HEALTHY: Duration = Duration::from_secs(60);
/// A signal this long after the first one means: do not wait for the enricher. Not at once, since `timeout` and
/// terminals deliver the same stop twice.
const IMPATIENT: Duration = Duration::from_secs(2);
/// Restarts of the enricher while kflowd stops.
const LAST_TRIES: u32 = 3;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// SIGINT, SIGTERM or SIGHUP.
    Signal,
    /// The enricher has accepted the handshake.
    Ready,
    /// The enricher has ended.
    Enricher(End),
    /// The probe has ended.
    Probe(End),
    /// A pause may be over.
    Timer,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// One line on stderr.
    Say(String),
    /// The ready line and READY=1.
    Announce,
    /// Tell the probe to stop; harmless when it was told before.
    Stop,
    /// Start an enricher.
    Start,
    /// Kill the enricher.
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enricher {
    /// Since.
    Runs(Instant),
    /// Until.
    Pauses(Instant),
    /// Will not be started again.
    Gone,
}

/// The state between events.
#[derive(Debug)]
pub(crate) struct Course {
    enricher: Enricher,
    probe: Option<End>,
    stopping: Option<Instant>,
    ready: bool,
    killed: bool,
    pause: Duration,
    tries: u32,
    code: u8,
}

impl Course {
    /// Probe and the first enricher run.
    pub(crate) fn new(now: Instant) -> Self {
        let enricher = Enricher::Runs(now);
        Self {
            enricher,
            probe: None,
            stopping: None,
            ready: false,
            killed: false,
            pause: PAUSE_FIRST,
            tries: 0,
            code: 0,
        }
    }

    /// The exit code, once nothing is left to wait for.
    pub(crate) fn finished(&self) -> Option<u8> {
        (self.probe.is_some() && self.enricher == Enricher::Gone).then_some(self.code)
    }

    /// How long to wait for the next event; `None` = for as long as it takes.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        match self.enricher {
            Enricher::Pauses(until) => Some(until.saturating_duration_since(now)),
            _ => None,
        }
    }

    /// Takes in one event.
    pub(crate) fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Signal => self.signal(now),
            Event::Ready if self.ready => vec![],
            Event::Ready => {
                self.ready = true;
                vec![Action::Announce]
            }
            Event::Enricher(end) => self.enricher_ended(end, now),
            Event::Probe(end) => self.probe_ended(end, now),
            Event::Timer => match self.enricher {
                Enricher::Pauses(until) if until <= now => {
                    self.enricher = Enricher::Runs(now);
                    vec![Action::Start]
                }
                _ => vec![],
            },
        }
    }

    fn signal(&mut self, now: Instant) -> Vec<Action> {
        match self.stopping {
            None => self.stop(now),
            Some(first) if now.duration_since(first) >= IMPATIENT && self.enricher != Enricher::Gone => {
                (self.code, self.killed) = (1, true);
                if matches!(self.enricher, Enricher::Pauses(_)) {
                    self.enricher = Enricher::Gone;
                }
                vec![
                    Action::Kill,
                    Action::Say("told to stop again: the rest of the queue is given up".into()),
                ]
            }
            Some(_) => vec![],
        }
    }

    /// From here on the queue only gets shorter, so a pause of the enricher is over.
    fn stop(&mut self, now: Instant) -> Vec<Action> {
        self.stopping.get_or_insert(now);
        if matches!(self.enricher, Enricher::Pauses(_)) {
            self.enricher = Enricher::Pauses(now);
        }
        vec![Action::Stop]
    }

    fn probe_ended(&mut self, end: End, now: Instant) -> Vec<Action> {
        self.probe = Some(end);
        if end != End::Code(0) {
            self.code = 1;
        }
        if self.stopping.is_some() && end == End::Code(0) {
            return vec![];
        }
        // Code 0 without a stop from here: the probe itself got the signal, which is a stop like any other.
        let mut actions = self.stop(now);
        if end != End::Code(0) {
            actions.push(Action::Say(format!("probe {end}; the enricher writes what is left and stops")));
        }
        actions
    }

    fn enricher_ended(&mut self, end: End, now: Instant) -> Vec<Action> {
        let lived = match self.enricher {
            Enricher::Runs(since) => now.duration_since(since),
            _ => Duration::ZERO,
        };
        self.enricher = Enricher::Gone;
        if self.killed {
            return vec![];
        }
        match end {
            // It has emptied the queue, or its only sink was closed: nothing more to do in either case.
            End::Code(0) if self.ready => self.stop(now),
            _ if !self.ready => {
                self.code = end.code();
                [self.stop(now), vec![Action::Say(format!("enricher {end} before it was ready"))]].concat()
            }
            _ => self.restart(end, lived, now),
        }
    }

    fn restart(&mut self, end: End, lived: Duration, now: Instant) -> Vec<Action> {
        if self.stopping.is_some() {
            self.tries += 1;
            if self.tries > LAST_TRIES {
                self.code = 1;
                return vec![Action::Say(format!("enricher {end}; the rest of the queue is lost"))];
            }
        }
        if lived >= HEALTHY {
            self.pause = PAUSE_FIRST;
        }
        let pause = if self.stopping.is_some() { PAUSE_FIRST } else { self.pause };
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.enricher = Enricher::Pauses(now + pause);
        vec![Action::Say(format!("enricher {end}, restarted in {} ms", pause.as_millis()))]
    }
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
