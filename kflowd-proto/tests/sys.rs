//! System calls that change a process are tried in processes of their own: this binary again, with one thread.
//! The usual test harness starts threads, so `main` here is our own; it understands what cargo and nextest ask.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::process::{Command, ExitCode};

use kflowd_proto::sys::{self, Fork};

const ROLE: &str = "KFLOWD_SYS_ROLE";
const SIGTERM: i32 = 15;
const SIGUSR1: i32 = 10;

/// Each name is a test and the role of the process that runs it.
const TESTS: [(&str, fn()); 4] = [
    ("everything_can_be_given_up", privilege),
    ("signals_are_read_from_a_descriptor", signals),
    ("a_child_runs_and_is_waited_for", fork_and_wait),
    ("a_process_with_threads_does_not_fork", fork_with_threads),
];

fn main() -> ExitCode {
    if let Ok(role) = std::env::var(ROLE) {
        TESTS.iter().find(|(name, _)| *name == role).unwrap().1();
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--ignored") {
        return ExitCode::SUCCESS;
    }
    // nextest lists with `--format terse`, which names no test.
    let filters: Vec<&String> =
        arguments.iter().filter(|argument| !argument.starts_with('-') && *argument != "terse").collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(*filter));
    let names = TESTS.iter().map(|(name, _)| *name).filter(|name| wanted(name));
    if has("--list") {
        names.for_each(|name| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let (passed, failed): (Vec<bool>, Vec<bool>) = names.map(run).partition(|good| *good);
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {} passed; {} failed; 0 ignored", passed.len(), failed.len());
    ExitCode::from(u8::from(!failed.is_empty()))
}

fn run(name: &str) -> bool {
    let output = Command::new("/proc/self/exe").env(ROLE, name).output().unwrap();
    let good = output.status.success();
    println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
    if !good {
        eprintln!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    good
}

fn status_line(name: &str) -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ")
}

fn privilege() {
    let root = rustix::process::geteuid().is_root();
    if root {
        sys::empty_bounding_set().unwrap();
        assert_eq!(status_line("CapBnd"), "0000000000000000");
        sys::become_user(65534, 65533).unwrap();
        assert_eq!(status_line("Uid"), "65534 65534 65534 65534");
        assert_eq!(status_line("Gid"), "65533 65533 65533 65533");
        assert_eq!(status_line("Groups"), "");
    }
    sys::drop_capabilities().unwrap();
    sys::no_new_privs().unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status_line(set), "0000000000000000", "{set}");
    }
    assert_eq!(status_line("NoNewPrivs"), "1");
    sys::not_dumpable().unwrap();
    assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    if root {
        assert!(sys::become_user(0, 0).is_err(), "no way back");
    }
}

fn signals() {
    let fd = sys::signalfd(&[SIGTERM, SIGUSR1]).unwrap();
    assert_eq!(sys::read_signal(fd.as_fd()).unwrap(), None);
    let me = sys::pidfd_open(std::process::id() as i32).unwrap();
    for signal in [SIGTERM, SIGUSR1] {
        sys::signal_pidfd(me.as_fd(), signal).unwrap();
        assert_eq!(sys::read_signal(fd.as_fd()).unwrap(), Some(signal));
    }
    assert_eq!(sys::read_signal(fd.as_fd()).unwrap(), None);
    assert!(sys::signalfd(&[9999]).is_err());
    assert!(sys::signal_pidfd(me.as_fd(), 9999).is_err());
    let null = std::fs::File::open("/dev/null").unwrap();
    assert!(sys::read_signal(null.as_fd()).is_err());
}

fn fork_and_wait() {
    sys::set_name(c"kflowd-test").unwrap();
    assert_eq!(std::fs::read_to_string("/proc/thread-self/comm").unwrap(), "kflowd-test\n");
    let (hold, wait) = rustix::pipe::pipe().unwrap();
    let child = match sys::fork().unwrap() {
        Fork::Child => {
            drop(wait);
            let _ = rustix::io::read(&hold, &mut [0; 1]);
            let shell = std::fs::File::open("/bin/sh").unwrap();
            let argv = [c"sh", c"-c", c"exit $CODE"].map(CString::from);
            panic!("{}", sys::exec_fd(shell.as_fd(), &argv, &[CString::from(c"CODE=7")]));
        }
        Fork::Parent(child) => child,
    };
    let pidfd = sys::pidfd_open(child).unwrap();
    assert_eq!(sys::wait_nohang(child).unwrap(), None);
    drop(wait);
    rustix::event::poll(&mut [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)], None)
        .unwrap();
    assert_eq!(sys::wait_nohang(child).unwrap(), Some(7 << 8));
    assert!(sys::wait_nohang(child).is_err());
    assert!(sys::signal_pidfd(pidfd.as_fd(), SIGTERM).is_err(), "it has ended");
    assert!(sys::pidfd_open(0).is_err());
    assert!(sys::pidfd_open(-1).is_err());
}

fn fork_with_threads() {
    let (stop, wait) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || wait.recv());
    assert!(sys::fork().is_err());
    drop(stop);
    assert!(other.join().unwrap().is_err());
}
