//! Head and bodies of the records. Do not reorder: the order is the format.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::COMM_LEN;

/// `enum kf_kind`: what a record's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// A process has a new program.
    Exec = 1,
    /// A new process.
    Fork = 2,
    /// The last thread of a process has ended.
    Exit = 3,
    /// What one process did to one file since the last such record.
    File = 4,
    /// The probe's counters.
    Ledger = 5,
    /// One connection, or one socket and peer, since the last such record.
    Flow = 6,
    /// Bytes of a flow.
    Payload = 7,
}

impl Kind {
    /// The kind with this number, `None` when this version does not know it.
    pub const fn from_raw(raw: u16) -> Option<Self> {
        Some(match raw {
            1 => Self::Exec,
            2 => Self::Fork,
            3 => Self::Exit,
            4 => Self::File,
            5 => Self::Ledger,
            6 => Self::Flow,
            7 => Self::Payload,
            _ => return None,
        })
    }
}

/// Bits of [`Head::flags`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    /// May be refused first when the queue runs full: a file that was only read.
    pub const BULK: u16 = 0x1;
    /// The process is a kernel thread.
    pub const KTHREAD: u16 = 0x2;
    /// Exec record of a process that is older than kflowd.
    pub const EXISTING: u16 = 0x4;

    /// Whether all bits of `mask` are set.
    pub const fn has(self, mask: u16) -> bool {
        self.0 & mask == mask
    }
}

/// `struct kf_head`: the first bytes of every record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Head {
    /// Bytes of the whole record: head, body, tail.
    pub len: u32,
    /// [`Kind`] as a number.
    pub kind: u16,
    /// [`Flags`].
    pub flags: u16,
    /// Last event, nanoseconds of `CLOCK_BOOTTIME`.
    pub time: u64,
    /// Processor that wrote the record.
    pub cpu: u32,
    /// Process id in the root pid namespace.
    pub tgid: u32,
    /// Start of that process, nanoseconds of `CLOCK_BOOTTIME`.
    pub start: u64,
}

/// `struct kf_task`: who did it, taken when the session opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Task {
    /// Start of the parent, nanoseconds of `CLOCK_BOOTTIME`, 0 = unknown.
    pub parent_start: u64,
    /// Start of the thread [`Task::tid`], nanoseconds of `CLOCK_BOOTTIME`.
    pub thread_start: u64,
    /// Process id of the parent.
    pub ppid: u32,
    /// Thread of the first event.
    pub tid: u32,
    /// Real user id in the root user namespace.
    pub uid: u32,
    /// Real group id in the root user namespace.
    pub gid: u32,
    /// Name of the thread, NUL padded.
    pub comm: [u8; COMM_LEN],
}

/// `struct kf_process`: body of exec, fork and exit records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Process {
    /// Common head.
    pub head: Head,
    /// The process itself.
    pub task: Task,
    /// Id of the cgroup (its inode number in cgroup2).
    pub cgroup: u64,
    /// Exit records: status as `wait(2)` reports it.
    pub exit_code: u32,
    /// Zero.
    pub pad: u32,
}

/// Number of file event kinds.
pub const FILE_EVENTS: usize = 11;

/// `enum kf_file_event`: index into [`File::events`], in print order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum FileEvent {
    /// File, hard link or symbolic link created.
    Create = 0,
    /// New open file description.
    Open = 1,
    /// Opened to be executed.
    OpenExec = 2,
    /// Read.
    Access = 3,
    /// Mode, owner, times or extended attributes changed.
    Attrib = 4,
    /// Content or size changed.
    Modify = 5,
    /// Open description closed that could write.
    CloseWrite = 6,
    /// Open description closed that could not write.
    CloseNowrite = 7,
    /// Renamed: the old name.
    MovedFrom = 8,
    /// Renamed: the new name.
    MovedTo = 9,
    /// Unlinked.
    Delete = 10,
}

/// `enum kf_cause`: why a file or flow record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Cause {
    /// The last open description of the process closed; the end of the connection or socket.
    Close = 1,
    /// Deleted, moved or linked.
    Name = 2,
    /// The event limit was reached.
    Count = 3,
    /// No event for the idle timeout.
    Idle = 4,
    /// Open for longer than the active timeout.
    Active = 5,
    /// The process ended.
    Exit = 6,
    /// kflowd stops.
    Stop = 7,
}

/// `struct kf_time`: a point of `CLOCK_REALTIME` as inodes keep it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InodeTime {
    /// Seconds since 1970, negative before.
    pub sec: i64,
    /// Nanoseconds within the second.
    pub nsec: u32,
    /// Zero.
    pub pad: u32,
}

/// `struct kf_file`: body of a file record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct File {
    /// Common head.
    pub head: Head,
    /// Who did it.
    pub task: Task,
    /// First event of this record, nanoseconds of `CLOCK_BOOTTIME`.
    pub first_time: u64,
    /// Inode number.
    pub inode: u64,
    /// Bytes, at the last event.
    pub size: u64,
    /// Bytes, before the first event.
    pub size_first: u64,
    /// Bytes that reads returned.
    pub bytes_read: u64,
    /// Bytes that writes took.
    pub bytes_written: u64,
    /// Access time.
    pub atime: InodeTime,
    /// Modification time.
    pub mtime: InodeTime,
    /// Status change time.
    pub ctime: InodeTime,
    /// Modification time before the first event.
    pub mtime_first: InodeTime,
    /// Device as the kernel keeps it: major << 20 | minor.
    pub dev: u32,
    /// Generation of the inode.
    pub generation: u32,
    /// Type and permissions.
    pub mode: u32,
    /// Hard links, before an unlink, after a link.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// [`Cause`] as a number.
    pub cause: u32,
    /// Count per [`FileEvent`].
    pub events: [u32; FILE_EVENTS],
}
