//! A child process and how it ends.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kflowd_proto::sys;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use crate::error::Failure;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with code {code}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

impl End {
    /// The exit code to pass on, when this end ends kflowd too: 1 to 3 have a meaning, everything else is 1.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Code(code @ 2..=3) => code as u8,
            _ => 1,
        }
    }
}

/// A child that has not been waited for. Dropped, it is killed and waited for: no error path leaves one behind.
#[derive(Debug)]
pub(crate) struct Child {
    pidfd: OwnedFd,
    ended: Option<End>,
}

impl Child {
    /// Forks. The child runs `body` and ends with the code that it gives; nothing of the parent's is unwound there.
    /// What `body` owns is closed in the parent; `kept` is given back to the parent and handed to `body` to close.
    ///
    /// # Errors
    /// When the kernel has no process or descriptor left; no child is left behind.
    pub(crate) fn start<K>(kept: K, body: impl FnOnce(K) -> u8) -> Result<(Self, K), Failure> {
        let pid = match sys::fork().map_err(|e| Failure::runtime("cannot start a process", e))? {
            sys::Fork::Child => std::process::exit(body(kept).into()),
            sys::Fork::Parent(pid) => pid,
        };
        let pid = Pid::from_raw(pid).ok_or_else(|| Failure::Runtime("fork gave no process id".into()))?;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok((Self { pidfd, ended: None }, kept)),
            Err(error) => {
                // Not waited for yet, so the number still means this child.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
                let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
                Err(Failure::runtime("cannot watch a process", error))
            }
        }
    }

    /// Kills it. Fails silently when it has another user by now; then it is told to end by other ways.
    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// How it ended, if it has.
    pub(crate) fn poll(&mut self) -> Option<End> {
        self.wait_with(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Waits until it ends.
    pub(crate) fn wait(&mut self) -> End {
        self.wait_with(WaitIdOptions::EXITED).unwrap_or(End::Code(1))
    }

    fn wait_with(&mut self, options: WaitIdOptions) -> Option<End> {
        if self.ended.is_none() {
            let status = loop {
                match waitid(WaitId::PidFd(self.pidfd.as_fd()), options) {
                    Err(rustix::io::Errno::INTR) => {}
                    other => break other.ok().flatten(),
                }
            };
            self.ended = status.map(|s| match (s.exit_status(), s.terminating_signal()) {
                (Some(code), _) => End::Code(code),
                (None, signal) => End::Signal(signal.unwrap_or(0)),
            });
        }
        self.ended
    }
}

impl AsFd for Child {
    /// Readable once it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.poll().is_none() {
            self.kill();
            self.wait();
        }
    }
}
