//! The command line as it was typed. Values stay text here; [`crate::settings`] checks them.

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgAction, Parser};

use crate::error::Failure;
use crate::settings::OPTIONS;

/// Every option, unchecked. Bundled letters (`-vc`) and glued values (`-e5`) work; of a repeated option the last
/// counts, lists of `-u` add up.
#[derive(Debug, Default, Parser)]
#[command(
    name = "kflowd",
    version,
    about = "Reports what processes do to files and on the network, as JSON on stdout and over UDP.",
    after_help = "Exit codes: 0 stopped as asked, 1 broke while running, 2 wrong option, 3 privilege or kernel lacks something.",
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 110
)]
pub(crate) struct Cli {
    /// What to watch: file, socket or both, comma separated; the beginning of a word is enough [default: both]
    #[arg(short, long, value_name = "LIST", allow_hyphen_values = true)]
    pub(crate) monitor: Option<String>,
    /// Seconds without an event, and seconds in all, after which a record goes out [default: 15,1800]
    #[arg(short, long, value_name = "IDLE[,ACTIVE]", allow_hyphen_values = true)]
    pub(crate) timeout: Option<String>,
    /// A file record goes out after N events; 1 = every event by itself [default: no limit]
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) events: Option<String>,
    /// Form of the output: json, json-min (one line per message) or table [default: json]
    #[arg(short, long, value_name = "FORM", allow_hyphen_values = true)]
    pub(crate) output: Option<String>,
    /// Package versions of executables (their keys are empty in this version)
    #[arg(short, long)]
    pub(crate) versions: bool,
    /// MD5 and SHA-256 of executables (their keys are empty in this version)
    #[arg(short, long)]
    pub(crate) checksums: bool,
    /// Ports of application messages, one protocol each time: dns=udp/53,tcp/53, http=tcp/80, syslog=udp/514,tcp/514,unix
    /// (these are the defaults); dns=off
    #[arg(short, long, value_name = "APP=LIST", allow_hyphen_values = true)]
    pub(crate) ports: Vec<String>,
    /// Show secrets in HTTP headers (Authorization, Proxy-Authorization, Cookie, Set-Cookie), which are masked else
    #[arg(long)]
    pub(crate) no_redact: bool,
    /// Send each message as one datagram to these receivers, up to 16: 192.0.2.1:2057, [2001:db8::1]:2057, host:2057
    #[arg(short, long, value_name = "HOST:PORT,...", allow_hyphen_values = true)]
    pub(crate) udp: Vec<String>,
    /// Nothing on stdout; needs --udp
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Messages of the BPF loader on stderr
    #[arg(short = 'V', long)]
    pub(crate) verbose: bool,
    /// Adds the key InfoHostToken, at most 63 characters
    #[arg(short = 'T', long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) token: Option<String>,
    /// Ignored with a warning: decoders are built in
    #[arg(short = 'P', long, value_name = "PATH", allow_hyphen_values = true)]
    pub(crate) plugins: Option<std::ffi::OsString>,
    /// More keys at the end of their block
    #[arg(short = 'x', long)]
    pub(crate) extra: bool,
    /// Also report what kernel file systems (proc, sysfs, cgroup, ...) are only read
    #[arg(long)]
    pub(crate) all_files: bool,
    /// User of the enricher, not root [default: kflowd, else nobody]
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) user: Option<String>,
    /// Bytes of the queue between the processes, a power of two from 64K to 1G [default: 16M]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(crate) queue_size: Option<String>,
    /// Bytes of a message that are copied for its decoder, 0 to 8191, 0 = none [default: 4096]
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub(crate) capture_bytes: Option<String>,
    /// Seconds between two records about kflowd itself, 0 = only one at the end [default: 60]
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(crate) stats: Option<String>,
    /// Exit 0 when this kernel takes tracing programs, else 3 and one line why
    #[arg(long, hide = true)]
    pub(crate) preflight: bool,
    /// Print this help
    #[arg(short, long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print the version
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Run with these options.
    Run(Box<Cli>),
    /// Print this text on stdout and end well.
    Print(String),
}

/// Reads a command line, program name first.
///
/// # Errors
/// [`Failure::Usage`], always one line.
pub(crate) fn parse<A: Into<std::ffi::OsString> + Clone>(
    args: impl IntoIterator<Item = A>,
) -> Result<Asked, Failure> {
    let error = match Cli::try_parse_from(args) {
        Ok(cli) => return Ok(Asked::Run(Box::new(cli))),
        Err(error) => error,
    };
    let part = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = part(ContextKind::InvalidArg);
    let name = argument.split([' ', '=']).next().unwrap_or_default();
    let known = OPTIONS.iter().find(|o| o.name.split('/').any(|n| n == name));
    Err(Failure::Usage(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Ok(Asked::Print(error.to_string())),
        ErrorKind::UnknownArgument => {
            format!("{argument:?} is not an option of kflowd; kflowd --help lists what is accepted")
        }
        ErrorKind::InvalidUtf8 => "an option has a value that is not UTF-8; only UTF-8 is accepted".into(),
        ErrorKind::InvalidValue if known.is_some() => known
            .map(|o| format!("option {} has no value; accepted: {}", o.name, o.accepts))
            .unwrap_or_default(),
        ErrorKind::InvalidValue => {
            format!("option {name} has no value; kflowd --help tells what is accepted")
        }
        ErrorKind::TooManyValues => {
            let value = part(ContextKind::InvalidValue);
            format!("option {name}: {value:?} is not accepted; accepted: no value at all")
        }
        // None of the others can happen with the options above; if one does, its first line has to do.
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").into(),
    }))
}
