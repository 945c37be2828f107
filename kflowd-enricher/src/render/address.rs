//! Addresses as text, without allocation: what `Display` of the standard library writes, in fewer steps.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::number;
use super::out::Out;

/// Appends `192.0.2.7`.
pub(super) fn ipv4(octets: [u8; 4], out: &mut Out) {
    for (i, octet) in octets.into_iter().enumerate() {
        if i > 0 {
            out.byte(b'.');
        }
        number::integer(octet.into(), out);
    }
}

/// Appends an address in the form of RFC 5952: the longest run of zeros, the first of equals, is left out.
pub(super) fn ipv6(address: Ipv6Addr, out: &mut Out) {
    if let Some(mapped) = address.to_ipv4_mapped() {
        out.slice(b"::ffff:");
        ipv4(Ipv4Addr::octets(&mapped), out);
        return;
    }
    let segments = address.segments();
    let (start, len) = longest_zeros(&segments);
    let mut i = 0;
    while i < segments.len() {
        if i == start && len > 1 {
            out.slice(b"::");
            i += len;
            continue;
        }
        // Behind the double colon stands no further one.
        if i > 0 && (i != start + len || len < 2) {
            out.byte(b':');
        }
        segment(segments[i], out);
        i += 1;
    }
}

/// Where the longest run of zeros begins, and how long it is.
fn longest_zeros(segments: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), 0);
    for (i, &segment) in segments.iter().enumerate() {
        run = if segment == 0 { run + 1 } else { 0 };
        if run > best.1 {
            best = (i + 1 - run, run);
        }
    }
    best
}

/// Hex digits without zeros in front.
fn segment(value: u16, out: &mut Out) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |shift: u32| HEX[usize::from(value >> shift & 15)];
    let digits = [digit(12), digit(8), digit(4), digit(0), 0, 0, 0];
    let skip = (value.leading_zeros() / 4).min(3) as usize;
    if let Some(text) = digits[skip..].first_chunk::<4>() {
        out.put(text, 4 - skip);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl Fn(&mut Out)) -> String {
        let mut out = Out::default();
        write(&mut out);
        String::from_utf8(out.text().to_vec()).unwrap()
    }

    #[test]
    fn known_addresses() {
        for known in [
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "2001:db8:0:1:1:1:1:1",
            "2001:0:0:1::1",
            "fe80::abcd:ef01:2345:6789",
            "::ffff:192.0.2.7",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6::",
        ] {
            let address: Ipv6Addr = known.parse().unwrap();
            assert_eq!(text(|out| ipv6(address, out)), known);
        }
    }

    proptest! {
        #[test]
        fn the_same_as_the_standard_library(segments in any::<[u16; 8]>(), mask in any::<u8>(), v4 in any::<[u8; 4]>()) {
            let kept = |i: usize| if mask & 1 << i == 0 { 0 } else { segments[i] };
            let address = Ipv6Addr::from(std::array::from_fn::<u16, 8, _>(kept));
            prop_assert_eq!(text(|out| ipv6(address, out)), address.to_string());
            prop_assert_eq!(text(|out| ipv4(v4, out)), Ipv4Addr::from(v4).to_string());
        }
    }
}
