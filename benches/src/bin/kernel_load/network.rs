//! Operations on sockets over loopback: one thread has both ends, so that all of the work is its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::Round;

const LOCALHOST: (&str, u16) = ("127.0.0.1", 0);

fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Two sends, two receives.
pub(crate) fn tcp_ping_pong(_: &Path) -> Round {
    let (mut client, mut server) = connected();
    Box::new(move |_| {
        let mut bytes = [7; 64];
        client.write_all(&bytes).unwrap();
        server.read_exact(&mut bytes).unwrap();
        server.write_all(&bytes).unwrap();
        client.read_exact(&mut bytes).unwrap();
    })
}

/// 16 KB one way.
pub(crate) fn tcp_16k(_: &Path) -> Round {
    let (mut client, mut server) = connected();
    let mut bytes = vec![7; 16 << 10];
    Box::new(move |_| {
        client.write_all(&bytes).unwrap();
        server.read_exact(&mut bytes).unwrap();
    })
}

/// A connection without data; both ends close.
pub(crate) fn tcp_connect_accept_close(_: &Path) -> Round {
    let listener = TcpListener::bind(LOCALHOST).unwrap();
    let address = listener.local_addr().unwrap();
    Box::new(move |_| {
        let client = TcpStream::connect(address).unwrap();
        let server = listener.accept().unwrap().0;
        drop(server);
        drop(client);
    })
}

/// Two sends, two receives.
pub(crate) fn udp_ping_pong(_: &Path) -> Round {
    let (client, server) = (UdpSocket::bind(LOCALHOST).unwrap(), UdpSocket::bind(LOCALHOST).unwrap());
    client.connect(server.local_addr().unwrap()).unwrap();
    server.connect(client.local_addr().unwrap()).unwrap();
    Box::new(move |_| {
        let mut bytes = [7; 64];
        client.send(&bytes).unwrap();
        server.recv(&mut bytes).unwrap();
        server.send(&bytes).unwrap();
        client.recv(&mut bytes).unwrap();
    })
}

/// One datagram, sent and received.
pub(crate) fn unix_datagram(_: &Path) -> Round {
    let (client, server) = UnixDatagram::pair().unwrap();
    Box::new(move |_| {
        let mut bytes = [7; 64];
        client.send(&bytes).unwrap();
        server.recv(&mut bytes).unwrap();
    })
}
