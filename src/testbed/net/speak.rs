//! One connection: what the peer speaks is told from its first bytes.
//!
//! Owns the recording of all that passes, TLS, tunnels, and the answer to raw bytes. HTTP is another file's.

use std::{
    io::{self, Cursor},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, join, split},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, rustls::server::Acceptor};

use super::{
    Script,
    glass::Shared,
    log::{Hit, Kind},
    nonce::Nonce,
    perform,
};

/// Bytes read at once; also what one hit holds of a stream.
const PIECE: usize = 16 << 10;
/// What a hit repeats of the bytes before it.
const OVERLAP: usize = 64;
/// A peer that sends nothing for so long waits to be greeted.
const GREETING: Duration = Duration::from_millis(200);
/// Letters of a method for so long, and no space yet: it is another protocol.
const UNDECIDED: Duration = Duration::from_millis(500);
/// Tunnels in tunnels, and TLS in TLS.
const DEPTH: u8 = 4;

/// A stream of whatever layers.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Close,
    Reset,
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) shared: Arc<Shared>,
    pub(super) local: SocketAddr,
    peer: SocketAddr,
    own: bool,
    number: u64,
    tls: bool,
    depth: u8,
    pub(super) proxied: Option<String>,
    sni: Option<String>,
    sent: u64,
    received: u64,
    tail: Vec<u8>,
}

/// Serves an accepted connection to its end.
pub(super) async fn converse(shared: Arc<Shared>, mut stream: TcpStream, peer: SocketAddr) {
    // The peer may have reset it already; it still connected, and its SYN tells where to.
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let number = shared.connection();
    let mut talk = Conversation {
        own: shared.own.has(peer.port()),
        shared,
        local: SocketAddr::new(local.ip().to_canonical(), local.port()),
        peer,
        number,
        tls: false,
        depth: 0,
        proxied: None,
        sni: None,
        sent: 0,
        received: 0,
        tail: Vec::new(),
    };
    let hit = talk.hit(Kind::Connection);
    talk.push(hit);
    let ending = talk.speak(&mut stream, Vec::new()).await;
    let mut hit = talk.hit(Kind::Closed);
    (hit.sent, hit.received) = (talk.sent, talk.received);
    talk.push(hit);
    match ending {
        Ok(Ending::Reset) => {
            // A linger of zero turns the close into a reset.
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        Ok(Ending::Close) => {
            let _ = stream.shutdown().await;
            // Bytes that were not read would turn the close into a reset, and the answer might be lost with it.
            let _ = timeout(UNDECIDED, discard(&mut stream)).await;
        }
        Err(_) => {}
    }
}

async fn discard(stream: &mut TcpStream) -> io::Result<()> {
    let mut bytes = vec![0; PIECE];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// What the first bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    Tls,
    Http,
    Raw,
}

/// `None`: it takes more bytes to tell.
fn tell(first: &[u8]) -> Option<Speech> {
    let letters = first
        .iter()
        .take_while(|it| it.is_ascii_uppercase())
        .count();
    match first {
        [] => None,
        [22, 3, ..] => Some(Speech::Tls),
        [22] => None,
        _ if letters == first.len() && letters < 20 => None,
        _ if letters >= 3 && first[letters] == b' ' => Some(Speech::Http),
        _ => Some(Speech::Raw),
    }
}

impl Conversation {
    fn speak<'a>(
        &'a mut self,
        io: &'a mut dyn Io,
        mut first: Vec<u8>,
    ) -> BoxFuture<'a, io::Result<Ending>> {
        Box::pin(async move {
            let banner = self.shared.banner(self.local.port());
            let speech = loop {
                if let Some(speech) = tell(&first) {
                    break speech;
                }
                let patience = match (first.is_empty(), &banner) {
                    (false, _) => Some(UNDECIDED),
                    (true, Some(_)) => Some(GREETING),
                    (true, None) => None,
                };
                let Some(patience) = patience else {
                    if self.read(io, &mut first).await? == 0 {
                        return Ok(Ending::Close);
                    }
                    continue;
                };
                let read = timeout(patience, self.read(io, &mut first)).await;
                if read.unwrap_or(Ok(0))? == 0 {
                    break Speech::Raw;
                }
            };
            match speech {
                Speech::Raw => self.raw(io, &first, banner.as_deref()).await,
                Speech::Http => perform::serve(self, io, first).await,
                Speech::Tls => self.secure(io, first).await,
            }
        })
    }

    /// Goes on with whatever the peer speaks through a tunnel.
    pub(super) async fn tunnel(&mut self, io: &mut dyn Io, first: Vec<u8>) -> io::Result<Ending> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Ok(Ending::Close);
        }
        self.speak(io, first).await
    }

    /// Echoes what comes, after the banner.
    async fn raw(
        &mut self,
        io: &mut dyn Io,
        first: &[u8],
        banner: Option<&[u8]>,
    ) -> io::Result<Ending> {
        if let Some(banner) = banner {
            self.write(io, banner).await?;
        }
        let mut bytes = first.to_vec();
        loop {
            if !bytes.is_empty() {
                self.bytes(&bytes);
                self.write(io, &bytes).await?;
                bytes.clear();
            }
            if self.read(io, &mut bytes).await? == 0 {
                return Ok(Ending::Close);
            }
        }
    }

    async fn secure(&mut self, io: &mut dyn Io, first: Vec<u8>) -> io::Result<Ending> {
        let raw: Arc<[u8]> = first.as_slice().into();
        let (reading, writing) = split(io);
        let stream = join(Cursor::new(first).chain(reading), writing);
        let start = match LazyConfigAcceptor::new(Acceptor::default(), stream).await {
            Ok(start) => start,
            Err(error) => {
                self.bytes(&raw);
                self.tls_failed(&error);
                return Err(error);
            }
        };
        self.sni = start.client_hello().server_name().map(Into::into);
        let mut hit = self.hit(Kind::TlsHello);
        hit.host.clone_from(&self.sni);
        hit.raw = raw;
        let nonce = self.push(hit);
        let stalls = nonce.is_some_and(|nonce| self.shared.scripts.stalls_tls(&nonce));
        let name = self
            .sni
            .clone()
            .unwrap_or_else(|| self.local.ip().to_string());
        let config = self
            .shared
            .authority
            .config(&name)
            .map_err(io::Error::other)?;
        if stalls {
            // The peer's next bytes or its end are all that can be seen; it is never answered.
            let mut stream = start.io;
            let mut bytes = Vec::new();
            while self.read(&mut stream, &mut bytes).await? > 0 {
                bytes.clear();
            }
            return Ok(Ending::Close);
        }
        let mut stream = match start.into_stream(config).await {
            Ok(stream) => stream,
            Err(error) => {
                self.tls_failed(&error);
                return Err(error);
            }
        };
        self.tls = true;
        let ending = self.tunnel(&mut stream, Vec::new()).await?;
        if ending == Ending::Close {
            let _ = stream.shutdown().await;
        }
        Ok(ending)
    }

    fn tls_failed(&mut self, error: &io::Error) {
        let mut hit = self.hit(Kind::TlsFailed);
        hit.host.clone_from(&self.sni);
        hit.raw = error.to_string().into_bytes().into();
        self.push(hit);
    }

    /// A hit of this connection.
    pub(super) fn hit(&self, kind: Kind) -> Hit {
        let mut hit = Hit::new(kind, self.local, self.peer);
        hit.own = self.own;
        hit.connection = Some(self.number);
        hit.tls = self.tls;
        hit.proxied.clone_from(&self.proxied);
        hit
    }

    pub(super) fn push(&mut self, hit: Hit) -> Option<Nonce> {
        let keep = hit.raw.len().saturating_sub(OVERLAP);
        self.tail = hit.raw[keep..].to_vec();
        self.shared.hits.push(hit)
    }

    /// Records bytes that are no request's head.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            let mut hit = self.hit(Kind::Bytes);
            hit.raw = [self.tail.as_slice(), piece].concat().into();
            self.push(hit);
        }
    }

    /// What to do with a request.
    pub(super) fn script(&self, nonce: Option<&Nonce>, path: &str) -> Script {
        self.shared.scripts.find(nonce, self.local.ip(), path)
    }

    /// Reads what is there into the buffer; 0 at the end.
    pub(super) async fn read(
        &mut self,
        io: &mut dyn Io,
        buffer: &mut Vec<u8>,
    ) -> io::Result<usize> {
        buffer.reserve(PIECE);
        let length = io.take(PIECE as u64).read_buf(buffer).await?;
        self.received += length as u64;
        Ok(length)
    }

    /// Writes all bytes and counts them as far as they were taken.
    pub(super) async fn write(&mut self, io: &mut dyn Io, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let length = io.write(bytes).await?;
            if length == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.sent += length as u64;
            bytes = &bytes[length..];
        }
        io.flush().await
    }

    /// Waits; `false` as soon as the peer is gone. Bytes that come meanwhile are for the next request.
    pub(super) async fn pause(
        &mut self,
        io: &mut dyn Io,
        time: Duration,
        buffer: &mut Vec<u8>,
    ) -> bool {
        let gone = async { while matches!(self.read(io, buffer).await, Ok(1..)) {} };
        timeout(time, gone).await.is_err()
    }

    /// Waits until the peer is gone.
    pub(super) async fn wait(&mut self, io: &mut dyn Io) {
        let mut bytes = Vec::new();
        while matches!(self.read(io, &mut bytes).await, Ok(1..)) {
            self.bytes(&bytes);
            bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_told_from_the_first_bytes() {
        for (first, speech) in [
            (&b""[..], None),
            (b"\x16", None),
            (b"\x16\x03\x01", Some(Speech::Tls)),
            (b"GE", None),
            (b"GET /", Some(Speech::Http)),
            (b"M-SEARCH", Some(Speech::Raw)),
            (b"PING\r\n", Some(Speech::Raw)),
            (b"\x00\x01", Some(Speech::Raw)),
            (b"SSH-2.0-x", Some(Speech::Raw)),
        ] {
            assert_eq!(tell(first), speech, "{first:?}");
        }
    }
}
