//! Starting the enricher: find its binary while still root, run it as often as needed afterwards.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use kflowd_proto::handoff::BorrowedHandoffFds;
use kflowd_proto::hello::Hello;
use kflowd_proto::{handoff, sys};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::child::Child;
use crate::error::{Failure, say};

/// File name of the enricher, beside this program.
const NAME: &str = "kflowd-enricher";
/// What the enricher may know of the user's environment: terminal, colour, width, time zone.
const ENVIRONMENT: [&str; 4] = ["TERM", "NO_COLOR", "COLUMNS", "TZ"];

/// Opens the enricher's binary. Done as root, so that a directory only root may enter works, and once, so that a
/// restarted enricher is the same build as this program even after an upgrade.
///
/// # Errors
/// [`Failure::Environment`] when it is not there.
pub(crate) fn open_enricher() -> Result<OwnedFd, Failure> {
    let own = std::fs::read_link("/proc/self/exe")
        .map_err(|e| Failure::environment("cannot find this program's directory in /proc", e))?;
    let path = own.with_file_name(NAME);
    open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|e| {
        Failure::Environment(format!(
            "cannot open {} ({e}); install {NAME} beside this program",
            path.display()
        ))
    })
}

/// Descriptors of the queue that an enricher gets, and the pipe whose other end only the probe has.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Data pages, read-only.
    pub(crate) data: OwnedFd,
    /// The enricher's cursor page.
    pub(crate) cursor: OwnedFd,
    /// eventfd of the probe's wake-ups.
    pub(crate) wake: OwnedFd,
    /// End of file when the probe has ended.
    pub(crate) life: OwnedFd,
}

/// Everything that a new enricher needs; holds no privilege.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// The binary.
    pub(crate) binary: OwnedFd,
    /// What it gets.
    pub(crate) shared: Shared,
    /// What it is told.
    pub(crate) hello: Hello,
}

/// An enricher that runs. The socket goes away once the enricher has answered.
#[derive(Debug)]
pub(crate) struct Running {
    /// The process.
    pub(crate) child: Child,
    /// The handshake's socket.
    pub(crate) socket: Option<OwnedFd>,
}

impl Launcher {
    /// Starts an enricher with this process's user and stdout, and sends it the handshake; its answer comes later.
    ///
    /// # Errors
    /// When there is no process or socket to be had. An enricher that cannot be executed ends by itself.
    pub(crate) fn start(&self) -> Result<Running, Failure> {
        let (ours, theirs) =
            sys::seqpacket_pair().map_err(|e| Failure::runtime("cannot create a socket", e))?;
        let (child, ours) = Child::start(ours, |_| {
            say(format!("cannot start {NAME}: {}", self.execute(theirs.as_fd())));
            3
        })?;
        drop(theirs);
        let shared = &self.shared;
        let fds = BorrowedHandoffFds {
            data: shared.data.as_fd(),
            cursor: shared.cursor.as_fd(),
            wake: shared.wake.as_fd(),
            life: shared.life.as_fd(),
        };
        let sent = handoff::send(ours.as_fd(), &self.hello, &fds);
        // An enricher that ended at once has said why; here its end is seen on the pidfd.
        let socket = sent.is_ok().then_some(ours);
        Ok(Running { child, socket })
    }

    /// In the child: becomes the enricher. Every descriptor but the standard ones and `socket` closes on exec.
    fn execute(&self, socket: BorrowedFd<'_>) -> std::io::Error {
        let run = || -> std::io::Result<std::convert::Infallible> {
            // Also those that this process got from its parent without knowing.
            sys::close_on_exec_from(3)?;
            fcntl_setfd(socket, FdFlags::empty())?;
            let number = socket.as_raw_fd().to_string();
            let argv =
                [NAME, "--inherit", &number].map(CString::new).into_iter().collect::<Result<Vec<_>, _>>()?;
            let known =
                ENVIRONMENT.iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
            let envp = known.map(CString::new).collect::<Result<Vec<_>, _>>()?;
            Err(sys::exec_fd(self.binary.as_fd(), &argv, &envp))
        };
        match run() {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }
}
