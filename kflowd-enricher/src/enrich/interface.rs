//! Network interfaces as text: `4:enp5s0:0c:c4:7a:88:84:c2`, index, name and hardware address.
//!
//! The kernel tells of every interface that comes, changes or goes through a netlink socket (rtnetlink(7)), before a
//! packet can go through it, so that the table is right when a record asks. An interface that has gone keeps its
//! text: records of its last flows come later, and the kernel gives its index to no other before all are used up.
//!
//! The table is that of this process's network namespace. In another one an index is another interface: it stands
//! alone, `4`, and so does one that is not in the table.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with, sockopt,
};

use super::SECOND;
use super::hash::{IdMap, IdSet};

/// Interfaces that are kept, there or gone.
const INTERFACES_MAX: usize = 1 << 16;
/// Bytes of one message from the kernel; it fills at most a page, or 32 KiB when the receiver has room.
const MESSAGE_MAX: usize = 32 << 10;
/// Changes that may wait for the next look, in bytes.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Messages of one look; the rest waits for the next.
const LOOK_MAX: usize = 4096;

/// Numbers of `linux/rtnetlink.h` and `linux/netlink.h`.
mod number {
    pub(super) const GROUP_LINK: u32 = 1;
    pub(super) const NEW_LINK: u16 = 16;
    pub(super) const GET_LINK: u16 = 18;
    /// NLM_F_REQUEST | NLM_F_DUMP.
    pub(super) const REQUEST_DUMP: u16 = 0x301;
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const NAME: u16 = 3;
    pub(super) const WIRELESS: u16 = 11;
    /// `struct nlmsghdr` and `struct ifinfomsg`.
    pub(super) const HEAD: usize = 16;
    pub(super) const LINK: usize = 16;
}

/// Where interfaces are learnt.
#[derive(Clone, Debug)]
pub enum Links {
    /// This network namespace.
    System,
    /// A table of texts by index, for a namespace with this inode number.
    Table(u32, Vec<(u32, String)>),
}

/// Index to text.
#[derive(Debug)]
pub struct Interfaces {
    socket: Option<OwnedFd>,
    /// Inode number of the namespace the table is of.
    namespace: u32,
    texts: IdMap<u32, Box<str>>,
    /// Texts of interfaces that are not in the table.
    alone: IdMap<u32, Box<str>>,
    /// Of this namespace and not in the table when they were asked for, since the last tick.
    missing: IdSet<u32>,
    buffer: Vec<u8>,
    /// Changes were lost: everything is asked for again.
    stale: bool,
    next_check: u64,
}

impl Interfaces {
    /// Learns the interfaces there are.
    pub fn open(links: Links) -> Self {
        let mut this = Self {
            socket: None,
            namespace: 0,
            texts: IdMap::default(),
            alone: IdMap::default(),
            missing: IdSet::default(),
            buffer: Vec::new(),
            stale: false,
            next_check: 0,
        };
        match links {
            Links::System => {
                this.namespace = own_namespace();
                // Without it every index stands alone.
                this.socket = connect().ok();
                this.buffer = vec![0; MESSAGE_MAX];
                this.ask();
                this.look();
            }
            Links::Table(namespace, texts) => {
                this.namespace = namespace;
                this.texts = texts.into_iter().map(|(index, text)| (index, text.into())).collect();
            }
        }
        this
    }

    /// To be called once per batch with the time since boot.
    pub fn tick(&mut self, now: u64) {
        self.missing.clear();
        self.look();
        if self.stale && now >= self.next_check {
            self.next_check = now.saturating_add(SECOND);
            self.ask();
            self.look();
        }
    }

    /// Makes sure that [`Interfaces::text`] has an answer.
    pub fn ensure(&mut self, namespace: u32, index: u32) {
        if index == 0 {
            return;
        }
        if namespace == self.namespace && !self.texts.contains_key(&index) && self.missing.insert(index) {
            self.look();
        }
        let known = namespace == self.namespace && self.texts.contains_key(&index);
        if known || self.alone.contains_key(&index) {
            return;
        }
        if self.alone.len() >= INTERFACES_MAX {
            self.alone.clear();
        }
        self.alone.insert(index, index.to_string().into());
    }

    /// The interface `index` of a network namespace; empty when the index is 0.
    pub fn text(&self, namespace: u32, index: u32) -> &str {
        let known = if namespace == self.namespace { self.texts.get(&index) } else { None };
        known.or_else(|| self.alone.get(&index)).map_or("", |text| text)
    }

    /// Asks for all interfaces.
    fn ask(&mut self) {
        let Some(socket) = &self.socket else { return };
        let mut request = [0; number::HEAD + number::LINK];
        request[..4].copy_from_slice(&((number::HEAD + number::LINK) as u32).to_ne_bytes());
        request[4..6].copy_from_slice(&number::GET_LINK.to_ne_bytes());
        request[6..8].copy_from_slice(&number::REQUEST_DUMP.to_ne_bytes());
        let kernel = SocketAddrNetlink::new(0, 0);
        self.stale = sendto(socket, &request, SendFlags::empty(), &kernel).is_err();
    }

    /// Takes what the kernel has told.
    fn look(&mut self) {
        let Some(socket) = &self.socket else { return };
        for _ in 0..LOOK_MAX {
            let room: &mut [u8] = &mut self.buffer;
            match recv(socket, room, RecvFlags::DONTWAIT) {
                Ok((0, _)) | Err(Errno::AGAIN) => return,
                Ok((len, _)) => learn(&self.buffer[..len], &mut self.texts),
                Err(Errno::INTR) => {}
                // More changes came than there was room for.
                Err(Errno::NOBUFS) => self.stale = true,
                Err(_) => {
                    self.socket = None;
                    return;
                }
            }
        }
    }
}

/// A socket that hears of changes.
fn connect() -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    // Less room than wished is no reason to stop.
    let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
    bind(&socket, &SocketAddrNetlink::new(0, number::GROUP_LINK))?;
    Ok(socket)
}

/// Inode number of this process's network namespace, 0 when it is not to be known.
fn own_namespace() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/ns/net").ok().and_then(|m| u32::try_from(m.ino()).ok()).unwrap_or(0)
}

/// Two bytes at `at`, in the host's order.
fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_ne_bytes(*word))
}

/// Four bytes at `at`, in the host's order.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

/// Reads what came at once: messages, each a head and, padded to four bytes, what it is about.
fn learn(mut bytes: &[u8], texts: &mut IdMap<u32, Box<str>>) {
    while let (Some(len), Some(kind)) = (word(bytes, 0), short(bytes, 4)) {
        let len = len as usize;
        if len < number::HEAD || len > bytes.len() {
            return;
        }
        if kind == number::NEW_LINK
            && let Some((index, text)) = link(&bytes[number::HEAD..len])
            && (texts.len() < INTERFACES_MAX || texts.contains_key(&index))
        {
            texts.insert(index, text.into());
        }
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// Index and text of one interface.
fn link(body: &[u8]) -> Option<(u32, String)> {
    // Behind family, padding and type (`struct ifinfomsg`).
    let index = word(body, 4).filter(|&index| index != 0)?;
    let (mut name, mut address): (&[u8], &[u8]) = (b"", b"");
    let mut rest = body.get(number::LINK..)?;
    while let (Some(len), Some(kind)) = (short(rest, 0), short(rest, 2)) {
        let len = usize::from(len);
        let value = rest.get(4..len)?;
        match kind {
            number::NAME => name = value.strip_suffix(b"\0").unwrap_or(value),
            number::ADDRESS => address = value,
            // An event of the radio: name without address.
            number::WIRELESS => return None,
            _ => {}
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    if name.is_empty() {
        return None;
    }
    let mut text = format!("{index}:{}", String::from_utf8_lossy(name));
    for byte in address {
        // Writing to memory does not fail.
        let _ = write!(text, ":{byte:02x}");
    }
    Some((index, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (value.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, index: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let attributes = attributes.concat();
        let len = (number::HEAD + number::LINK + attributes.len()) as u32;
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.resize(number::HEAD + 4, 0);
        bytes.extend_from_slice(&index.to_ne_bytes());
        bytes.resize(number::HEAD + number::LINK, 0);
        bytes.extend_from_slice(&attributes);
        bytes
    }

    #[test]
    fn messages_become_texts() {
        let mut texts = IdMap::default();
        let mac = attribute(number::ADDRESS, &[0x0c, 0xc4, 0x7a, 0x88, 0x84, 0xc2]);
        let name = attribute(number::NAME, b"enp5s0\0");
        let tunnel = message(16, 5, &[attribute(number::NAME, b"tun\0")]);
        let gone = message(17, 4, std::slice::from_ref(&name));
        let radio = message(16, 4, &[name.clone(), attribute(number::WIRELESS, b"event")]);
        let bytes = [message(16, 4, &[attribute(99, b"x"), mac, name]), gone, radio, tunnel].concat();
        learn(&bytes, &mut texts);
        assert_eq!(&*texts[&4], "4:enp5s0:0c:c4:7a:88:84:c2");
        assert_eq!(&*texts[&5], "5:tun");
        learn(&message(16, 5, &[attribute(number::NAME, b"renamed\0")]), &mut texts);
        assert_eq!(&*texts[&5], "5:renamed");
    }

    #[test]
    fn this_system_has_a_loopback_interface() {
        let mut interfaces = Interfaces::open(Links::System);
        let own = interfaces.namespace;
        assert!(interfaces.socket.is_some());
        interfaces.ensure(own, 1);
        assert_eq!(interfaces.text(own, 1), "1:lo:00:00:00:00:00:00");
        interfaces.ensure(own ^ 1, 1);
        assert_eq!(interfaces.text(own ^ 1, 1), "1");
        interfaces.ensure(own, 0);
        assert_eq!(interfaces.text(own, 0), "");
        interfaces.ensure(own, u32::MAX);
        assert_eq!(interfaces.text(own, u32::MAX), u32::MAX.to_string());
        interfaces.tick(1);
    }

    proptest! {
        #[test]
        fn random_messages_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut texts = IdMap::default();
            learn(&bytes, &mut texts);
            learn(&message(16, 1, &[bytes]), &mut texts);
        }
    }
}
