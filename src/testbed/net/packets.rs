//! The witness below all sockets: every first packet of TCP, every datagram, every echo request, to any port.
//!
//! Owns the packet sockets and the reading of headers. Each packet on `lo` is seen once: sockets of one protocol get
//! what comes in, and not what goes out.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use nix::{
    cmsg_space,
    sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use super::{
    glass::Shared,
    log::{Hit, Kind},
};

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
/// Bytes that may wait to be read; the kernel cuts it to what is allowed, except with privilege.
const WAITING: usize = 8 << 20;
/// What is read of a packet; a datagram of lo is at most 64 KiB.
const LONGEST: usize = 1 << 16;

/// The packets of one family.
#[derive(Debug)]
pub(super) struct Packets {
    /// Tokio's way to wait for a socket, of whatever kind; it is read by recvmsg(2) alone.
    socket: UdpSocket,
    /// Packets that the kernel dropped because nobody read them in time.
    dropped: Arc<AtomicU32>,
}

impl Packets {
    /// Starts to see packets. Needs `CAP_NET_RAW` in the network namespace.
    pub(super) fn open(ipv6: bool, dropped: &Arc<AtomicU32>) -> io::Result<Self> {
        let protocol = if ipv6 { ETH_P_IPV6 } else { ETH_P_IP };
        let socket = Socket::new(
            Domain::PACKET,
            Type::DGRAM,
            Some(Protocol::from(i32::from(protocol.to_be()))),
        )?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &WAITING).is_err() {
            let _ = socket.set_recv_buffer_size(WAITING);
        }
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            dropped: Arc::clone(dropped),
        })
    }

    /// Records packets until it is dropped.
    pub(super) async fn witness(self, shared: Arc<Shared>) {
        let mut bytes = vec![0; LONGEST];
        loop {
            let read = || self.read(&mut bytes);
            let read = self.socket.async_io(Interest::READABLE, read).await;
            if let Ok(length) = read
                && let Some(packet) = parse(&bytes[..length])
            {
                let mut hit = Hit::new(packet.kind, packet.to, packet.from);
                // What a port that we serve sends is an answer of ours.
                hit.own = shared.own.has(packet.from.port())
                    || shared.own.speaks_to(packet.to)
                    || packet.kind == Kind::Datagram && shared.serves(packet.from.port());
                hit.raw = packet.payload.into();
                shared.hits.push(hit);
            }
        }
    }

    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut space = cmsg_space!(u32);
        let mut parts = [IoSliceMut::new(bytes)];
        let message = recvmsg::<()>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut space),
            MsgFlags::empty(),
        )?;
        for told in message.cmsgs()? {
            if let ControlMessageOwned::RxqOvfl(count) = told {
                self.dropped.fetch_max(count, Ordering::Relaxed);
            }
        }
        Ok(message.bytes)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Packet<'a> {
    kind: Kind,
    from: SocketAddr,
    to: SocketAddr,
    payload: &'a [u8],
}

/// What is worth a record in an IP packet.
fn parse(packet: &[u8]) -> Option<Packet<'_>> {
    let (protocol, from, to, rest) = match packet.first()? >> 4 {
        4 => {
            let head = usize::from(packet[0] & 15) * 4;
            let address = |at: usize| -> Option<IpAddr> {
                let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(bytes).into())
            };
            // Later fragments have no header of the next protocol; the first one was seen.
            if u16::from_be_bytes(packet.get(6..8)?.try_into().ok()?) & 0x1fff != 0 {
                return None;
            }
            (
                *packet.get(9)?,
                address(12)?,
                address(16)?,
                packet.get(head..)?,
            )
        }
        6 => {
            let address = |at: usize| -> Option<IpAddr> {
                let bytes: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(Ipv6Addr::from(bytes).into())
            };
            let (protocol, rest) = behind_extensions(*packet.get(6)?, packet.get(40..)?)?;
            (protocol, address(8)?, address(24)?, rest)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?));
    let (kind, ports, head) = match protocol {
        // SYN without ACK.
        6 if rest.get(13)? & 0x12 == 0x02 => {
            let head = usize::from(rest.get(12)? >> 4) * 4;
            (Kind::Syn, (port(0)?, port(2)?), head)
        }
        17 => (Kind::Datagram, (port(0)?, port(2)?), 8),
        1 if *rest.first()? == 8 => (Kind::Echo, (0, 0), 8),
        58 if *rest.first()? == 128 => (Kind::Echo, (0, 0), 8),
        _ => return None,
    };
    Some(Packet {
        kind,
        from: SocketAddr::new(from, ports.0),
        to: SocketAddr::new(to, ports.1),
        payload: rest.get(head..).unwrap_or_default(),
    })
}

/// The protocol behind the extension headers of IPv6, and its bytes; `None` for later fragments.
fn behind_extensions(mut next: u8, mut rest: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let length = match next {
            0 | 43 | 60 => usize::from(*rest.get(1)?) * 8 + 8,
            44 => {
                if u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?) >> 3 != 0 {
                    return None;
                }
                8
            }
            _ => return Some((next, rest)),
        };
        next = *rest.first()?;
        rest = rest.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_packets_are_no_packets() {
        let mut udp = vec![
            0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 5,
        ];
        udp.extend([0x12, 0x34, 0, 53, 0, 10, 0, 0, b'h', b'i']);
        let packet = parse(&udp).expect("it is a datagram");
        assert_eq!(packet.kind, Kind::Datagram);
        assert_eq!(packet.from.to_string(), "10.0.0.1:4660");
        assert_eq!(packet.to.to_string(), "10.0.0.5:53");
        assert_eq!(packet.payload, b"hi");
        for length in 0..24 {
            assert_eq!(parse(&udp[..length]), None);
        }
        udp[7] = 1;
        assert_eq!(parse(&udp), None, "a later fragment");
    }

    #[test]
    fn only_the_first_packet_of_tcp_counts() {
        let mut tcp = vec![0x60, 0, 0, 0, 0, 20, 60, 64];
        tcp.extend(Ipv6Addr::LOCALHOST.octets());
        tcp.extend(
            "fd00:ec2::254"
                .parse::<Ipv6Addr>()
                .expect("an address")
                .octets(),
        );
        tcp.extend([6, 0, 0, 0, 0, 0, 0, 0]);
        tcp.extend([
            0x12, 0x34, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0,
        ]);
        let packet = parse(&tcp).expect("it is a SYN behind an extension");
        assert_eq!(packet.kind, Kind::Syn);
        assert_eq!(packet.to.to_string(), "[fd00:ec2::254]:80");
        let flags = tcp.len() - 7;
        tcp[flags] = 0x12;
        assert_eq!(parse(&tcp), None, "SYN and ACK");
    }
}
