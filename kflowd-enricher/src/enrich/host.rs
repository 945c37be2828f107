//! Facts of this host that stand in every message.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What `Info*` keys say about the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Node name.
    pub name: String,
    /// Address towards the internet, empty when there is no default route.
    pub ip: String,
    /// Operator's token.
    pub token: Option<String>,
    /// Operating system.
    pub system: String,
    /// Kernel release.
    pub kernel: String,
    /// This program and its version.
    pub version: String,
}

impl HostFacts {
    /// Asks the running system; `kernel` is the probe's answer, empty when there is none.
    pub fn read(kernel: &str, token: Option<String>) -> Self {
        let uname = rustix::system::uname();
        let own = uname.release().to_string_lossy();
        Self {
            name: uname.nodename().to_string_lossy().into_owned(),
            ip: default_address(),
            token,
            system: uname.sysname().to_string_lossy().into_owned(),
            kernel: if kernel.is_empty() { own.into_owned() } else { kernel.to_owned() },
            version: concat!("kflowd-", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The local address of the default route. Connecting a UDP socket chooses a route and sends nothing; the
/// addresses are reserved for documentation, so only the default route leads there.
fn default_address() -> String {
    let v4 =
        (SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9)));
    let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let v6 = (SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), SocketAddr::from((documentation, 9)));
    let local = |(from, to): (SocketAddr, SocketAddr)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip().to_string())
    };
    local(v4).or_else(|| local(v6)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_knows_the_kernel_better() {
        let facts = HostFacts::read("6.1.0-x", None);
        assert_eq!((facts.kernel.as_str(), facts.system.as_str()), ("6.1.0-x", "Linux"));
        assert!(!HostFacts::read("", None).kernel.is_empty());
    }
}
