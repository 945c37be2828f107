//! A DNS message as an object.
//!
//! `ResourceRecords` holds the questions of a query and the answers of a response. Authority and additional
//! records, EDNS among them, are shown with `-x`; they are checked in any case.

use super::edns;
use super::names::Name as Key;
use super::object::{Object, TEXT_MAX};
use super::rdata;
use crate::decode::dns::{
    DnsError, FLAGS, HEADER, Header, Question, Reader, Record, class_name, opcode_name, response_name,
    type_name,
};
use crate::render::app::Form;
use crate::render::number::integer;
use crate::render::out::Out;

/// What ends a message early.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("{0}")]
    Malformed(#[from] DnsError),
    #[error("further records are left out")]
    Full,
}

/// Appends the message of `length` bytes of which `bytes` are there, `time` nanoseconds after the flow began.
pub fn dns(bytes: &[u8], length: u64, time: u64, form: &Form, out: &mut Out) {
    let start = out.len();
    let mut object = Object::begin(form.style, Key::Timestamp, out);
    object.seconds(time);
    let cut = DnsError::Cut { have: bytes.len(), need: length };
    match message(bytes, form, &mut object) {
        Ok(()) => {}
        Err(Stop::Full) => object.exception(&Stop::Full),
        // What was captured is right as far as it goes.
        Err(Stop::Malformed(DnsError::Short(_))) if length > bytes.len() as u64 => {
            if bytes.len() < HEADER {
                return error(&cut, form, out, start);
            }
            object.exception(&cut);
        }
        Err(Stop::Malformed(reason)) => return error(&reason, form, out, start),
    }
    object.end();
}

/// Appends the reason why bytes are no message.
pub fn dns_error(reason: &DnsError, form: &Form, out: &mut Out) {
    let start = out.len();
    error(reason, form, out, start);
}

#[cold]
fn error(reason: &DnsError, form: &Form, out: &mut Out, start: usize) {
    out.truncate(start);
    Object::only_exception(form.style, reason, out).end();
}

fn message(bytes: &[u8], form: &Form, o: &mut Object<'_>) -> Result<(), Stop> {
    let header = Header::read(bytes)?;
    o.integer(Key::TransactionId, header.id.into());
    if header.response() {
        o.plain(Key::ResponseCode, response_name(header.rcode()).as_bytes());
    } else {
        o.plain(Key::OpCode, opcode_name(header.opcode()).as_bytes());
    }
    flags(header.flags, o);
    let mut reader = Reader::behind_header(bytes);
    let mut rows = Sections { start: o.out.len(), seen: None };
    if header.response() {
        o.integer(Key::AnswerCount, header.answers.into());
        for _ in 0..header.questions {
            // A name is most often the one that was asked for, which is not shown here.
            reader.question()?;
        }
        rows.records(Key::ResourceRecords, header.answers, &mut reader, o)?;
    } else {
        rows.questions(header.questions, &mut reader, o)?;
        skip(header.answers, &mut reader)?;
    }
    if form.extra {
        rows.records(Key::AuthorityRecords, header.authority, &mut reader, o)?;
        rows.records(Key::AdditionalRecords, header.additional, &mut reader, o)?;
    } else {
        skip(header.authority, &mut reader)?;
        skip(header.additional, &mut reader)?;
    }
    Ok(())
}

fn skip(count: u16, reader: &mut Reader<'_>) -> Result<(), DnsError> {
    for _ in 0..count {
        reader.record()?;
    }
    Ok(())
}

/// Room for all flags.
const FLAGS_MAX: usize = 40;

/// The list of each combination of flags.
static FLAG_LISTS: [([u8; FLAGS_MAX], usize); 1 << FLAGS.len()] = {
    let mut lists = [([0; FLAGS_MAX], 0); 1 << FLAGS.len()];
    let mut set = 0;
    while set < lists.len() {
        lists[set] = flag_list(set);
        set += 1;
    }
    lists
};

const fn flag_list(set: usize) -> ([u8; FLAGS_MAX], usize) {
    let (mut text, mut len, mut flag) = ([0; FLAGS_MAX], 1, 0);
    text[0] = b'[';
    while flag < FLAGS.len() {
        if set & 1 << flag != 0 {
            let name = FLAGS[flag].1.as_bytes();
            let piece = [b',', b' ', b'"', name[0], name[1], b'"'];
            let mut i = if len == 1 { 2 } else { 0 };
            while i < piece.len() {
                text[len] = piece[i];
                len += 1;
                i += 1;
            }
        }
        flag += 1;
    }
    text[len] = b']';
    (text, len + 1)
}

fn flags(flags: u16, o: &mut Object<'_>) {
    o.key(Key::Flags);
    let bits = FLAGS.iter().enumerate().map(|(i, (bit, _))| usize::from(flags & bit != 0) << i);
    let (text, len) = &FLAG_LISTS[bits.sum::<usize>()];
    o.out.put(text, *len);
}

/// Rows of questions and records.
struct Sections {
    /// Where the first section begins.
    start: usize,
    /// The last owner's place in the message, and where its text stands.
    seen: Option<(usize, usize, usize)>,
}

impl Sections {
    fn questions(&mut self, count: u16, reader: &mut Reader<'_>, o: &mut Object<'_>) -> Result<(), Stop> {
        self.rows(Key::ResourceRecords, count, o, |out, seen| question(&reader.question()?, out, seen))
    }

    fn records(
        &mut self,
        key: Key,
        count: u16,
        reader: &mut Reader<'_>,
        o: &mut Object<'_>,
    ) -> Result<(), Stop> {
        self.rows(key, count, o, |out, seen| record(&reader.record()?, out, seen))
    }

    /// Writes rows until one fails or there is no more room; those before stay.
    fn rows(
        &mut self,
        key: Key,
        count: u16,
        o: &mut Object<'_>,
        mut row: impl FnMut(&mut Out, &mut Option<(usize, usize, usize)>) -> Result<(), DnsError>,
    ) -> Result<(), Stop> {
        let mut rows = o.array(key);
        let mut result = Ok(());
        for _ in 0..count {
            let before = o.out.len();
            rows.next(o.out);
            result = row(o.out, &mut self.seen).map_err(Stop::from);
            if result.is_ok() && o.out.len() - self.start > TEXT_MAX {
                result = Err(Stop::Full);
            }
            if result.is_err() {
                o.out.truncate(before);
                break;
            }
            rows.done(o.out);
        }
        rows.end(o.out);
        result
    }
}

fn question(
    question: &Question<'_>,
    out: &mut Out,
    seen: &mut Option<(usize, usize, usize)>,
) -> Result<(), DnsError> {
    kind(question.kind, out);
    owner(question.name, out, seen)
}

fn record(
    record: &Record<'_>,
    out: &mut Out,
    seen: &mut Option<(usize, usize, usize)>,
) -> Result<(), DnsError> {
    kind(record.kind, out);
    owner(record.name, out, seen)?;
    if record.kind == edns::OPT {
        edns::edns(record, out);
        return Ok(());
    }
    out.piece(b", ");
    integer(record.ttl.into(), out);
    match class_name(record.class) {
        Some("IN") => out.piece(b", \"IN\", \""),
        Some(name) => named(b", \"", name, b"\", \"", out),
        None => numbered(b", \"CLASS", record.class, b"\", \"", out),
    }
    rdata::rdata(record, out);
    out.byte(b'"');
    Ok(())
}

/// The type and what stands in front of the owner.
fn kind(kind: u16, out: &mut Out) {
    match (kind, type_name(kind)) {
        (1, _) => out.piece(b"\"A\", \""),
        (_, Some(name)) => named(b"\"", name, b"\", \"", out),
        (_, None) => numbered(b"\"TYPE", kind, b"\", \"", out),
    }
}

fn named(before: &[u8], name: &str, after: &[u8], out: &mut Out) {
    for part in [before, name.as_bytes(), after] {
        out.slice(part);
    }
}

/// Numbers without a name are written as RFC 3597 section 5 has it.
#[cold]
fn numbered(before: &[u8], number: u16, after: &[u8], out: &mut Out) {
    out.slice(before);
    integer(number.into(), out);
    out.slice(after);
}

/// Most records of a section have the owner of the one before: its text is copied.
fn owner(
    name: crate::decode::dns::Name<'_>,
    out: &mut Out,
    seen: &mut Option<(usize, usize, usize)>,
) -> Result<(), DnsError> {
    let place = name.place();
    match *seen {
        Some((last, start, end)) if last == place => out.repeat(start, end),
        _ => {
            let start = out.len();
            rdata::name(name, out)?;
            *seen = Some((place, start, out.len()));
        }
    }
    out.byte(b'"');
    Ok(())
}
