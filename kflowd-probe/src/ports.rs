//! `-p`: the ports where application messages are looked for.

use kflowd_proto::hello::{AppPorts, Ports};

use crate::error::Failure;
use crate::settings::PORTS;

/// Most items of one protocol.
const ITEMS_MAX: usize = 8;

/// The defaults, changed by each `-p`.
///
/// # Errors
/// [`Failure::Usage`] for the first value that is not accepted.
pub(crate) fn parse(values: &[String]) -> Result<Ports, Failure> {
    let mut ports = Ports::default();
    let mut named = Vec::new();
    for value in values {
        let refuse = || PORTS.refuse(value);
        let (name, list) = value.split_once('=').ok_or_else(refuse)?;
        let name = name.to_ascii_lowercase();
        let items = items(list).ok_or_else(refuse)?;
        let unix = items.unix;
        match name.as_str() {
            "dns" if !unix => ports.dns = items.ports,
            "http" if !unix && items.ports.udp.is_empty() => ports.http = items.ports,
            "syslog" => (ports.syslog, ports.syslog_unix) = (items.ports, unix),
            _ => return Err(refuse()),
        }
        if named.contains(&name) {
            return Err(refuse());
        }
        named.push(name);
    }
    Ok(ports)
}

/// What stands behind the `=`.
#[derive(Default)]
struct Items {
    ports: AppPorts,
    unix: bool,
}

/// Items with commas, each once; none for `off`.
fn items(list: &str) -> Option<Items> {
    let mut items = Items::default();
    if list == "off" {
        return Some(items);
    }
    if list.split(',').count() > ITEMS_MAX {
        return None;
    }
    for item in list.split(',') {
        let (transport, port) = item.split_once('/').unwrap_or((item, ""));
        let into = match transport {
            "unix" if item == "unix" && !items.unix => {
                items.unix = true;
                continue;
            }
            "tcp" => &mut items.ports.tcp,
            "udp" => &mut items.ports.udp,
            _ => return None,
        };
        let port = number(port).filter(|port| !into.contains(port))?;
        into.push(port);
    }
    Some(items)
}

/// Digits only: `parse` alone would also take a sign.
fn number(digits: &str) -> Option<u16> {
    Some(digits)
        .filter(|d| d.len() <= 5 && d.bytes().all(|b| b.is_ascii_digit()))?
        .parse()
        .ok()
        .filter(|&port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str]) -> Option<Ports> {
        parse(&values.iter().map(|&v| v.to_owned()).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn a_list_replaces_the_default_of_its_protocol() {
        let ports = check(&["DNS=udp/5353,tcp/53,udp/1", "syslog=off"]).unwrap();
        assert_eq!((&ports.dns.tcp[..], &ports.dns.udp[..]), (&[53][..], &[5353, 1][..]));
        assert_eq!((ports.syslog, ports.syslog_unix), (AppPorts::default(), false));
        assert_eq!(ports.http, Ports::default().http);
        let ports = check(&["syslog=unix,tcp/65535", "http=tcp/8080,tcp/80"]).unwrap();
        assert_eq!((&ports.syslog.tcp[..], ports.syslog_unix), (&[65_535][..], true));
        assert_eq!(ports.http.tcp, [8080, 80]);
        assert_eq!(check(&[]), Some(Ports::default()));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let many = (1..=9).map(|port| format!("tcp/{port}")).collect::<Vec<_>>().join(",");
        let wrong = "dns dns= =off dns=OFF ftp=tcp/21 dns=sctp/53 dns=udp dns=udp/ dns=udp/0 dns=udp/65536 dns=udp/+53 \
                     dns=udp/53, dns=udp/53,udp/53 dns=udp/053000 dns=unix http=udp/80 http=unix syslog=unix,unix \
                     syslog=unix/1";
        for wrong in wrong.split(' ').chain(["", &format!("http={many}")]) {
            assert_eq!(check(&[wrong]), None, "{wrong}");
        }
        assert_eq!(check(&["dns=off", "Dns=udp/53"]), None);
    }
}
