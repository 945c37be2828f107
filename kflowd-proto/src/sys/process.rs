//! Starting and watching processes.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::check;

/// Which of the two processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with the id of the child.
    Parent(i32),
}

/// Copies the process, which must have a single thread: a lock that another thread holds would stay locked in the child.
///
/// # Errors
/// When there are more threads, or the kernel has no room for another process.
pub fn fork() -> io::Result<Fork> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("fork in a process with threads"));
    }
    // SAFETY: with a single thread, as just checked, the child is a whole copy: no lock is held by a thread that is
    // missing there, so it may do all that the parent may.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        child => Ok(Fork::Parent(child)),
    }
}

/// Replaces the program by the one in `fd`; returns only the error. Descriptors without CLOEXEC go along.
/// With CLOEXEC on `fd` itself a script cannot be started, a binary can.
pub fn exec_fd(fd: BorrowedFd<'_>, argv: &[CString], envp: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
    };
    let (argv, envp) = (pointers(argv), pointers(envp));
    // The system call itself: older C libraries have no function for it.
    // SAFETY: the path is an empty string; both lists end with null and point to strings that outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

/// Marks every descriptor from `first` on: a program that is executed does not get it, whoever opened it.
///
/// # Errors
/// When `/proc` is not there.
pub fn close_on_exec_from(first: i32) -> io::Result<()> {
    // Not close_range(2): its CLOEXEC flag came with 5.11.
    for entry in std::fs::read_dir("/proc/self/fd")? {
        if let Some(fd) =
            entry?.file_name().to_str().and_then(|n| n.parse::<i32>().ok()).filter(|fd| *fd >= first)
        {
            // SAFETY: takes a number and touches no memory; a number that is closed by now gives EBADF, nothing else.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// How child `pid` ended, as `wait(2)` reports it; `None` while it runs.
///
/// # Errors
/// When `pid` is not a child of this process.
pub fn wait_nohang(pid: i32) -> io::Result<Option<i32>> {
    let ended = rustix::process::waitpid(Some(to_pid(pid)?), WaitOptions::NOHANG)?;
    Ok(ended.map(|(_, status)| status.as_raw()))
}

/// A descriptor of process `pid`; it becomes readable when the process ends.
///
/// # Errors
/// When there is no such process.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(to_pid(pid)?, PidfdFlags::empty())?)
}

/// Sends `signal` to the process of a pidfd, never to a stranger that has its number now.
///
/// # Errors
/// When the process has ended, or this one may not.
pub fn signal_pidfd(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let signal = Signal::from_named_raw(signal).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_send_signal(pidfd, signal)?)
}

/// Gives the thread the name that `ps` shows, at most 15 bytes.
///
/// # Errors
/// Never on a supported kernel.
pub fn set_name(name: &CStr) -> io::Result<()> {
    Ok(rustix::thread::set_name(name)?)
}

fn to_pid(pid: i32) -> io::Result<Pid> {
    // rustix takes negative numbers for a mistake of the program and panics.
    Pid::from_raw(pid.max(0)).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
