//! DNS messages (RFC 1035 section 4): header, questions and records, read in place.
//!
//! Nothing is copied and nothing is kept: a [`Reader`] goes forward through the message, a [`Name`] is where a
//! name begins. Work is bounded by the message: compression pointers only go backwards and a name has at most 255
//! bytes, so each name costs at most that.

mod framer;
mod rdata;
mod reader;
mod types;

pub use framer::{Framed, Framer};
pub use rdata::{Field, fields};
pub use reader::{Labels, Name, Reader};
pub use types::{class_name, opcode_name, response_name, type_name};

/// Why a message is not DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The message ends within its header, a name or a record.
    #[error("message ends in the middle of its {0}")]
    Short(Part),
    /// A label is neither text nor a pointer.
    #[error("label of unknown kind")]
    Label,
    /// A pointer does not point backwards.
    #[error("compression pointer does not point backwards")]
    Pointer,
    /// More than 255 bytes.
    #[error("name of more than 255 bytes")]
    LongName,
    /// The bytes cannot be a header.
    #[error("no DNS header")]
    Header,
    /// The stream lost bytes and with them the boundaries of messages.
    #[error("{0} bytes of the stream are missing")]
    Missing(u64),
    /// Only the beginning was captured, or the stream ended.
    #[error("only the first {have} of {need} bytes are there")]
    Cut {
        /// Bytes that are there.
        have: usize,
        /// Bytes of the message.
        need: u64,
    },
}

/// Part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The 12 bytes in front.
    Header,
    /// A name.
    Name,
    /// A question.
    Question,
    /// A record.
    Record,
    /// The data of a record.
    Data,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Name => "name",
            Self::Question => "question",
            Self::Record => "record",
            Self::Data => "data",
        })
    }
}

/// Bytes of the header.
pub const HEADER: usize = 12;

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number that a response repeats.
    pub id: u16,
    /// Flags, operation and result.
    pub flags: u16,
    /// Questions.
    pub questions: u16,
    /// Answers.
    pub answers: u16,
    /// Records of name servers that know more.
    pub authority: u16,
    /// Further records.
    pub additional: u16,
}

/// Flags by the order in which they are shown.
pub const FLAGS: [(u16, &str); 5] =
    [(0x8000, "QR"), (0x0400, "AA"), (0x0200, "TC"), (0x0100, "RD"), (0x0080, "RA")];

impl Header {
    /// The header of a message.
    ///
    /// # Errors
    /// Fewer bytes than a header has.
    pub fn read(message: &[u8]) -> Result<Self, DnsError> {
        let bytes = message.first_chunk::<HEADER>().ok_or(DnsError::Short(Part::Header))?;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Ok(Self {
            id: word(0),
            flags: word(2),
            questions: word(4),
            answers: word(6),
            authority: word(8),
            additional: word(10),
        })
    }

    /// Whether this is a response.
    pub fn response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// The operation.
    pub fn opcode(&self) -> u8 {
        (self.flags >> 11 & 15) as u8
    }

    /// The result.
    pub fn rcode(&self) -> u8 {
        (self.flags & 15) as u8
    }
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What it is about.
    pub name: Name<'a>,
    /// Type asked for.
    pub kind: u16,
    /// Class asked for.
    pub class: u16,
}

/// A resource record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Owner.
    pub name: Name<'a>,
    /// Type.
    pub kind: u16,
    /// Class.
    pub class: u16,
    /// Seconds it may be kept.
    pub ttl: u32,
    /// Its data, and through it the whole message for names in the data.
    pub data: Reader<'a>,
}

impl<'a> Reader<'a> {
    /// The next question.
    ///
    /// # Errors
    /// It ends too early or its name is none.
    #[inline]
    pub fn question(&mut self) -> Result<Question<'a>, DnsError> {
        let name = self.name()?;
        let [a, b, c, d] = self.array().ok_or(DnsError::Short(Part::Question))?;
        Ok(Question { name, kind: u16::from_be_bytes([a, b]), class: u16::from_be_bytes([c, d]) })
    }

    /// The next record.
    ///
    /// # Errors
    /// It ends too early or its name is none.
    #[inline]
    pub fn record(&mut self) -> Result<Record<'a>, DnsError> {
        let name = self.name()?;
        let [a, b, c, d, e, f, g, h, i, j] = self.array().ok_or(DnsError::Short(Part::Record))?;
        let length = u16::from_be_bytes([i, j]);
        let data = self.part(length.into()).ok_or(DnsError::Short(Part::Data))?;
        Ok(Record {
            name,
            kind: u16::from_be_bytes([a, b]),
            class: u16::from_be_bytes([c, d]),
            ttl: u32::from_be_bytes([e, f, g, h]),
            data,
        })
    }
}
