//! Nothing is sent to an address that is not loopback before it is proven that it cannot leave.
//!
//! Owns that proof, and the connections that the harness makes with it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream, UdpSocket},
    time::timeout,
};

use super::{
    Page, Script, Spot,
    glass::Shared,
    own::{Own, OwnPort},
    wires::{self, WireError},
};

/// An address of documentation (RFC 5737), which nobody has: the first that is connected to.
const PROOF: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80);
/// How long a connection of our own may take; it never leaves the machine.
pub(super) const SOON: Duration = Duration::from_secs(2);
/// Bound attempts, when ports of the range are taken by others.
const TRIES: usize = 64;

/// Why the proof failed.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// There are other ways out than `lo`.
    #[error(transparent)]
    Wires(#[from] WireError),
    /// A connection to an address of documentation did not arrive here.
    #[error("a connection to {PROOF} did not arrive at the sink: {0}")]
    NotOurs(String),
}

/// Proof that whatever is sent in this network arrives here: only `lo` exists, and a connection to an address that
/// nobody has was answered by this run's sink, with this run's nonce. Whoever sends to addresses that are not
/// loopback asks for it.
#[derive(Debug)]
pub struct Sealed {
    own: Own,
}

/// A connection or socket of the harness's own; the record tells its packets apart while it lives.
#[derive(Debug)]
pub struct OwnSocket<T> {
    /// The socket.
    pub io: T,
    _port: OwnPort,
}

impl Sealed {
    pub(super) async fn prove(shared: &Shared) -> Result<Self, GuardError> {
        wires::only_lo()?;
        let sealed = Self {
            own: shared.own.clone(),
        };
        let (asked, expected) = (shared.hits.nonce(), shared.hits.nonce());
        let spot = Spot::all(&asked);
        let page = Page::text(expected.as_str());
        shared.scripts.put(spot.clone(), Script::Serve(page));
        let answer = timeout(SOON, sealed.get(PROOF, &format!("/{asked}"))).await;
        shared.scripts.remove(&spot);
        match answer {
            Ok(Ok(text)) if text.ends_with(expected.as_str()) => Ok(sealed),
            Ok(Ok(text)) => Err(GuardError::NotOurs(format!(
                "{} other bytes came",
                text.len()
            ))),
            Ok(Err(error)) => Err(GuardError::NotOurs(error.to_string())),
            Err(_) => Err(GuardError::NotOurs(format!("{SOON:?} passed"))),
        }
    }

    async fn get(&self, to: SocketAddr, path: &str) -> io::Result<String> {
        let mut connection = self.connect(to).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", to.ip());
        connection.io.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        connection.io.read_to_string(&mut text).await?;
        Ok(text)
    }

    /// Connects to any address; hits of it are marked as our own.
    ///
    /// # Errors
    /// The connection is refused, or no port is free.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<OwnSocket<TcpStream>> {
        let (socket, port) = bound(&self.own, to, Type::STREAM, Protocol::TCP)?;
        let socket = TcpSocket::from_std_stream(socket.into());
        Ok(OwnSocket {
            io: socket.connect(to).await?,
            _port: port,
        })
    }

    /// A UDP socket connected to any address; its datagrams are marked as our own.
    ///
    /// # Errors
    /// The address cannot be reached, or no port is free.
    pub fn datagrams(&self, to: SocketAddr) -> io::Result<OwnSocket<UdpSocket>> {
        let (socket, port) = bound(&self.own, to, Type::DGRAM, Protocol::UDP)?;
        socket.connect(&SockAddr::from(to))?;
        Ok(OwnSocket {
            io: UdpSocket::from_std(socket.into())?,
            _port: port,
        })
    }
}

/// A socket on a source port of ours.
fn bound(
    own: &Own,
    to: SocketAddr,
    kind: Type,
    protocol: Protocol,
) -> io::Result<(Socket, OwnPort)> {
    let any = |port| match to {
        SocketAddr::V4(_) => SocketAddr::from(([0; 4], port)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], port)),
    };
    let mut last = None;
    for _ in 0..TRIES {
        let port = own.port();
        let socket = Socket::new(Domain::for_address(to), kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        match socket.bind(&SockAddr::from(any(port.number()))) {
            Ok(()) => return Ok((socket, port)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}
