//! UDP sockets that know which address a datagram was meant for, and answer from it.
//!
//! Owns the ancillary data that the kernel tells it by. What is answered is decided elsewhere.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    sync::Arc,
};

use nix::{
    cmsg_space,
    libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo},
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
        setsockopt, sockopt,
    },
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

/// The longest datagram.
const LONGEST: usize = 65_535;
/// Bytes that may wait to be read; the kernel cuts it to what is allowed.
const WAITING: usize = 4 << 20;

/// A socket on a port of all addresses of one family.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UdpSocket,
    port: u16,
}

/// A datagram with the address it was meant for and the one it came from.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

impl Datagrams {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Arc<Self>> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
            // No interface has the addresses that we answer from; a route alone makes them ours.
            socket.set_freebind_v6(true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        socket.set_nonblocking(true)?;
        let _ = socket.set_recv_buffer_size(WAITING);
        socket.bind(&SockAddr::from(address))?;
        Ok(Arc::new(Self {
            socket: UdpSocket::from_std(socket.into())?,
            port: address.port(),
        }))
    }

    /// The next datagram.
    pub(super) async fn receive(&self) -> io::Result<Datagram> {
        self.socket
            .async_io(Interest::READABLE, || self.read())
            .await
    }

    fn read(&self) -> io::Result<Datagram> {
        let mut bytes = vec![0; LONGEST];
        let mut space = cmsg_space!(in6_pktinfo);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut space),
            MsgFlags::empty(),
        )?;
        let length = message.bytes;
        let peer = message.address.as_ref().and_then(address);
        let local = message.cmsgs()?.find_map(|info| match info {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()))
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::from(info.ipi6_addr.s6_addr)),
            _ => None,
        });
        let (Some(peer), Some(local)) = (peer, local) else {
            return Err(io::Error::other("a datagram without addresses"));
        };
        bytes.truncate(length);
        Ok(Datagram {
            local: SocketAddr::new(local, self.port),
            peer,
            bytes,
        })
    }

    /// Answers from the address that was meant.
    pub(super) async fn answer(&self, asked: &Datagram, bytes: &[u8]) -> io::Result<()> {
        self.socket
            .async_io(Interest::WRITABLE, || write(&self.socket, asked, bytes))
            .await
    }
}

fn write(socket: &UdpSocket, asked: &Datagram, bytes: &[u8]) -> io::Result<()> {
    let (four, six);
    let source = match asked.local.ip() {
        IpAddr::V4(local) => {
            four = in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr {
                    s_addr: u32::from_ne_bytes(local.octets()),
                },
                ipi_addr: in_addr { s_addr: 0 },
            };
            ControlMessage::Ipv4PacketInfo(&four)
        }
        IpAddr::V6(local) => {
            six = in6_pktinfo {
                ipi6_addr: in6_addr {
                    s6_addr: local.octets(),
                },
                ipi6_ifindex: 0,
            };
            ControlMessage::Ipv6PacketInfo(&six)
        }
    };
    sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(bytes)],
        &[source],
        MsgFlags::empty(),
        Some(&SockaddrStorage::from(asked.peer)),
    )?;
    Ok(())
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let four = storage.as_sockaddr_in().map(|it| SocketAddr::from(*it));
    four.or_else(|| storage.as_sockaddr_in6().map(|it| SocketAddr::from(*it)))
}

/// Sends every datagram back, until it is dropped. The packet witness records them.
pub(super) async fn echo(socket: Arc<Datagrams>) {
    loop {
        if let Ok(datagram) = socket.receive().await {
            let _ = socket.answer(&datagram, &datagram.bytes).await;
        }
    }
}
