//! The network policy of a reference server, and its part of the command line.
//!
//! Owns the options' names, help texts and defaults. Must not know how a rule is weighed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::ReferenceError;

/// The network policy of a reference server.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// Addresses, CIDR ranges and names (`*.example.org` for all below) that may be reached, and no others; without a
    /// list all may be that are not denied.
    pub allow: Option<Vec<String>>,
    /// Addresses, CIDR ranges and names that may not be reached.
    pub deny: Vec<String>,
    /// Ports that may be reached, and no others; without a list all may be.
    pub ports: Option<Vec<u16>>,
    /// Whether an address that no rule names must be public. So it is as well where no rule is given.
    pub public_only: bool,
    /// Whether there is a tool that keeps what it fetches.
    pub downloads: bool,
    /// The base URL of an API that a tool asks.
    pub api: Option<String>,
    /// Whether a header of a request over HTTP may name another base URL.
    pub header_upstream: bool,
    /// The only name server that may be asked; without it the first one of `resolv_conf`.
    pub dns: Option<SocketAddr>,
    /// The system's resolver configuration.
    pub resolv_conf: PathBuf,
    /// The most time that a call may take, 30 seconds if not given.
    pub timeout: Option<Duration>,
    /// How often a request that failed is sent again.
    pub retries: u32,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            allow: None,
            deny: Vec::new(),
            ports: None,
            public_only: false,
            downloads: false,
            api: None,
            header_upstream: false,
            dns: None,
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
            timeout: None,
            retries: 0,
        }
    }
}

/// The policy of the tools that reach hosts. They are absent unless one of these options or a flaw of theirs is given.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Network")]
pub(super) struct NetworkArgs {
    /// List the tools that reach hosts; addresses that no rule names must be public
    #[arg(long)]
    network: bool,
    /// Permit an address, a range, a name or `*.example.org`, and no others (repeatable)
    ///
    /// The longest prefix wins; of an allowing and a denying rule for the same hosts the denying one wins.
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Permit no host but those of --allow-host, even if there are none
    #[arg(long)]
    allow_none: bool,
    /// Refuse an address, a range, a name or `*.example.org` (repeatable)
    #[arg(long, value_name = "HOST")]
    deny_host: Vec<String>,
    /// Permit this port, and no others (repeatable)
    #[arg(long, value_name = "PORT")]
    allow_port: Vec<u16>,
    /// List the tool that downloads files, too
    #[arg(long)]
    downloads: bool,
    /// List the tool that asks an API, too, whose base URL this is
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// Let the header X-Upstream-Url of a request over HTTP name another base URL of the API
    #[arg(long, requires = "api")]
    header_upstream: bool,
    /// Ask this name server, and no other
    #[arg(long, value_name = "ADDR")]
    dns: Option<String>,
    /// Bound calls that reach hosts, all they do included [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Send a request that failed again, so many times
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
}

/// A number of seconds, perhaps a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

impl NetworkArgs {
    /// The policy, if any option is given.
    ///
    /// # Errors
    /// [`ReferenceError::Dns`] for a name server that is no address.
    pub(super) fn options(self) -> Result<Option<NetworkOptions>, ReferenceError> {
        let listed = self.allow_none || !self.allow_host.is_empty();
        let given = self.network
            || listed
            || !self.deny_host.is_empty()
            || !self.allow_port.is_empty()
            || self.downloads
            || self.api.is_some()
            || self.dns.is_some()
            || self.timeout.is_some()
            || self.retries.is_some();
        if !given {
            return Ok(None);
        }
        let dns = self
            .dns
            .map(|text| read_server(&text).ok_or(ReferenceError::Dns { text }));
        Ok(Some(NetworkOptions {
            allow: listed.then_some(self.allow_host),
            deny: self.deny_host,
            ports: (!self.allow_port.is_empty()).then_some(self.allow_port),
            public_only: self.network,
            downloads: self.downloads,
            api: self.api,
            header_upstream: self.header_upstream,
            dns: dns.transpose()?,
            timeout: self.timeout,
            retries: self.retries.unwrap_or_default(),
            ..NetworkOptions::default()
        }))
    }
}

/// The address of a name server, with or without a port.
pub(super) fn read_server(text: &str) -> Option<SocketAddr> {
    text.parse()
        .ok()
        .or_else(|| Some(SocketAddr::new(text.parse().ok()?, 53)))
}
