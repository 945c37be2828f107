//! A place in a message that moves forward, and names (RFC 1035 section 4.1.4).

use super::{DnsError, HEADER, Part};

/// Longest name, its length bytes and the root's included.
const NAME_MAX: usize = 255;

/// Reads from a message up to an end within it.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads what stands behind the header.
    pub fn behind_header(message: &'a [u8]) -> Self {
        Self { message, at: HEADER.min(message.len()), end: message.len() }
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.end - self.at
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = self.message.get(self.at..self.end)?.first_chunk::<N>()?;
        self.at += N;
        Some(*bytes)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next 16-bit number.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next 32-bit number.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.at..self.end)?.get(..count)?;
        self.at += count;
        Some(bytes)
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        let bytes = self.message.get(self.at..self.end).unwrap_or_default();
        self.at = self.end;
        bytes
    }

    /// Bytes with their count in one byte in front.
    pub fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.u8()?;
        self.take(count.into())
    }

    /// A reader of the next `count` bytes alone.
    #[inline]
    pub fn part(&mut self, count: usize) -> Option<Self> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.end)?;
        let part = Self { message: self.message, at: self.at, end };
        self.at = end;
        Some(part)
    }

    /// The name that begins here.
    ///
    /// # Errors
    /// It does not end within the reader, or has a label that is none.
    #[inline]
    pub fn name(&mut self) -> Result<Name<'a>, DnsError> {
        let name = Name { message: self.message, at: self.at };
        let bytes = &self.message[..self.end];
        let mut at = self.at;
        loop {
            let length = *bytes.get(at).ok_or(DnsError::Short(Part::Name))?;
            at += match length {
                0 => 1,
                1..=63 => usize::from(length) + 1,
                0xc0.. => 2,
                _ => return Err(DnsError::Label),
            };
            if at > self.end {
                return Err(DnsError::Short(Part::Name));
            }
            if length == 0 || length >= 0xc0 {
                self.at = at;
                return Ok(name);
            }
        }
    }
}

/// A name, not yet followed through its pointers.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Name<'a> {
    /// Where the name's text begins in the message: two names of one message with one place are equal.
    #[inline]
    pub fn place(&self) -> usize {
        match self.message.get(self.at..).and_then(|rest| rest.first_chunk()) {
            Some(&[high @ 0xc0..=0xff, low]) => pointed(high, low),
            _ => self.at,
        }
    }

    /// Its labels.
    #[inline]
    pub fn labels(&self) -> Labels<'a> {
        Labels { message: self.message, at: self.at, below: self.at, length: 1 }
    }
}

fn pointed(high: u8, low: u8) -> usize {
    usize::from(high & 0x3f) << 8 | usize::from(low)
}

/// The labels of a name, without the root.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    message: &'a [u8],
    at: usize,
    /// A pointer must go before this, the start of the run of labels that holds it.
    below: usize,
    /// Bytes of the name so far, with the root.
    length: usize,
}

impl<'a> Labels<'a> {
    /// The next label, if there is one.
    ///
    /// # Errors
    /// The name is none from here on.
    #[inline]
    pub fn following(&mut self) -> Result<Option<&'a [u8]>, DnsError> {
        loop {
            let rest = self.message.get(self.at..).unwrap_or_default();
            let (&length, rest) = rest.split_first().ok_or(DnsError::Short(Part::Name))?;
            match length {
                0 => return Ok(None),
                1..=63 => {
                    let length = usize::from(length);
                    let label = rest.get(..length).ok_or(DnsError::Short(Part::Name))?;
                    self.at += length + 1;
                    self.length += length + 1;
                    return if self.length <= NAME_MAX { Ok(Some(label)) } else { Err(DnsError::LongName) };
                }
                0xc0.. => {
                    let low = *rest.first().ok_or(DnsError::Short(Part::Name))?;
                    let target = pointed(length, low);
                    if target >= self.below {
                        return Err(DnsError::Pointer);
                    }
                    (self.at, self.below) = (target, target);
                }
                _ => return Err(DnsError::Label),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &[u8], at: usize) -> Result<String, DnsError> {
        let mut labels = Name { message, at }.labels();
        let mut text = String::new();
        while let Some(label) = labels.following()? {
            text += &String::from_utf8_lossy(label);
            text.push('.');
        }
        Ok(text)
    }

    #[test]
    fn names_follow_pointers_backwards_only() {
        let message = b"\x01a\x02bc\0\x01x\xc0\x02\xc0\x06\xc0\x0e\x80";
        assert_eq!(text(message, 0).unwrap(), "a.bc.");
        assert_eq!(text(message, 6).unwrap(), "x.bc.");
        assert_eq!(text(message, 10).unwrap(), "x.bc.");
        assert_eq!(text(message, 12), Err(DnsError::Pointer));
        assert_eq!(text(message, 14), Err(DnsError::Label));
        assert_eq!(text(message, 15), Err(DnsError::Short(Part::Name)));
        assert_eq!(text(b"\x01a\xc0\x00", 0), Err(DnsError::Pointer));
    }

    #[test]
    fn a_name_has_255_bytes_at_most() {
        let mut message = b"\x3f".to_vec();
        message.extend_from_slice(&[b'a'; 63]);
        let label = message.clone();
        for _ in 0..2 {
            message.extend_from_slice(&label);
        }
        let (mut fits, mut long) = (message.clone(), message);
        fits.push(61);
        fits.extend_from_slice(&[b'b'; 61]);
        fits.push(0);
        long.push(62);
        long.extend_from_slice(&[b'b'; 62]);
        long.push(0);
        assert_eq!(fits.len(), 255);
        assert_eq!(text(&fits, 0).unwrap().len(), 254);
        assert_eq!(text(&long, 0), Err(DnsError::LongName));
    }
}
