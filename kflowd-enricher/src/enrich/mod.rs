//! Lookups: what the kernel does not know. One module each, each with a bounded cache of its own.

pub mod device;
mod file;
pub mod hash;
pub mod host;
pub mod process;
pub mod user;

use std::path::PathBuf;

use self::device::Devices;
use self::process::Processes;
use self::user::Names;
use crate::decode::{FileRecord, ProcessRecord};
use crate::event::{Event, File, Info, Process, ProcessExtra, Subject, Text, Wall};

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
        Self { passwd, group, mounts: "/proc/self/mountinfo".into(), wall_offset, monitor_start, extra }
    }
}

/// All lookups.
#[derive(Debug)]
pub struct Enrich {
    users: Names,
    groups: Names,
    devices: Devices,
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
            process: this.process(record),
            subject: Subject::File(file),
        }
    }

    fn process<'a>(&'a self, record: &'a FileRecord<'a>) -> Process<'a> {
        let (head, task) = (&record.body.head, &record.body.task);
        Process {
            parent: Text::one(record.strings.parent_name.bytes),
            name: process::shown_name(&record.strings, task, record.kernel_thread()),
            user: self.users.name(task.uid),
            group: self.groups.name(task.gid),
            ppid: task.ppid,
            pid: head.tgid,
            tid: task.tid,
            uid: task.uid,
            gid: task.gid,
            age: head.time.saturating_sub(task.thread_start),
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
