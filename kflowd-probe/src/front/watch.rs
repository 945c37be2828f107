//! The waiting: turns descriptors that became readable into events and does what [`Course`] decides.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use kflowd_proto::{handoff, sys};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::course::{Action, Course, Event};
use super::{Probe, notify};
use crate::error::{Failure, say, say_ready};
use crate::launch::{Launcher, Running};

struct Watch<'a> {
    // First the probe: dropped, it closes the stop pipe, so both children can be waited for.
    probe: Probe,
    probe_runs: bool,
    enricher: Option<Running>,
    launcher: &'a Launcher,
    sinks: &'a str,
    signals: BorrowedFd<'a>,
}

/// Starts the enricher and waits until everything has ended; gives the exit code.
pub(super) fn run(
    probe: Probe,
    launcher: &Launcher,
    sinks: &str,
    signals: BorrowedFd<'_>,
) -> Result<u8, Failure> {
    let mut watch = Watch { probe, probe_runs: true, enricher: None, launcher, sinks, signals };
    watch.enricher = Some(launcher.start()?);
    let mut course = Course::new(Instant::now());
    loop {
        if let Some(code) = course.finished() {
            return Ok(code);
        }
        for event in watch.next(course.wait(Instant::now()))? {
            for action in course.on(event, Instant::now()) {
                watch.act(action)?;
            }
        }
    }
}

impl Watch<'_> {
    /// Waits for events, at most for `pause`.
    fn next(&mut self, pause: Option<Duration>) -> Result<Vec<Event>, Failure> {
        let [told, probe, enricher, answer] = self.poll(pause)?;
        let mut events = vec![Event::Timer];
        if told && sys::read_signal(self.signals).is_ok() {
            events.push(Event::Signal);
        }
        if answer {
            events.extend(self.answer());
        }
        if probe && let Some(end) = self.probe.child.poll() {
            self.probe_runs = false;
            events.push(Event::Probe(end));
        }
        if enricher && let Some(end) = self.enricher.as_mut().and_then(|running| running.child.poll()) {
            self.enricher = None;
            events.push(Event::Enricher(end));
        }
        Ok(events)
    }

    /// Which of signals, probe, enricher and the enricher's socket have something to say.
    fn poll(&self, pause: Option<Duration>) -> Result<[bool; 4], Failure> {
        let probe = self.probe_runs.then_some(self.probe.child.as_fd());
        let enricher = self.enricher.as_ref().map(|running| running.child.as_fd());
        let socket = self.enricher.as_ref().and_then(|running| running.socket.as_ref()).map(AsFd::as_fd);
        let wanted = [Some(self.signals), probe, enricher, socket];
        let mut fds: Vec<_> =
            wanted.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        // Rounded up to a millisecond, so that a pause is over when the timer says so.
        let limit = pause.map(|p| Timespec::try_from(p + Duration::from_millis(1)).unwrap_or_default());
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Failure::runtime("cannot wait", e)),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        Ok(wanted.map(|fd| fd.is_some() && ready.next().unwrap_or(false)))
    }

    /// The enricher's answer to the handshake. One that refuses, or breaks it off, has no work left.
    fn answer(&mut self) -> Option<Event> {
        let running = self.enricher.as_mut()?;
        let socket = running.socket.take()?;
        match handoff::await_acknowledge(socket.as_fd()) {
            Ok(true) => Some(Event::Ready),
            _ => {
                running.child.kill();
                None
            }
        }
    }

    fn act(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Say(text) => say(text),
            Action::Stop => self.probe.stop(),
            Action::Start => self.enricher = Some(self.launcher.start()?),
            Action::Kill => self.enricher.iter().for_each(|running| running.child.kill()),
            Action::Announce => {
                say_ready(format!(
                    "{} hooks, records to {}",
                    self.launcher.hello.host.hooks.len(),
                    self.sinks
                ));
                notify::ready();
            }
        }
        Ok(())
    }
}
