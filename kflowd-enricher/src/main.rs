//! Wires the stages together; see the library for what they do.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::Parser;
use kflowd_enricher::cli::Cli;
use kflowd_enricher::enrich::Sources;
use kflowd_enricher::enrich::host::HostFacts;
use kflowd_enricher::error::{Exit, RunError, chain, say};
use kflowd_enricher::intake::Intake;
use kflowd_enricher::pipeline::Pipeline;
use kflowd_enricher::sink::Sinks;
use kflowd_enricher::start;
use kflowd_proto::handoff;
use kflowd_proto::queue::Consumer;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version go to stdout, errors to stderr; nobody can be told when that fails.
            let _ = message.print();
            return if message.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    match run(&cli) {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            say(&chain(&error));
            error.exit().into()
        }
    }
}

fn run(cli: &Cli) -> Result<(), RunError> {
    start::give_up_privileges()?;
    // Before the handshake is answered: a stop that comes right after it is not missed.
    let signals = start::signals().map_err(|e| RunError::Wait("signals", e))?;
    let socket = start::inherited(cli.inherit)?;
    let (hello, fds) = start::handshake(&socket)?;
    let queue = Consumer::open(fds.data.as_fd(), fds.cursor.as_fd(), fds.wake)?;
    let (settings, host) = (hello.settings, hello.host);
    let sinks = Sinks::open(&settings)?;
    let facts = HostFacts::read(&host.kernel, settings.token.clone());
    let sources = Sources::system(host.wall_offset, host.monitor_start, settings.extra);
    let pipeline = Pipeline::new(&settings, sources, &facts, queue.sequence());
    let intake = Intake::new(queue, fds.life, signals, pipeline, sinks, settings.stats_seconds)?;
    handoff::acknowledge(socket.as_fd())?;
    drop(socket);
    intake.run()
}
