//! From a new process to one that may read records: privileges go first, then the handshake.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use kflowd_proto::handoff::{self, HandoffFds};
use kflowd_proto::hello::Hello;
use kflowd_proto::sys;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, getuid, pidfd_getfd, pidfd_open};

use crate::error::RunError;

/// Gives up what this process does not need. It comes unprivileged already; this is the second lock.
///
/// # Errors
/// When a step fails, and when the process is root's.
pub fn give_up_privileges() -> Result<(), RunError> {
    let step = |what| move |error| RunError::Privilege(what, error);
    sys::set_name(c"kflowd-enricher").map_err(step("name"))?;
    sys::no_new_privs().map_err(step("no_new_privs"))?;
    sys::drop_capabilities().map_err(step("capabilities"))?;
    sys::not_dumpable().map_err(step("dumpable"))?;
    if getuid().is_root() || rustix::process::geteuid().is_root() {
        return Err(RunError::Root);
    }
    Ok(())
}

/// Takes over the descriptor that the starter left open under `number`.
///
/// # Errors
/// When there is none.
pub fn inherited(number: i32) -> Result<OwnedFd, RunError> {
    // A copy through a descriptor of this process is the way that needs no trust in the number.
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    own.and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty()))
        .map_err(|errno| RunError::Inherit(number, errno.into()))
}

/// The signals of this process as a descriptor. SIGINT is read and ignored: a terminal sends it to all processes
/// of a group, and the front process decides.
///
/// # Errors
/// When no descriptor is left.
pub fn signals() -> io::Result<OwnedFd> {
    use rustix::process::Signal;
    sys::signalfd(&[Signal::TERM.as_raw(), Signal::INT.as_raw()])
}

/// Receives settings and queue.
///
/// # Errors
/// When what arrives is not exactly what this build expects.
pub fn handshake(socket: &OwnedFd) -> Result<(Hello, HandoffFds), RunError> {
    Ok(handoff::receive(socket.as_fd())?)
}
