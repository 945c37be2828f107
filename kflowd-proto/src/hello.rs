//! The one message of the handshake: what the enricher must know and cannot ask for.
//!
//! Encoded with bincode, fixed-width integers, at most [`MESSAGE_MAX`] bytes. Magic, ABI version and layout hash
//! come first and are compared before anything else is believed.

use bincode::{Decode, Encode};

use crate::layout::LAYOUT_HASH;

/// First word of the message: "kflowd" and a zero.
pub const MAGIC: u64 = 0x006b_666c_6f77_6400;
/// Raised with every change of records, queue or handshake.
pub const ABI_VERSION: u32 = 2;
/// No handshake message is longer, in bytes.
pub const MESSAGE_MAX: usize = 64 * 1024;

/// Why a handshake message was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The first word is not [`MAGIC`].
    #[error("not a kflowd handshake (magic {0:#x})")]
    Magic(u64),
    /// The other side speaks another version.
    #[error(
        "handshake has ABI version {0}, this program has {ABI_VERSION}: install both parts from one build"
    )]
    Version(u32),
    /// The other side was built with other record layouts.
    #[error(
        "handshake has record layout {0:#018x}, this program has {LAYOUT_HASH:#018x}: install both parts from one build"
    )]
    Layout(u64),
    /// The message does not decode.
    #[error("handshake message is malformed: {0}")]
    Malformed(String),
}

/// Output form, `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Output {
    /// One key per line.
    #[default]
    Json,
    /// One message per line.
    JsonMin,
    /// Rows for people.
    Table,
}

/// Ports of one protocol, by transport.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct AppPorts {
    /// TCP.
    pub tcp: Vec<u16>,
    /// UDP.
    pub udp: Vec<u16>,
}

/// `-p`: where application messages are looked for; either end of a flow may have the port.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ports {
    /// Domain names.
    pub dns: AppPorts,
    /// HTTP/1, TCP alone.
    pub http: AppPorts,
    /// Log messages.
    pub syslog: AppPorts,
    /// Log messages over UNIX sockets.
    pub syslog_unix: bool,
}

impl Default for Ports {
    fn default() -> Self {
        let ports = |tcp: &[u16], udp: &[u16]| AppPorts { tcp: tcp.into(), udp: udp.into() };
        Self {
            dns: ports(&[53], &[53]),
            http: ports(&[80], &[]),
            syslog: ports(&[514], &[514]),
            syslog_unix: true,
        }
    }
}

/// What the user asked for, as far as it concerns the enricher.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Settings {
    /// `-o`.
    pub output: Output,
    /// `-q`: nothing on stdout.
    pub quiet: bool,
    /// `-u`: receivers as the user wrote them, already checked for their form: host and port.
    pub udp: Vec<(String, u16)>,
    /// `-T`.
    pub token: Option<String>,
    /// `-v`.
    pub versions: bool,
    /// `-c`.
    pub checksums: bool,
    /// `-x`: more keys.
    pub extra: bool,
    /// `-p`.
    pub ports: Ports,
    /// `--no-redact`: secrets in HTTP headers are shown.
    pub secrets: bool,
    /// `--stats`: seconds between two self records, 0 = only at the end.
    pub stats_seconds: u32,
}

/// Facts of the host that the probe knows better.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Host {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME` at start, nanoseconds.
    pub wall_offset: i64,
    /// When monitoring began, nanoseconds of `CLOCK_BOOTTIME`.
    pub monitor_start: u64,
    /// Ticks per second of the kernel's jiffies.
    pub hz: u32,
    /// Bytes of a memory page.
    pub page_size: u32,
    /// `uname -r`.
    pub kernel: String,
    /// Hooks attached, as `name:way` (way: fentry, tp_btf, kprobe, iter), in the order of attachment.
    pub hooks: Vec<String>,
}

/// The message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`ABI_VERSION`].
    pub abi_version: u32,
    /// [`LAYOUT_HASH`].
    pub layout_hash: u64,
    /// What the user asked for.
    pub settings: Settings,
    /// Where the records come from.
    pub host: Host,
}

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<MESSAGE_MAX>()
}

impl Hello {
    /// A message of this build.
    pub fn new(settings: Settings, host: Host) -> Self {
        Self { magic: MAGIC, abi_version: ABI_VERSION, layout_hash: LAYOUT_HASH, settings, host }
    }

    /// The bytes to send.
    ///
    /// # Errors
    /// [`HelloError::Malformed`] when the settings do not fit into [`MESSAGE_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, HelloError> {
        let bytes =
            bincode::encode_to_vec(self, config()).map_err(|e| HelloError::Malformed(e.to_string()))?;
        if bytes.len() > MESSAGE_MAX {
            return Err(HelloError::Malformed(format!("{} bytes, {MESSAGE_MAX} are allowed", bytes.len())));
        }
        Ok(bytes)
    }

    /// Reads what the other side sent.
    ///
    /// # Errors
    /// Magic, version and layout are compared in this order before the rest is decoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, HelloError> {
        let malformed = |e: bincode::error::DecodeError| HelloError::Malformed(e.to_string());
        let ((magic, version, layout), _): ((u64, u32, u64), usize) =
            bincode::decode_from_slice(bytes, config()).map_err(malformed)?;
        match (magic, version, layout) {
            (m, ..) if m != MAGIC => return Err(HelloError::Magic(m)),
            (_, v, _) if v != ABI_VERSION => return Err(HelloError::Version(v)),
            (_, _, l) if l != LAYOUT_HASH => return Err(HelloError::Layout(l)),
            _ => {}
        }
        let (hello, used): (Self, usize) = bincode::decode_from_slice(bytes, config()).map_err(malformed)?;
        if used != bytes.len() {
            return Err(HelloError::Malformed(format!("{} stray bytes at the end", bytes.len() - used)));
        }
        Ok(hello)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Hello {
        let settings =
            Settings { udp: vec![("127.0.0.1".into(), 2057)], token: Some("t".into()), ..Default::default() };
        Hello::new(settings, Host { kernel: "6.1.0".into(), wall_offset: -5, ..Default::default() })
    }

    #[test]
    fn survives_the_way() {
        let hello = sample();
        assert_eq!(Hello::decode(&hello.encode().unwrap()), Ok(hello));
    }

    #[test]
    fn says_what_differs() {
        let wrong = |change: fn(&mut Hello)| {
            let mut hello = sample();
            change(&mut hello);
            Hello::decode(&hello.encode().unwrap()).unwrap_err()
        };
        assert_eq!(wrong(|h| h.magic = 1), HelloError::Magic(1));
        assert_eq!(wrong(|h| h.abi_version = 99), HelloError::Version(99));
        assert_eq!(wrong(|h| h.layout_hash ^= 1), HelloError::Layout(LAYOUT_HASH ^ 1));
    }

    #[test]
    fn refuses_every_cut_and_every_addition() {
        let bytes = sample().encode().unwrap();
        for len in 0..bytes.len() {
            assert!(Hello::decode(&bytes[..len]).is_err(), "cut at {len}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(Hello::decode(&longer).is_err());
    }
}
