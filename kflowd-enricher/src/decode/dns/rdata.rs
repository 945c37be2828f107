//! What the data of each record type is made of, in the order of its presentation form.

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// 8-bit number.
    U8,
    /// 16-bit number.
    U16,
    /// 32-bit number.
    U32,
    /// Seconds since 1970, as a date of 14 digits.
    Time,
    /// Number of a type, as its name.
    Type,
    /// Name.
    Name,
    /// One character-string, quoted.
    Text,
    /// Character-strings up to the end, each quoted.
    Texts,
    /// One character-string, bare.
    Word,
    /// Bytes up to the end, quoted.
    Quoted,
    /// Bytes up to the end in hex.
    Hex,
    /// Bytes up to the end in base64.
    Base64,
    /// Bytes with their count in front in hex, `-` when there are none.
    Salt,
    /// Bytes with their count in front in base32 (RFC 5155 section 3.3).
    Hash,
    /// Bytes up to the end as pairs of hex digits, joined by `-`.
    Eui,
    /// Types as the bits of windows up to the end (RFC 4034 section 4.1.2).
    Types,
    /// Parameters of a service up to the end (RFC 9460 section 2.1).
    Service,
    /// A place on earth (RFC 1876).
    Location,
}

/// The parts of the data of a type whose presentation form is known.
#[inline]
pub fn fields(kind: u16) -> Option<&'static [Field]> {
    use Field::{
        A, Aaaa, Base64, Eui, Hash, Hex, Location, Name, Quoted, Salt, Service, Text, Texts, Time, Type,
        Types, U8, U16, U32, Word,
    };
    Some(match kind {
        1 => &[A],
        28 => &[Aaaa],
        2 | 5 | 12 | 39 => &[Name],
        6 => &[Name, Name, U32, U32, U32, U32, U32],
        13 => &[Text, Text],
        15 | 18 | 36 => &[U16, Name],
        16 | 99 => &[Texts],
        17 => &[Name, Name],
        24 | 46 => &[Type, U8, U8, U32, Time, Time, U16, Name, Base64],
        25 | 48 | 60 => &[U16, U8, U8, Base64],
        29 => &[Location],
        33 => &[U16, U16, U16, Name],
        35 => &[U16, U16, Text, Text, Text, Name],
        37 => &[U16, U16, U8, Base64],
        43 | 59 => &[U16, U8, U8, Hex],
        44 => &[U8, U8, Hex],
        47 => &[Name, Types],
        49 | 61 => &[Base64],
        50 => &[U8, U8, U16, Salt, Hash, Types],
        51 => &[U8, U8, U16, Salt],
        52 | 53 => &[U8, U8, U8, Hex],
        62 => &[U32, U16, Types],
        63 => &[U32, U8, U8, Hex],
        64 | 65 => &[U16, Name, Service],
        108 | 109 => &[Eui],
        256 => &[U16, U16, Quoted],
        257 => &[U8, Word, Quoted],
        _ => return None,
    })
}
