//! The event: a record with everything looked up, as every output form reads it.
//!
//! Strings are still bytes; only the renderer knows what an output form allows.

use kflowd_proto::layout::{Cause, File as FileBody, Flow as FlowBody, InodeTime, Way};

use crate::render::app::Block;

const SECOND: i64 = 1_000_000_000;

/// A point of wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    /// Seconds since 1970, negative before.
    pub sec: i64,
    /// Nanoseconds within the second, below 1,000,000,000.
    pub nsec: u32,
}

impl Wall {
    /// The point `boot` nanoseconds after boot, `offset` being what the wall clock is ahead.
    pub fn from_boot(boot: u64, offset: i64) -> Self {
        let total = i64::try_from(boot).unwrap_or(i64::MAX).saturating_add(offset);
        Self { sec: total.div_euclid(SECOND), nsec: total.rem_euclid(SECOND) as u32 }
    }
}

impl From<InodeTime> for Wall {
    /// A damaged file system may hold more nanoseconds than a second has.
    fn from(time: InodeTime) -> Self {
        if i64::from(time.nsec) < SECOND {
            return Self { sec: time.sec, nsec: time.nsec };
        }
        let more = i64::from(time.nsec) / SECOND;
        Self { sec: time.sec.saturating_add(more), nsec: (i64::from(time.nsec) % SECOND) as u32 }
    }
}

/// A string in up to three pieces, so that joining them costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub [&'a [u8]; 3]);

impl<'a> Text<'a> {
    /// A string of one piece.
    pub const fn one(bytes: &'a [u8]) -> Self {
        Self([bytes, b"", b""])
    }
}

/// What stands in every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Place in the stream of messages, from 1.
    pub sequence: u64,
    /// Time of the last event.
    pub time: Wall,
    /// Nanoseconds since monitoring began.
    pub uptime: u64,
}

/// What `-x` shows of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessExtra<'a> {
    /// Path of the executable.
    pub exe: Text<'a>,
    /// Arguments, each ended by NUL.
    pub argv: &'a [u8],
    /// Start of the process.
    pub start: Wall,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process<'a> {
    /// Executable of the parent.
    pub parent: Text<'a>,
    /// Shown name.
    pub name: Text<'a>,
    /// User name, empty when unknown.
    pub user: &'a str,
    /// Group name, empty when unknown.
    pub group: &'a str,
    /// Process id of the parent.
    pub ppid: u32,
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Nanoseconds from the start of the thread to the event.
    pub age: u64,
    /// With `-x`.
    pub extra: Option<ProcessExtra<'a>>,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// Directory, with a slash at both ends.
    pub directory: Text<'a>,
    /// Name in that directory.
    pub name: &'a [u8],
    /// Old name, or old path when the directory changed.
    pub origin: Option<Text<'a>>,
    /// Device as text, see [`crate::enrich::device`].
    pub device: &'a str,
    /// Owner's name, empty when unknown.
    pub user: &'a str,
    /// Group's name, empty when unknown.
    pub group: &'a str,
    /// The numbers, as the kernel gave them.
    pub body: &'a FileBody,
}

/// Bits of `st_mode` that this program reads; the numbers are the kernel's.
pub mod mode {
    /// Mask of the file type.
    pub const TYPE: u32 = 0o170_000;
    /// Symbolic link.
    pub const SYMLINK: u32 = 0o120_000;
    /// Execute for anyone.
    pub const EXECUTE: u32 = 0o111;
}

impl File<'_> {
    /// `FileMode`.
    pub fn kind(&self) -> &'static str {
        match (self.body.mode & mode::TYPE, self.body.nlink) {
            (mode::SYMLINK, _) => "symlink",
            (_, 2..) => "hardlink",
            _ => "regular",
        }
    }

    /// Whether anyone may execute it.
    pub fn executable(&self) -> bool {
        self.body.mode & mode::EXECUTE != 0
    }

    /// Nanoseconds by which the modification time moved.
    pub fn mtime_change(&self) -> i128 {
        let total = |time: InodeTime| i128::from(time.sec) * i128::from(SECOND) + i128::from(time.nsec);
        if self.body.mtime == self.body.mtime_first {
            return 0;
        }
        total(self.body.mtime) - total(self.body.mtime_first)
    }

    /// All events of the record.
    pub fn event_count(&self) -> u64 {
        self.body.events.iter().map(|&n| u64::from(n)).sum()
    }

    /// Nanoseconds from the first event to the last.
    pub fn duration(&self) -> u64 {
        self.body.head.time.saturating_sub(self.body.first_time)
    }
}

/// What went through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow<'a> {
    /// Of a UNIX socket: its address, `@` instead of the first NUL.
    pub address: Text<'a>,
    /// Interfaces as text, by direction, see [`crate::enrich::interface`].
    pub interfaces: [&'a str; 2],
    /// The numbers, as the kernel gave them.
    pub body: &'a FlowBody,
    /// Messages that go out with this record.
    pub messages: Option<Block<'a>>,
}

/// Numbers of the kernel's interface that flow records hold.
pub mod socket {
    /// `AF_UNIX`.
    pub const UNIX: u8 = 1;
    /// `AF_INET`.
    pub const INET: u8 = 2;
    /// `AF_INET6`.
    pub const INET6: u8 = 10;
    /// `IPPROTO_TCP`.
    pub const TCP: u8 = 6;
    /// `IPPROTO_UDP`.
    pub const UDP: u8 = 17;
}

impl Flow<'_> {
    /// Nanoseconds from the first sight of the socket to the record.
    pub fn age(&self) -> u64 {
        self.body.sent_time.saturating_sub(self.body.open_time)
    }

    /// Average TTL or hop limit of the packets received.
    pub fn ttl(&self) -> u64 {
        let packets = u64::from(self.body.ttl_packets);
        let half = packets / 2;
        self.body.ttl_sum.saturating_add(half).checked_div(packets).unwrap_or(0)
    }

    /// Whether the flow is over with this record, as far as its messages go: each datagram of a UDP flow stands for
    /// itself, so that one that was idle needs no memory of what came before.
    pub fn last(body: &FlowBody) -> bool {
        let is = |cause: Cause| body.cause == cause as u32;
        let ended = is(Cause::Close) || is(Cause::Exit) || is(Cause::Stop);
        ended || is(Cause::Idle) && body.protocol == socket::UDP
    }
}

/// Nanoseconds from the first to the last packet of one direction.
pub fn duration(way: &Way) -> u64 {
    way.last_time.saturating_sub(way.first_time)
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "lives on the stack for the time of one record, never stored")]
pub enum Subject<'a> {
    /// A file.
    File(File<'a>),
    /// A flow.
    Flow(Flow<'a>),
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Which and when.
    pub info: Info,
    /// Who.
    pub process: Process<'a>,
    /// What.
    pub subject: Subject<'a>,
}
