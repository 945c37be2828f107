//! Exit codes, and how an error is shown.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use kflowd_proto::handoff::HandoffError;
use kflowd_proto::queue::{Corrupt, QueueError};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// Something failed while running.
    Runtime = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Handshake or privileges are not as they must be; nothing was done.
    Refused = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the enricher stops.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Started as root.
    #[error("refused to run as root: start kflowd-probe, which starts this program as an unprivileged user")]
    Root,
    /// A step of giving up privileges failed.
    #[error("cannot give up privileges: {0}")]
    Privilege(&'static str, #[source] std::io::Error),
    /// The probe's message was refused.
    #[error("handshake with kflowd-probe failed")]
    Handshake(#[from] HandoffError),
    /// The inherited descriptor cannot be used.
    #[error("descriptor {0} cannot be used")]
    Inherit(i32, #[source] std::io::Error),
    /// The queue's memory cannot be used.
    #[error("cannot open the queue")]
    Queue(#[from] QueueError),
    /// The queue holds what no producer writes.
    #[error("the queue is damaged")]
    Corrupt(#[from] Corrupt),
    /// A receiver's name has no address.
    #[error("cannot use UDP receiver {0}")]
    Receiver(String, #[source] std::io::Error),
    /// The event loop cannot be set up.
    #[error("cannot wait for events: {0}")]
    Wait(&'static str, #[source] std::io::Error),
    /// stdout failed, and not because its reader left.
    #[error("cannot write to stdout")]
    Stdout(#[source] std::io::Error),
    /// The probe ended without closing the queue.
    #[error("kflowd-probe is gone; everything that it left in the queue was written")]
    ProbeGone,
}

impl RunError {
    /// The exit code that tells the starter what kind of error this is.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Root | Self::Privilege(..) | Self::Handshake(_) | Self::Inherit(..) | Self::Queue(_) => {
                Exit::Refused
            }
            _ => Exit::Runtime,
        }
    }
}

/// The error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(line, ": {inner}");
        cause = inner.source();
    }
    line
}

/// One line on stderr, by one write: the probe writes there too. Nobody can be told when stderr is gone.
pub fn say(line: &str) {
    use std::io::Write as _;
    let line = format!("kflowd-enricher: {line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
