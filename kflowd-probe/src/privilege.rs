//! Giving up root, for good. Both long-lived processes of this binary come through here.

use std::fs::{File, read_to_string};
use std::io;

use kflowd_proto::sys;
use rustix::stdio::{dup2_stdin, dup2_stdout};

use crate::users::User;

/// From here on this process is `user`, holds no capability but `kept`, and cannot get one back.
///
/// # Errors
/// When the kernel refuses a step or still shows a capability afterwards; the process must not go on then.
pub(crate) fn give_up(user: User, kept: Option<u32>) -> io::Result<()> {
    // Nothing that is done later needs the directory of the user; do not keep its file system busy.
    rustix::process::chdir("/")?;
    // Bounding set first: emptying it takes CAP_SETPCAP, which the change of user takes away.
    sys::empty_bounding_set()?;
    // Groups, then user: the other way round CAP_SETGID would be gone.
    sys::keep_over_change_of_user(kept.is_some())?;
    sys::become_user(user.uid, user.gid)?;
    // What a start by file capabilities leaves after a change between two ordinary users, and the ambient set.
    sys::keep_capability(kept)?;
    // No file with a set-user-id bit or capabilities helps any more.
    sys::no_new_privs()?;
    // No ptrace and no core by processes of the same user; the probe has seen names of all users.
    sys::not_dumpable()?;
    check_sets(&read_to_string("/proc/self/status")?, kept)
}

/// stdin and stdout become `/dev/null`; stderr stays for the last line. Needs no privilege, but `/dev` to be there.
pub(crate) fn detach_stdio() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(())
}

/// The kernel's own word that every set is empty, or holds `kept` alone where it is used.
fn check_sets(status: &str, kept: Option<u32>) -> io::Result<()> {
    let kept = kept.map_or(0, |number| 1u64 << number);
    for (set, allowed) in
        [("CapInh:", 0), ("CapPrm:", kept), ("CapEff:", kept), ("CapBnd:", 0), ("CapAmb:", 0)]
    {
        let left = status.lines().find_map(|line| line.strip_prefix(set)).unwrap_or("unknown").trim();
        if u64::from_str_radix(left, 16) != Ok(allowed) {
            return Err(io::Error::other(format!("capabilities are left ({set} {left})")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_sets;

    #[test]
    fn believes_only_what_is_allowed() {
        let status = "Name:\tx\nCapInh:\t0000\nCapPrm:\t0000\nCapEff:\t0000\nCapBnd:\t0000\nCapAmb:\t0000\n";
        assert!(check_sets(status, None).is_ok());
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let other = |digits: &str| status.replace(&format!("{set}:\t0000"), &format!("{set}:\t{digits}"));
            assert!(check_sets(&other("0010"), None).is_err());
            assert!(check_sets(&other("0010"), Some(4)).is_err(), "not where it was asked for alone");
            assert!(check_sets(&status.replace(set, "Other"), None).is_err());
        }
        let kept = status.replace("Prm:\t0000", "Prm:\t0010").replace("Eff:\t0000", "Eff:\t0010");
        assert!(check_sets(&kept, Some(4)).is_ok());
        assert!(check_sets(&kept, None).is_err());
    }
}
