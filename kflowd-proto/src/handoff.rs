//! The one exchange between probe and enricher: a [`Hello`] with the queue's descriptors, and one byte back.
//!
//! One `SOCK_SEQPACKET` message carries all of it. What arrives is taken whole or refused; descriptors of a refused
//! message are closed. The receiver finds out what the descriptors are when it opens the queue.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::hello::{Hello, HelloError, MESSAGE_MAX};

/// Descriptors in a message.
const COUNT: usize = 4;
/// The kernel passes at most this many in one message (`SCM_MAX_FD`), so a wrong number is seen, not cut.
const COUNT_MAX: usize = 253;
/// What the enricher sends when it is up.
const READY: u8 = b'R';

/// What the enricher gets.
#[derive(Debug)]
pub struct HandoffFds {
    /// The queue's data file, read-only.
    pub data: OwnedFd,
    /// The queue's cursor page.
    pub cursor: OwnedFd,
    /// The queue's eventfd.
    pub wake: OwnedFd,
    /// Reading end of a pipe whose other end only the probe holds: end of file means that the probe is gone.
    pub life: OwnedFd,
}

/// The same, borrowed, to send.
#[derive(Clone, Copy, Debug)]
pub struct BorrowedHandoffFds<'a> {
    /// As in [`HandoffFds`].
    pub data: BorrowedFd<'a>,
    /// As in [`HandoffFds`].
    pub cursor: BorrowedFd<'a>,
    /// As in [`HandoffFds`].
    pub wake: BorrowedFd<'a>,
    /// As in [`HandoffFds`].
    pub life: BorrowedFd<'a>,
}

/// Why the exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// The socket failed.
    #[error("handshake: {what}")]
    Os {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The other side ended before it sent anything.
    #[error("handshake: the other side closed the connection")]
    Closed,
    /// The message is longer than allowed.
    #[error("handshake: message is longer than {MESSAGE_MAX} bytes")]
    TooLong,
    /// The kernel could not deliver all descriptors.
    #[error("handshake: descriptors were cut off")]
    FdsCut,
    /// Another number of descriptors than agreed.
    #[error("handshake: {0} descriptors instead of {COUNT}")]
    FdCount(usize),
    /// The answer is not the agreed byte.
    #[error("handshake: unexpected answer {0:#04x}")]
    Answer(u8),
    /// The message itself was refused.
    #[error(transparent)]
    Hello(#[from] HelloError),
}

fn os(what: &'static str) -> impl Fn(Errno) -> HandoffError {
    move |errno| HandoffError::Os { what, source: errno.into() }
}

/// Sends everything in one message.
///
/// # Errors
/// When the settings are too long or the socket fails.
pub fn send(socket: BorrowedFd<'_>, hello: &Hello, fds: &BorrowedHandoffFds<'_>) -> Result<(), HandoffError> {
    let bytes = hello.encode()?;
    let fds = [fds.data, fds.cursor, fds.wake, fds.life];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(COUNT))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // The space is made for it.
    let fits = control.push(SendAncillaryMessage::ScmRights(&fds));
    debug_assert!(fits);
    let parts = [IoSlice::new(&bytes)];
    // A message of this kind goes whole or not at all.
    rustix::io::retry_on_intr(|| sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL))
        .map_err(os("send"))?;
    Ok(())
}

/// Receives what [`send`] sent.
///
/// # Errors
/// Whatever is not exactly such a message is refused, and its descriptors are closed.
pub fn receive(socket: BorrowedFd<'_>) -> Result<(Hello, HandoffFds), HandoffError> {
    let mut bytes = vec![0; MESSAGE_MAX];
    let (len, flags, fds) = receive_message(socket, &mut bytes)?;
    if flags.contains(ReturnFlags::TRUNC) {
        return Err(HandoffError::TooLong);
    }
    if flags.contains(ReturnFlags::CTRUNC) {
        return Err(HandoffError::FdsCut);
    }
    if len == 0 && fds.is_empty() {
        return Err(HandoffError::Closed);
    }
    let [data, cursor, wake, life] =
        <[OwnedFd; COUNT]>::try_from(fds).map_err(|fds| HandoffError::FdCount(fds.len()))?;
    let hello = Hello::decode(&bytes[..len])?;
    Ok((hello, HandoffFds { data, cursor, wake, life }))
}

/// One message and all descriptors that came with it.
fn receive_message(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> Result<(usize, ReturnFlags, Vec<OwnedFd>), HandoffError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(COUNT_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(bytes)];
    let received =
        rustix::io::retry_on_intr(|| recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC))
            .map_err(os("receive"))?;
    let mut fds = Vec::with_capacity(COUNT);
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            fds.extend(passed);
        }
    }
    Ok((received.bytes, received.flags, fds))
}

/// The enricher says that it is up.
///
/// # Errors
/// When the other side is gone.
pub fn acknowledge(socket: BorrowedFd<'_>) -> Result<(), HandoffError> {
    rustix::io::retry_on_intr(|| rustix::net::send(socket, &[READY], SendFlags::NOSIGNAL))
        .map_err(os("answer"))?;
    Ok(())
}

/// Waits for [`acknowledge`]; `false` when the other side ended without it.
///
/// # Errors
/// When the socket fails or something else arrives.
pub fn await_acknowledge(socket: BorrowedFd<'_>) -> Result<bool, HandoffError> {
    let mut answer = [0];
    match rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut answer, RecvFlags::empty())) {
        Ok((0, _)) | Err(Errno::CONNRESET) => Ok(false),
        Ok(_) if answer == [READY] => Ok(true),
        Ok(_) => Err(HandoffError::Answer(answer[0])),
        Err(errno) => Err(os("wait for the answer")(errno)),
    }
}
