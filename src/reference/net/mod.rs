//! The network: the policy for hosts, and the way from a host that a caller names to an open connection.
//!
//! A host is read once, looked up once, each of its addresses is checked, and the connection goes to a checked
//! address. Owns that order. Must not know tools. Where a flaw is switched on, `flawed::net` is asked beside the rules.

mod address;
mod api;
mod clock;
mod fetch;
mod host;
mod http;
mod resolve;
mod rules;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub(super) use self::address::{Embedded, embedded, is_public, special_ranges};
pub(super) use self::api::{ESCAPED, PART, RECORDS, UPSTREAM, upstream};
pub(super) use self::clock::{Clock, Span};
pub(super) use self::host::{Host, Place, read_url};
pub(super) use self::http::{Headers, Reply, Stream, exchange, request};
pub(super) use self::resolve::Found;
pub(super) use self::rules::{Pattern, Rules, Verdict};

use self::resolve::Resolver;
use super::refusal::Refusal;
use super::{Flaw, FlawSet, NetworkOptions, ReferenceError, flawed};

/// Which request a host is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A request for the URL that the caller gave.
    Fetch,
    /// A request that a reply asked for.
    Redirect,
    /// A connection to a port.
    Connect,
    /// Nothing but its addresses.
    Resolve,
    /// A request that only a flaw makes.
    Unchecked,
}

/// A host with the text in which it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) host: &'a Host,
    /// The whole URL, or the host.
    pub(super) written: &'a str,
    pub(super) purpose: Purpose,
}

/// The network of a server.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) rules: Rules,
    pub(super) clock: Clock,
    pub(super) retries: u32,
    /// Whether there is a tool that keeps what it fetches.
    pub(super) downloads: bool,
    /// The base URL of the API that a tool asks.
    pub(super) api: Option<String>,
    /// Whether a header of the request may name another one.
    header_upstream: bool,
    /// Ports that may be reached, if not all.
    pub(super) ports: Option<Vec<u16>>,
    /// Names that were permitted before, for the flaw that trusts them.
    pub(super) trusted: Mutex<BTreeSet<String>>,
    resolver: Resolver,
    flaws: FlawSet,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Net {
    /// Reads the rules.
    ///
    /// # Errors
    /// [`ReferenceError::Host`] for a rule that names neither addresses nor names.
    pub(super) fn new(options: &NetworkOptions, flaws: &FlawSet) -> Result<Self, ReferenceError> {
        let without_rules = options.allow.is_none() && options.deny.is_empty();
        Ok(Self {
            rules: Rules::read(
                options.allow.as_deref(),
                &options.deny,
                options.public_only || without_rules,
            )?,
            clock: Clock::new(options.timeout, flaws),
            retries: options.retries,
            downloads: options.downloads || flaws.has(Flaw::NetRemoteName),
            api: options.api.clone(),
            header_upstream: options.header_upstream,
            ports: options.ports.clone(),
            trusted: Mutex::default(),
            resolver: Resolver {
                server: options.dns,
                resolv_conf: options.resolv_conf.clone(),
                flaws: flaws.clone(),
            },
            flaws: flaws.clone(),
            tls: OnceLock::new(),
        })
    }

    /// Whether the flaw is switched on.
    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaws.has(flaw)
    }

    /// What a name leads to; nothing is checked.
    pub(super) async fn look_up(&self, name: &str) -> Result<Found, Refusal> {
        self.resolver.look_up(name).await
    }

    /// The addresses of a host that may be contacted, at least one.
    ///
    /// # Errors
    /// [`Refusal::Host`] when the policy permits none.
    pub(super) async fn admit(&self, asked: Asked<'_>) -> Result<Vec<IpAddr>, Refusal> {
        if let Some(addresses) = flawed::net::admit(self, asked).await {
            return addresses;
        }
        let name = match asked.host {
            Host::Address(address) if self.permits(*address, false) => return Ok(vec![*address]),
            Host::Address(_) => return Err(Refusal::Host),
            Host::Name(name) => name,
        };
        if self.rules.refuses_name(name) {
            return Err(Refusal::Host);
        }
        let found = self.look_up(name).await?;
        if found.addresses.is_empty() {
            return Err(Refusal::Unresolved);
        }
        if let Some(addresses) = flawed::net::after_look_up(self, name, &found).await {
            return addresses;
        }
        self.screen(name, &found)
    }

    /// Those of the addresses that may be contacted.
    pub(super) fn screen(&self, name: &str, found: &Found) -> Result<Vec<IpAddr>, Refusal> {
        let denied = |alias: &String| self.rules.of_name(alias) == Verdict::Deny;
        if found.aliases.iter().any(denied) {
            return Err(Refusal::Host);
        }
        let by_name = self.rules.of_name(name) == Verdict::Allow;
        let mut permitted = found.addresses.clone();
        permitted.retain(|address| self.permits(*address, by_name));
        if permitted.is_empty() {
            return Err(Refusal::Host);
        }
        Ok(permitted)
    }

    fn permits(&self, address: IpAddr, by_name: bool) -> bool {
        self.rules.permit(address, by_name) || flawed::net::permits(self, address, by_name)
    }

    /// Refuses a port that may not be reached; `written` is the text in which it came.
    ///
    /// # Errors
    /// [`Refusal::Port`].
    pub(super) fn admit_port(
        &self,
        port: u16,
        written: &str,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        let port = flawed::net::port_checked(self, written).unwrap_or(port);
        let listed = self
            .ports
            .as_ref()
            .is_none_or(|ports| ports.contains(&port));
        if listed || flawed::net::opens(self, purpose) {
            return Ok(());
        }
        Err(Refusal::Port)
    }

    /// Connects to the first of the addresses that accepts.
    ///
    /// # Errors
    /// [`Refusal::Unreachable`].
    pub(super) async fn connect(
        &self,
        addresses: &[IpAddr],
        port: u16,
    ) -> Result<TcpStream, Refusal> {
        for address in addresses {
            if let Ok(stream) = TcpStream::connect((*address, port)).await {
                return Ok(stream);
            }
        }
        Err(Refusal::Unreachable)
    }

    /// Connects for a request, with TLS if the URL asks for it.
    ///
    /// # Errors
    /// [`Refusal::Unreachable`]; [`Refusal::Tls`] when the certificate is not trusted.
    pub(super) async fn open(
        &self,
        place: &Place,
        addresses: &[IpAddr],
    ) -> Result<Box<dyn Stream>, Refusal> {
        let stream = self.connect(addresses, place.port).await?;
        if !place.tls {
            return Ok(Box::new(stream));
        }
        let name = match &place.host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Refusal::Tls)?,
        };
        let stream = TlsConnector::from(self.tls()?)
            .connect(name, stream)
            .await
            .map_err(|_| Refusal::Tls)?;
        Ok(Box::new(stream))
    }

    /// The certificates that the system trusts, or those of `SSL_CERT_FILE`.
    fn tls(&self) -> Result<Arc<ClientConfig>, Refusal> {
        if let Some(config) = self.tls.get() {
            return Ok(config.clone());
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|_| Refusal::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(self.tls.get_or_init(|| Arc::new(config)).clone())
    }
}
