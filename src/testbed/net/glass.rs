//! The glass of one run: everything that stands at the ends of the wires, and what they saw.
//!
//! Owns the tasks; all of them end when it is dropped. What each does is another file's.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use super::{
    AuthorityError, GuardError, Hits, Names, Nonce, NonceError, Script, Sealed, Spot, Tie,
    WireError,
    authority::Authority,
    own::Own,
    packets::Packets,
    resolver,
    script::Scripts,
    sink::{self, PORTS, Reach, UDP_PORTS},
    udp::{self, Datagrams},
    unix::{self, Socket},
    wires,
};

/// What a glass is made of.
#[derive(Debug, Clone)]
pub struct GlassSpec {
    /// An existing directory for `authority.pem`, which the target must be able to read.
    pub directory: PathBuf,
    /// TCP ports to listen at from the start; a target that listens itself needs its port free.
    pub ports: Vec<u16>,
}

impl GlassSpec {
    /// The ports that matter.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            ports: PORTS.to_vec(),
        }
    }
}

/// Why there is no glass.
#[derive(Debug, thiserror::Error)]
pub enum GlassError {
    /// The network cannot be set up, or is not a private one.
    #[error(transparent)]
    Wires(#[from] WireError),
    /// It is not proven that nothing can leave.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// No certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A port cannot be listened at.
    #[error("port {port} cannot be listened at")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
}

/// What all tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) hits: Hits,
    pub(super) scripts: Scripts,
    pub(super) names: Names,
    pub(super) authority: Authority,
    pub(super) own: Own,
    /// Connections that could not be accepted: the sink is blind since.
    pub(super) refused: AtomicU64,
    /// Packets that the kernel dropped: the packet witness is blind since.
    pub(super) dropped: Arc<AtomicU32>,
    datagrams: Mutex<HashSet<u16>>,
    connections: AtomicU64,
    banners: Mutex<HashMap<u16, Vec<u8>>>,
    /// Nonces whose callers are kept waiting no longer.
    released: watch::Sender<HashSet<Nonce>>,
}

impl Shared {
    /// The number of a new connection.
    pub(super) fn connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a UDP port is ours.
    pub(super) fn serves(&self, port: u16) -> bool {
        locked(&self.datagrams).contains(&port)
    }

    /// Waits until callers of the nonce are let go.
    pub(super) async fn released(&self, nonce: Option<&Nonce>) {
        let Some(nonce) = nonce else {
            return std::future::pending().await;
        };
        let mut released = self.released.subscribe();
        // Cannot fail: the sender lives as long as we do.
        let _released = released.wait_for(|all| all.contains(nonce)).await;
    }

    /// What greets a peer that waits at this port.
    pub(super) fn banner(&self, port: u16) -> Option<Vec<u8>> {
        locked(&self.banners).get(&port).cloned()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The network's other end.
#[derive(Debug)]
pub struct Glass {
    shared: Arc<Shared>,
    reach: Reach,
    tasks: Mutex<JoinSet<()>>,
    listeners: Mutex<HashMap<u16, AbortHandle>>,
    sealed: Option<Sealed>,
    no_ipv6: Option<String>,
    no_packets: Option<String>,
    no_resolver: Option<String>,
}

impl Glass {
    /// Lays the wires in the network namespace of this thread and stands at their ends. The runtime's other threads
    /// must be in the same one: enter it before there is a runtime.
    ///
    /// # Errors
    /// The namespace has other interfaces than `lo`; the kernel refuses a route; a port is taken; or a connection to
    /// an address that nobody has did not arrive here.
    pub async fn pour(spec: GlassSpec) -> Result<Self, GlassError> {
        sink::make_room();
        let wires = wires::lay()?;
        let reach = Reach::Everywhere {
            ipv6: wires.no_ipv6.is_none(),
        };
        let mut glass = Self::new(reach, &spec.directory, wires.no_ipv6)?;
        for port in &spec.ports {
            glass.listen(*port)?;
        }
        for port in UDP_PORTS {
            glass.listen_udp(port)?;
        }
        // Without them the run goes on, and says what it cannot see.
        glass.no_packets = glass
            .watch_packets()
            .err()
            .map(|error| format!("packets cannot be read: {error}"));
        glass.no_resolver = glass.listen_udp(resolver::PORT).err().map(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", source.unwrap_or_default())
        });
        glass.sealed = Some(Sealed::prove(&glass.shared).await?);
        Ok(glass)
    }

    /// A glass of this machine's loopback alone, for where there is no namespace: ports of the system's choice at
    /// 127.0.0.1, no routes, no packets, no resolver, and no [`Sealed`].
    ///
    /// # Errors
    /// No certificate can be made or written.
    pub fn loopback(directory: &Path) -> Result<Self, GlassError> {
        Self::new(Reach::Loopback, directory, None)
    }

    fn new(reach: Reach, directory: &Path, no_ipv6: Option<String>) -> Result<Self, GlassError> {
        let shared = Shared {
            hits: Hits::default(),
            scripts: Scripts::default(),
            names: Names::default(),
            authority: Authority::found(directory)?,
            own: Own::default(),
            refused: AtomicU64::new(0),
            dropped: Arc::default(),
            datagrams: Mutex::default(),
            connections: AtomicU64::new(0),
            banners: Mutex::default(),
            released: watch::Sender::new(HashSet::new()),
        };
        Ok(Self {
            shared: Arc::new(shared),
            reach,
            tasks: Mutex::default(),
            listeners: Mutex::default(),
            sealed: None,
            no_ipv6,
            no_packets: None,
            no_resolver: None,
        })
    }

    /// Listens at one more TCP port of every address; 0 takes a free one. Returns the port.
    ///
    /// # Errors
    /// The port is taken.
    pub fn listen(&self, port: u16) -> Result<u16, GlassError> {
        if port != 0 && locked(&self.listeners).contains_key(&port) {
            return Ok(port);
        }
        let failed = |source| GlassError::Port { port, source };
        let listener = sink::bind(self.reach, port).map_err(failed)?;
        self.serve(listener).map_err(failed)
    }

    /// Listens at a port of one address alone: all others refuse. What arrives there belongs to the nonce.
    /// Returns the port.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub fn listen_alone(&self, address: IpAddr, nonce: &Nonce) -> Result<u16, GlassError> {
        let failed = |source| GlassError::Port { port: 0, source };
        let listener = sink::bind_at((address, 0).into()).map_err(failed)?;
        let port = self.serve(listener).map_err(failed)?;
        self.shared.hits.ports().assign(port, nonce, Tie::Port);
        Ok(port)
    }

    fn serve(&self, listener: TcpListener) -> io::Result<u16> {
        let port = listener.local_addr()?.port();
        let task = sink::accept(Arc::clone(&self.shared), listener);
        let handle = locked(&self.tasks).spawn(task);
        locked(&self.listeners).insert(port, handle);
        Ok(port)
    }

    /// Listens at a Unix socket that everybody may connect to, until the guard is dropped. What arrives there
    /// belongs to the nonce; whoever asks is answered with the text.
    ///
    /// # Errors
    /// The path is too long, or something is there.
    pub fn listen_unix(&self, path: &Path, nonce: &Nonce, text: String) -> io::Result<Socket> {
        let (socket, task) = unix::listen(Arc::clone(&self.shared), path, nonce, text)?;
        let handle = locked(&self.tasks).spawn(task);
        Ok(socket.ended_by(handle))
    }

    /// Echoes datagrams at one more UDP port of every address.
    ///
    /// # Errors
    /// The port is taken.
    pub fn listen_udp(&self, port: u16) -> Result<(), GlassError> {
        if !locked(&self.shared.datagrams).insert(port) {
            return Ok(());
        }
        let addresses: &[IpAddr] = match self.reach {
            Reach::Everywhere { ipv6: true } => {
                &[Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
            }
            Reach::Everywhere { ipv6: false } => &[Ipv4Addr::UNSPECIFIED.into()],
            Reach::Loopback => &[Ipv4Addr::LOCALHOST.into()],
        };
        for address in addresses {
            let socket = Datagrams::bind((*address, port).into())
                .map_err(|source| GlassError::Port { port, source })?;
            let mut tasks = locked(&self.tasks);
            if port == resolver::PORT {
                tasks.spawn(resolver::serve(Arc::clone(&self.shared), socket));
            } else {
                tasks.spawn(udp::echo(socket));
            }
        }
        Ok(())
    }

    fn watch_packets(&self) -> io::Result<()> {
        for ipv6 in [false, true] {
            let packets = Packets::open(ipv6, &self.shared.dropped)?;
            locked(&self.tasks).spawn(packets.witness(Arc::clone(&self.shared)));
        }
        Ok(())
    }

    /// Listens at a TCP port, and what arrives there without a nonce belongs to this one. At a port that was chosen
    /// others may arrive as well.
    ///
    /// # Errors
    /// The port is taken.
    pub fn listen_for(&self, port: u16, nonce: &Nonce) -> Result<u16, GlassError> {
        let tie = if port == 0 { Tie::Port } else { Tie::Shared };
        let port = self.listen(port)?;
        self.shared.hits.ports().assign(port, nonce, tie);
        Ok(port)
    }

    /// Gives a port free, and ends its connections.
    pub fn close(&self, port: u16) {
        if let Some(listener) = locked(&self.listeners).remove(&port) {
            listener.abort();
        }
        self.shared.hits.ports().clear(port);
    }

    /// What arrives at a port does not belong to the nonce any more.
    pub fn release(&self, port: u16, nonce: &Nonce) {
        self.shared.hits.ports().release(port, nonce);
    }

    /// Gives the ports free at which development servers listen, and the target may: all of them above 1023.
    /// Returns them; first packets to them are still seen.
    pub fn yield_ports(&self) -> Vec<u16> {
        let mut listeners = locked(&self.listeners);
        let mut free: Vec<u16> = PORTS
            .into_iter()
            .filter(|port| *port > 1023 && listeners.contains_key(port))
            .collect();
        free.sort_unstable();
        for port in &free {
            if let Some(listener) = listeners.remove(port) {
                listener.abort();
            }
        }
        free
    }

    /// Listens again at ports that were given free, as far as nobody took them. Returns those that are taken.
    pub fn retake_ports(&self, ports: &[u16]) -> Vec<u16> {
        ports
            .iter()
            .copied()
            .filter(|port| self.listen(*port).is_err())
            .collect()
    }

    /// Greets whoever waits at this port: raw protocols whose server speaks first.
    pub fn greet(&self, port: u16, banner: impl Into<Vec<u8>>) {
        locked(&self.shared.banners).insert(port, banner.into());
    }

    /// Where a port can be reached without leaving loopback.
    #[must_use]
    pub fn loopback_address(&self, port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// What arrived.
    #[must_use]
    pub fn hits(&self) -> &Hits {
        &self.shared.hits
    }

    /// What names mean.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.shared.names
    }

    /// A nonce that was never given out before.
    #[must_use]
    pub fn nonce(&self) -> Nonce {
        self.shared.hits.nonce()
    }

    /// Takes a word of the caller's as a nonce.
    ///
    /// # Errors
    /// It has not the form of one.
    pub fn adopt(&self, word: &str) -> Result<Nonce, NonceError> {
        self.shared.hits.adopt(word)
    }

    /// What the sink does at this spot from now on.
    pub fn script(&self, spot: Spot, script: Script) {
        self.shared.scripts.put(spot, script);
    }

    /// Ends the connections of callers that scripts of the nonce keep waiting: what was to be seen was seen,
    /// and a target has few calls that it can wait in.
    pub fn let_go(&self, nonce: &Nonce) {
        self.shared.released.send_modify(|all| {
            all.insert(nonce.clone());
        });
    }

    /// Forgets a script.
    pub fn unscript(&self, spot: &Spot) {
        self.shared.scripts.remove(spot);
    }

    /// How many requests met this script.
    #[must_use]
    pub fn asked(&self, spot: &Spot) -> u32 {
        self.shared.scripts.asked(spot)
    }

    /// The file with the authority's certificate, PEM: for `SSL_CERT_FILE`, `NODE_EXTRA_CA_CERTS`,
    /// `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`.
    #[must_use]
    pub fn authority_file(&self) -> &Path {
        self.shared.authority.file()
    }

    /// The authority's certificate as PEM.
    #[must_use]
    pub fn authority_pem(&self) -> String {
        self.shared.authority.pem()
    }

    /// The proof that nothing can leave, and the only way to send to addresses that are not loopback. `None` on
    /// loopback.
    #[must_use]
    pub fn sealed(&self) -> Option<&Sealed> {
        self.sealed.as_ref()
    }

    /// Why addresses of IPv6 lead nowhere; `None` where they lead here.
    #[must_use]
    pub fn no_ipv6(&self) -> Option<&str> {
        self.no_ipv6.as_deref()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn no_packets(&self) -> Option<&str> {
        self.no_packets.as_deref()
    }

    pub(super) fn no_resolver(&self) -> Option<&str> {
        self.no_resolver.as_deref()
    }

    /// A TCP port that is listened at, and one that is not: to test the witnesses with.
    pub(super) fn check_ports(&self) -> (Option<u16>, u16) {
        let listeners = locked(&self.listeners);
        let silent = (1..resolver::PORT)
            .rev()
            .find(|port| !listeners.contains_key(port));
        let heard = listeners.keys().find(|port| **port != resolver::PORT);
        (heard.copied(), silent.unwrap_or(1))
    }
}
