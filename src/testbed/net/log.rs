//! What arrived, in order: one record for all witnesses of the network.
//!
//! Owns the hits, their listeners, and the waiting for one. Memory is bounded: the oldest hits go first, and the
//! record says how many went. Listeners see all of them. Knows nothing of sockets.

use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    nonce::{Nonce, NonceError, Nonces},
    tie::{self, Ports, Shares, Tie},
};

/// Hits kept in memory, and the bytes that they may hold together.
const HITS: usize = 1 << 16;
const BYTES: usize = 32 << 20;

/// What kind of thing arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A TCP connection was accepted by a listener of ours.
    Connection,
    /// The ClientHello of TLS; `host` is its SNI. The handshake may fail afterwards.
    TlsHello,
    /// The TLS handshake failed; `raw` says why, in words.
    TlsFailed,
    /// The head of an HTTP request; `raw` are its bytes as they came.
    Request,
    /// Bytes on a connection that are no request's head: a body, a raw protocol. Begins with up to 64 bytes of what
    /// came before, so that no token falls into the gap.
    Bytes,
    /// A connection ended; see [`Hit::sent`] and [`Hit::received`].
    Closed,
    /// A question put to the resolver; `host` is the name, `path` the type (`A`, `HTTPS`, ...).
    Query,
    /// The first packet of a TCP connection, to any port, whether anybody listens or not.
    Syn,
    /// A UDP datagram to any port.
    Datagram,
    /// An ICMP or ICMPv6 echo request. Ports are 0.
    Echo,
}

/// One thing that arrived.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Position in the record, from 0, without gaps.
    pub seq: u64,
    /// When it was seen.
    pub at: Instant,
    /// What it is.
    pub kind: Kind,
    /// The address that was meant: where the sender wanted to go.
    pub local: SocketAddr,
    /// Where it came from.
    pub peer: SocketAddr,
    /// The harness itself sent it.
    pub own: bool,
    /// The trial that it belongs to, by a word in the path, the host, the bytes, or by the port.
    pub nonce: Option<Nonce>,
    /// By which of these.
    pub tie: Tie,
    /// Hits of the same TCP connection have the same number.
    pub connection: Option<u64>,
    /// The host that the sender named: `Host` header, SNI, or the name in a query. Without a port.
    pub host: Option<String>,
    /// The host and port that a proxy was asked for, by CONNECT or by a request in absolute form.
    pub proxied: Option<String>,
    /// Method of a request.
    pub method: Option<String>,
    /// Path and query of a request as they were sent; the type of a query.
    pub path: Option<String>,
    /// Header fields of a request in order, values as Latin-1.
    pub headers: Vec<(String, String)>,
    /// The bytes as they came, at most 64 KiB.
    pub raw: Arc<[u8]>,
    /// The request came through TLS.
    pub tls: bool,
    /// Bytes that we sent on the connection before it closed; what TLS adds is not counted.
    pub sent: u64,
    /// Bytes that came on the connection before it closed.
    pub received: u64,
    /// The Unix socket at which it arrived; then the addresses say nothing.
    pub socket: Option<PathBuf>,
}

impl Hit {
    /// A hit of this kind, yet without position; everything else is empty.
    pub(super) fn new(kind: Kind, local: SocketAddr, peer: SocketAddr) -> Self {
        Self {
            seq: 0,
            at: Instant::now(),
            kind,
            local: canonical(local),
            peer: canonical(peer),
            own: false,
            nonce: None,
            tie: Tie::Asked,
            connection: None,
            host: None,
            proxied: None,
            method: None,
            path: None,
            headers: Vec::new(),
            raw: Arc::new([]),
            tls: false,
            sent: 0,
            received: 0,
            socket: None,
        }
    }

    /// The value of the first header field with this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The trial that led the sender here: what it only brought along is left out.
    pub(super) fn asked(&self) -> Option<&Nonce> {
        let led = matches!(self.tie, Tie::Asked | Tie::Port);
        self.nonce.as_ref().filter(|_| led)
    }

    fn weight(&self) -> usize {
        let headers = self.headers.iter().map(|(k, v)| k.len() + v.len());
        self.raw.len() + headers.sum::<usize>()
    }
}

/// An IPv4 address in the guise of IPv6 is the IPv4 address: that is where the packets went.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

type Listener = dyn Fn(&Hit) + Send + Sync;

/// The record of one run. Clones share it.
#[derive(Clone, Default)]
pub struct Hits(Arc<Inner>);

#[derive(Default)]
struct Inner {
    // Held while a hit is numbered, kept and shown, so that listeners see the order of numbers.
    order: Mutex<()>,
    store: Mutex<Store>,
    listeners: RwLock<Vec<Box<Listener>>>,
    arrived: Notify,
    nonces: Nonces,
    ports: Ports,
}

#[derive(Default)]
struct Store {
    kept: VecDeque<Hit>,
    next: u64,
    bytes: usize,
}

impl fmt::Debug for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hits")
            .field("next", &self.next())
            .finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hits {
    /// Calls `listener` with every later hit, in order. It must be quick; it may read the record.
    pub fn listen(&self, listener: Box<dyn Fn(&Hit) + Send + Sync>) {
        self.0
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
    }

    /// The number that the next hit will have; hits of a call are those from the number before it on.
    #[must_use]
    pub fn next(&self) -> u64 {
        locked(&self.0.store).next
    }

    /// Hits that were dropped because the record was full. Those before this number are gone.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let store = locked(&self.0.store);
        store.next - store.kept.len() as u64
    }

    /// The hits from this number on that are still kept.
    #[must_use]
    pub fn since(&self, seq: u64) -> Vec<Hit> {
        let store = locked(&self.0.store);
        let first = store.next - store.kept.len() as u64;
        let skip = usize::try_from(seq.saturating_sub(first)).unwrap_or(usize::MAX);
        store.kept.iter().skip(skip).cloned().collect()
    }

    /// The hits that carry the nonce, and what came without a word on the same connections: the SYN's `Connection`,
    /// what was sent on it, and its end. Of a connection that several trials used each has what is its own.
    #[must_use]
    pub fn of_nonce(&self, nonce: &Nonce) -> Vec<Hit> {
        let store = locked(&self.0.store);
        let born = self.0.nonces.born(nonce);
        let shares = Shares::of(store.kept.iter());
        let own = store.kept.iter().filter(|hit| shares.has(hit, nonce, born));
        own.cloned().collect()
    }

    /// The first hit from number `seq` on that `wanted` takes; waits for it up to `timeout`.
    pub async fn wait_for(
        &self,
        seq: u64,
        timeout: Duration,
        wanted: impl Fn(&Hit) -> bool,
    ) -> Option<Hit> {
        let mut from = seq;
        tokio::time::timeout(timeout, async {
            loop {
                let arrived = self.0.arrived.notified();
                tokio::pin!(arrived);
                arrived.as_mut().enable();
                let hits = self.since(from);
                from = hits.last().map_or(from, |hit| hit.seq + 1);
                if let Some(hit) = hits.into_iter().find(|hit| wanted(hit)) {
                    return hit;
                }
                arrived.await;
            }
        })
        .await
        .ok()
    }

    /// Numbers a hit, gives it the nonce that its bytes carry, keeps it and shows it. Returns the nonce that was asked
    /// for.
    pub(super) fn push(&self, mut hit: Hit) -> Option<Nonce> {
        let _order = locked(&self.0.order);
        if hit.nonce.is_none()
            && let Some((nonce, tie)) = tie::of(&hit, &self.0.nonces, &self.0.ports)
        {
            (hit.nonce, hit.tie) = (Some(nonce), tie);
        }
        let asked = hit.asked().cloned();
        hit.seq = self.next();
        locked(&self.0.store).keep(hit.clone());
        let listeners = self.0.listeners.read();
        for listener in listeners.unwrap_or_else(PoisonError::into_inner).iter() {
            listener(&hit);
        }
        self.0.arrived.notify_waiters();
        asked
    }

    /// A nonce that was never given out before.
    pub(super) fn nonce(&self) -> Nonce {
        self.0.nonces.fresh(self.next())
    }

    /// Takes a word of the caller's as a nonce.
    pub(super) fn adopt(&self, word: &str) -> Result<Nonce, NonceError> {
        self.0.nonces.adopt(word, self.next())
    }

    /// The ports at which what carries no nonce belongs to one all the same.
    pub(super) fn ports(&self) -> &Ports {
        &self.0.ports
    }
}

impl Store {
    fn keep(&mut self, hit: Hit) {
        self.next += 1;
        self.bytes += hit.weight();
        self.kept.push_back(hit);
        while self.kept.len() > HITS || self.bytes > BYTES {
            let Some(oldest) = self.kept.pop_front() else {
                return;
            };
            self.bytes -= oldest.weight();
        }
    }
}
