//! Lookups: what the kernel does not know. One module each, each with a bounded cache of its own.

pub mod device;
mod file;
pub mod hash;
pub mod host;
pub mod interface;
pub mod process;
pub mod user;

use std::path::PathBuf;

use kflowd_proto::layout::{Direction, Flags, Head, Task};

use self::device::Devices;
use self::interface::{Interfaces, Links};
use self::process::Processes;
use self::user::Names;
use crate::decode::{FileRecord, FlowRecord, ProcessRecord, Strings};
use crate::event::{Event, File, Flow, Info, Process, ProcessExtra, Subject, Text, Wall};
use crate::render::app::Block;

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Where the lookups read, and what they begin with.
#[derive(Clone, Debug)]
pub struct Sources {
    /// User names.
    pub passwd: PathBuf,
    /// Group names.
    pub group: PathBuf,
    /// Mount table.
    pub mounts: PathBuf,
    /// Network interfaces.
    pub links: Links,
    /// Wall clock minus time since boot, nanoseconds.
    pub wall_offset: i64,
    /// When monitoring began, nanoseconds since boot.
    pub monitor_start: u64,
    /// `-x`.
    pub extra: bool,
}

/// The wall clock has been set when its distance from the time since boot changed by more, nanoseconds.
const WALL_STEP_NS: u64 = 1_000_000;

impl Sources {
    /// This system's files.
    pub fn system(wall_offset: i64, monitor_start: u64, extra: bool) -> Self {
        let (passwd, group) = ("/etc/passwd".into(), "/etc/group".into());
        let (mounts, links) = ("/proc/self/mountinfo".into(), Links::System);
        Self { passwd, group, mounts, links, wall_offset, monitor_start, extra }
    }
}

/// All lookups.
#[derive(Debug)]
pub struct Enrich {
    users: Names,
    groups: Names,
    devices: Devices,
    interfaces: Interfaces,
    processes: Processes,
    wall_offset: i64,
    monitor_start: u64,
    extra: bool,
}

impl Enrich {
    /// Reads the sources for the first time.
    pub fn open(sources: Sources) -> Self {
        Self {
            users: Names::open(sources.passwd),
            groups: Names::open(sources.group),
            devices: Devices::open(sources.mounts),
            interfaces: Interfaces::open(sources.links),
            processes: Processes::default(),
            wall_offset: sources.wall_offset,
            monitor_start: sources.monitor_start,
            extra: sources.extra,
        }
    }

    /// To be called once per batch with the time since boot.
    pub fn tick(&mut self, now: u64) {
        self.users.tick(now);
        self.groups.tick(now);
        self.devices.tick(now);
        self.interfaces.tick(now);
    }

    /// The wall clock was set, or drifts.
    pub fn set_wall_offset(&mut self, wall_offset: i64) {
        // Two measurements differ by what passes between two clock reads. Without a real step the offset stays, so that
        // a record that is rendered again after a restart is the same to the last digit.
        if self.wall_offset.abs_diff(wall_offset) > WALL_STEP_NS {
            self.wall_offset = wall_offset;
        }
    }

    /// Learns from an exec, fork or exit record. Only `-x` shows what is learnt.
    pub fn learn(&mut self, record: &ProcessRecord<'_>) {
        if self.extra {
            self.processes.learn(record);
        }
    }

    /// Which and when, of an event `time` nanoseconds after boot.
    pub fn info(&self, sequence: u64, time: u64) -> Info {
        Info {
            sequence,
            time: Wall::from_boot(time, self.wall_offset),
            uptime: time.saturating_sub(self.monitor_start),
        }
    }

    /// The event of a file record.
    pub fn file<'a>(&'a mut self, sequence: u64, record: &'a FileRecord<'a>) -> Event<'a> {
        let body = &record.body;
        self.users.ensure(body.task.uid);
        self.groups.ensure(body.task.gid);
        // Mostly a process works on files of its own user.
        if body.uid != body.task.uid {
            self.users.ensure(body.uid);
        }
        if body.gid != body.task.gid {
            self.groups.ensure(body.gid);
        }
        self.devices.ensure(body.dev);
        let this = &*self;
        let (directory, name) = file::split(record.strings.path);
        let file = File {
            directory,
            name,
            origin: record.strings.origin.map(|old| file::origin(old, record.strings.path)),
            device: this.devices.text(body.dev),
            user: this.users.name(body.uid),
            group: this.groups.name(body.gid),
            body,
        };
        Event {
            info: this.info(sequence, body.head.time),
            process: this.process(&body.head, &body.task, &record.strings, body.head.time),
            subject: Subject::File(file),
        }
    }

    /// The event of a flow record and of messages that go out with it.
    pub fn flow<'a>(
        &'a mut self,
        sequence: u64,
        record: &'a FlowRecord<'a>,
        messages: Option<Block<'a>>,
    ) -> Event<'a> {
        let body = &record.body;
        self.users.ensure(body.task.uid);
        self.groups.ensure(body.task.gid);
        let index = |way: Direction| body.ways[way as usize].ifindex;
        self.interfaces.ensure(body.netns, index(Direction::Tx));
        self.interfaces.ensure(body.netns, index(Direction::Rx));
        let this = &*self;
        let flow = Flow {
            address: address(record.strings.address.bytes),
            interfaces: [Direction::Tx, Direction::Rx]
                .map(|way| this.interfaces.text(body.netns, index(way))),
            body,
            messages,
        };
        Event {
            info: this.info(sequence, body.head.time),
            process: this.process(&body.head, &body.task, &record.strings, body.sent_time),
            subject: Subject::Flow(flow),
        }
    }

    /// Who did it; `until` is when the thread had its age.
    fn process<'a>(
        &'a self,
        head: &'a Head,
        task: &'a Task,
        strings: &Strings<'a>,
        until: u64,
    ) -> Process<'a> {
        let kernel_thread = Flags(head.flags).has(Flags::KTHREAD);
        Process {
            parent: Text::one(strings.parent_name.bytes),
            name: process::shown_name(strings, task, kernel_thread),
            user: self.users.name(task.uid),
            group: self.groups.name(task.gid),
            ppid: task.ppid,
            pid: head.tgid,
            tid: task.tid,
            uid: task.uid,
            gid: task.gid,
            age: until.saturating_sub(task.thread_start),
            extra: self.extra.then(|| {
                let image = self.processes.get(head);
                ProcessExtra {
                    exe: image.map_or(Text::default(), |image| image.exe()),
                    argv: image.map_or(b"", |image| image.argv()),
                    start: Wall::from_boot(head.start, self.wall_offset),
                }
            }),
        }
    }
}

/// Address of a UNIX socket as tools show it: a name that begins with NUL is not one of the file system.
fn address(bytes: &[u8]) -> Text<'_> {
    match bytes.split_first() {
        Some((0, name)) => Text([b"@", name, b""]),
        _ => Text::one(bytes),
    }
}
