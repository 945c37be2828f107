//! Mirrors of `bpf/record.h`, field for field. The test `kflowd-probe/tests/layout.rs` compares them with the
//! BTF of the object, so an edit on one side alone does not pass.

pub mod counters;
pub mod flow;
pub mod record;
pub mod tail;

pub use counters::{Counters, Ledger};
pub use flow::{Direction, Flow, Payload, Role, TCP_FLAGS, Way};
pub use record::{Cause, FILE_EVENTS, File, FileEvent, Flags, Head, InodeTime, Kind, Process, Task};
pub use tail::{TAG_CUT, Tag, TailEntry, TailError};

use core::mem::{offset_of, size_of};

/// Longest path with its NUL that is carried whole, in bytes.
pub const PATH_MAX: usize = 4096;
/// Longest file name with its NUL, in bytes.
pub const NAME_MAX: usize = 256;
/// Length of a thread name with its NUL, in bytes.
pub const COMM_LEN: usize = 16;
/// Bytes of a command line that an exec record carries.
pub const ARGV_MAX: usize = 1024;
/// No record is longer, in bytes.
pub const RECORD_MAX: usize = 12288;

/// One number for every size and offset of the layouts: both ends of the handshake compare theirs.
pub const LAYOUT_HASH: u64 = {
    let facts = [
        size_of::<Head>(),
        size_of::<Task>(),
        size_of::<Process>(),
        size_of::<File>(),
        size_of::<InodeTime>(),
        size_of::<Flow>(),
        size_of::<Way>(),
        size_of::<Payload>(),
        size_of::<Counters>(),
        size_of::<Ledger>(),
        size_of::<TailEntry>(),
        offset_of!(Head, start),
        offset_of!(Task, comm),
        offset_of!(Process, exit_code),
        offset_of!(File, atime),
        offset_of!(File, events),
        offset_of!(Flow, ways),
        offset_of!(Way, flags),
        offset_of!(Payload, way),
        offset_of!(Ledger, missed),
        FILE_EVENTS,
        TCP_FLAGS,
        RECORD_MAX,
    ];
    // FNV-1a over the numbers above.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut i = 0;
    while i < facts.len() {
        hash = (hash ^ facts[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    hash
};
