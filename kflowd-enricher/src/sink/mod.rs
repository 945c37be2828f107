//! Where messages go. Each sink is on its own: what one does with a message is no other's business.

mod stdout;
mod udp;

use std::io;

use kflowd_proto::hello::Settings;

use self::stdout::Stdout;
use self::udp::Udp;
use crate::counters::SinkCounts;
use crate::error::RunError;
use crate::pipeline::Pipeline;
use crate::render::Batch;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// There is still somebody to write to.
    On,
    /// The reader of stdout left, and nobody else is there.
    NobodyLeft,
}

/// All sinks of this run.
#[derive(Debug)]
pub struct Sinks {
    stdout: Option<Stdout>,
    stdout_counts: SinkCounts,
    udp: Vec<Udp>,
}

impl Sinks {
    /// Opens what the settings name. Host names are resolved here, once.
    ///
    /// # Errors
    /// When a receiver has no address or stdout cannot take the heading.
    pub fn open(settings: &Settings) -> Result<Self, RunError> {
        let udp = settings
            .udp
            .iter()
            .map(|(host, port)| {
                Udp::open(host, *port).map_err(|e| RunError::Receiver(format!("{host}:{port}"), e))
            })
            .collect::<Result<_, _>>()?;
        let mut stdout = (!settings.quiet).then(Stdout::open);
        if let Some(out) = &mut stdout {
            match out.write(Pipeline::heading(settings.output).as_bytes()) {
                // The first batch finds out that nobody reads.
                (_, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(RunError::Stdout(error));
                }
                _ => {}
            }
        }
        Ok(Self { stdout, stdout_counts: SinkCounts::default(), udp })
    }

    /// Gives a batch to every sink.
    ///
    /// # Errors
    /// When stdout fails for another reason than a reader that left.
    pub fn write(&mut self, batch: &Batch, now: u64) -> Result<Written, RunError> {
        if batch.is_empty() {
            return Ok(Written::On);
        }
        for server in &mut self.udp {
            server.write(batch, now);
        }
        let Some(stdout) = &mut self.stdout else { return Ok(Written::On) };
        let counts = &mut self.stdout_counts;
        let (bytes, result) = stdout.write(batch.text());
        let whole = batch.whole_in(bytes) as u64;
        counts.taken += batch.len() as u64;
        counts.written += whole;
        counts.failed += batch.len() as u64 - whole;
        match result {
            Ok(()) => Ok(Written::On),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.stdout = None;
                Ok(if self.udp.is_empty() { Written::NobodyLeft } else { Written::On })
            }
            Err(error) => Err(RunError::Stdout(error)),
        }
    }

    /// What each sink counted.
    pub fn counts(&self) -> Vec<SinkCounts> {
        let used = self.stdout.is_some() || self.stdout_counts.taken > 0;
        let stdout = used.then(|| self.stdout_counts.clone());
        stdout.into_iter().chain(self.udp.iter().map(|server| server.counts().clone())).collect()
    }
}
