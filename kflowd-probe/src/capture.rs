//! Which payload the kernel side copies.

use crate::load::KernelSettings;
use crate::skel::kflowd::types::rodata;

/// Addresses of the UNIX sockets that take log messages.
const UNIX_PATHS: [&str; 3] = ["/dev/log", "/run/systemd/journal/dev-log", "/run/systemd/journal/socket"];

/// Tells the programs ports, addresses and how much.
pub(crate) fn set_knobs(settings: &KernelSettings, knobs: &mut rodata) {
    let ports = &settings.ports;
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
