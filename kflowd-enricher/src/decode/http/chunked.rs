//! Chunked bodies (RFC 9112 section 7.1): sizes, data and trailers. Extensions and trailers are passed over.

use super::HttpError;

/// Where in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the line with the size, after so many digits.
    Size { value: u64, digits: u8 },
    /// Behind the size, before the end of its line.
    Extension { value: u64 },
    /// In data with so many bytes left.
    Data(u64),
    /// At the line end behind data, after its CR.
    DataEnd { cr: bool },
    /// In a line of the trailer; whether it has no text so far.
    Trailer { empty: bool },
    /// Behind the body.
    End,
}

/// More digits than a 64-bit number has.
const DIGITS_MAX: u8 = 16;

impl Chunk {
    pub(super) const START: Self = Self::Size { value: 0, digits: 0 };

    /// Goes one byte on, outside of data.
    pub(super) fn step(self, byte: u8) -> Result<Self, HttpError> {
        Ok(match (self, byte) {
            (Self::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < DIGITS_MAX => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                Self::Size { value: value << 4 | digit, digits: digits + 1 }
            }
            (Self::Size { value, digits: 1.. }, b'\n') | (Self::Extension { value }, b'\n') => match value {
                0 => Self::Trailer { empty: true },
                _ => Self::Data(value),
            },
            (Self::Size { value, digits: 1.. }, b'\r' | b';' | b' ' | b'\t') => Self::Extension { value },
            (Self::Extension { .. }, _) => self,
            (Self::DataEnd { cr: false }, b'\r') => Self::DataEnd { cr: true },
            (Self::DataEnd { .. }, b'\n') => Self::START,
            (Self::Trailer { empty: true }, b'\n') => Self::End,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { empty: true },
            (Self::Trailer { .. }, b'\r') => self,
            (Self::Trailer { .. }, _) => Self::Trailer { empty: false },
            _ => return Err(HttpError::Chunk),
        })
    }

    /// Where the body is behind `count` missing bytes, when that is known.
    pub(super) fn behind_gap(self, count: u64) -> Option<Self> {
        match self {
            Self::Data(left) if count < left => Some(Self::Data(left - count)),
            Self::Data(left) if count == left => Some(Self::DataEnd { cr: false }),
            // Capture ends with the write of a program, which is most often a chunk with its line end.
            Self::Data(left) if count - left == 2 => Some(Self::START),
            // Or the last one with the end of the body behind it.
            Self::Data(left) if count - left == b"\r\n0\r\n\r\n".len() as u64 => Some(Self::End),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_within_a_chunk_or_up_to_the_end_of_a_write_keeps_the_boundaries() {
        let body = Chunk::Data(100);
        assert_eq!(body.behind_gap(40), Some(Chunk::Data(60)));
        assert_eq!(body.behind_gap(100), Some(Chunk::DataEnd { cr: false }));
        assert_eq!(body.behind_gap(102), Some(Chunk::START));
        assert_eq!(body.behind_gap(107), Some(Chunk::End));
        assert_eq!(body.behind_gap(103), None);
        assert_eq!(Chunk::START.behind_gap(1), None);
    }
}
