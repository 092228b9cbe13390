//! Where other boxes may reach this console.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses for a join line, best first, from the one that is listened on. Never empty.
pub fn reachable(listen: SocketAddr) -> Vec<String> {
    let port = listen.port();
    let ips: Vec<IpAddr> = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => own_v4().into_iter().collect(),
        // Both families arrive there.
        IpAddr::V6(ip) if ip.is_unspecified() => own_v4().into_iter().chain(own_v6()).collect(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => vec![ip],
    };
    let ips = if ips.is_empty() { vec![loopback(listen)] } else { ips };
    ips.into_iter().map(|ip| SocketAddr::new(ip, port).to_string()).collect()
}

/// A box without a network still talks to itself.
fn loopback(listen: SocketAddr) -> IpAddr {
    if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

fn own_v4() -> Option<IpAddr> {
    source_towards(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
}

fn own_v6() -> Option<IpAddr> {
    let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    source_towards(Ipv6Addr::UNSPECIFIED.into(), documentation.into())
}

/// The address this box would send from. Connecting a UDP socket sends nothing; the target is one that documentation
/// uses and nobody has.
fn source_towards(any: IpAddr, target: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((target, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_can_stand_in_a_join_line() {
        assert_eq!(reachable("10.1.2.3:4433".parse().unwrap()), ["10.1.2.3:4433"]);
        assert_eq!(reachable("[::1]:4433".parse().unwrap()), ["[::1]:4433"]);
        for any in ["0.0.0.0:4433", "[::]:4433"] {
            let found = reachable(any.parse().unwrap());
            assert!(!found.is_empty());
            assert!(found.iter().all(|address| vc_certs::line::is_address(address)), "{found:?}");
            assert!(found.iter().all(|address| !address.contains("0.0.0.0")), "{found:?}");
        }
    }
}
