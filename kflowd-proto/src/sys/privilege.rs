//! Giving up privilege.
//!
//! A root process that gives up everything calls, in this order: [`empty_bounding_set`] (needs `CAP_SETPCAP`),
//! [`become_user`] (needs `CAP_SETUID`; with the user go the capabilities), [`drop_capabilities`], [`no_new_privs`],
//! [`not_dumpable`]. All but [`become_user`] and [`not_dumpable`] are for the calling thread, so call them before
//! others are started.

use std::io;
use std::ptr;

use rustix::io::Errno;
use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::check;

/// Makes user and group of the whole process `uid` and `gid` (real, effective, saved) and leaves all other groups.
/// There is no way back. Call it while the process has a single thread.
///
/// # Errors
/// When the process may not; groups may be gone already then, so the caller should end.
pub fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // libc, not rustix: its functions change all threads, the raw calls change one.
    // SAFETY: an empty list is not read.
    check(unsafe { libc::setgroups(0, ptr::null()) })?;
    // SAFETY: takes numbers only.
    check(unsafe { libc::setresgid(gid, gid, gid) })?;
    // SAFETY: takes numbers only.
    check(unsafe { libc::setresuid(uid, uid, uid) })?;
    Ok(())
}

/// Empties the ambient, bounding, permitted, effective and inheritable capability sets of this thread.
///
/// The bounding set goes before the others, as far as [`empty_bounding_set`] may.
///
/// # Errors
/// When the kernel refuses anything else; a process may always give up what it has.
pub fn drop_capabilities() -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    empty_bounding_set()?;
    let empty = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: empty, permitted: empty, inheritable: empty },
    )?;
    Ok(())
}

/// Whether the permitted set outlives the next [`become_user`]; the effective set never does.
///
/// # Errors
/// Never on a supported kernel.
pub fn keep_over_change_of_user(keep: bool) -> io::Result<()> {
    Ok(rustix::thread::set_keep_capabilities(keep)?)
}

/// As [`drop_capabilities`], but capability `kept` (its number) stays permitted and effective.
///
/// # Errors
/// When `kept` is not permitted, or the kernel refuses anything else.
pub fn keep_capability(kept: Option<u32>) -> io::Result<()> {
    let Some(number) = kept else { return drop_capabilities() };
    rustix::thread::clear_ambient_capability_set()?;
    empty_bounding_set()?;
    let (empty, kept) = (CapabilitySet::empty(), CapabilitySet::from_bits_retain(1 << number));
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: kept, permitted: kept, inheritable: empty },
    )?;
    keep_over_change_of_user(false)
}

/// Empties the bounding set of this thread: no program that it starts, set-user-id root included, gets a capability.
/// A process without `CAP_SETPCAP` keeps its bounding set; that is no error, for the set grants nothing by itself.
///
/// # Errors
/// Never on a supported kernel.
pub fn empty_bounding_set() -> io::Result<()> {
    for number in 0..u64::BITS {
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(
            1 << number,
        )) {
            Ok(()) => {}
            // Without CAP_SETPCAP; then for every number.
            Err(Errno::PERM) => return Ok(()),
            // Beyond the last capability of this kernel.
            Err(Errno::INVAL) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// No program started from here gains privilege, and a filter of system calls may be set without any.
///
/// # Errors
/// Never on a supported kernel.
pub fn no_new_privs() -> io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// No core dump, no ptrace by processes of the same user, `/proc/self` belongs to root. An exec takes it back.
///
/// # Errors
/// Never on a supported kernel.
pub fn not_dumpable() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
