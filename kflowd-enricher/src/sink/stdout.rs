//! Standard output, whatever it is: file, terminal, pipe; blocking or not.

use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::stdio::stdout;

/// A write of at most so many bytes to a pipe is done whole or not at all (PIPE_BUF, pipe(7)).
const ATOMIC: usize = 4096;

/// Writes without a buffer of its own: a batch is one piece already.
#[derive(Debug)]
pub(super) struct Stdout {
    pipe: bool,
}

/// Bytes of `text` for one write to a pipe: whole messages, as many as are written atomically. Killed between two
/// writes, this process leaves no torn message before those that its successor repeats.
fn whole_messages(text: &[u8]) -> usize {
    let ends = |window: &[u8]| window == b"}\n{";
    if text.len() <= ATOMIC {
        return text.len();
    }
    let fits = text[..=ATOMIC].windows(3).rposition(ends);
    fits.or_else(|| text.windows(3).position(ends)).map_or(text.len(), |at| at + 2)
}

impl Stdout {
    /// Looks at what standard output is.
    pub(super) fn open() -> Self {
        Self { pipe: fstat(stdout()).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Fifo) }
    }

    /// Writes all of `text`, waiting for a slow reader: the queue holds what comes meanwhile. Tells how many bytes
    /// were taken, also when it fails.
    pub(super) fn write(&mut self, text: &[u8]) -> (usize, io::Result<()>) {
        let mut done = 0;
        while done < text.len() {
            let rest = &text[done..];
            let unit = if self.pipe { whole_messages(rest) } else { rest.len() };
            match rustix::io::write(stdout(), &rest[..unit]) {
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

#[cfg(test)]
mod tests {
    use super::{ATOMIC, whole_messages};

    #[test]
    fn units_are_whole_messages() {
        let message = |len: usize| format!("{{{}}}\n", "x".repeat(len - 3));
        assert_eq!(whole_messages(message(100).as_bytes()), 100);
        let many = message(1000).repeat(9);
        assert_eq!(whole_messages(many.as_bytes()), 4000);
        let exact = message(ATOMIC / 4).repeat(5);
        assert_eq!(whole_messages(exact.as_bytes()), ATOMIC);
        let long = message(5000) + &message(10);
        assert_eq!(whole_messages(long.as_bytes()), 5000);
        assert_eq!(whole_messages(message(5000).as_bytes()), 5000);
    }
}
