//! The UDP port, and what the kernel gives a socket.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use vc_certs::endpoint::SOCKET_BUFFER_BYTES;

use super::{Finding, Running, Verdict};

/// QUIC sends nothing over a path that carries less.
const MTU_MIN: u32 = 1280;

/// Whether agents can be listened to.
pub(super) fn port(listen: SocketAddr, running: Option<&Running>) -> Finding {
    if let Some(running) = running {
        return Finding::fine("UDP port", format!("our server listens on {}", running.snapshot.listen));
    }
    match UdpSocket::bind(listen) {
        Ok(_) => Finding::fine("UDP port", format!("{listen} is free; agents must reach it from outside")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::new(
            "UDP port",
            Verdict::Bad,
            format!("{listen} is taken by another program"),
            format!(
                "find it with `ss -lunp 'sport = :{}'`, or choose another with server.listen",
                listen.port()
            ),
        ),
        Err(error) => Finding::new(
            "UDP port",
            Verdict::Bad,
            format!("{listen} cannot be had: {error}"),
            "set server.listen to an address of this box and a port above 1023",
        ),
    }
}

/// How much the kernel keeps for a socket while the program is busy.
pub(super) fn receive_buffer() -> Option<Finding> {
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    // It gives less than is asked for without a word, and says twice what it gives.
    setsockopt(&socket, sockopt::RcvBuf, &SOCKET_BUFFER_BYTES).ok()?;
    let given = getsockopt(&socket, sockopt::RcvBuf).ok()? / 2;
    let kib = |bytes: usize| bytes / 1024;
    Some(if given >= SOCKET_BUFFER_BYTES {
        Finding::fine("UDP buffer", format!("{} KiB", kib(given)))
    } else {
        Finding::new(
            "UDP buffer",
            Verdict::Warning,
            format!(
                "the kernel gives {} of {} KiB: packets are lost when many agents speak at once",
                kib(given),
                kib(SOCKET_BUFFER_BYTES)
            ),
            format!(
                "sysctl -w net.core.rmem_max={SOCKET_BUFFER_BYTES}, and the same in /etc/sysctl.d/vc.conf"
            ),
        )
    })
}

/// Network devices that carry too little.
pub(super) fn mtu() -> Option<Finding> {
    let devices = std::fs::read_dir("/sys/class/net").ok()?;
    let mut small = Vec::new();
    for device in devices.flatten() {
        let read = |name: &str| std::fs::read_to_string(device.path().join(name)).unwrap_or_default();
        let mtu: u32 = read("mtu").trim().parse().unwrap_or(MTU_MIN);
        if mtu < MTU_MIN && read("operstate").trim() != "down" {
            small.push(format!("{} has {mtu}", device.file_name().to_string_lossy().escape_debug()));
        }
    }
    Some(if small.is_empty() {
        Finding::fine("MTU", format!("every network device carries {MTU_MIN} bytes or more"))
    } else {
        let text = format!("{}: QUIC needs {MTU_MIN}", small.join(", "));
        Finding::new(
            "MTU",
            Verdict::Warning,
            text,
            "ip link set DEVICE mtu 1400, or leave it out of the farm",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_bad_and_a_free_one_is_fine() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let finding = port(address, None);
        assert_eq!(finding.verdict, Verdict::Bad);
        assert!(finding.fix.contains(&address.port().to_string()), "{finding:?}");
        drop(taken);
        assert_eq!(port(address, None).verdict, Verdict::Fine);
        assert!(receive_buffer().is_some());
    }
}
