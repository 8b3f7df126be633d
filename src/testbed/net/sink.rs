//! Listeners on every address at the ports that matter.
//!
//! Owns the accepting. Which address was meant is known only once a connection is there.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{net::TcpListener, task::JoinSet};

use super::{glass::Shared, resolver, speak};

/// Ports of services that are worth an attack, and those that development servers use.
pub(super) const PORTS: [u16; 22] = [
    21, 22, 25, 53, 70, 80, 389, 443, 853, 1433, 2375, 3000, 3306, 5000, 5432, 6379, 8000, 8080,
    8443, 9000, 11211, 27017,
];
/// UDP ports that echo: TFTP, NTP, SNMP, syslog, and the port of echo itself.
pub(super) const UDP_PORTS: [u16; 5] = [7, 69, 123, 161, 514];
/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// The pause after a connection could not be accepted, for want of descriptors.
const BREATH: Duration = Duration::from_millis(20);

/// Where listeners are bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every address.
    Everywhere {
        /// Both families; else IPv4 alone.
        ipv6: bool,
    },
    /// 127.0.0.1 alone.
    Loopback,
}

impl Reach {
    fn address(self, port: u16) -> SocketAddr {
        match self {
            Reach::Everywhere { ipv6: true } => (Ipv6Addr::UNSPECIFIED, port).into(),
            Reach::Everywhere { ipv6: false } => (Ipv4Addr::UNSPECIFIED, port).into(),
            Reach::Loopback => (Ipv4Addr::LOCALHOST, port).into(),
        }
    }
}

/// Binds a port; 0 takes any.
pub(super) fn bind(reach: Reach, port: u16) -> io::Result<TcpListener> {
    bind_at(reach.address(port))
}

/// Binds a port of one address; 0 takes any.
pub(super) fn bind_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until it is dropped; the connections end with it.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let dns = listener
        .local_addr()
        .is_ok_and(|address| address.port() == resolver::PORT);
    let mut talks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    let shared = Arc::clone(&shared);
                    if dns {
                        talks.spawn(resolver::converse(shared, stream, peer));
                    } else {
                        talks.spawn(speak::converse(shared, stream, peer));
                    }
                }
                Err(_) => {
                    shared.refused.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(BREATH).await;
                }
            },
            Some(_) = talks.join_next() => {}
        }
    }
}
