//! Standard output, whatever it is: file, terminal, pipe; blocking or not.

use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio::stdout;

/// Writes without a buffer of its own: a batch is one piece already.
#[derive(Debug, Default)]
pub(super) struct Stdout;

impl Stdout {
    /// Writes all of `text`, waiting for a slow reader: the queue holds what comes meanwhile. Tells how many bytes
    /// were taken, also when it fails.
    pub(super) fn write(&mut self, text: &[u8]) -> (usize, io::Result<()>) {
        let mut done = 0;
        while done < text.len() {
            match rustix::io::write(stdout(), &text[done..]) {
                Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
                Ok(bytes) => done += bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    // Any end of the wait leads to another write, which says what is the matter.
                    let _ = poll(&mut [PollFd::from_borrowed_fd(stdout(), PollFlags::OUT)], None);
                }
                Err(errno) => return (done, Err(errno.into())),
            }
        }
        (done, Ok(()))
    }
}
