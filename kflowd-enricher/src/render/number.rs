//! Numbers as text, without allocation.

use super::out::Out;

const SECOND: u64 = 1_000_000_000;

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

/// Appends an integer.
#[inline]
pub(crate) fn integer(value: u64, out: &mut Out) {
    match value {
        0..10 => out.byte(b'0' + value as u8),
        10..100 => out.piece(&pair(value as u32)),
        100..10_000 => short_integer(value as u32, out),
        _ => long_integer(value, out),
    }
}

/// Two digits of a number below 100.
#[inline]
fn pair(value: u32) -> [u8; 2] {
    PAIRS.get(value as usize).copied().unwrap_or_default()
}

/// Four digits as they stand in memory, of a number below 10,000.
#[inline]
fn four(value: u32) -> u32 {
    let [a, b] = pair(value / 100);
    let [c, d] = pair(value % 100);
    u32::from_le_bytes([a, b, c, d])
}

/// Appends a number below 10,000.
fn short_integer(value: u32, out: &mut Out) {
    let zeros = u32::from(value < 1000) + u32::from(value < 100) + u32::from(value < 10);
    let digits = four(value) >> (8 * zeros);
    out.put(&digits.to_le_bytes(), 4 - zeros as usize);
}

/// Appends a number from 10,000 on.
fn long_integer(value: u64, out: &mut Out) {
    let (high, low) = (value / 10_000, (value % 10_000) as u32);
    if high < 10_000 {
        short_integer(high as u32, out);
    } else {
        long_integer(high, out);
    }
    out.piece(&four(low).to_le_bytes());
}

/// Appends a difference.
pub(super) fn signed(before: u64, after: u64, out: &mut Out) {
    if after < before {
        out.byte(b'-');
    }
    integer(after.abs_diff(before), out);
}

/// Nine decimal digits of a number below 10^9.
#[inline]
pub(super) fn nine_digits(value: u32) -> [u8; 9] {
    let (first, eight) = (value / 100_000_000, value % 100_000_000);
    let (high, low) = (eight / 10_000, eight % 10_000);
    let pair = |value: u32| PAIRS[value as usize % 100];
    let ([a, b], [c, d]) = (pair(high / 100), pair(high));
    let ([e, f], [g, h]) = (pair(low / 100), pair(low));
    [b'0' + first as u8, a, b, c, d, e, f, g, h]
}

/// Appends nanoseconds as seconds with nine decimals.
pub(super) fn seconds(nanoseconds: u64, out: &mut Out) {
    parts(nanoseconds / SECOND, (nanoseconds % SECOND) as u32, out);
}

#[inline]
fn parts(seconds: u64, nanoseconds: u32, out: &mut Out) {
    integer(seconds, out);
    let [a, b, c, d, e, f, g, h, i] = nine_digits(nanoseconds);
    out.put(&[b'.', a, b, c, d, e, f, g, h, i], 10);
}

/// The same, with zero as the literal `0`.
#[inline]
pub(crate) fn duration(nanoseconds: u64, out: &mut Out) {
    if nanoseconds == 0 {
        out.byte(b'0');
    } else {
        seconds(nanoseconds, out);
    }
}

/// Appends signed nanoseconds as seconds with nine decimals; differences of more than 2^64 s end there.
pub(super) fn signed_seconds(nanoseconds: i128, out: &mut Out) {
    if nanoseconds < 0 {
        out.byte(b'-');
    }
    let size = nanoseconds.unsigned_abs();
    match u64::try_from(size) {
        Ok(size) => seconds(size, out),
        Err(_) => {
            let second = u128::from(SECOND);
            parts(u64::try_from(size / second).unwrap_or(u64::MAX), (size % second) as u32, out);
        }
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
    fn numbers() {
        assert_eq!(text(|out| integer(u64::MAX, out)), "18446744073709551615");
        assert_eq!(text(|out| signed(5, 3, out)), "-2");
        assert_eq!(text(|out| signed(0, u64::MAX, out)), "18446744073709551615");
        assert_eq!(text(|out| seconds(0, out)), "0.000000000");
        assert_eq!(text(|out| seconds(1_000_000_001, out)), "1.000000001");
        assert_eq!(text(|out| duration(0, out)), "0");
        assert_eq!(text(|out| duration(2_500_000_000, out)), "2.500000000");
        assert_eq!(text(|out| signed_seconds(-500_000_000, out)), "-0.500000000");
        assert_eq!(text(|out| signed_seconds(i128::from(i64::MIN) * 1000, out)), "-9223372036854.775808000");
    }

    proptest! {
        #[test]
        fn integers_are_as_rust_writes_them(value in any::<u64>(), shift in 0_u32..64) {
            prop_assert_eq!(text(|out| integer(value >> shift, out)), (value >> shift).to_string());
        }

        #[test]
        fn nine_digits_are_nine(value in 0_u32..1_000_000_000) {
            prop_assert_eq!(nine_digits(value).to_vec(), format!("{value:09}").into_bytes());
        }
    }
}
