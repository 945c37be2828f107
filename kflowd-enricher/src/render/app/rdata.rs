//! Names and data of records in their presentation form (RFC 1035 section 5.1 and the RFCs of the types), as it
//! stands within a JSON string: each backslash of the form is two.

use super::rdata_parts as parts;
use crate::decode::dns::{DnsError, Field, Name, Reader, Record, fields, type_name};
use crate::render::number::integer;
use crate::render::out::Out;
use crate::render::time;

/// Appends a name without the dot at its end; the root is a dot.
pub(super) fn name(name: Name<'_>, out: &mut Out) -> Result<(), DnsError> {
    let mut labels = name.labels();
    let mut first = true;
    while let Some(label) = labels.following()? {
        if !first {
            out.byte(b'.');
        }
        first = false;
        parts::label(label, out);
    }
    if first {
        out.byte(b'.');
    }
    Ok(())
}

/// Appends the data. What is not of the form its type has is shown as bytes (RFC 3597 section 5).
pub(super) fn rdata(record: &Record<'_>, out: &mut Out) {
    let start = out.len();
    // A dynamic update has records without data (RFC 2136 section 2.4); EDNS without options has none either.
    if record.data.left() == 0 {
        return;
    }
    let known = match fields(record.kind) {
        Some(fields) => all(fields, record.data, out),
        None => None,
    };
    if known.is_none() {
        out.truncate(start);
        bytes(record.data, out);
    }
}

fn all(fields: &[Field], mut reader: Reader<'_>, out: &mut Out) -> Option<()> {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.byte(b' ');
        }
        one(*field, &mut reader, out)?;
    }
    (reader.left() == 0).then_some(())
}

fn bytes(mut reader: Reader<'_>, out: &mut Out) {
    out.piece(b"\\\\# ");
    integer(reader.left() as u64, out);
    out.byte(b' ');
    parts::hex(reader.rest(), out);
}

fn one(field: Field, reader: &mut Reader<'_>, out: &mut Out) -> Option<()> {
    match field {
        Field::A => parts::ipv4(reader.array()?, out),
        Field::Aaaa => parts::ipv6(reader.array()?, out),
        Field::U8 => integer(reader.u8()?.into(), out),
        Field::U16 => integer(reader.u16()?.into(), out),
        Field::U32 => integer(reader.u32()?.into(), out),
        Field::Time => time::digits(reader.u32()?, out),
        Field::Type => kind(reader.u16()?, out),
        Field::Name => name(reader.name().ok()?, out).ok()?,
        Field::Text => parts::quoted(reader.counted()?, out),
        Field::Texts => texts(reader, out)?,
        Field::Word => parts::bare(reader.counted()?, out),
        Field::Quoted => parts::quoted(reader.rest(), out),
        Field::Hex => parts::hex(reader.rest(), out),
        Field::Base64 => parts::base64(reader.rest(), out),
        Field::Salt => match reader.counted()? {
            [] => out.byte(b'-'),
            salt => parts::hex(salt, out),
        },
        Field::Hash => parts::base32(reader.counted()?, out),
        Field::Eui => parts::eui(reader.rest(), out),
        Field::Types => types(reader, out)?,
        Field::Service => service(reader, out)?,
        Field::Location => super::location::location(reader, out)?,
    }
    Some(())
}

fn kind(kind: u16, out: &mut Out) {
    match type_name(kind) {
        Some(name) => out.slice(name.as_bytes()),
        None => {
            out.piece(b"TYPE");
            integer(kind.into(), out);
        }
    }
}

fn texts(reader: &mut Reader<'_>, out: &mut Out) -> Option<()> {
    parts::quoted(reader.counted()?, out);
    while reader.left() > 0 {
        out.byte(b' ');
        parts::quoted(reader.counted()?, out);
    }
    Some(())
}

fn types(reader: &mut Reader<'_>, out: &mut Out) -> Option<()> {
    let mut first = true;
    while reader.left() > 0 {
        let window = u16::from(reader.u8()?) << 8;
        for (i, byte) in reader.counted()?.iter().enumerate().take(32) {
            for bit in (0..8).filter(|bit| byte & 0x80 >> bit != 0) {
                if !first {
                    out.byte(b' ');
                }
                first = false;
                kind(window | (8 * i + bit) as u16, out);
            }
        }
    }
    // The separator before an empty list.
    if first {
        out.truncate(out.len() - 1);
    }
    Some(())
}

const PARAMETERS: [&str; 8] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"];

fn service(reader: &mut Reader<'_>, out: &mut Out) -> Option<()> {
    // An alias has none: away with the separator.
    out.truncate(out.len() - 1);
    while reader.left() > 0 {
        out.byte(b' ');
        let key = reader.u16()?;
        parameter_key(key, out);
        let count = reader.u16()?;
        let mut value = reader.part(count.into())?;
        if value.left() > 0 {
            out.byte(b'=');
            parameter(key, &mut value, out)?;
        }
    }
    Some(())
}

fn parameter_key(key: u16, out: &mut Out) {
    match PARAMETERS.get(usize::from(key)) {
        Some(name) => out.slice(name.as_bytes()),
        None => {
            out.piece(b"key");
            integer(key.into(), out);
        }
    }
}

fn parameter(key: u16, value: &mut Reader<'_>, out: &mut Out) -> Option<()> {
    match key {
        0 => list(value, out, |value, out| value.u16().map(|key| parameter_key(key, out)))?,
        1 => {
            out.piece(b"\\\"");
            list(value, out, |value, out| value.counted().map(|text| parts::listed(text, out)))?;
            out.piece(b"\\\"");
        }
        3 => integer(value.u16()?.into(), out),
        4 => list(value, out, |value, out| value.array().map(|address| parts::ipv4(address, out)))?,
        5 => parts::base64(value.rest(), out),
        6 => list(value, out, |value, out| value.array().map(|address| parts::ipv6(address, out)))?,
        _ => parts::quoted(value.rest(), out),
    }
    (value.left() == 0).then_some(())
}

fn list(
    value: &mut Reader<'_>,
    out: &mut Out,
    mut item: impl FnMut(&mut Reader<'_>, &mut Out) -> Option<()>,
) -> Option<()> {
    item(value, out)?;
    while value.left() > 0 {
        out.byte(b',');
        item(value, out)?;
    }
    Some(())
}
