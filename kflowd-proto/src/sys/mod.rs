//! The one door for system calls that are not plain file or socket work: safe where rustix is, documented `unsafe`
//! elsewhere. Every function gives the kernel's answer as [`io::Error`].

use std::io;
use std::os::fd::OwnedFd;

mod clock;
mod privilege;
mod process;
mod signal;

pub use clock::{boottime_ns, realtime_ns, wall_offset};
pub use privilege::{
    become_user, drop_capabilities, empty_bounding_set, keep_capability, keep_over_change_of_user,
    no_new_privs, not_dumpable,
};
pub use process::{Fork, close_on_exec_from, exec_fd, fork, pidfd_open, set_name, signal_pidfd, wait_nohang};
pub use signal::{read_signal, signalfd};

/// A non-blocking eventfd with count 0.
///
/// # Errors
/// When no descriptor is left.
pub fn eventfd() -> io::Result<OwnedFd> {
    use rustix::event::EventfdFlags;
    Ok(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Two connected `SOCK_SEQPACKET` sockets.
///
/// # Errors
/// When no descriptor is left.
pub fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// The one place that turns -1 into an error.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}
