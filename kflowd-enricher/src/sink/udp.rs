//! UDP receivers: one connected socket each, one datagram per message, many datagrams per system call.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

use crate::counters::SinkCounts;
use crate::enrich::SECOND;
use crate::error::say;
use crate::render::Batch;

/// Datagrams per system call.
const BURST: usize = 32;
/// Nanoseconds between two lines about the same receiver.
const QUIET: u64 = 60 * SECOND;
/// Bytes that the kernel may hold for a receiver, as far as its limits allow.
const SEND_BUFFER: usize = 4 << 20;

/// One receiver.
#[derive(Debug)]
pub(super) struct Udp {
    socket: UdpSocket,
    counts: SinkCounts,
    /// Failures since the last line about them.
    unsaid: u64,
    /// When the next line may be written.
    next_line: u64,
}

impl Udp {
    /// Finds the address of `host` and connects to it. UDP: nobody has to be there.
    ///
    /// # Errors
    /// When the name has no address or none can be connected to.
    pub(super) fn open(host: &str, port: u16) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs()? {
            match connect(address) {
                Ok(socket) => {
                    let colon = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                    let counts =
                        SinkCounts { server: Some(format!("{colon}:{port}")), ..SinkCounts::default() };
                    return Ok(Self { socket, counts, unsaid: 0, next_line: 0 });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// What became of the messages so far.
    pub(super) fn counts(&self) -> &SinkCounts {
        &self.counts
    }

    /// Sends every message of the batch once. What the socket does not take at once is lost and counted: no other
    /// receiver waits for this one.
    pub(super) fn write(&mut self, batch: &Batch, now: u64) {
        self.counts.taken += batch.len() as u64;
        let mut next = 0;
        // An error belongs to an earlier datagram (ICMP) or to the first of the burst; reported once, it is gone.
        // So each message may be tried a second time, and only then it is given up.
        let mut tried = false;
        while next < batch.len() {
            match burst(&self.socket, batch, next) {
                Ok(sent @ 1..) => {
                    self.counts.written += sent as u64;
                    next += sent;
                    tried = false;
                }
                Err(Errno::INTR) => {}
                Err(Errno::CONNREFUSED) if !tried => tried = true,
                other => {
                    self.lost(other.err().unwrap_or(Errno::IO), now);
                    next += 1;
                    tried = false;
                }
            }
        }
    }

    fn lost(&mut self, errno: Errno, now: u64) {
        if errno == Errno::AGAIN || errno == Errno::NOBUFS {
            self.counts.full += 1;
        } else {
            self.counts.failed += 1;
        }
        self.unsaid += 1;
        if now >= self.next_line {
            let server = self.counts.server.as_deref().unwrap_or_default();
            say(&format!(
                "UDP receiver {server}: {} messages not sent: {}",
                self.unsaid,
                io::Error::from(errno)
            ));
            self.unsaid = 0;
            self.next_line = now.saturating_add(QUIET);
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    // Less room than wished is no reason to stop.
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
    socket.set_nonblocking(true)?;
    socket.connect(address)?;
    Ok(socket)
}

/// Sends up to [`BURST`] messages from `first` on; how many the kernel took.
fn burst(socket: &UdpSocket, batch: &Batch, first: usize) -> Result<usize, Errno> {
    let count = (batch.len() - first).min(BURST);
    let text: [[IoSlice<'_>; 1]; BURST] =
        std::array::from_fn(|i| [IoSlice::new(if i < count { batch.message(first + i) } else { b"" })]);
    let mut control: [SendAncillaryBuffer<'_, '_, '_>; BURST] =
        std::array::from_fn(|_| SendAncillaryBuffer::default());
    let mut text = text.iter();
    let mut messages = control.each_mut().map(|control| {
        let part = text.next().map_or(&[][..], |part| &part[..]);
        MMsgHdr::new(part, control)
    });
    sendmmsg(socket, &mut messages[..count], SendFlags::NOSIGNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_needs_an_address() {
        assert!(Udp::open("no.such.host.invalid", 9).is_err());
        let server = Udp::open("::1", 9);
        if let Ok(server) = server {
            assert_eq!(server.counts().server.as_deref(), Some("[::1]:9"));
        }
        assert_eq!(Udp::open("127.0.0.1", 9).unwrap().counts().server.as_deref(), Some("127.0.0.1:9"));
    }
}
