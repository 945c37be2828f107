//! An HTTP message as an object.
//!
//! Headers come under their own names. One that repeats is joined into the first with `, ` (RFC 9110 section 5.3);
//! Set-Cookie, which must not be joined, becomes an array. Secrets are masked whole: what part of them is harmless
//! cannot be known.

use super::names::Name;
use super::object::{CUT, Object, TEXT_MAX, limited, whole_characters};
use crate::decode::http::{Body, Field, FieldKind, Head, Message, Start};
use crate::render::app::Form;
use crate::render::escape::plain;
use crate::render::out::Out;

const MASK: &[u8; 3] = b"***";

/// Room that the body has in any case.
const BODY_ROOM: usize = TEXT_MAX / 4;

/// Room of the target and of the reason.
const LINE_ROOM: usize = TEXT_MAX / 4;

/// Appends a message, `time` nanoseconds after the flow began.
pub fn http(message: &Message<'_>, time: u64, form: &Form, out: &mut Out) {
    let start = out.len();
    let mut object = Object::begin(form.style, Name::Timestamp, out);
    object.seconds(time);
    let mut whole = true;
    if let Some(head) = message.head {
        first_line(&head.start, &mut object);
        whole = fields(head, form, start, &mut object);
        body(head, &message.body, &mut object);
    }
    if let Some(error) = &message.error {
        object.exception(error);
    } else if !whole {
        object.exception(&"further headers are left out");
    }
    object.end();
}

/// Versions and methods were checked: they hold nothing that needs escapes.
fn first_line(start: &Start<'_>, object: &mut Object<'_>) {
    match start {
        Start::Request { method, target, version } => {
            if method.len() < LINE_ROOM {
                object.plain(Name::Method, method);
            } else {
                object.string(Name::Method, method, LINE_ROOM);
            }
            object.string(Name::Url, target, LINE_ROOM);
            object.plain(Name::Version, version);
        }
        Start::Response { version, status, reason } => {
            object.plain(Name::Version, version);
            object.integer(Name::Status, (*status).into());
            if !reason.is_empty() {
                object.string(Name::Reason, reason, LINE_ROOM);
            }
        }
    }
}

/// Whether all of them fit.
fn fields(head: &Head<'_>, form: &Form, start: usize, object: &mut Object<'_>) -> bool {
    for (i, field) in head.fields.iter().enumerate() {
        if field.repeats {
            continue;
        }
        let used = object.out.len() - start;
        let name = head.name(field);
        // Marks and quotes stand around it.
        let Some(room) = (TEXT_MAX - BODY_ROOM).checked_sub(used + name.len() + 64) else { return false };
        object.foreign_key(name);
        let hide = field.kind != FieldKind::Plain && !form.secrets;
        let out = &mut *object.out;
        if field.repeated {
            values(head, i, hide, room, out);
        } else {
            out.byte(b'"');
            value(head, field, hide, room, out);
            out.byte(b'"');
        }
    }
    true
}

/// Appends one value without quotes.
#[inline]
fn value(head: &Head<'_>, field: &Field, hide: bool, room: usize, out: &mut Out) {
    let value = head.value(field);
    if hide {
        out.piece(MASK);
    } else if field.folded {
        folded(value, room, out);
    } else {
        limited(value, room, out);
    }
}

/// A line end with the blanks around it counts as one blank (RFC 9112 section 5.2).
#[cold]
fn folded(value: &[u8], room: usize, out: &mut Out) {
    let end = out.len() + room;
    for (i, line) in value.split(|&byte| byte == b'\n').enumerate() {
        if i > 0 {
            out.byte(b' ');
        }
        if !limited(line.trim_ascii(), end.saturating_sub(out.len()), out) {
            return;
        }
    }
}

/// All values of a header that repeats.
#[cold]
fn values(head: &Head<'_>, first: usize, hide: bool, room: usize, out: &mut Out) {
    let name = head.name(&head.fields[first]);
    let array = head.fields[first].kind == FieldKind::SetCookie;
    let (open, between, close): (&[u8], &[u8], &[u8]) =
        if array { (b"[\"", b"\", \"", b"\"]") } else { (b"\"", b", ", b"\"") };
    let end = out.len() + room;
    out.slice(open);
    for (i, field) in head.fields[first..].iter().enumerate() {
        if i > 0 && !(field.repeats && head.name(field).eq_ignore_ascii_case(name)) {
            continue;
        }
        if i > 0 {
            out.slice(between);
        }
        let room = end.saturating_sub(out.len());
        if room < 6 {
            out.slice(CUT.as_bytes());
            break;
        }
        value(head, field, hide, room, out);
    }
    out.slice(close);
}

/// Appends the body when it is text; else says what it is.
fn body(head: &Head<'_>, body: &Body<'_>, object: &mut Object<'_>) {
    if body.bytes.is_empty() {
        return;
    }
    if head.encoding.is_none() && !body.cut && body.bytes.len() < BODY_ROOM && plain(body.bytes) {
        object.plain(Name::Body, body.bytes);
    } else if let Some(encoding) = head.encoding {
        object.key(Name::Body);
        object.out.slice(b"\"(");
        limited(encoding, 60, object.out);
        object.out.slice(b")\"");
    } else if !is_text(body) {
        object.plain(Name::Body, b"(binary)");
    } else if body.cut {
        object.cut_string(Name::Body, body.bytes, BODY_ROOM);
    } else {
        object.string(Name::Body, body.bytes, BODY_ROOM);
    }
}

/// UTF-8 without control characters other than those of text.
fn is_text(body: &Body<'_>) -> bool {
    let bytes = if body.cut { whole_characters(body.bytes) } else { body.bytes };
    let control = |byte: &u8| *byte == 0x7f || *byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r' | 0x0c);
    std::str::from_utf8(bytes).is_ok() && !bytes.iter().any(control)
}
