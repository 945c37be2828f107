//! The records of `bpf/record.h`.
//!
//! A number that this version does not know (kind, tag) is not malformed: it comes from a newer probe and is
//! passed on as [`Record::Unknown`] or skipped. Malformed is what no probe may write.

use kflowd_proto::layout::{File, Flow, Head, Kind, Ledger, Payload, Process, TAG_CUT, Tag, TailError, tail};
use zerocopy::FromBytes;

/// Why a frame is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than the head or than the body its kind has.
    #[error("record of {len} bytes is shorter than the {need} bytes of its head and body")]
    Short {
        /// Bytes there are.
        len: usize,
        /// Bytes there must be.
        need: usize,
    },
    /// The head names another length than the frame has.
    #[error("record says {said} bytes in a frame of {len}")]
    Length {
        /// Length in the head.
        said: u32,
        /// Bytes there are.
        len: usize,
    },
    /// The strings behind the body do not add up.
    #[error("tail of the record")]
    Tail(#[from] TailError),
    /// One string is there twice.
    #[error("string {0} is there twice")]
    Twice(u16),
    /// A number of the body that has no meaning.
    #[error("direction {0} of a payload is neither of the two")]
    Way(u8),
    /// More payload than the call moved.
    #[error("{have} bytes of payload where {said} were moved")]
    Payload {
        /// Bytes of the call.
        said: u32,
        /// Bytes there are.
        have: usize,
    },
}

/// A string of the tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tailed<'a> {
    /// The bytes, in whatever encoding the system uses.
    pub bytes: &'a [u8],
    /// The left end is missing.
    pub cut: bool,
}

/// All strings a record may carry; one that is not there is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strings<'a> {
    /// Base name of the executable.
    pub exe_name: Tailed<'a>,
    /// Base name of the parent's executable.
    pub parent_name: Tailed<'a>,
    /// Path of the executable.
    pub exe_path: Tailed<'a>,
    /// Arguments, each ended by NUL.
    pub argv: Tailed<'a>,
    /// Path of the file.
    pub path: Tailed<'a>,
    /// Path before a move.
    pub origin: Option<Tailed<'a>>,
    /// Address of a UNIX socket.
    pub address: Tailed<'a>,
    /// Bytes that were sent or received.
    pub payload: Tailed<'a>,
}

/// An exec, fork or exit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessRecord<'a> {
    /// Which of the three.
    pub kind: Kind,
    /// The fixed part.
    pub body: Process,
    /// The tail.
    pub strings: Strings<'a>,
}

/// A file record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRecord<'a> {
    /// The fixed part.
    pub body: File,
    /// The tail.
    pub strings: Strings<'a>,
}

/// A flow record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord<'a> {
    /// The fixed part.
    pub body: Flow,
    /// The tail.
    pub strings: Strings<'a>,
}

impl FlowRecord<'_> {
    /// The same flow with nothing counted: what goes out beside a record that has counted it.
    pub fn without_counts(&self) -> Self {
        let Flow { head, task, cookie, open_time, sent_time, netns, cause, local, remote, .. } = self.body;
        let Flow { local_port, remote_port, family, protocol, role, state, .. } = self.body;
        let mut body =
            Flow { head, task, cookie, open_time, sent_time, netns, cause, local, ..Flow::default() };
        (body.remote, body.local_port, body.remote_port) = (remote, local_port, remote_port);
        (body.family, body.protocol, body.role, body.state) = (family, protocol, role, state);
        Self { body, strings: self.strings }
    }
}

/// A payload record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadRecord<'a> {
    /// The fixed part.
    pub body: Payload,
    /// What was captured, no more than the body's `len`.
    pub bytes: &'a [u8],
}

/// A checked record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "lives on the stack for the time of one record, never stored")]
pub enum Record<'a> {
    /// A process began, ended or has a new program.
    Process(ProcessRecord<'a>),
    /// What a process did to a file.
    File(FileRecord<'a>),
    /// What went through a socket.
    Flow(FlowRecord<'a>),
    /// Bytes of a flow.
    Payload(PayloadRecord<'a>),
    /// The probe's counters.
    Ledger(Ledger),
    /// A kind that this version does not know.
    Unknown(u16),
}

/// Memory for the paths of one record, which the kernel writes from the file towards the root.
#[derive(Debug, Default)]
pub struct Paths {
    exe: Vec<u8>,
    path: Vec<u8>,
    origin: Vec<u8>,
}

/// `f/t/root/` to `/root/t/f`.
fn turn<'a>(found: Tailed<'_>, memory: &'a mut Vec<u8>) -> Tailed<'a> {
    if found.bytes.is_empty() {
        return Tailed { bytes: b"", cut: found.cut };
    }
    memory.clear();
    let mut rest = found.bytes.strip_suffix(b"/").unwrap_or(found.bytes);
    while let Some(slash) = memchr::memrchr(b'/', rest) {
        memory.extend_from_slice(&rest[slash..]);
        rest = &rest[..slash];
    }
    if !rest.is_empty() {
        memory.push(b'/');
        memory.extend_from_slice(rest);
    }
    Tailed { bytes: memory, cut: found.cut }
}

/// Reads one frame; `paths` holds what the record's paths point to.
///
/// # Errors
/// See [`DecodeError`]; nothing of a malformed record is used.
pub fn decode<'a>(frame: &'a [u8], paths: &'a mut Paths) -> Result<Record<'a>, DecodeError> {
    let (head, _) = split::<Head>(frame)?;
    if usize::try_from(head.len) != Ok(frame.len()) {
        return Err(DecodeError::Length { said: head.len, len: frame.len() });
    }
    let Some(kind) = Kind::from_raw(head.kind) else { return Ok(Record::Unknown(head.kind)) };
    Ok(match kind {
        Kind::Exec | Kind::Fork | Kind::Exit => {
            let (body, tail) = split::<Process>(frame)?;
            Record::Process(ProcessRecord { kind, body, strings: strings(tail, paths)? })
        }
        Kind::File => {
            let (body, tail) = split::<File>(frame)?;
            Record::File(FileRecord { body, strings: strings(tail, paths)? })
        }
        Kind::Flow => {
            let (body, tail) = split::<Flow>(frame)?;
            Record::Flow(FlowRecord { body, strings: strings(tail, paths)? })
        }
        Kind::Payload => Record::Payload(payload(frame, paths)?),
        Kind::Ledger => Record::Ledger(split::<Ledger>(frame)?.0),
    })
}

/// The body is copied: a frame's bytes have no alignment.
fn split<T: FromBytes>(frame: &[u8]) -> Result<(T, &[u8]), DecodeError> {
    T::read_from_prefix(frame)
        .map_err(|_| DecodeError::Short { len: frame.len(), need: core::mem::size_of::<T>() })
}

fn payload<'a>(frame: &'a [u8], paths: &'a mut Paths) -> Result<PayloadRecord<'a>, DecodeError> {
    let (body, tail) = split::<Payload>(frame)?;
    let bytes = strings(tail, paths)?.payload.bytes;
    if usize::from(body.way) >= 2 {
        return Err(DecodeError::Way(body.way));
    }
    if usize::try_from(body.len).is_ok_and(|said| said < bytes.len()) {
        return Err(DecodeError::Payload { said: body.len, have: bytes.len() });
    }
    Ok(PayloadRecord { body, bytes })
}

fn strings<'a>(tail: &'a [u8], paths: &'a mut Paths) -> Result<Strings<'a>, DecodeError> {
    let mut found = Strings::default();
    let mut seen = 0_u32;
    for entry in tail::entries(tail) {
        let (tag, bytes) = entry?;
        let number = tag & !TAG_CUT;
        let text = Tailed { bytes, cut: tag & TAG_CUT != 0 };
        match number {
            t if t == Tag::ExeName as u16 => found.exe_name = text,
            t if t == Tag::ParentName as u16 => found.parent_name = text,
            t if t == Tag::ExePath as u16 => found.exe_path = text,
            t if t == Tag::Argv as u16 => found.argv = text,
            t if t == Tag::Path as u16 => found.path = text,
            t if t == Tag::Origin as u16 => found.origin = Some(text),
            t if t == Tag::Address as u16 => found.address = text,
            t if t == Tag::Payload as u16 => found.payload = text,
            _ => continue,
        }
        let bit = 1 << number;
        if seen & bit != 0 {
            return Err(DecodeError::Twice(number));
        }
        seen |= bit;
    }
    found.exe_path = turn(found.exe_path, &mut paths.exe);
    found.path = turn(found.path, &mut paths.path);
    found.origin = found.origin.map(|origin| turn(origin, &mut paths.origin));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use kflowd_proto::layout::TailEntry;
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    use super::*;

    fn frame(kind: u16, body: &[u8], tail: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = body.to_vec();
        for (tag, text) in tail {
            let len = u16::try_from(text.len()).unwrap();
            bytes.extend_from_slice(TailEntry { tag: *tag, len }.as_bytes());
            bytes.extend_from_slice(text);
        }
        let len = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes
    }

    #[test]
    fn file_record_with_its_strings() {
        let body = File { inode: 7, ..File::default() };
        let bytes = frame(4, body.as_bytes(), &[(1, b"cat"), (5 | TAG_CUT, b"c/b/"), (77, b"new")]);
        let mut paths = Paths::default();
        let Ok(Record::File(file)) = decode(&bytes, &mut paths) else { panic!("a file record") };
        assert_eq!(file.body.inode, 7);
        assert_eq!(file.strings.exe_name, Tailed { bytes: b"cat", cut: false });
        assert_eq!(file.strings.path, Tailed { bytes: b"/b/c", cut: true });
        assert_eq!(file.strings.origin, None);
    }

    #[test]
    fn flow_and_payload_records() {
        let body = Flow { cookie: 7, ..Flow::default() };
        let bytes = frame(6, body.as_bytes(), &[(1, b"curl"), (7, b"/dev/log")]);
        let mut paths = Paths::default();
        let Ok(Record::Flow(flow)) = decode(&bytes, &mut paths) else { panic!("a flow record") };
        assert_eq!((flow.body.cookie, flow.strings.address.bytes), (7, &b"/dev/log"[..]));
        let body = Payload { cookie: 7, len: 5, way: 1, ..Payload::default() };
        let bytes = frame(7, body.as_bytes(), &[(8, b"GET")]);
        let Ok(Record::Payload(payload)) = decode(&bytes, &mut paths) else { panic!("a payload record") };
        assert_eq!((payload.body.cookie, payload.bytes), (7, &b"GET"[..]));
    }

    #[test]
    fn payload_that_cannot_be() {
        let error = |bytes: &[u8]| decode(bytes, &mut Paths::default()).err();
        let long = Payload { len: 2, ..Payload::default() };
        let found = error(&frame(7, long.as_bytes(), &[(8, b"GET")]));
        assert_eq!(found, Some(DecodeError::Payload { said: 2, have: 3 }));
        let sideways = Payload { way: 2, ..Payload::default() };
        assert_eq!(error(&frame(7, sideways.as_bytes(), &[])), Some(DecodeError::Way(2)));
    }

    #[test]
    fn paths_are_turned_round() {
        for (from, to) in
            [("f/t/root/", "/root/t/f"), ("f/", "/f"), ("", ""), ("/", ""), ("f", "/f"), ("a//b/", "/b//a")]
        {
            let mut memory = b"old".to_vec();
            let found = turn(Tailed { bytes: from.as_bytes(), cut: true }, &mut memory);
            assert_eq!(found, Tailed { bytes: to.as_bytes(), cut: true }, "{from}");
        }
    }

    #[test]
    fn unknown_is_not_malformed() {
        let bytes = frame(999, Head::default().as_bytes(), &[]);
        assert_eq!(decode(&bytes, &mut Paths::default()), Ok(Record::Unknown(999)));
    }

    #[test]
    fn malformed_says_how() {
        let error = |bytes: &[u8]| decode(bytes, &mut Paths::default()).err();
        let bytes = frame(4, File::default().as_bytes(), &[(5, b"/a")]);
        let len = bytes.len();
        let said = u32::try_from(len).unwrap();
        assert_eq!(error(&bytes[..10]), Some(DecodeError::Short { len: 10, need: 32 }));
        assert_eq!(error(&bytes[..len - 1]), Some(DecodeError::Length { said, len: len - 1 }));
        assert!(matches!(error(&frame(4, Head::default().as_bytes(), &[])), Some(DecodeError::Short { .. })));
        let twice = frame(4, File::default().as_bytes(), &[(5, b"/a"), (5, b"/b")]);
        assert_eq!(error(&twice), Some(DecodeError::Twice(5)));
        let mut long = bytes;
        long[len - 4] = 200;
        assert!(matches!(error(&long), Some(DecodeError::Tail(TailError::TooLong { .. }))));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode(&bytes, &mut Paths::default());
        }

        #[test]
        fn random_tails_never_panic(kind in 0_u16..10, tail in proptest::collection::vec(any::<u8>(), 0..64)) {
            let size = match kind {
                6 => size_of::<Flow>(),
                7 => size_of::<Payload>(),
                _ => size_of::<File>(),
            };
            let mut body = vec![0; size];
            body.extend_from_slice(&tail);
            let _ = decode(&frame(kind, &body, &[]), &mut Paths::default());
        }
    }
}
