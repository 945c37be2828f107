//! The one table of keys: encoder, legend and documentation read it.
//!
//! Each row is a key, the messages that have it, how its value looks, and what it means, in print order.

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub name: &'static str,
    /// Messages that have it.
    pub messages: &'static str,
    /// Form of the value.
    pub form: &'static str,
    /// Meaning.
    pub meaning: &'static str,
}

macro_rules! keys {
    ($($key:ident: $messages:literal, $form:literal, $meaning:literal;)*) => {
        /// A key of the output.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Key {
            $(#[doc = $meaning] $key,)*
        }

        /// Number of keys.
        pub const COUNT: usize = [$(stringify!($key)),*].len();

        /// The table, in print order.
        pub const TABLE: [Row; COUNT] = [
            $(Row {
                name: stringify!($key),
                messages: $messages,
                form: $form,
                meaning: $meaning,
            },)*
        ];
    };
}

/// Room for a name with all that stands around it.
const PIECE: usize = 40;

/// A short constant text in a piece of fixed size, see [`super::out`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) bytes: [u8; PIECE],
    pub(super) len: usize,
}

impl Piece {
    const fn new(before: &str, name: &str, after: &str) -> Self {
        let (parts, mut piece) = ([before, name, after], Self { bytes: [0; PIECE], len: 0 });
        let mut part = 0;
        while part < parts.len() {
            let mut i = 0;
            while i < parts[part].len() {
                piece.bytes[piece.len] = parts[part].as_bytes()[i];
                piece.len += 1;
                i += 1;
            }
            part += 1;
        }
        piece
    }
}

pub(super) const fn pieces<const N: usize>(names: [&str; N], before: &str) -> [Piece; N] {
    let mut pieces = [Piece { bytes: [0; PIECE], len: 0 }; N];
    let mut i = 0;
    while i < N {
        pieces[i] = Piece::new(before, names[i], "\": ");
        i += 1;
    }
    pieces
}

const NAMES: [&str; COUNT] = {
    let mut names = [""; COUNT];
    let mut i = 0;
    while i < COUNT {
        names[i] = TABLE[i].name;
        i += 1;
    }
    names
};

/// Each key as `json` writes it behind another.
pub(super) static PRETTY: [Piece; COUNT] = pieces(NAMES, ",\n  \"");
/// Each key as `json-min` writes it behind another.
pub(super) static COMPACT: [Piece; COUNT] = pieces(NAMES, ", \"");
/// Each file event behind another, in both forms.
pub(super) static EVENTS: [Piece; FILE_EVENTS.len()] = pieces(FILE_EVENTS, ", \"");

impl Key {
    /// The row of this key.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

keys! {
    InfoSequenceNumber: "all", "integer, from 1", "Place in the stream of messages; gaps are losses";
    InfoTimestamp: "all", "Www, Mmm DD YYYY HH:MM:SS.nnnnnnnnn UTC", "Time of the last event";
    InfoMonitor: "all", "filesystem | socket | kflowd", "Which kind of message follows";
    InfoHostName: "all", "string", "Node name of the host";
    InfoHostIP: "all", "string, maybe empty", "Address of the host towards the internet";
    InfoHostToken: "all, with -T", "string", "Token that the operator chose";
    InfoSystem: "all", "string", "Name of the operating system";
    InfoKernel: "all", "string", "Kernel release";
    InfoVersion: "all", "kflowd-<version>", "Name and version of this program";
    InfoUptime: "all", "seconds, 9 decimals", "Time since monitoring began";
    ProcParent: "file, socket", "string", "Executable of the parent process";
    Proc: "file, socket", "exe | exe/comm | [comm]", "Executable, and thread name when it differs";
    ProcVersion: "file, socket, with -v", "string, maybe empty", "Version of the package that owns the executable";
    ProcUser: "file, socket", "string, maybe empty", "Name of the user";
    ProcGroup: "file, socket", "string, maybe empty", "Name of the group";
    ProcPPID: "file, socket", "integer", "Process id of the parent";
    ProcPID: "file, socket", "integer", "Process id";
    ProcTID: "file, socket", "integer", "Thread id of the first event";
    ProcUID: "file, socket", "integer", "Real user id";
    ProcGID: "file, socket", "integer", "Real group id";
    ProcAge: "file, socket", "seconds, 9 decimals, or 0", "Age of the thread at the last event";
    ProcExe: "file, socket, with -x", "string, maybe empty", "Path of the executable";
    ProcCmdline: "file, socket, with -x", "string, maybe empty", "Command line, arguments separated by blanks";
    ProcStart: "file, socket, with -x", "Www, Mmm DD YYYY HH:MM:SS.nnnnnnnnn UTC", "Start of the process";
    FilePath: "file", "string with slashes at both ends", "Directory of the file";
    File: "file", "string", "Name of the file; the new name after a move";
    FileOrigin: "file, after a move", "string", "Old name, or old path when the directory changed";
    FileVersion: "file, with -v, executables", "string, maybe empty", "Version of the package that owns the file";
    FileMode: "file", "regular | symlink | hardlink", "Kind of file; hardlink has more than one link";
    FileEventCount: "file", "integer", "Number of all events of the record";
    FileEvents: "file", "object, name to integer", "Number of events by kind, those that happened";
    FileEventsDuration: "file", "seconds, 9 decimals, or 0", "Time from the first event to the last";
    FileInode: "file", "integer", "Inode number";
    FileInodeLinkCount: "file", "integer", "Hard links, before an unlink, after a link";
    FileDevice: "file", "hexh:node:mount:type", "Device, node, mount point and file system type";
    FilePermissions: "file", "4 octal digits / 10 letters", "Permissions, e.g. 0755/-rwxr-xr-x";
    FileUser: "file", "string, maybe empty", "Name of the owner";
    FileGroup: "file", "string, maybe empty", "Name of the group";
    FileUID: "file", "integer", "Id of the owner";
    FileGID: "file", "integer", "Id of the group";
    FileSize: "file", "integer, bytes", "Size at the last event";
    FileSizeChange: "file, when it changed", "signed integer, bytes", "Size gained since the first event";
    FileAccessTime: "file", "Www, Mmm DD YYYY HH:MM:SS.nnnnnnnnn UTC", "Access time of the inode";
    FileStatusChangeTime: "file", "Www, Mmm DD YYYY HH:MM:SS.nnnnnnnnn UTC", "Change time of the inode";
    FileModificationTime: "file", "Www, Mmm DD YYYY HH:MM:SS.nnnnnnnnn UTC", "Modification time of the inode";
    FileModificationTimeChange: "file, when it changed", "seconds, 9 decimals", "What the modification time moved by";
    FileMD5: "file, with -c, executables", "32 hex digits, maybe empty", "MD5 of the content";
    FileSHA256: "file, with -c, executables", "64 hex digits, maybe empty", "SHA-256 of the content";
    FileBytesRead: "file, with -x", "integer, bytes", "Bytes that reads returned";
    FileBytesWritten: "file, with -x", "integer, bytes", "Bytes that writes took";
    App: "socket, with captured messages", "DNS | HTTP | SYSLOG", "Protocol of the captured messages";
    AppTxDns: "socket", "array of objects", "DNS messages sent";
    AppRxDns: "socket", "array of objects", "DNS messages received";
    AppTxHttp: "socket", "array of objects", "HTTP messages sent";
    AppRxHttp: "socket", "array of objects", "HTTP messages received";
    AppTxSyslog: "socket", "array of objects", "SYSLOG messages sent";
    AppRxSyslog: "socket", "array of objects", "SYSLOG messages received";
    Kernel: "kflowd", "object, name to integer", "Ledger: events in the kernel";
    Ring: "kflowd", "object, name to integer", "Ledger: records from kernel to probe";
    Queue: "kflowd", "object, name to integer", "Ledger: frames from probe to enricher";
    Enricher: "kflowd", "object, name to integer", "Ledger: frames to messages";
    Stdout: "kflowd", "object, name to integer", "Ledger: messages to stdout";
    Udp: "kflowd", "array of objects", "Ledger: messages to each UDP receiver";
}

/// Names of file events, by [`kflowd_proto::layout::FileEvent`].
pub const FILE_EVENTS: [&str; kflowd_proto::layout::FILE_EVENTS] = [
    "CREATE",
    "OPEN",
    "OPEN_EXEC",
    "ACCESS",
    "ATTRIB",
    "MODIFY",
    "CLOSE_WRITE",
    "CLOSE_NOWRITE",
    "MOVED_FROM",
    "MOVED_TO",
    "DELETE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_keys() {
        assert_eq!(Key::InfoSequenceNumber.row().name, "InfoSequenceNumber");
        assert_eq!(Key::Udp.row().name, "Udp");
        let udp = &COMPACT[Key::Udp as usize];
        assert_eq!(&udp.bytes[..udp.len], b", \"Udp\": ");
        assert_eq!(COUNT, Key::Udp as usize + 1);
    }
}
