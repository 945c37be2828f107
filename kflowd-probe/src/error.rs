//! What the user sees when something is wrong: one line on stderr and an exit code.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// Why kflowd ends, each with its exit code and its one line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Exit code 2: wrong input; the line names the option, the value and what is accepted.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3: privilege, kernel or installation lacks something; the line names it and the way out.
    #[error("{0}")]
    Environment(String),
    /// Exit code 1: it ran and broke.
    #[error("{0}")]
    Runtime(String),
    /// A process of ours has failed with this code and has said why.
    #[error("exit code {0}")]
    Told(u8),
}

impl Failure {
    /// Environment failure: what was tried and what the system answered.
    pub(crate) fn environment(what: &str, cause: impl Display) -> Self {
        Self::Environment(format!("{what}: {cause}"))
    }

    /// Runtime failure: what was tried and what the system answered.
    pub(crate) fn runtime(what: &str, cause: impl Display) -> Self {
        Self::Runtime(format!("{what}: {cause}"))
    }

    /// Says the line, if it was not said yet, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let code = match self {
            Self::Runtime(_) => 1,
            Self::Usage(_) => 2,
            Self::Environment(_) => 3,
            Self::Told(code) => return ExitCode::from(*code),
        };
        say(self);
        ExitCode::from(code)
    }
}

/// One line on stderr after the program's name. One write, so that lines of three processes never mix; a closed
/// stderr is no reason to stop, hence no `eprintln!`.
pub(crate) fn say(text: impl Display) {
    let line = format!("kflowd: {text}").replace(['\n', '\r'], " ");
    let _ = std::io::stderr().write_all(format!("{}\n", line.trim_end()).as_bytes());
}

/// A line on stderr that begins with exactly `kflowd ready`.
pub(crate) fn say_ready(text: impl Display) {
    let _ = std::io::stderr().write_all(format!("kflowd ready: {text}\n").as_bytes());
}
