//! Hosts as callers write them, and what they mean.
//!
//! Owns the one reading that both the check and the connection use. Must not know rules.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use url::Url;

use crate::reference::refusal::Refusal;

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reference) enum Host {
    /// An address, in whatever spelling it came.
    Address(IpAddr),
    /// A name in ASCII and lower case, without a dot at its end.
    Name(String),
}

impl Host {
    /// Reads an address or a name, as URLs spell them or as an IPv6 address without brackets.
    pub(in crate::reference) fn read(text: &str) -> Result<Self, Refusal> {
        if has_controls(text) {
            return Err(Refusal::invalid("Invalid host"));
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let host = url::Host::parse(text).map_err(|_| Refusal::invalid("Invalid host"))?;
        Self::parsed(host)
    }

    fn parsed<S: AsRef<str>>(host: url::Host<S>) -> Result<Self, Refusal> {
        Ok(match host {
            url::Host::Ipv4(address) => Self::Address(address.into()),
            url::Host::Ipv6(address) => Self::Address(address.into()),
            url::Host::Domain(name) => {
                let name = name.as_ref();
                let name = name.strip_suffix('.').unwrap_or(name);
                if name.is_empty() {
                    return Err(Refusal::invalid("Invalid host"));
                }
                Self::Name(name.to_owned())
            }
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A name in the form of [`Host::Name`]; `None` for an address.
pub(super) fn host_name(text: &str) -> Option<String> {
    match Host::read(text) {
        Ok(Host::Name(name)) => Some(name),
        _ => None,
    }
}

/// Whether a text has characters that no host, URL or header may hold.
pub(in crate::reference) fn has_controls(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(in crate::reference) struct Place {
    pub(in crate::reference) host: Host,
    pub(in crate::reference) port: u16,
    pub(in crate::reference) tls: bool,
    /// Path and query, as they are sent.
    pub(in crate::reference) path: String,
}

impl Place {
    /// Reads a URL: http and https only.
    pub(in crate::reference) fn of(url: &Url) -> Result<Self, Refusal> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(Refusal::Scheme),
        };
        let host = url.host().ok_or_else(|| Refusal::invalid("Invalid URL"))?;
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            host: Host::parsed(host)?,
            port: url.port().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            path,
        })
    }

    /// The value of the `Host` header.
    pub(in crate::reference) fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Reads the URL of a call.
pub(in crate::reference) fn read_url(text: &str) -> Result<Url, Refusal> {
    if has_controls(text) {
        return Err(Refusal::invalid("Invalid URL"));
    }
    Url::parse(text).map_err(|_| Refusal::invalid("Invalid URL"))
}
