//! Events that no hook saw: the kernel does not start a program on a processor where a task that was preempted is
//! inside the same program. Where kernels preempt themselves that happens; it is in no record, so it is counted.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

use libbpf_rs::libbpf_sys::{bpf_obj_get_info_by_fd, bpf_prog_info};

/// How often the kernel skipped these programs since they were loaded (`bpf_prog_info.recursion_misses`, since 5.12;
/// 0 before).
pub(crate) fn count(programs: &[OwnedFd]) -> u64 {
    programs.iter().map(of).sum()
}

/// Of one program; one that the kernel tells nothing about counts as 0.
fn of(program: &OwnedFd) -> u64 {
    let mut info = bpf_prog_info::default();
    let mut len = size_of::<bpf_prog_info>() as u32;
    // SAFETY: `info` is writable for `len` bytes; all zero it asks for no array to be filled.
    let code = unsafe { bpf_obj_get_info_by_fd(program.as_raw_fd(), (&raw mut info).cast(), &raw mut len) };
    if code == 0 { info.recursion_misses } else { 0 }
}
