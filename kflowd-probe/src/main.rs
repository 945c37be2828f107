//! kflowd-probe: what a user starts. Checks the command line and the kernel, then hands over to the front.
//!
//! Rules of this binary:
//! 1. Root is spent once: the probe gives it up when the hooks are attached, the front as soon as the probe has.
//! 2. It parses no record; names and meanings are the enricher's.
//! 3. Whatever fails, one line on stderr says what and what to do, and nothing is left behind.

#![deny(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

mod attach;
mod capture;
mod child;
mod cli;
mod drain;
mod error;
mod front;
mod host;
mod kernel_check;
mod launch;
mod load;
mod missed;
mod ports;
mod preemption;
mod preflight;
mod privilege;
mod report;
mod settings;
mod skel;
mod sweep;
mod symbols;
mod users;

use error::{Failure, say};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<u8, Failure> {
    let cli = match cli::parse(std::env::args_os())? {
        cli::Asked::Run(cli) => cli,
        cli::Asked::Print(text) => {
            // A reader that went away has read enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return Ok(0);
        }
    };
    let settings = settings::Settings::check(&cli)?;
    if settings.plugins {
        say("warning: option -P/--plugins is ignored, decoders are built in");
    }
    kernel_check::check()?;
    if settings.preflight {
        return preflight::run();
    }
    front::run(&settings)
}
