//! Whether this kernel preempts itself: then a hook may stand still inside a program while others call it.

use std::fs;

/// Asked before the programs are loaded. `lazy`: the kernel knows lazy preemption (since 6.13), which took the place
/// of the models without preemption.
pub(crate) fn happens(lazy: bool) -> bool {
    let build = rustix::system::uname().version().to_string_lossy().into_owned();
    lazy || chosen(&build, &fs::read_to_string("/proc/cmdline").unwrap_or_default())
}

/// Chosen when the kernel was built (`uname -v`) or booted. A kernel that can choose at boot (`PREEMPT_DYNAMIC`) is
/// taken to follow what distributions set up to 6.12: no preemption.
fn chosen(build: &str, boot: &str) -> bool {
    let built = ["PREEMPT", "PREEMPT_RT", "PREEMPT_LAZY"];
    let booted = ["preempt=full", "preempt=lazy"];
    build.split_whitespace().any(|word| built.contains(&word))
        || boot.split_whitespace().any(|word| booted.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn reads_build_and_boot() {
        assert!(chosen("#1 SMP PREEMPT Debian", ""));
        assert!(chosen("#1 SMP PREEMPT_RT Debian", "quiet"));
        assert!(chosen("#1 SMP PREEMPT_DYNAMIC Debian", "quiet preempt=full"));
        assert!(!chosen("#1 SMP PREEMPT_DYNAMIC Debian", "quiet preempt=none"));
        assert!(!chosen("#1 SMP Debian 5.10.223-1", ""));
    }
}
