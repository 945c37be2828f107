//! The process that the user started: forks the probe while still root, then gives up root, runs the enricher and
//! waits. It maps no queue and reads no record.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kflowd_proto::hello::Hello;
use kflowd_proto::{queue, sys};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::child::{Child, End};
use crate::error::{Failure, say};
use crate::launch::{self, Launcher, Shared};
use crate::report::Report;
use crate::settings::Settings;
use crate::users;
use crate::{host, privilege};

mod course;
mod notify;
mod probe;
mod watch;

use probe::ProbeEnds;

/// The signals that mean stop, for every process of kflowd.
const STOP_SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Descriptors of which the probe has no use.
#[derive(Debug)]
pub(crate) struct FrontEnds {
    shared: Shared,
    binary: OwnedFd,
    /// Written, or closed: the probe stops.
    stop: OwnedFd,
    /// Gives the probe's [`Report`].
    report: OwnedFd,
}

/// Runs kflowd until it is stopped; gives the exit code.
///
/// # Errors
/// Every failure on the way up; no process is left behind.
pub(crate) fn run(settings: &Settings) -> Result<u8, Failure> {
    let users = users::choose(settings.user.as_deref())?;
    // Blocked before the first fork, so that no phase and no process misses a stop.
    let signals =
        sys::signalfd(&STOP_SIGNALS).map_err(|e| Failure::environment("cannot block signals", e))?;
    let (front, probe) = ends(settings)?;
    let start = |kept| probe::main(settings, users, probe, kept, signals.as_fd());
    let (child, front) = Child::start(front, start)?;
    // Order of the drops on every way out: first the stop pipe, then the child, which is waited for.
    let mut probe = Probe { stop: Some(front.stop), child };
    let Some(report) = probe.report(front.report, signals.as_fd())? else { return Ok(0) };
    let _ = sys::set_name(c"kflowd");
    privilege::give_up(users.enricher, None)
        .map_err(|e| Failure::environment("cannot give up privileges", e))?;
    let hello = Hello::new(settings.enricher.clone(), host::facts(report));
    let launcher = Launcher { binary: front.binary, shared: front.shared, hello };
    watch::run(probe, &launcher, &settings.sinks(), signals.as_fd())
}

/// Makes everything that the processes share.
fn ends(settings: &Settings) -> Result<(FrontEnds, ProbeEnds), Failure> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|e| Failure::environment("cannot create a pipe", e));
    let binary = launch::open_enricher()?;
    let made =
        queue::create(settings.queue_size).map_err(|e| Failure::environment("cannot create the queue", e))?;
    let (stop_read, stop_write) = pipe()?;
    let (report_read, report_write) = pipe()?;
    let (life_read, life_write) = pipe()?;
    let shared = Shared { data: made.data_readonly, cursor: made.cursor, wake: made.wake, life: life_read };
    let front = FrontEnds { shared, binary, stop: stop_write, report: report_read };
    Ok((front, ProbeEnds { data: made.data, stop: stop_read, report: report_write, life: life_write }))
}

/// The probe as the front sees it. Drops the stop pipe before it waits for the child.
#[derive(Debug)]
struct Probe {
    stop: Option<OwnedFd>,
    child: Child,
}

impl Probe {
    /// Tells the probe to stop.
    fn stop(&mut self) {
        // Closing alone would do; the byte also arrives while a child that is not yet executed holds a copy.
        if let Some(stop) = self.stop.take() {
            let _ = rustix::io::write(&stop, b"s");
        }
    }

    /// Waits until the probe has attached. `None`: told to stop meanwhile; the probe is then killed on drop, which
    /// this process, still root, may do. The kernel takes programs and hooks back with it.
    fn report(&mut self, pipe: OwnedFd, signals: BorrowedFd<'_>) -> Result<Option<Report>, Failure> {
        let mut pipe = std::fs::File::from(pipe);
        let mut text = Vec::new();
        loop {
            let [told, readable] = wait_readable([signals, pipe.as_fd()])?;
            if told {
                return Ok(None);
            }
            let mut part = [0; 4096];
            match if readable { pipe.read(&mut part) } else { continue } {
                Ok(0) => break,
                Ok(len) => text.extend_from_slice(&part[..len]),
                Err(e) => return Err(Failure::runtime("cannot hear the probe", e)),
            }
        }
        match Report::decode(&text) {
            Some(report) => Ok(Some(report)),
            None => {
                let end = self.child.wait();
                if let End::Signal(_) = end {
                    say(format!("probe {end} while it attached"));
                }
                Err(Failure::Told(end.code()))
            }
        }
    }
}

/// Waits until at least one is readable or at its end; says which.
fn wait_readable<const N: usize>(fds: [BorrowedFd<'_>; N]) -> Result<[bool; N], Failure> {
    let mut polled = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    match poll(&mut polled, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(polled.map(|fd| !fd.revents().is_empty())),
        Err(e) => Err(Failure::runtime("cannot wait", e)),
    }
}
