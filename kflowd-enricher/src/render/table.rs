//! Rows for people.

use super::escape::printable;
use super::keys::FILE_EVENTS;
use super::number;
use super::out::Out;
use super::time::Clock;
use crate::counters::Stage;
use crate::event::{Event, Info, Subject};

/// Stands above the rows.
pub(super) const HEADING: &str =
    "TIME                                     EVENTS  PROCESS          PID      FILE  SIZE\n";

/// One row per event.
pub(super) fn event(event: &Event<'_>, clock: &mut Clock, out: &mut Out) {
    let Subject::File(file) = &event.subject;
    clock.write(event.info.time, out);
    out.slice(b"  ");
    let happened = FILE_EVENTS.iter().zip(file.body.events).filter(|&(_, count)| count > 0);
    for (i, (name, _)) in happened.enumerate() {
        out.slice(if i == 0 { b"" } else { b"," });
        out.slice(name.as_bytes());
    }
    out.slice(b"  ");
    printable(&event.process.name.0.concat(), out);
    out.slice(b"  ");
    number::integer(event.process.pid.into(), out);
    out.slice(b"  ");
    printable(&file.directory.0.concat(), out);
    printable(file.name, out);
    out.slice(b"  ");
    number::integer(file.body.size, out);
    out.byte(b'\n');
}

/// One row for the ledger: what came in, and what was lost on the way.
pub(super) fn stages(info: &Info, stages: &[Stage], clock: &mut Clock, out: &mut Out) {
    clock.write(info.time, out);
    out.slice(b"  kflowd");
    for stage in stages {
        let lost: u64 =
            stage.counters.iter().filter(|(name, _)| name.starts_with("Lost")).map(|(_, n)| n).sum();
        out.slice(b"  ");
        out.slice(stage.name.as_bytes());
        out.slice(b" lost ");
        number::integer(lost, out);
    }
    out.byte(b'\n');
}
