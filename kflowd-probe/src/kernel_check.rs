//! What must be there before anything is loaded: capabilities, kernel version, type information.

use std::fs;

use crate::error::Failure;

/// Oldest kernel that is supported.
const OLDEST: (u32, u32) = (5, 10);
/// Type information of the running kernel.
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// Stands in for `bpf` and `perfmon`.
const CAP_SYS_ADMIN: u32 = 21;
/// What start needs, and for what; all of it is given up once the hooks are attached.
const NEEDED: [(u32, &str, &str); 5] = [
    (39, "bpf", "load programs"),
    (38, "perfmon", "attach them to kernel functions"),
    (6, "setgid", "leave root's groups"),
    (7, "setuid", "leave root"),
    (8, "setpcap", "empty the bounding set"),
];
/// Needed too, where maps count against the limit of locked memory.
const MEMLOCK: (u32, &str, &str) = (24, "sys_resource", "lift that limit");
/// First kernel where they do not.
const NO_MEMLOCK: (u32, u32) = (5, 11);

/// Checks this host.
///
/// # Errors
/// [`Failure::Environment`] names what is missing and the way out.
pub(crate) fn check() -> Result<(), Failure> {
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|e| Failure::environment("cannot read /proc/self/status (is /proc mounted?)", e))?;
    let kernel = version(&release())?;
    privileges(rustix::process::geteuid().is_root(), effective(&status), kernel)?;
    match fs::metadata(BTF) {
        Ok(file) if file.len() > 0 => Ok(()),
        _ => Err(Failure::Environment(format!(
            "this kernel has no type information ({BTF} is missing or empty); use a kernel with CONFIG_DEBUG_INFO_BTF=y \
             and mount /sys"
        ))),
    }
}

/// `uname -r`.
pub(crate) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// First kernel where bpf() calls on descriptors that one holds need no capability.
const FREE_ITERATORS: (u32, u32) = (5, 19);

/// The one capability that the probe cannot do without on this kernel, if any: each sweep of the open sessions makes
/// an iterator, which kernels before 5.19 allow to CAP_BPF only, unless unprivileged BPF is on.
pub(crate) fn kept_for_sweep() -> Option<u32> {
    let unprivileged = fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled").unwrap_or_default();
    let free = version(&release()).is_ok_and(|v| v >= FREE_ITERATORS) || unprivileged.trim() == "0";
    (!free).then_some(NEEDED[0].0)
}

/// Why the kernel may have refused a load, for the end of the message; asked only after it did.
pub(crate) fn why_refused() -> &'static str {
    refusal_hint(&fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default())
}

fn refusal_hint(lockdown: &str) -> &'static str {
    if lockdown.contains("[integrity]") || lockdown.contains("[confidentiality]") {
        "; kernel lockdown is on: boot without lockdown= or with Secure Boot off, or start kflowd in a virtual machine"
    } else {
        "; perhaps a container's filter or a locked-down kernel: start kflowd on the host itself or in a virtual machine"
    }
}

fn effective(status: &str) -> u64 {
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default().trim();
    u64::from_str_radix(hex, 16).unwrap_or(0)
}

fn privileges(root: bool, caps: u64, kernel: (u32, u32)) -> Result<(), Failure> {
    let has = |cap: u32| caps >> cap & 1 == 1;
    let covered = |cap: u32| has(cap) || (matches!(cap, 38 | 39) && has(CAP_SYS_ADMIN));
    let needed = NEEDED.iter().chain((kernel < NO_MEMLOCK).then_some(&MEMLOCK));
    let missing: Vec<_> = needed.filter(|(cap, ..)| !covered(*cap)).map(|(_, name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let way_out = if root {
        "start it outside the container or with these capabilities"
    } else {
        "start it as root, for example with sudo"
    };
    Err(Failure::Environment(format!(
        "not enough privilege, capabilities missing: {}; {way_out}",
        missing.join(", ")
    )))
}

/// Major and minor number, if not too old.
fn version(release: &str) -> Result<(u32, u32), Failure> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    let found: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= OLDEST {
        return Ok(found);
    }
    Err(Failure::Environment(format!("kernel {release} is too old; use {}.{} or newer", OLDEST.0, OLDEST.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_old_kernels() {
        for good in ["5.10.0-30-amd64", "5.10", "5.15.1", "6.1.0", "10.0-rc1", "7.2.13+deb14"] {
            assert!(version(good).is_ok_and(|found| found >= OLDEST), "{good}");
        }
        for bad in ["5.9.16", "4.19.0-27", "", "x"] {
            assert!(version(bad).unwrap_err().to_string().contains("5.10 or newer"), "{bad}");
        }
    }

    #[test]
    fn names_what_is_missing() {
        let all = NEEDED.iter().fold(0, |set, (cap, ..)| set | 1 << cap);
        let new = (5, 11);
        assert_eq!(privileges(false, all, new), Ok(()));
        assert_eq!(privileges(true, effective("Name:\tx\nCapEff:\t000001ffffffffff\n"), OLDEST), Ok(()));
        assert_eq!(privileges(true, all & !(1 << 38) & !(1 << 39) | 1 << CAP_SYS_ADMIN, new), Ok(()));
        assert!(privileges(true, all, OLDEST).unwrap_err().to_string().contains("missing: sys_resource;"));
        let user = privileges(false, effective("CapEff:\t0000000000000000\n"), new).unwrap_err().to_string();
        assert!(user.contains("bpf, perfmon") && user.contains("sudo"), "{user}");
        let container = privileges(true, all & !(1 << 39), new).unwrap_err().to_string();
        assert!(container.contains("missing: bpf;") && container.contains("container"), "{container}");
    }

    #[test]
    fn explains_a_refusal() {
        assert!(refusal_hint("none [integrity] confidentiality\n").contains("lockdown is on"));
        for unknown in ["[none] integrity confidentiality\n", ""] {
            assert!(refusal_hint(unknown).contains("container"));
        }
    }
}
