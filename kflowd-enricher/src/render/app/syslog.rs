//! A syslog message as an object.

use super::names::Name;
use super::object::{Object, TEXT_MAX};
use crate::decode::syslog::{Message, SyslogError};
use crate::render::app::{Form, Style};
use crate::render::escape::plain;
use crate::render::out::Out;

/// Names of facilities by number (RFC 5424 section 6.2.1).
const FACILITIES: [&str; 24] = [
    "Kernel",
    "User",
    "Mail System",
    "System Daemon",
    "Security/Authorization",
    "Internal",
    "Line Printer",
    "Network News",
    "UUCP",
    "Clock Daemon",
    "Security/Authorization",
    "FTP Daemon",
    "NTP",
    "Log Audit",
    "Log Alert",
    "Clock Daemon",
    "Local0",
    "Local1",
    "Local2",
    "Local3",
    "Local4",
    "Local5",
    "Local6",
    "Local7",
];

/// Names of severities.
const SEVERITIES: [&str; 8] = [
    "Emergency (0)",
    "Alert (1)",
    "Critical (2)",
    "Error (3)",
    "Warning (4)",
    "Notice (5)",
    "Informational (6)",
    "Debug (7)",
];

/// The beginning of a message as far as the priority determines it.
#[derive(Clone, Copy)]
struct Prefix {
    text: [u8; PREFIX],
    len: usize,
}

/// Room for the longest beginning.
const PREFIX: usize = 128;
const PRIORITIES: usize = 8 * FACILITIES.len();

const fn append(mut prefix: Prefix, text: &[u8]) -> Prefix {
    let mut i = 0;
    while i < text.len() {
        prefix.text[prefix.len] = text[i];
        prefix.len += 1;
        i += 1;
    }
    prefix
}

/// `between` stands between keys, `first` before the first one.
const fn prefix(priority: usize, first: &str, between: &str) -> Prefix {
    let digits =
        [b'0' + (priority / 100) as u8, b'0' + (priority / 10 % 10) as u8, b'0' + (priority % 10) as u8];
    let (_, number) = digits.split_at(if priority > 99 {
        0
    } else if priority > 9 {
        1
    } else {
        2
    });
    let parts: [&[u8]; 10] = [
        first.as_bytes(),
        b"\"Facility\": \"",
        FACILITIES[priority / 8].as_bytes(),
        b"\"",
        between.as_bytes(),
        b"\"Severity\": \"",
        SEVERITIES[priority % 8].as_bytes(),
        b"\"",
        between.as_bytes(),
        b"\"Priority\": ",
    ];
    let (mut prefix, mut i) = (Prefix { text: [0; PREFIX], len: 0 }, 0);
    while i < parts.len() {
        prefix = append(prefix, parts[i]);
        i += 1;
    }
    append(prefix, number)
}

const fn prefixes(first: &str, between: &str) -> [Prefix; PRIORITIES] {
    let mut prefixes = [Prefix { text: [0; PREFIX], len: 0 }; PRIORITIES];
    let mut priority = 0;
    while priority < PRIORITIES {
        prefixes[priority] = prefix(priority, first, between);
        priority += 1;
    }
    prefixes
}

static PRETTY: [Prefix; PRIORITIES] = prefixes("\n    ", ",\n    ");
static COMPACT: [Prefix; PRIORITIES] = prefixes("", ", ");

/// Room of each field but the text.
const FIELD_ROOM: usize = TEXT_MAX / 16;
/// Room of structured data.
const DATA_ROOM: usize = TEXT_MAX / 8;
/// Room of the text.
const MESSAGE_ROOM: usize = TEXT_MAX / 2;

/// Appends a message, `cut` when its end is missing.
pub fn syslog(message: &Message<'_>, cut: bool, form: &Form, out: &mut Out) {
    let prefixes = match form.style {
        Style::Pretty => &PRETTY,
        Style::Compact => &COMPACT,
    };
    // The decoder gives no priority that is not in the table.
    let prefix = &prefixes[usize::from(message.priority).min(PRIORITIES - 1)];
    let mut object = Object::begun(form.style, &prefix.text, prefix.len, out);
    object.integer(Name::SyslogVersion, message.version.into());
    // Most messages are short and need no escapes: looking at all their bytes once is less than at each field.
    if !cut && message.raw.len() <= FIELD_ROOM && plain(message.raw) {
        fields(message, &mut object, |name, bytes, _, object| object.plain(name, bytes));
        object.plain(Name::Message, message.message);
    } else {
        fields(message, &mut object, |name, bytes, room, object| {
            object.string(name, bytes, room);
        });
        if cut {
            object.cut_string(Name::Message, message.message, MESSAGE_ROOM);
        } else {
            object.string(Name::Message, message.message, MESSAGE_ROOM);
        }
    }
    object.end();
}

/// Everything between the version and the text; a field that is empty is left out, but for the program.
#[inline]
fn fields(
    message: &Message<'_>,
    object: &mut Object<'_>,
    mut write: impl FnMut(Name, &[u8], usize, &mut Object<'_>),
) {
    let mut optional = |name, bytes: &[u8], room, object: &mut Object<'_>| {
        if !bytes.is_empty() {
            write(name, bytes, room, object);
        }
    };
    optional(Name::SyslogTimestamp, message.timestamp, FIELD_ROOM, object);
    optional(Name::Hostname, message.hostname, FIELD_ROOM, object);
    if message.appname.is_empty() {
        object.plain(Name::Appname, b"");
    }
    optional(Name::Appname, message.appname, FIELD_ROOM, object);
    optional(Name::ProcId, message.procid, FIELD_ROOM, object);
    optional(Name::MsgId, message.msgid, FIELD_ROOM, object);
    optional(Name::Data, message.data, DATA_ROOM, object);
}

/// Appends the reason why bytes are no message, and the bytes when there are any.
#[cold]
pub fn syslog_error(reason: &SyslogError, raw: &[u8], cut: bool, form: &Form, out: &mut Out) {
    let mut object = Object::only_exception(form.style, reason, out);
    if cut {
        object.cut_string(Name::RawMessage, raw, MESSAGE_ROOM);
    } else if !raw.is_empty() {
        object.string(Name::RawMessage, raw, MESSAGE_ROOM);
    }
    object.end();
}
