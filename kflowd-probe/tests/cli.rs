//! The command as a user meets it: exit codes, one line per failure, nothing left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::{Pid, test_kill_process_group};

const BINARY: &str = env!("CARGO_BIN_EXE_kflowd-probe");
const NOBODY: u32 = 65_534;

/// What one run left on its way.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs to the end. The pipes are read until no process holds them, and its process group must be empty then.
fn run(command: &mut Command) -> Run {
    use std::process::Stdio;
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let group = Pid::from_child(&child);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("output");
    assert!(test_kill_process_group(group).is_err(), "a process is left");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: status.code().expect("no signal"), stdout: text(stdout), stderr: text(stderr) }
}

/// It failed with `code` and said one line that has all `parts`.
#[track_caller]
fn assert_one_line(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!(run.code, code, "{}", run.stderr);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.starts_with("kflowd: ") && run.stderr.ends_with('\n'), "{:?}", run.stderr);
    assert_eq!(run.stderr.matches('\n').count(), 1, "{:?}", run.stderr);
    assert!(parts.iter().all(|part| run.stderr.contains(part)), "{:?} lacks one of {parts:?}", run.stderr);
}

/// A directory that everybody may enter, with a copy of the program. Goes away with the value.
struct Installed(PathBuf);

impl Installed {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("kflowd-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("temporary directory");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("mode");
        copy(BINARY, &dir.join("kflowd-probe"));
        Self(dir)
    }

    /// An enricher that is never started, since the kernel refuses first.
    fn with_enricher(self) -> Self {
        copy("/bin/true", &self.0.join("kflowd-enricher"));
        self
    }

    fn probe(&self) -> Command {
        Command::new(self.0.join("kflowd-probe"))
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// By another process: a descriptor open for writing here could be inherited by another test's child, and a file that
/// somebody writes cannot be executed.
fn copy(from: &str, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().expect("cp").success());
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says what keeps a test from running; CI looks for these lines.
fn skip(test: &str, lacks: &str) {
    eprintln!("SKIPPED {test}: {lacks}");
}

/// Whether this host lets kflowd load, and what it says if not.
fn preflight() -> Run {
    run(Command::new(BINARY).arg("--preflight"))
}

#[test]
fn wrong_input_is_one_line_and_exit_2() {
    let lines: &[(&[&str], &[&str])] = &[
        (&["-e", "0"], &["-e/--events", "\"0\"", "accepted"]),
        (&["-m", "x\ny"], &["-m/--monitor", "file"]),
        (&["-q"], &["-q/--quiet", "-u/--udp"]),
        (&["-u", "localhost"], &["-u/--udp", "\"localhost\""]),
        (&["-t"], &["-t/--timeout", "no value"]),
        (&["--frobnicate"], &["\"--frobnicate\"", "--help"]),
        (&["stray"], &["\"stray\"", "--help"]),
    ];
    for (arguments, parts) in lines {
        assert_one_line(&run(Command::new(BINARY).args(*arguments)), 2, parts);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_wrong_input() {
    use std::os::unix::ffi::OsStrExt;
    let bad = std::ffi::OsStr::from_bytes(b"\xff");
    assert_one_line(&run(Command::new(BINARY).arg("-T").arg(bad)), 2, &["UTF-8"]);
}

#[test]
fn help_and_version_end_well() {
    for (argument, part) in [("-h", "--queue-size"), ("--help", "Exit codes"), ("--version", "kflowd 0.")] {
        let shown = run(Command::new(BINARY).arg(argument));
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
        assert!(shown.stdout.contains(part), "{}", shown.stdout);
    }
}

#[test]
fn a_closed_stdout_is_no_failure() {
    let shell = format!("{BINARY} --help | true; exec {BINARY} --version >&-");
    let shown = run(Command::new("sh").arg("-c").arg(shell));
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
}

#[test]
fn a_refusing_kernel_is_one_line_and_exit_3() {
    let first = preflight();
    if first.code == 0 {
        return skip("a_refusing_kernel_is_one_line_and_exit_3", "a kernel that refuses tracing programs");
    }
    assert_one_line(&first, 3, &[]);
    let installed = Installed::new("refused").with_enricher();
    let full = run(&mut installed.probe());
    assert_one_line(&full, 3, &[]);
    assert_eq!(full.stderr, first.stderr);
}

#[test]
fn missing_privilege_names_the_way_out() {
    let installed = Installed::new("nobody").with_enricher();
    let mut probe = installed.probe();
    if is_root() {
        probe.uid(NOBODY).gid(NOBODY);
    }
    assert_one_line(&run(&mut probe), 3, &["bpf", "perfmon", "sudo"]);
}

#[test]
fn an_old_kernel_is_named() {
    let mut old = Command::new("setarch");
    let old = run(old.args(["--uname-2.6", BINARY]));
    assert_one_line(&old, 3, &["kernel 2.6.", "5.10 or newer"]);
}

#[test]
fn missing_type_information_is_named() {
    let hidden = "mount -t tmpfs none /sys/kernel/btf && exec \"$0\"";
    let mut unshare = Command::new("unshare");
    let can_mount =
        Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !Path::new("/sys/kernel/btf").exists() || !can_mount.is_ok_and(|output| output.status.success()) {
        return skip("missing_type_information_is_named", "/sys/kernel/btf and the right to mount over it");
    }
    let shown = run(unshare.args(["--mount", "sh", "-c", hidden, BINARY]));
    assert_one_line(&shown, 3, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
}

#[test]
fn wrong_users_and_a_missing_enricher_are_named() {
    if !is_root() {
        return skip("wrong_users_and_a_missing_enricher_are_named", "root");
    }
    let installed = Installed::new("alone");
    for user in ["root", "no such user"] {
        assert_one_line(&run(installed.probe().args(["--user", user])), 2, &["--user", user, "/etc/passwd"]);
    }
    assert_one_line(&run(&mut installed.probe()), 3, &["kflowd-enricher", "install"]);
}

#[test]
fn an_ignored_option_is_warned_about() {
    let shown = run(Command::new(BINARY).args(["-P", "/usr/lib", "--preflight"]));
    let warning = shown.stderr.lines().next().unwrap_or_default();
    assert!(warning.starts_with("kflowd: warning: option -P/--plugins"), "{warning}");
}
