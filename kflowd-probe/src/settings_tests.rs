//! Every option with values that are accepted and values that are not.

use super::*;
use crate::cli::{Asked, parse};

fn check(line: &str) -> Result<Settings, Failure> {
    let words = std::iter::once("kflowd").chain(line.split(' ').filter(|w| !w.is_empty()));
    check_words(words.map(|w| if w == "''" { "" } else { w }))
}

fn check_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Settings, Failure> {
    match parse(words)? {
        Asked::Run(cli) => Settings::check(&cli),
        Asked::Print(text) => panic!("printed {text}"),
    }
}

type Expect = fn(&Settings) -> bool;

const GOOD: &[(&str, Expect)] = &[
    ("", |s| (s.files, s.sockets, s.idle, s.active, s.max_events) == (true, true, 15, 1800, 0)),
    ("", |s| s.queue_size == 16 << 20 && s.enricher.stats_seconds == 60 && s.enricher.output == Output::Json),
    ("-m file", |s| (s.files, s.sockets) == (true, false)),
    ("-ms", |s| (s.files, s.sockets) == (false, true)),
    ("-m soc,fi", |s| (s.files, s.sockets) == (true, true)),
    ("--monitor=f,f", |s| (s.files, s.sockets) == (true, false)),
    ("-t 5", |s| (s.idle, s.active) == (5, 1800)),
    ("-t5,60", |s| (s.idle, s.active) == (5, 60)),
    ("--timeout 4294967295,1", |s| (s.idle, s.active) == (u32::MAX, 1)),
    ("-e5", |s| s.max_events == 5),
    ("-e 1", |s| s.max_events == 1),
    ("-e 2 -e 3", |s| s.max_events == 3),
    ("-o ''", |s| s.enricher.output == Output::Json),
    ("-o j", |s| s.enricher.output == Output::Json),
    ("-o json", |s| s.enricher.output == Output::Json),
    ("-o json-m", |s| s.enricher.output == Output::JsonMin),
    ("--output json-min", |s| s.enricher.output == Output::JsonMin),
    ("-ot", |s| s.enricher.output == Output::Table),
    ("-vcx", |s| s.enricher.versions && s.enricher.checksums && s.enricher.extra),
    ("--versions --checksums --extra", |s| s.enricher.versions && s.enricher.checksums && s.enricher.extra),
    ("", |s| s.enricher.ports == hello::Ports::default() && !s.enricher.secrets),
    ("-p dns=off -phttp=tcp/8080", |s| {
        s.enricher.ports.dns == hello::AppPorts::default() && s.enricher.ports.http.tcp == [8080]
    }),
    ("--ports SYSLOG=unix", |s| s.enricher.ports.syslog_unix && s.enricher.ports.syslog.tcp.is_empty()),
    ("--no-redact", |s| s.enricher.secrets),
    ("-u 127.0.0.1:2057", |s| s.enricher.udp == [("127.0.0.1".into(), 2057)]),
    ("-u ::1:2057", |s| s.enricher.udp == [("::1".into(), 2057)]),
    ("-u [::1]:65535", |s| s.enricher.udp == [("::1".into(), 65535)]),
    ("-u fe80::1%eth0:1", |s| s.enricher.udp == [("fe80::1%eth0".into(), 1)]),
    ("-u log-1.example.org.:02057", |s| s.enricher.udp == [("log-1.example.org.".into(), 2057)]),
    ("-u a:1,b:2 -u c:3", |s| s.enricher.udp.len() == 3),
    ("-u a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16", |s| {
        s.enricher.udp.len() == 16 && s.sinks().ends_with("udp a:16")
    }),
    ("-qu ::1:9", |s| s.enricher.quiet && s.sinks() == "udp [::1]:9"),
    ("-o json -u a:1", |s| s.sinks() == "stdout, udp a:1"),
    ("-V", |s| s.verbose),
    ("--verbose", |s| s.verbose),
    ("-T abc", |s| s.enricher.token.as_deref() == Some("abc")),
    ("-T -abc", |s| s.enricher.token.as_deref() == Some("-abc")),
    ("-T ''", |s| s.enricher.token.as_deref() == Some("")),
    ("-T ööööööööööööööööööööööööööööööööööööööööööööööööööööööööööööööö", |s| s.enricher.token.is_some()),
    ("-P /lib", |s| s.plugins),
    ("--plugins /lib", |s| s.plugins),
    ("--user www", |s| s.user.as_deref() == Some("www")),
    ("--queue-size 65536", |s| s.queue_size == 65536),
    ("--queue-size 64K", |s| s.queue_size == 65536),
    ("--queue-size=4m", |s| s.queue_size == 4 << 20),
    ("--queue-size 1G", |s| s.queue_size == 1 << 30),
    ("--stats 0", |s| s.enricher.stats_seconds == 0),
    ("--all-files", |s| s.all_files),
    ("--preflight", |s| s.preflight),
];

/// Command line; what the one line must name.
const BAD: &[(&str, &[&str])] = &[
    ("-m ''", &["-m/--monitor", "\"\"", "file"]),
    ("-m files", &["-m/--monitor", "\"files\"", "socket"]),
    ("-m f,x", &["-m/--monitor", "\"f,x\""]),
    ("-m f,", &["-m/--monitor", "\"f,\""]),
    ("-m -q", &["-m/--monitor", "\"-q\""]),
    ("-m", &["-m/--monitor", "no value", "socket"]),
    ("-t 0", &["-t/--timeout", "\"0\"", "from 1"]),
    ("-t 5,", &["-t/--timeout", "\"5,\""]),
    ("-t 5,0", &["-t/--timeout", "\"5,0\""]),
    ("-t 5,6,7", &["-t/--timeout", "\"5,6,7\""]),
    ("-t 5s", &["-t/--timeout", "\"5s\""]),
    ("-t -5", &["-t/--timeout", "\"-5\""]),
    ("-e 0", &["-e/--events", "\"0\"", "from 1"]),
    ("-e +5", &["-e/--events", "\"+5\""]),
    ("-e ''", &["-e/--events", "\"\""]),
    ("-e 4294967296", &["-e/--events", "\"4294967296\""]),
    ("-e", &["-e/--events", "no value"]),
    ("-o xml", &["-o/--output", "\"xml\"", "json-min"]),
    ("-o jsonx", &["-o/--output", "\"jsonx\""]),
    ("-o table -u a:1", &["-o/--output", "table", "-u/--udp"]),
    ("-p ''", &["-p/--ports", "\"\"", "tcp/PORT"]),
    ("-p dns=tcp/0", &["-p/--ports", "\"dns=tcp/0\"", "65535"]),
    ("-p dns=off -p dns=off", &["-p/--ports", "\"dns=off\"", "once"]),
    ("-p", &["-p/--ports", "no value"]),
    ("-u a", &["-u/--udp", "\"a\"", "65535"]),
    ("-u a:", &["-u/--udp", "\"a:\""]),
    ("-u :1", &["-u/--udp", "\":1\""]),
    ("-u a:0", &["-u/--udp", "\"a:0\""]),
    ("-u a:65536", &["-u/--udp", "\"a:65536\""]),
    ("-u a:+1", &["-u/--udp", "\"a:+1\""]),
    ("-u a:000001", &["-u/--udp", "\"a:000001\""]),
    ("-u ::1", &["-u/--udp", "\"::1\""]),
    ("-u [::1:1", &["-u/--udp", "\"[::1:1\""]),
    ("-u [a]:1", &["-u/--udp", "\"[a]:1\""]),
    ("-u 1.2.3:1", &["-u/--udp", "\"1.2.3:1\""]),
    ("-u 256.1.1.1:1", &["-u/--udp", "\"256.1.1.1:1\""]),
    ("-u a..b:1", &["-u/--udp", "\"a..b:1\""]),
    ("-u -a:1", &["-u/--udp", "\"-a:1\""]),
    ("-u a:1,,b:2", &["-u/--udp", "\"\""]),
    (
        "-u a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16,a:17",
        &["-u/--udp", "up to 16"],
    ),
    ("-q", &["-q/--quiet", "-u/--udp"]),
    ("--quiet=1", &["--quiet", "\"1\"", "no value"]),
    ("-T 1234567890123456789012345678901234567890123456789012345678901234", &["-T/--token", "63"]),
    ("-P", &["-P/--plugins", "no value"]),
    ("--user ''", &["--user", "\"\"", "passwd"]),
    ("--user a:b", &["--user", "\"a:b\""]),
    ("--queue-size 100000", &["--queue-size", "\"100000\"", "power of two"]),
    ("--queue-size 32K", &["--queue-size", "\"32K\"", "64K"]),
    ("--queue-size 2G", &["--queue-size", "\"2G\"", "1G"]),
    ("--queue-size 4294967295G", &["--queue-size"]),
    ("--queue-size K", &["--queue-size", "\"K\""]),
    ("--queue-size 1ö", &["--queue-size", "\"1ö\""]),
    ("--stats x", &["--stats", "\"x\"", "seconds"]),
    ("-z", &["\"-z\"", "--help"]),
    ("--nonsense", &["\"--nonsense\"", "--help"]),
    ("-d", &["\"-d\"", "--help"]),
    ("word", &["\"word\"", "--help"]),
];

#[test]
fn accepts_what_it_should() {
    for (line, expect) in GOOD {
        let settings = check(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert!(expect(&settings), "{line}: {settings:?}");
    }
}

#[test]
fn refuses_with_one_line_that_names_option_value_and_choice() {
    for (line, parts) in BAD {
        let Err(Failure::Usage(text)) = check(line) else { panic!("{line}: accepted") };
        assert!(parts.iter().all(|p| text.contains(p)), "{line}: {text}");
        assert!(!text.contains('\n'), "{line}: {text}");
    }
}

#[test]
fn control_characters_do_not_break_the_line() {
    for word in [
        "-ea\nb\x1b",
        "a\nb",
        "-Ta\n\x00123456789012345678901234567890123456789012345678901234567890123456789",
    ] {
        let Err(Failure::Usage(text)) = check_words(["kflowd", word]) else { panic!("{word:?}: accepted") };
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn prints_help_and_version() {
    for (word, part) in
        [("-h", "--queue-size"), ("--help", "Exit codes"), ("--version", env!("CARGO_PKG_VERSION"))]
    {
        let Ok(Asked::Print(text)) = parse(["kflowd", word]) else { panic!("{word}") };
        assert!(text.contains(part), "{text}");
        assert!(!text.contains("preflight"), "{text}");
    }
}
