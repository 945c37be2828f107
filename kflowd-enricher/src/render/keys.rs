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
        Self { bytes: [0; PIECE], len: 0 }.add(before).add(name).add(after)
    }

    /// A string as it stands behind a key.
    pub(super) const fn word(text: &str) -> Self {
        Self::new("\"", text, "\"")
    }

    /// The text of a string.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[1..self.len - 1]
    }

    const fn add(mut self, text: &str) -> Self {
        let mut i = 0;
        while i < text.len() {
            self.bytes[self.len] = text.as_bytes()[i];
            self.len += 1;
            i += 1;
        }
        self
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
/// Each combination of TCP flags behind another, in both forms: the bits of the header, FIN lowest.
pub(super) static TCP_FLAGS: [Piece; 256] = {
    const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
    let mut pieces = [Piece { bytes: [0; PIECE], len: 0 }; 256];
    let mut bits = 0;
    while bits < 256 {
        let (mut piece, mut flag, mut between) = (Piece::new(", \"", "", ""), 0, "");
        while flag < 8 {
            if bits & 1 << flag != 0 {
                piece = piece.add(between).add(NAMES[flag]);
                between = "-";
            }
            flag += 1;
        }
        pieces[bits] = piece.add("\": ");
        bits += 1;
    }
    pieces
};
/// Packets whose combination is not told apart.
pub(super) static OTHER_FLAGS: Piece = Piece::new(", \"", "OTHER", "\": ");
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
    SockProtocol: "socket, not UNIX", "TCP | UDP", "Transport protocol";
    SockRole: "socket", "CLIENT | SERVER", "Which side the local process is";
    SockState: "socket, not UNIX", "TCP_* | UDP_ESTABLISHED | UDP_CLOSE", "State of the socket";
    SockAddress: "socket, UNIX", "string", "Path of the socket, or @ and an abstract name";
    SockFamily: "socket", "AF_INET | AF_INET6 | AF_UNIX", "Address family of the packets";
    SockLocalIP: "socket, not UNIX", "IPv4 or IPv6 text", "Local address";
    SockLocalPort: "socket, not UNIX", "integer", "Local port";
    SockRemoteIP: "socket, not UNIX", "IPv4 or IPv6 text", "Remote address";
    SockRemotePort: "socket, not UNIX", "integer", "Remote port";
    SockTxInterface: "socket, not UNIX, when sent", "index:name:mac, maybe empty", "Interface of the last packet sent";
    SockTxDataPackets: "socket, TCP, when sent", "integer", "Packets with payload sent, large ones by segments";
    SockTxPackets: "socket, not UNIX, when sent", "integer", "Packets sent, large ones by segments";
    SockTxPacketsRetrans: "socket, TCP, when sent", "integer", "Packets sent again";
    SockTxPacketsDups: "socket, TCP, when sent", "integer", "Packets that the peer reported as received twice";
    SockTxFlags: "socket, TCP, when sent", "object, name to integer", "Packets by combination of flags, as they appeared";
    SockTxDuration: "socket, not UNIX, when sent", "seconds, 9 decimals, or 0", "Time from the first packet sent to the last";
    SockTxBytes: "socket, when sent", "integer, bytes", "Payload sent, with what was sent again";
    SockTxBytesAcked: "socket, TCP, when sent", "integer, bytes", "Payload that the peer acknowledged";
    SockTxBytesRetrans: "socket, TCP, when sent", "integer, bytes", "Payload sent again";
    SockTxRTO: "socket, TCP, when sent", "integer, milliseconds", "Retransmission timeout";
    SockRxInterface: "socket, not UNIX, when received", "index:name:mac, maybe empty", "Interface of the last packet received";
    SockRxDataPackets: "socket, TCP, when received", "integer", "Packets with payload received";
    SockRxPackets: "socket, not UNIX, when received", "integer", "Packets received, large ones by segments";
    SockRxPacketsQueued: "socket, not UNIX, when received", "integer", "Packets in the receive queue";
    SockRxPacketsDrop: "socket, not UNIX, when received", "integer", "Packets dropped at the socket";
    SockRxPacketsReorder: "socket, TCP, when received", "integer", "Reordering events seen";
    SockRxPacketsFrag: "socket, not UNIX, when received", "integer", "Packets that came as IP fragments";
    SockRxFlags: "socket, TCP, when received", "object, name to integer", "Packets by combination of flags, as they appeared";
    SockRxDuration: "socket, not UNIX, when received", "seconds, 9 decimals, or 0", "Time from the first packet received to the last";
    SockRxBytes: "socket, when received", "integer, bytes", "Payload received";
    SockRxTTL: "socket, not UNIX, when received", "integer", "Average TTL or hop limit of the packets received";
    SockRTT: "socket, TCP, when received", "seconds, 9 decimals, or 0", "Smoothed round-trip time";
    SockAge: "socket", "seconds, 9 decimals, or 0", "Time since the flow was first seen";
    SockCookie: "socket, with -x", "integer", "Number of the socket, unique since boot";
    SockNetNamespace: "socket, with -x", "integer", "Inode number of the network namespace";
    SockCause: "socket, with -x", "CLOSE | COUNT | IDLE | ACTIVE | EXIT | STOP", "Why the record was written";
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
    Messages: "kflowd", "object, name to integer", "Ledger: application messages to the records of their flows";
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

    #[test]
    fn flags_have_their_names() {
        let name = |bits: usize| std::str::from_utf8(&TCP_FLAGS[bits].bytes[..TCP_FLAGS[bits].len]).unwrap();
        assert_eq!((name(0x12), name(0x19)), (", \"SYN-ACK\": ", ", \"FIN-PSH-ACK\": "));
        assert_eq!(name(0xff), ", \"FIN-SYN-RST-PSH-ACK-URG-ECE-CWR\": ");
        assert_eq!(name(0), ", \"\": ");
    }
}
