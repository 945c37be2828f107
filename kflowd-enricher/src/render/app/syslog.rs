//! A syslog message as an object.

use super::names::Name;
use super::object::{Object, TEXT_MAX};
use crate::decode::syslog::{Message, SyslogError};
use crate::render::app::Form;
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

/// Room of each field but the text.
const FIELD_ROOM: usize = TEXT_MAX / 16;
/// Room of structured data.
const DATA_ROOM: usize = TEXT_MAX / 8;
/// Room of the text.
const MESSAGE_ROOM: usize = TEXT_MAX / 2;

/// Appends a message, `cut` when its end is missing.
pub fn syslog(message: &Message<'_>, cut: bool, form: &Form, out: &mut Out) {
    let mut object = Object::begin(form.style, out);
    let facility = FACILITIES.get(usize::from(message.priority >> 3)).copied().unwrap_or_default();
    object.constant(Name::Facility, facility);
    object.constant(Name::Severity, SEVERITIES[usize::from(message.priority & 7)]);
    object.integer(Name::Priority, message.priority.into());
    object.integer(Name::SyslogVersion, message.version.into());
    optional(Name::SyslogTimestamp, message.timestamp, FIELD_ROOM, &mut object);
    optional(Name::Hostname, message.hostname, FIELD_ROOM, &mut object);
    object.string(Name::Appname, message.appname, FIELD_ROOM);
    optional(Name::ProcId, message.procid, FIELD_ROOM, &mut object);
    optional(Name::MsgId, message.msgid, FIELD_ROOM, &mut object);
    optional(Name::Data, message.data, DATA_ROOM, &mut object);
    if cut {
        object.cut_string(Name::Message, message.message, MESSAGE_ROOM);
    } else {
        object.string(Name::Message, message.message, MESSAGE_ROOM);
    }
    object.end();
}

#[inline]
fn optional(name: Name, bytes: &[u8], room: usize, object: &mut Object<'_>) {
    if !bytes.is_empty() {
        object.string(name, bytes, room);
    }
}

/// Appends the reason why bytes are no message, and the bytes when there are any.
#[cold]
pub fn syslog_error(reason: &SyslogError, raw: &[u8], cut: bool, form: &Form, out: &mut Out) {
    let mut object = Object::begin(form.style, out);
    object.exception(reason);
    if cut {
        object.cut_string(Name::RawMessage, raw, MESSAGE_ROOM);
    } else if !raw.is_empty() {
        object.string(Name::RawMessage, raw, MESSAGE_ROOM);
    }
    object.end();
}
