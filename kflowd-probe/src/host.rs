//! Facts of this host for the handshake: what the enricher must know and, in its sandbox, may not look up.

use std::fs;

use kflowd_proto::hello::Host;
use kflowd_proto::sys;

use crate::kernel_check;
use crate::report::Report;

/// Entries of `/proc/self/auxv`, from `linux/auxvec.h`.
const AT_PAGESZ: u64 = 6;
const AT_CLKTCK: u64 = 17;

/// Collects them.
pub(crate) fn facts(report: Report) -> Host {
    let auxv = fs::read("/proc/self/auxv").unwrap_or_default();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Host {
        boot_id: boot_id.trim_end().to_owned(),
        wall_offset: sys::wall_offset(),
        monitor_start: report.monitor_start,
        hz: auxiliary(&auxv, AT_CLKTCK).unwrap_or(100),
        page_size: auxiliary(&auxv, AT_PAGESZ).unwrap_or(4096),
        kernel: kernel_check::release(),
        hooks: report.hooks,
    }
}

/// Value of `key` in pairs of native words.
fn auxiliary(auxv: &[u8], key: u64) -> Option<u32> {
    let word = |bytes: &[u8]| usize::from_ne_bytes(bytes.try_into().unwrap_or_default()) as u64;
    let pairs = auxv.chunks_exact(2 * size_of::<usize>()).map(|pair| pair.split_at(size_of::<usize>()));
    pairs.map(|(k, v)| (word(k), word(v))).find(|(k, _)| *k == key).and_then(|(_, v)| v.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_this_host() {
        let host = facts(Report { monitor_start: 1, hooks: vec!["x:fentry".into()] });
        assert_eq!(host.boot_id.len(), 36);
        assert!(host.page_size.is_power_of_two() && host.page_size >= 4096);
        assert_eq!(host.hz, 100);
        assert!(host.wall_offset > 1_600_000_000_000_000_000, "{}", host.wall_offset);
        assert_eq!(auxiliary(&[1, 2, 3], AT_PAGESZ), None);
    }
}
