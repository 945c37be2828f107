//! Which protocol a flow carries: its ports tell.

use kflowd_proto::hello::{AppPorts, Ports};

use super::App;
use crate::event::socket;

/// Protocols in the order in which they win when two ports of a flow name two.
const ORDER: [App; 3] = [App::Dns, App::Http, App::Syslog];

/// By transport and port: 0, or a place in [`ORDER`] from 1.
#[derive(Debug)]
pub struct PortTable {
    tcp: Vec<u8>,
    udp: Vec<u8>,
    unix: bool,
}

impl PortTable {
    /// What `-p` says.
    pub fn new(ports: &Ports) -> Self {
        let mut table = Self { tcp: vec![0; 1 << 16], udp: vec![0; 1 << 16], unix: ports.syslog_unix };
        // Backwards, so that of two protocols with one port the first stays.
        for (place, AppPorts { tcp, udp }) in
            [&ports.dns, &ports.http, &ports.syslog].iter().enumerate().rev()
        {
            tcp.iter().for_each(|&port| table.tcp[usize::from(port)] = place as u8 + 1);
            udp.iter().for_each(|&port| table.udp[usize::from(port)] = place as u8 + 1);
        }
        table
    }

    /// The protocol of a flow between two ports.
    pub fn app(&self, family: u8, protocol: u8, local: u16, remote: u16) -> Option<App> {
        let ports = match (family, protocol) {
            (socket::UNIX, _) => return self.unix.then_some(App::Syslog),
            (_, socket::TCP) => &self.tcp,
            (_, socket::UDP) => &self.udp,
            _ => return None,
        };
        let (a, b) = (ports[usize::from(local)], ports[usize::from(remote)]);
        // Nothing becomes the largest.
        let place = a.wrapping_sub(1).min(b.wrapping_sub(1));
        ORDER.get(usize::from(place)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_port_tells() {
        let mut ports = Ports::default();
        ports.syslog.tcp.push(80);
        let table = PortTable::new(&ports);
        let ip = |protocol, local, remote| table.app(socket::INET, protocol, local, remote);
        assert_eq!(ip(socket::UDP, 40_000, 53), Some(App::Dns));
        assert_eq!(ip(socket::UDP, 53, 40_000), Some(App::Dns));
        assert_eq!(ip(socket::TCP, 80, 53), Some(App::Dns));
        assert_eq!(ip(socket::TCP, 514, 80), Some(App::Http));
        assert_eq!(ip(socket::UDP, 80, 1), None);
        assert_eq!(ip(0, 80, 53), None);
        assert_eq!(table.app(socket::UNIX, 0, 0, 0), Some(App::Syslog));
        ports.syslog_unix = false;
        assert_eq!(PortTable::new(&ports).app(socket::UNIX, 0, 0, 0), None);
    }
}
