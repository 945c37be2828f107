//! Two real processes over the memfds. The peer is this binary again, with other arguments and, when the test runs
//! as root, as uid 65534.
#![cfg(not(loom))]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{producer, record};
use kflowd_proto::queue::{Consumer, Producer, PushError, QueueFds, SIZE_MIN, create};
use kflowd_proto::sys;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

const ROLE: &str = "KFLOWD_PEER_ROLE";
const FDS: &str = "KFLOWD_PEER_FDS";
const TOTAL: u64 = 60_000;

/// Starts this binary as the peer in `role`, with the descriptors an enricher gets.
fn start(role: &str, fds: &QueueFds) -> (Child, BufReader<ChildStdout>) {
    let passed = [&fds.data_readonly, &fds.cursor, &fds.wake].map(|fd| {
        let fd = fd.try_clone().unwrap();
        fcntl_setfd(&fd, FdFlags::empty()).unwrap();
        fd
    });
    let numbers = passed.iter().map(|fd| fd.as_raw_fd().to_string()).collect::<Vec<_>>().join(",");
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "peer", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(FDS, numbers).stdout(Stdio::piped());
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Lines of the peer that begin with `peer:`, without that.
fn lines(out: BufReader<ChildStdout>) -> impl Iterator<Item = String> {
    out.lines().filter_map(|line| line.unwrap().split_once("peer:").map(|(_, rest)| rest.to_owned()))
}

/// What the peer does; in the test run itself, nothing.
#[test]
fn peer() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let numbers = std::env::var(FDS).unwrap();
    let fds: Vec<OwnedFd> = numbers.split(',').map(|n| take_fd(n.parse().unwrap())).collect();
    let [data, cursor, wake] = <[OwnedFd; 3]>::try_from(fds).unwrap();
    match role.as_str() {
        "burglar" => burgle(data.as_fd(), cursor.as_fd()),
        "consumer" => consume(Consumer::open(data.as_fd(), cursor.as_fd(), wake).unwrap()),
        role => panic!("no role {role}"),
    }
}

fn take_fd(number: RawFd) -> OwnedFd {
    // SAFETY: the parent has passed this descriptor to us alone, and each number is taken once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "peer:{text}").unwrap();
    out.flush().unwrap();
}

/// Tries what the consumer must not be able to do; says the kernel's answers.
fn burgle(data: BorrowedFd<'_>, cursor: BorrowedFd<'_>) {
    use rustix::fs::{Mode, OFlags, SealFlags, fcntl_add_seals, ftruncate};
    use rustix::mm::{MapFlags, ProtFlags, mmap};
    let code = |result: Result<(), Errno>| result.err().map_or(0, Errno::raw_os_error);
    let map = |fd: BorrowedFd<'_>, access: ProtFlags| {
        // SAFETY: a new mapping that nothing uses; the process ends soon.
        code(unsafe { mmap(std::ptr::null_mut(), 4096, access, MapFlags::SHARED, fd, 0) }.map(|_| ()))
    };
    say(&format!("map data rw {}", map(data, ProtFlags::READ | ProtFlags::WRITE)));
    say(&format!("map data ro {}", map(data, ProtFlags::READ)));
    say(&format!("map cursor rw {}", map(cursor, ProtFlags::READ | ProtFlags::WRITE)));
    say(&format!("truncate data {}", code(ftruncate(data, 0))));
    say(&format!("truncate cursor {}", code(ftruncate(cursor, 0))));
    say(&format!("write data {}", code(rustix::io::pwrite(data, &[0; 8], 128).map(|_| ()))));
    say(&format!("seal cursor {}", code(fcntl_add_seals(cursor, SealFlags::WRITE))));
    // A second way in: open the file behind the descriptor again.
    let path = format!("/proc/self/fd/{}", data.as_raw_fd());
    let again = rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let answer = again.map_or_else(Errno::raw_os_error, |fd| {
        map(fd.as_fd(), ProtFlags::READ | ProtFlags::WRITE)
            .min(code(rustix::io::pwrite(&fd, &[0; 8], 128).map(|_| ())))
    });
    say(&format!("reopen data {answer}"));
}

/// Takes, checks and commits until the queue is closed; says each commit.
fn consume(mut queue: Consumer) {
    let mut number = queue.sequence() - 1;
    let mut buffer = Vec::new();
    loop {
        let mut batch = 0;
        while batch < 64 {
            let Some(frame) = queue.next().unwrap() else { break };
            frame.copy_into(&mut buffer);
            assert_eq!(buffer, record(number));
            number += 1;
            batch += 1;
        }
        queue.commit(number + 1);
        if batch > 0 {
            say(&format!("done {number}"));
        } else if queue.closed() {
            return say("closed");
        } else if queue.sleep() {
            let fd = queue.wake_fd();
            poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
            queue.awake();
        }
    }
}

#[test]
fn the_consumer_cannot_write_or_shrink() {
    let fds = create(SIZE_MIN).unwrap();
    let _producer = producer(&fds);
    let (mut child, out) = start("burglar", &fds);
    let said: Vec<String> = lines(out).collect();
    assert!(child.wait().unwrap().success());
    let number = |text: &str| {
        let line =
            said.iter().find(|line| line.starts_with(text)).unwrap_or_else(|| panic!("{text}: {said:?}"));
        line.rsplit(' ').next().unwrap().parse::<i32>().unwrap()
    };
    for allowed in ["map data ro", "map cursor rw"] {
        assert_eq!(number(allowed), 0, "{allowed}");
    }
    for refused in
        ["map data rw", "truncate data", "truncate cursor", "write data", "seal cursor", "reopen data"]
    {
        assert_ne!(number(refused), 0, "{refused}");
    }
}

/// Pushes all records, publishing now and then, and waits when the queue is full.
fn feed(mut producer: Producer) {
    for number in 0..TOTAL {
        let bytes = record(number);
        while producer.push(&bytes) == Err(PushError::Full) {
            producer.publish();
            std::thread::yield_now();
        }
        if number % 16 == 0 {
            producer.publish();
        }
    }
    producer.close();
    while !producer.drained() {
        std::thread::yield_now();
    }
    assert_eq!(producer.cursor_errors(), 0);
}

#[test]
fn a_killed_consumer_loses_nothing() {
    let fds = create(SIZE_MIN * 4).unwrap();
    let writer = producer(&fds);
    let writer = std::thread::spawn(move || feed(writer));
    let mut last = 0;
    for life in 1.. {
        let (mut child, out) = start("consumer", &fds);
        let pidfd = sys::pidfd_open(child.id() as i32).unwrap();
        let (mut killed, mut closed) = (false, false);
        for line in lines(out) {
            closed |= line == "closed";
            let Some(done) = line.strip_prefix("done ") else { continue };
            let done: u64 = done.parse().unwrap();
            assert!(done > last && done - last <= 64 + 64, "no gap: {last} then {done}");
            last = done;
            if !killed && life < 6 && done > life * TOTAL / 8 {
                sys::signal_pidfd(pidfd.as_fd(), 9).unwrap();
                killed = true;
            }
        }
        // The signal may find the consumer at its end: what we read of it was in the pipe for a while.
        assert_eq!(child.wait().unwrap().success(), closed);
        if closed {
            assert!(last == TOTAL && life > 1, "{last} of {TOTAL} in {life} lives");
            break;
        }
    }
    writer.join().unwrap();
}
