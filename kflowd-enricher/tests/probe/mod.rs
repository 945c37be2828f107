//! A fake probe that drives the real enricher.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use kflowd_proto::handoff::{self, BorrowedHandoffFds};
use kflowd_proto::hello::{Hello, Host, Output, Settings};
use kflowd_proto::layout::{Kind, Ledger};
use kflowd_proto::queue::{self, Producer, QueueFds};
use kflowd_proto::sys;
use rustix::process::{Pid, Signal, getuid, kill_process};
use serde_json::Value;
use zerocopy::IntoBytes;

use crate::common;

/// Longest wait for anything; only a failure takes that long.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const NOBODY: u32 = 65534;

pub struct Probe {
    fds: QueueFds,
    producer: Producer,
    /// Closed when the probe dies.
    pub life: Option<OwnedFd>,
    life_reader: OwnedFd,
    settings: Settings,
    pushed: u64,
}

impl Probe {
    pub fn new(settings: Settings) -> Self {
        let fds = queue::create(1 << 20).expect("queue");
        let wake = fds.wake.try_clone().expect("descriptor");
        let producer = Producer::open(fds.data.as_fd(), fds.cursor.as_fd(), wake).expect("producer");
        let (life_reader, life) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
        Self { fds, producer, life: Some(life), life_reader, settings, pushed: 0 }
    }

    pub fn start(&self) -> Child {
        let (child, answered) = self.start_with(Hello::new(self.settings.clone(), Host::default()), NOBODY);
        assert!(answered, "the enricher answers");
        child
    }

    pub fn start_with(&self, hello: Hello, uid: u32) -> (Child, bool) {
        let (ours, theirs) = sys::seqpacket_pair().expect("sockets");
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).expect("descriptor");
        let mut command = Command::new(binary());
        command.arg("--inherit").arg(theirs.as_raw_fd().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if getuid().is_root() {
            command.uid(uid).gid(uid);
        }
        let child = command.spawn().expect("enricher");
        end_in_time(&child);
        drop(theirs);
        let fds = BorrowedHandoffFds {
            data: self.fds.data_readonly.as_fd(),
            cursor: self.fds.cursor.as_fd(),
            wake: self.fds.wake.as_fd(),
            life: self.life_reader.as_fd(),
        };
        let answered = handoff::send(ours.as_fd(), &hello, &fds).is_ok()
            && handoff::await_acknowledge(ours.as_fd()).expect("answer or end");
        (child, answered)
    }

    pub fn push_files(&mut self, count: u64) {
        for _ in 0..count {
            let mut body = common::body();
            body.inode = self.pushed + 1;
            let name = format!("/tmp/file-{}", self.pushed + 1);
            self.push(&common::file(&body, b"tool", &[(5, name.as_bytes())]));
        }
        self.producer.publish();
    }

    /// Pushes frames at once.
    pub fn push_frames(&mut self, frames: &[Vec<u8>]) {
        frames.iter().for_each(|frame| self.push(frame));
        self.producer.publish();
    }

    fn push(&mut self, frame: &[u8]) {
        self.pushed += 1;
        while self.producer.push(frame).is_err() {
            self.producer.publish();
            std::thread::yield_now();
        }
    }

    pub fn close(&mut self) {
        let ledger = Ledger { queue_pushed: self.pushed + 1, ..Ledger::default() };
        self.producer.push(&common::frame(Kind::Ledger, ledger.as_bytes(), &[])).expect("room");
        self.producer.close();
    }
}

/// The enricher where every user may start it.
pub fn binary() -> &'static PathBuf {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("kflowd-pipeline-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("directory");
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).expect("directory");
        let copy = directory.join("kflowd-enricher");
        std::fs::copy(env!("CARGO_BIN_EXE_kflowd-enricher"), &copy).expect("copy");
        copy
    })
}

/// Kills an enricher that outlives [`PATIENCE`], so that a test fails and does not hang.
pub fn end_in_time(child: &Child) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let pidfd = sys::pidfd_open(child.id().try_into().expect("pid")).expect("pidfd");
    std::thread::spawn(move || {
        let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience));
        if ended == Ok(0) {
            // Failing means that it ended just now.
            let _ = sys::signal_pidfd(pidfd.as_fd(), Signal::KILL.as_raw());
        }
    });
}

pub fn compact() -> Settings {
    Settings { output: Output::JsonMin, ..Settings::default() }
}

pub fn receiver() -> (UdpSocket, (String, u16)) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("socket");
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4 << 20);
    socket.set_read_timeout(Some(PATIENCE)).expect("socket");
    let port = socket.local_addr().expect("address").port();
    (socket, ("127.0.0.1".into(), port))
}

pub struct Ended {
    pub lines: Vec<Value>,
    pub stderr: String,
    pub code: Option<i32>,
}

pub fn finish(mut child: Child) -> Ended {
    let mut stderr = child.stderr.take().expect("pipe");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let stdout = child.stdout.take().map(BufReader::new);
    let lines = stdout.into_iter().flat_map(BufRead::lines);
    let lines = lines.map(|line| serde_json::from_str(&line.expect("text")).expect("JSON")).collect();
    let code = child.wait().expect("end").code();
    Ended { lines, stderr: reader.join().expect("thread").expect("text"), code }
}

pub fn numbers(messages: &[Value]) -> Vec<u64> {
    messages.iter().map(|m| m["InfoSequenceNumber"].as_u64().expect("number")).collect()
}

pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().expect("pid")).expect("pid");
    kill_process(pid, signal).expect("signal");
}
