//! The handshake, with honest and with hostile messages.
#![cfg(not(loom))]

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kflowd_proto::handoff::{
    BorrowedHandoffFds, HandoffError, acknowledge, await_acknowledge, receive, send,
};
use kflowd_proto::hello::{Hello, HelloError, Host, MESSAGE_MAX, Settings};
use kflowd_proto::queue::{Consumer, SIZE_MIN, create};
use kflowd_proto::sys::seqpacket_pair;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

fn hello() -> Hello {
    Hello::new(Settings { token: Some("token".into()), ..Settings::default() }, Host::default())
}

/// Sends `bytes` with `count` descriptors.
fn send_raw(socket: &OwnedFd, bytes: &[u8], count: usize) {
    let fds = vec![socket.as_fd(); count];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if count > 0 {
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
}

/// What the receiver says to such a message.
fn refusal(bytes: &[u8], count: usize) -> HandoffError {
    let (ours, theirs) = seqpacket_pair().unwrap();
    send_raw(&ours, bytes, count);
    receive(theirs.as_fd()).unwrap_err()
}

#[test]
fn passes_a_working_queue() {
    let (probe, enricher) = seqpacket_pair().unwrap();
    let queue = create(SIZE_MIN).unwrap();
    let (life, hold) = rustix::pipe::pipe().unwrap();
    let fds = BorrowedHandoffFds {
        data: queue.data_readonly.as_fd(),
        cursor: queue.cursor.as_fd(),
        wake: queue.wake.as_fd(),
        life: life.as_fd(),
    };
    send(probe.as_fd(), &hello(), &fds).unwrap();
    let (got, fds) = receive(enricher.as_fd()).unwrap();
    assert_eq!(got, hello());
    for fd in [&fds.data, &fds.cursor, &fds.wake, &fds.life] {
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
    let consumer = Consumer::open(fds.data.as_fd(), fds.cursor.as_fd(), fds.wake).unwrap();
    assert_eq!(consumer.sequence(), 1);
    drop(hold);
    assert_eq!(rustix::io::read(&fds.life, &mut [0; 1]).unwrap(), 0, "the probe is gone");
}

#[test]
fn answers_are_told_apart() {
    let (probe, enricher) = seqpacket_pair().unwrap();
    acknowledge(enricher.as_fd()).unwrap();
    assert!(await_acknowledge(probe.as_fd()).unwrap());
    rustix::io::write(&enricher, b"x").unwrap();
    assert!(matches!(await_acknowledge(probe.as_fd()), Err(HandoffError::Answer(b'x'))));
    drop(enricher);
    assert!(!await_acknowledge(probe.as_fd()).unwrap());
    assert!(matches!(acknowledge(probe.as_fd()), Err(HandoffError::Os { .. })));
}

#[test]
fn an_unread_message_is_no_answer() {
    let (probe, enricher) = seqpacket_pair().unwrap();
    send_raw(&probe, b"never read", 0);
    drop(enricher);
    assert!(!await_acknowledge(probe.as_fd()).unwrap());
}

#[test]
fn refuses_the_wrong_number_of_descriptors() {
    let bytes = hello().encode().unwrap();
    for count in [0, 1, 3, 5, 253] {
        assert!(matches!(refusal(&bytes, count), HandoffError::FdCount(n) if n == count));
    }
}

#[test]
fn refuses_what_is_too_long_or_no_hello() {
    assert!(matches!(refusal(&vec![0; MESSAGE_MAX + 1], 4), HandoffError::TooLong));
    assert!(matches!(refusal(b"", 4), HandoffError::Hello(HelloError::Malformed(_))));
    assert!(matches!(refusal(&[0; 64], 4), HandoffError::Hello(HelloError::Magic(0))));
    let mut bytes = hello().encode().unwrap();
    bytes.truncate(30);
    assert!(matches!(refusal(&bytes, 4), HandoffError::Hello(HelloError::Malformed(_))));
}

#[test]
fn a_closed_connection_is_said_to_be_one() {
    let (ours, theirs) = seqpacket_pair().unwrap();
    drop(ours);
    assert!(matches!(receive(theirs.as_fd()), Err(HandoffError::Closed)));
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(matches!(receive(file.as_fd()), Err(HandoffError::Os { .. })));
}

/// The pipe whose reading end was in a refused message has no reader left: the receiver has closed its copies.
#[test]
fn descriptors_of_a_refused_message_are_closed() {
    let (ours, theirs) = seqpacket_pair().unwrap();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let fds: Vec<BorrowedFd<'_>> = vec![reader.as_fd(); 7];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(7))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    sendmsg(&ours, &[IoSlice::new(b"x")], &mut control, SendFlags::NOSIGNAL).unwrap();
    assert!(matches!(receive(theirs.as_fd()), Err(HandoffError::FdCount(7))));
    drop(fds);
    drop(reader);
    assert_eq!(rustix::io::write(&writer, b"x"), Err(rustix::io::Errno::PIPE));
}
