//! The command line checked: the rest of the program sees only these types.

use std::net::{Ipv4Addr, Ipv6Addr};

use kflowd_proto::hello::{self, Output};

use crate::cli::Cli;
use crate::error::Failure;
use crate::ports;

/// Most receivers that `-u` takes.
const UDP_MAX: usize = 16;
/// Most characters of a token.
const TOKEN_MAX: usize = 63;
/// Smallest queue, bytes.
const QUEUE_MIN: u64 = 64 << 10;
/// Largest queue, bytes.
const QUEUE_MAX: u64 = 1 << 30;

/// An option that takes a value: its names and what it accepts, for messages.
#[derive(Debug)]
pub(crate) struct Opt {
    /// Letter and long name.
    pub(crate) name: &'static str,
    /// What is accepted, in words.
    pub(crate) accepts: &'static str,
}

const MONITOR: Opt = Opt {
    name: "-m/--monitor",
    accepts: "file, socket or both with a comma; the beginning of a word is enough",
};
const TIMEOUT: Opt =
    Opt { name: "-t/--timeout", accepts: "IDLE or IDLE,ACTIVE in whole seconds, each from 1 to 4294967295" };
const EVENTS: Opt = Opt { name: "-e/--events", accepts: "a whole number from 1 to 4294967295" };
const OUTPUT: Opt =
    Opt { name: "-o/--output", accepts: "json, json-min or table; the beginning of a word is enough" };
const UDP: Opt = Opt {
    name: "-u/--udp",
    accepts: "up to 16 receivers with commas, each an IPv4 address, IPv6 address, [IPv6 address] or host name, \
              then a colon and a port from 1 to 65535",
};
pub(crate) const PORTS: Opt = Opt {
    name: "-p/--ports",
    accepts: "dns, http or syslog, each once, then = and 1 to 8 of tcp/PORT, udp/PORT (not for http) and unix (for \
              syslog) with commas, ports from 1 to 65535; or =off",
};
const QUIET: Opt =
    Opt { name: "-q/--quiet", accepts: "only together with -u/--udp, else there is no output" };
const TOKEN: Opt = Opt { name: "-T/--token", accepts: "at most 63 characters" };
const PLUGINS: Opt = Opt { name: "-P/--plugins", accepts: "any path, it is ignored" };
const USER: Opt = Opt { name: "--user", accepts: "a user of /etc/passwd other than root" };
const QUEUE_SIZE: Opt =
    Opt { name: "--queue-size", accepts: "a power of two from 64K to 1G, in bytes or with K, M or G" };
/// Most bytes that `--capture-bytes` takes (below CAPTURE_MAX in bpf/config.bpf.h).
const CAPTURE_MAX: u32 = 8191;
const CAPTURE: Opt = Opt { name: "--capture-bytes", accepts: "a whole number from 0 to 8191" };
const STATS: Opt = Opt { name: "--stats", accepts: "whole seconds from 0 to 4294967295" };

/// Every option that has something to accept.
pub(crate) const OPTIONS: &[&Opt] = &[
    &MONITOR,
    &TIMEOUT,
    &EVENTS,
    &OUTPUT,
    &PORTS,
    &UDP,
    &QUIET,
    &TOKEN,
    &PLUGINS,
    &USER,
    &QUEUE_SIZE,
    &CAPTURE,
    &STATS,
];

impl Opt {
    /// The one line for a value that is not accepted.
    pub(crate) fn refuse(&self, value: &str) -> Failure {
        Failure::Usage(format!("option {}: {value:?} is not accepted; accepted: {}", self.name, self.accepts))
    }
}

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `-m file`.
    pub(crate) files: bool,
    /// `-m socket`.
    pub(crate) sockets: bool,
    /// `-t`, first: seconds.
    pub(crate) idle: u32,
    /// `-t`, second: seconds.
    pub(crate) active: u32,
    /// `-e`, 0 = no limit.
    pub(crate) max_events: u32,
    /// `--capture-bytes`.
    pub(crate) capture_bytes: u32,
    /// `--all-files`.
    pub(crate) all_files: bool,
    /// `-V`.
    pub(crate) verbose: bool,
    /// `--queue-size`, bytes.
    pub(crate) queue_size: usize,
    /// `--user`.
    pub(crate) user: Option<String>,
    /// `--preflight`.
    pub(crate) preflight: bool,
    /// `-P` was given.
    pub(crate) plugins: bool,
    /// What the enricher is told.
    pub(crate) enricher: hello::Settings,
}

impl Settings {
    /// Checks every value.
    ///
    /// # Errors
    /// [`Failure::Usage`] for the first value that is not accepted.
    pub(crate) fn check(cli: &Cli) -> Result<Self, Failure> {
        let (files, sockets) = cli.monitor.as_deref().map_or(Ok((true, true)), monitor)?;
        let (idle, active) = cli.timeout.as_deref().map_or(Ok((15, 1800)), timeout)?;
        let settings = Self {
            files,
            sockets,
            idle,
            active,
            max_events: cli.events.as_deref().map_or(Ok(0), |v| number(&EVENTS, v, v, 1))?,
            capture_bytes: cli.capture_bytes.as_deref().map_or(Ok(4096), capture_bytes)?,
            all_files: cli.all_files,
            verbose: cli.verbose,
            queue_size: cli.queue_size.as_deref().map_or(Ok(16 << 20), queue_size)?,
            user: cli.user.clone(),
            preflight: cli.preflight,
            plugins: cli.plugins.is_some(),
            enricher: for_enricher(cli)?,
        };
        if settings.user.as_deref().is_some_and(|name| name.is_empty() || name.contains([':', '\n'])) {
            return Err(USER.refuse(settings.user.as_deref().unwrap_or_default()));
        }
        Ok(settings)
    }

    /// Where records go, for people.
    pub(crate) fn sinks(&self) -> String {
        let servers = self.enricher.udp.iter().map(|(host, port)| match host.contains(':') {
            true => format!("udp [{host}]:{port}"),
            false => format!("udp {host}:{port}"),
        });
        let stdout = (!self.enricher.quiet).then(|| "stdout".to_owned());
        stdout.into_iter().chain(servers).collect::<Vec<_>>().join(", ")
    }
}

fn for_enricher(cli: &Cli) -> Result<hello::Settings, Failure> {
    let output = cli.output.as_deref().map_or(Ok(Output::Json), output)?;
    let udp = udp(&cli.udp)?;
    if output == Output::Table && !udp.is_empty() {
        return Err(Failure::Usage(format!(
            "option {}: \"table\" is not accepted with -u/--udp; accepted: json or json-min",
            OUTPUT.name
        )));
    }
    if cli.quiet && udp.is_empty() {
        return Err(Failure::Usage(format!(
            "option {} is not accepted by itself; accepted: {}",
            QUIET.name, QUIET.accepts
        )));
    }
    if let Some(token) = cli.token.as_deref().filter(|token| token.chars().count() > TOKEN_MAX) {
        return Err(TOKEN.refuse(token));
    }
    Ok(hello::Settings {
        output,
        quiet: cli.quiet,
        udp,
        token: cli.token.clone(),
        versions: cli.versions,
        checksums: cli.checksums,
        extra: cli.extra,
        ports: ports::parse(&cli.ports)?,
        secrets: cli.no_redact,
        stats_seconds: cli.stats.as_deref().map_or(Ok(60), |v| number(&STATS, v, v, 0))?,
    })
}

/// Digits only: `parse` alone would also take a sign.
fn number(option: &Opt, whole: &str, digits: &str, min: u32) -> Result<u32, Failure> {
    Some(digits)
        .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|d| d.parse().ok())
        .filter(|n| *n >= min)
        .ok_or_else(|| option.refuse(whole))
}

fn capture_bytes(value: &str) -> Result<u32, Failure> {
    number(&CAPTURE, value, value, 0).ok().filter(|n| *n <= CAPTURE_MAX).ok_or_else(|| CAPTURE.refuse(value))
}

fn monitor(value: &str) -> Result<(bool, bool), Failure> {
    value.split(',').try_fold((false, false), |(files, sockets), item| match item {
        "" => Err(MONITOR.refuse(value)),
        _ if "file".starts_with(item) => Ok((true, sockets)),
        _ if "socket".starts_with(item) => Ok((files, true)),
        _ => Err(MONITOR.refuse(value)),
    })
}

fn timeout(value: &str) -> Result<(u32, u32), Failure> {
    let (idle, active) = value.split_once(',').unwrap_or((value, "1800"));
    Ok((number(&TIMEOUT, value, idle, 1)?, number(&TIMEOUT, value, active, 1)?))
}

fn output(value: &str) -> Result<Output, Failure> {
    match value {
        _ if "json".starts_with(value) => Ok(Output::Json),
        _ if "json-min".starts_with(value) => Ok(Output::JsonMin),
        _ if "table".starts_with(value) => Ok(Output::Table),
        _ => Err(OUTPUT.refuse(value)),
    }
}

fn queue_size(value: &str) -> Result<usize, Failure> {
    let (digits, shift) = match value.char_indices().last() {
        Some((at, 'K' | 'k')) => (&value[..at], 10),
        Some((at, 'M' | 'm')) => (&value[..at], 20),
        Some((at, 'G' | 'g')) => (&value[..at], 30),
        _ => (value, 0),
    };
    let bytes = u64::from(number(&QUEUE_SIZE, value, digits, 1)?) << shift;
    let fits = bytes.is_power_of_two() && (QUEUE_MIN..=QUEUE_MAX).contains(&bytes);
    usize::try_from(bytes).ok().filter(|_| fits).ok_or_else(|| QUEUE_SIZE.refuse(value))
}

fn udp(lists: &[String]) -> Result<Vec<(String, u16)>, Failure> {
    let mut receivers = Vec::new();
    for list in lists {
        for item in list.split(',') {
            receivers.push(receiver(item).ok_or_else(|| UDP.refuse(item))?);
        }
        if receivers.len() > UDP_MAX {
            return Err(UDP.refuse(list));
        }
    }
    Ok(receivers)
}

/// One receiver: the last colon splits, brackets around an IPv6 address are taken off.
fn receiver(item: &str) -> Option<(String, u16)> {
    let (host, port) = item.rsplit_once(':')?;
    let port: u16 =
        Some(port).filter(|p| p.len() <= 5 && p.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    let bare =
        host.strip_prefix('[').map_or(Some(host), |h| h.strip_suffix(']').filter(|h| h.contains(':')))?;
    let valid = match bare {
        // The part behind % names the interface of a link-local address.
        v6 if v6.contains(':') => {
            let (address, zone) = v6.split_once('%').unwrap_or((v6, "0"));
            address.parse::<Ipv6Addr>().is_ok() && is_host_name(zone)
        }
        v4 if v4.bytes().all(|b| b.is_ascii_digit() || b == b'.') => v4.parse::<Ipv4Addr>().is_ok(),
        name => is_host_name(name),
    };
    (valid && port != 0).then(|| (bare.to_owned(), port))
}

/// Labels of letters, digits, `-` and `_`, at most 63 bytes each and 253 in all; a dot at the end is allowed.
fn is_host_name(name: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
