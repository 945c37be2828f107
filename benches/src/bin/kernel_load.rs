//! The work that `scripts/bench kernel` does in a VM with and without kflowd: one operation, many times.
//!
//! Arguments: an operation of [`OPERATIONS`], the number of rounds, a directory for its files. Prints the processor
//! time that one round took, in nanoseconds, children included. Under `-icount` these are instructions.

#[path = "kernel_load/network.rs"]
mod network;

use std::ffi::CStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{pread, pwrite, read, write};
use rustix::time::{ClockId, clock_gettime};

/// One round of an operation; the number counts rounds.
type Round = Box<dyn FnMut(usize)>;

/// What prepares an operation in a directory.
type Prepare = fn(&Path) -> Round;

/// Every operation by its name.
const OPERATIONS: &[(&str, Prepare)] = &[
    ("getppid", getppid),
    ("open-read-close", open_read_close),
    ("open-write-close", open_write_close),
    ("create-write-close", create_write_close),
    ("truncate-write-close", truncate_write_close),
    ("pread-pwrite", pread_pwrite),
    ("fork-exec-exit", fork_exec_exit),
    ("fork-exec-exit-dynamic", fork_exec_exit_dynamic),
    ("tcp-ping-pong", network::tcp_ping_pong),
    ("tcp-16k", network::tcp_16k),
    ("tcp-connect-accept-close", network::tcp_connect_accept_close),
    ("udp-ping-pong", network::udp_ping_pong),
    ("unix-datagram", network::unix_datagram),
];

/// Files that an operation goes round.
const FILES: usize = 64;
/// Rounds that are not measured: caches fill, sessions open.
const WARM: usize = 2 * FILES;

fn getppid(_: &Path) -> Round {
    Box::new(|_| {
        std::hint::black_box(rustix::process::getppid());
    })
}

fn names(directory: &Path) -> Vec<PathBuf> {
    (0..FILES).map(|i| directory.join(format!("file-{i:02}"))).collect()
}

fn open_read_close(directory: &Path) -> Round {
    let names = names(directory);
    for name in &names {
        fs::write(name, [7; 4096]).unwrap();
    }
    Box::new(move |i| {
        let file = open(&names[i % FILES], OFlags::RDONLY, Mode::empty()).unwrap();
        read(&file, &mut [0; 64]).unwrap();
    })
}

fn write_close(directory: &Path, flags: OFlags, before: impl Fn(&Path) + 'static) -> Round {
    let names = names(directory);
    Box::new(move |i| {
        let name = &names[i % FILES];
        before(name);
        let file = open(name, OFlags::WRONLY | OFlags::CREATE | flags, Mode::from(0o644)).unwrap();
        write(&file, &[7; 64]).unwrap();
    })
}

fn open_write_close(directory: &Path) -> Round {
    write_close(directory, OFlags::empty(), |_| ())
}

/// With the unlink before it, which is a session of its own.
fn create_write_close(directory: &Path) -> Round {
    write_close(directory, OFlags::EXCL, |name| {
        let _ = fs::remove_file(name);
    })
}

fn truncate_write_close(directory: &Path) -> Round {
    write_close(directory, OFlags::TRUNC, |_| ())
}

fn pread_pwrite(directory: &Path) -> Round {
    let path = directory.join("open");
    fs::write(&path, [7; 4096]).unwrap();
    let file: OwnedFd = open(&path, OFlags::RDWR, Mode::empty()).unwrap();
    Box::new(move |_| {
        let mut bytes = [0; 16];
        pread(&file, &mut bytes, 64).unwrap();
        pwrite(&file, &bytes, 64).unwrap();
    })
}

fn fork_exec_exit(_: &Path) -> Round {
    run_true(c"/vm/busybox")
}

fn fork_exec_exit_dynamic(_: &Path) -> Round {
    run_true(c"/bin/true")
}

fn run_true(path: &'static CStr) -> Round {
    Box::new(move |_| {
        let (argv, envp) = ([c"true".as_ptr(), std::ptr::null()], [std::ptr::null()]);
        // SAFETY: this program has one thread, so that the child may do anything; it executes at once.
        match unsafe { libc::fork() } {
            // SAFETY: path, argv and envp are NUL-terminated and live; _exit ends only the child.
            0 => unsafe {
                libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr());
                libc::_exit(127)
            },
            child => {
                let mut status = 0;
                // SAFETY: status is a live i32.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                assert_eq!(status, 0, "{}", path.to_string_lossy());
            }
        }
    })
}

/// Processor time of this process and its children, in nanoseconds.
fn cpu_time() -> i64 {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    // SAFETY: rusage is plain numbers, for which zero is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: usage is a live rusage.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) }, 0);
    let children = [usage.ru_utime, usage.ru_stime].map(|t| t.tv_sec * 1_000_000_000 + t.tv_usec * 1_000);
    own.tv_sec * 1_000_000_000 + own.tv_nsec + children.iter().sum::<i64>()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, rounds, directory] = &arguments[..] else { panic!("OPERATION ROUNDS DIRECTORY") };
    let (_, prepare) = OPERATIONS.iter().find(|(known, _)| known == name).expect("an operation");
    let rounds: usize = rounds.parse().expect("a number of rounds");
    fs::create_dir_all(directory).unwrap();
    let mut round = prepare(Path::new(directory));
    (0..WARM).for_each(&mut round);
    let before = cpu_time();
    (0..rounds).for_each(&mut round);
    println!("{:.1}", (cpu_time() - before) as f64 / rounds as f64);
}
