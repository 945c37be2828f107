//! Which payload the kernel side copies.

use crate::load::KernelSettings;
use crate::skel::kflowd::types::rodata;
use crate::symbols;

/// Addresses of the UNIX sockets that take log messages.
const UNIX_PATHS: [&str; 3] = ["/dev/log", "/run/systemd/journal/dev-log", "/run/systemd/journal/socket"];

/// Where the programs find the memory of a page, which sendfile sends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pages {
    memory_base: u64,
    pages_base: u64,
}

impl Pages {
    /// Asks the kernel; where it does not say, such payload is not copied.
    pub(crate) fn find() -> Self {
        let [memory_base, pages_base] = symbols::addresses(["page_offset_base", "vmemmap_base"]);
        Self { memory_base, pages_base }
    }
}

/// Tells the programs ports, addresses and how much.
pub(crate) fn set_knobs(settings: &KernelSettings, pages: Pages, knobs: &mut rodata) {
    let ports = &settings.ports;
    knobs.memory_base = pages.memory_base;
    knobs.pages_base = pages.pages_base;
    knobs.capture_bytes = settings.capture_bytes;
    fill(&mut knobs.capture_tcp, [&ports.dns.tcp, &ports.http.tcp, &ports.syslog.tcp]);
    fill(&mut knobs.capture_udp, [&ports.dns.udp, &ports.http.udp, &ports.syslog.udp]);
    fill(&mut knobs.capture_turns, [&ports.http.tcp]);
    if ports.syslog_unix {
        for (words, path) in knobs.unix_paths.iter_mut().zip(UNIX_PATHS) {
            for (word, bytes) in words.iter_mut().zip(path.as_bytes().chunks(8)) {
                let mut padded = [0; 8];
                padded[..bytes.len()].copy_from_slice(bytes);
                *word = u64::from_ne_bytes(padded);
            }
        }
    }
}

/// `-p` takes no more than there is room for; the rest stays 0.
fn fill<const N: usize>(places: &mut [u16], lists: [&Vec<u16>; N]) {
    for (place, port) in places.iter_mut().zip(lists.into_iter().flatten()) {
        *place = *port;
    }
}
