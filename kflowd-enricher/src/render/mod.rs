//! Events to text, in the form that the user chose.

mod address;
pub mod app;
mod escape;
mod file;
mod flow;
mod json;
pub mod keys;
mod number;
mod out;
mod table;
mod time;

use kflowd_proto::hello::{Output, Settings};

use self::json::{Style, Writer};
use self::keys::Key;
pub use self::out::Out;
use self::time::Clock;
use crate::counters::Stage;
use crate::enrich::host::HostFacts;
use crate::event::{Event, Info, Subject};

/// Which keys the user asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `-v`.
    pub versions: bool,
    /// `-c`.
    pub checksums: bool,
    /// `-x`.
    pub extra: bool,
}

/// `InfoMonitor`.
#[derive(Clone, Copy, Debug)]
enum Monitor {
    Filesystem,
    Socket,
    Kflowd,
}

/// Messages on their way to the sinks, each ended by a newline.
#[derive(Debug, Default)]
pub struct Batch {
    text: Out,
    /// Where each message ends in `text`.
    ends: Vec<usize>,
    /// See [`Batch::number_depends`].
    once: bool,
}

impl Batch {
    /// Forgets all messages and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.once = false;
    }

    /// The frames of this batch give other numbers of messages to a process that has not seen the frames before.
    pub fn number_depends(&mut self) {
        self.once = true;
    }

    /// Whether the batch has to be committed before it is written, see [`crate::intake`].
    pub fn once(&self) -> bool {
        self.once
    }

    /// All messages in one piece.
    pub fn text(&self) -> &[u8] {
        self.text.text()
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Message `index` without its newline; empty when there is none.
    pub fn message(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.ends.get(index).map_or(b"", |&end| &self.text.text()[start..end - 1])
    }

    /// Number of messages that end in the first `bytes` bytes.
    pub fn whole_in(&self, bytes: usize) -> usize {
        self.ends.partition_point(|&end| end <= bytes)
    }

    fn end_message(&mut self) {
        self.ends.push(self.text.text().len());
    }
}

/// Writes messages.
#[derive(Debug)]
pub struct Renderer {
    output: Output,
    options: Options,
    clock: Clock,
    /// From monitor to version: what never changes, as it stands in each file message.
    filesystem: Box<[u8]>,
    /// The same for flow messages.
    socket: Box<[u8]>,
    /// The same for self records.
    kflowd: Box<[u8]>,
}

impl Renderer {
    /// The form that `settings` ask for.
    pub fn new(settings: &Settings, host: &HostFacts) -> Self {
        let options =
            Options { versions: settings.versions, checksums: settings.checksums, extra: settings.extra };
        let block = |monitor| constant(style(settings.output), monitor, host);
        Self {
            output: settings.output,
            options,
            clock: Clock::default(),
            filesystem: block("filesystem"),
            socket: block("socket"),
            kflowd: block("kflowd"),
        }
    }

    /// What stands above the first message.
    pub fn heading(output: Output) -> &'static str {
        if output == Output::Table { table::HEADING } else { "" }
    }

    /// Appends the message of an event.
    pub fn event(&mut self, event: &Event<'_>, batch: &mut Batch) {
        if self.output == Output::Table {
            table::event(event, &mut self.clock, &mut batch.text);
        } else {
            let options = self.options;
            let monitor = match event.subject {
                Subject::File(_) => Monitor::Filesystem,
                Subject::Flow(_) => Monitor::Socket,
            };
            let mut w = self.begin(&event.info, monitor, &mut batch.text);
            file::process(&mut w, &event.process, options);
            match &event.subject {
                Subject::File(file) => file::file(&mut w, file, options),
                Subject::Flow(flow) => {
                    flow::flow(&mut w, flow, options);
                    if let Some(messages) = &flow.messages {
                        w.messages(messages);
                    }
                }
            }
            w.end();
        }
        batch.end_message();
    }

    /// Appends the self record.
    pub fn self_record(&mut self, info: &Info, stages: &[Stage], batch: &mut Batch) {
        if self.output == Output::Table {
            table::stages(info, stages, &mut self.clock, &mut batch.text);
        } else {
            let mut w = self.begin(info, Monitor::Kflowd, &mut batch.text);
            for stage in stages.iter().filter(|stage| stage.server.is_none()) {
                w.counters(ledger_key(stage.name), &stage.counters);
            }
            let servers = stages.iter().filter_map(|s| Some((s.server.as_deref()?, &s.counters[..])));
            w.list(Key::Udp, "Server", servers);
            w.end();
        }
        batch.end_message();
    }

    /// Opens a message with the `Info*` block.
    fn begin<'a>(&'a mut self, info: &Info, monitor: Monitor, out: &'a mut Out) -> Writer<'a> {
        let mut w = Writer::new(out, &mut self.clock, style(self.output));
        w.begin(Key::InfoSequenceNumber, info.sequence);
        w.time(Key::InfoTimestamp, info.time);
        w.block(match monitor {
            Monitor::Filesystem => &self.filesystem,
            Monitor::Socket => &self.socket,
            Monitor::Kflowd => &self.kflowd,
        });
        w.seconds(Key::InfoUptime, info.uptime);
        w
    }
}

fn constant(style: Style, monitor: &str, host: &HostFacts) -> Box<[u8]> {
    let (mut text, mut clock) = (Out::default(), Clock::default());
    let mut w = Writer::new(&mut text, &mut clock, style);
    w.bytes(Key::InfoMonitor, monitor.as_bytes());
    w.bytes(Key::InfoHostName, host.name.as_bytes());
    w.bytes(Key::InfoHostIP, host.ip.as_bytes());
    if let Some(token) = &host.token {
        w.bytes(Key::InfoHostToken, token.as_bytes());
    }
    w.bytes(Key::InfoSystem, host.system.as_bytes());
    w.bytes(Key::InfoKernel, host.kernel.as_bytes());
    w.bytes(Key::InfoVersion, host.version.as_bytes());
    text.text().into()
}

/// How `output` writes JSON.
pub(crate) fn style(output: Output) -> Style {
    if output == Output::Json { Style::Pretty } else { Style::Compact }
}

fn ledger_key(stage: &str) -> Key {
    match stage {
        "Kernel" => Key::Kernel,
        "Ring" => Key::Ring,
        "Queue" => Key::Queue,
        "Enricher" => Key::Enricher,
        "Messages" => Key::Messages,
        _ => Key::Stdout,
    }
}
