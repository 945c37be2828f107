//! LOC records: places on earth (RFC 1876).

use super::rdata_parts::metres;
use crate::decode::dns::Reader;
use crate::render::number::integer;
use crate::render::out::Out;

/// The equator and the zero meridian, in thousandths of a second of arc.
const MIDDLE: u32 = 1 << 31;
/// The surface, in centimetres above the lowest altitude.
const SURFACE: u64 = 10_000_000;

/// Appends latitude, longitude, altitude, size and both precisions; `None` when the data is of another version.
pub(super) fn location(reader: &mut Reader<'_>, out: &mut Out) -> Option<()> {
    let [version, size, horizontal, vertical] = reader.array()?;
    let (latitude, longitude, altitude) = (reader.u32()?, reader.u32()?, reader.u32()?);
    if version != 0 {
        return None;
    }
    arc(latitude, b'N', b'S', out);
    arc(longitude, b'E', b'W', out);
    let altitude = u64::from(altitude);
    if altitude < SURFACE {
        out.byte(b'-');
    }
    metres(altitude.abs_diff(SURFACE), out);
    for size in [size, horizontal, vertical] {
        out.byte(b' ');
        let (digit, power) = (size >> 4, size & 15);
        if digit > 9 || power > 9 {
            return None;
        }
        size_of(u64::from(digit) * 10_u64.pow(power.into()), out);
    }
    Some(())
}

/// A size, without decimals where it cannot have any.
fn size_of(centimetres: u64, out: &mut Out) {
    if centimetres < 100 {
        metres(centimetres, out);
    } else {
        integer(centimetres / 100, out);
        out.byte(b'm');
    }
}

/// Degrees, minutes and seconds.
fn arc(value: u32, positive: u8, negative: u8, out: &mut Out) {
    let distance = u64::from(value.abs_diff(MIDDLE));
    let (seconds, rest) = (distance / 1000, distance % 1000);
    integer(seconds / 3600, out);
    out.byte(b' ');
    integer(seconds / 60 % 60, out);
    out.byte(b' ');
    integer(seconds % 60, out);
    let digit = |value: u64| b'0' + (value % 10) as u8;
    let side = if value < MIDDLE { negative } else { positive };
    out.put(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest), b' ', side, b' '], 7);
}
