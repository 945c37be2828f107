//! The probe process: root until everything is attached, nobody from then on.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kflowd_proto::queue::Producer;
use kflowd_proto::sys;
use rustix::fs::{FileType, fstat};
use rustix::process::{Pid, getpgrp, getpid, getppid};

use super::FrontEnds;
use crate::error::{Failure, say};
use crate::kernel_check::kept_for_sweep;
use crate::load::{self, KernelSettings, OwnProcesses};
use crate::report::Report;
use crate::settings::Settings;
use crate::users::Users;
use crate::{preflight, privilege};

/// Descriptors that only the probe has.
#[derive(Debug)]
pub(crate) struct ProbeEnds {
    /// Data pages, writable.
    pub(crate) data: OwnedFd,
    /// Readable, or at its end: stop.
    pub(crate) stop: OwnedFd,
    /// Takes the [`Report`].
    pub(crate) report: OwnedFd,
    /// Never written; it closes when this process ends, however it ends.
    pub(crate) life: OwnedFd,
}

/// The probe from fork to exit; gives its exit code.
pub(crate) fn main(
    settings: &Settings,
    users: Users,
    ends: ProbeEnds,
    front: FrontEnds,
    signals: BorrowedFd<'_>,
) -> u8 {
    match run(settings, users, ends, front, signals) {
        Ok(()) => 0,
        Err(failure) => {
            say(&failure);
            if matches!(failure, Failure::Environment(_)) { 3 } else { 1 }
        }
    }
}

fn run(
    settings: &Settings,
    users: Users,
    ends: ProbeEnds,
    front: FrontEnds,
    signals: BorrowedFd<'_>,
) -> Result<(), Failure> {
    let _ = sys::set_name(c"kflowd-probe");
    // The front's ends first: while this process holds the stop pipe's other end, it would never see it close.
    let FrontEnds { shared, binary, stop, report } = front;
    drop((binary, stop, report));
    let producer = Producer::open(ends.data.as_fd(), shared.cursor.as_fd(), shared.wake)
        .map_err(|e| Failure::environment("cannot open the queue", e))?;
    // What is mapped stays mapped; the rest of these were the front's.
    drop((ends.data, shared.data, shared.cursor, shared.life));

    // After a failure the empty programs: a kernel that refuses those is told apart from hooks that do not fit.
    let attached = load::start(&kernel_settings(settings))
        .or_else(|e| preflight::run().and(Err(Failure::environment("cannot attach", e))))?;
    let report = Report { monitor_start: sys::boottime_ns(), hooks: attached.hooks().to_vec() };
    let drain =
        attached.into_drain(producer).map_err(|e| Failure::environment("cannot read from the kernel", e))?;

    privilege::detach_stdio().map_err(|e| Failure::environment("cannot open /dev/null", e))?;
    privilege::give_up(users.probe, kept_for_sweep())
        .map_err(|e| Failure::environment("cannot give up privileges", e))?;

    // Last, so that it is true. A front that is gone has closed the stop pipe too: the drain sees that.
    let _ = File::from(ends.report).write_all(report.encode().as_bytes());
    let ledger = drain.run(ends.stop.as_fd(), signals).map_err(|e| Failure::runtime("probe", e))?;
    say(format!("probe {ledger}"));
    drop(ends.life);
    Ok(())
}

fn kernel_settings(settings: &Settings) -> KernelSettings {
    KernelSettings {
        idle_ns: u64::from(settings.idle) * 1_000_000_000,
        active_ns: u64::from(settings.active) * 1_000_000_000,
        max_events: settings.max_events,
        files: settings.files,
        sockets: settings.sockets,
        capture_bytes: settings.capture_bytes,
        ports: settings.enricher.ports.clone(),
        all_files: settings.all_files,
        verbose: settings.verbose,
        // Only `-x` shows what they tell.
        process_records: settings.enricher.extra,
        own: own_processes(),
    }
}

fn own_processes() -> OwnProcesses {
    let front = getppid();
    let number = |pid: Pid| pid.as_raw_nonzero().get().unsigned_abs();
    OwnProcesses {
        front: front.map_or(0, number),
        probe: number(getpid()),
        group: if is_pipeline(front) { number(getpgrp()) } else { 0 },
    }
}

/// Whether our process group is a shell's job for a pipeline around kflowd, as in `kflowd | jq`: stdout is a pipe,
/// and the group was made for us or for the sudo that started us. A group that a script or a test program leads is
/// not ours to hide.
fn is_pipeline(front: Option<Pid>) -> bool {
    let piped = fstat(std::io::stdout()).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Fifo);
    let leader = getpgrp();
    let name = |file: &str| {
        std::fs::read_to_string(format!("/proc/{}/{file}", leader.as_raw_nonzero())).unwrap_or_default()
    };
    piped && (Some(leader) == front || matches!(name("comm").trim_end(), "sudo" | "doas" | "run0" | "pkexec"))
}
