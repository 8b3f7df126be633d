//! What a hit is, and how it is told.
//!
//! Owns the words. Knows nothing of trials: what a hit means for one is decided elsewhere.

use std::net::IpAddr;

use crate::testbed::net::{Hit, Kind};

/// The port of resolvers.
pub(super) const DNS: u16 = 53;

/// Whether the hit is contact with a host, and not the business of a resolver.
pub(in crate::run) fn is_contact(hit: &Hit) -> bool {
    match hit.kind {
        Kind::Connection | Kind::TlsHello | Kind::Request | Kind::Bytes | Kind::Echo => true,
        Kind::Syn | Kind::Datagram => hit.local.port() != DNS,
        Kind::TlsFailed | Kind::Closed | Kind::Query => false,
    }
}

/// How much a hit tells.
pub(super) fn weight(kind: Kind) -> u8 {
    match kind {
        Kind::Request => 4,
        Kind::TlsHello => 3,
        Kind::Bytes => 2,
        Kind::Connection => 1,
        _ => 0,
    }
}

/// The address that a proxy was asked for.
pub(super) fn proxied(hit: &Hit) -> Option<IpAddr> {
    let asked = hit.proxied.as_deref()?;
    let host = match asked
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, _)) => host,
        None => asked.rsplit_once(':').map_or(asked, |(host, _)| host),
    };
    host.parse().ok()
}

/// The hit in words.
pub(in crate::run) fn told(hit: &Hit) -> String {
    let to = hit.local;
    if let Some(socket) = &hit.socket {
        return format!(
            "a connection arrived at the Unix socket {}",
            socket.display()
        );
    }
    if let (Kind::Request, Some(asked)) = (hit.kind, &hit.proxied) {
        return format!("a request for {asked} arrived at the proxy {to}");
    }
    match hit.kind {
        Kind::Request => format!("a request arrived at {to}"),
        Kind::TlsHello => format!("a TLS handshake began at {to}"),
        Kind::Bytes => format!("bytes arrived at {to}"),
        Kind::Connection | Kind::Syn => format!("a connection arrived at {to}"),
        Kind::Datagram => format!("a datagram arrived at {to}"),
        Kind::Echo => format!("a ping arrived at {}", to.ip()),
        Kind::Query => format!(
            "a question for {} ({}) arrived at {}",
            hit.host.as_deref().unwrap_or("a name"),
            hit.path.as_deref().unwrap_or("any type"),
            to.ip()
        ),
        Kind::Closed | Kind::TlsFailed => format!("a connection to {to} ended"),
    }
}

/// The first line of what came, and the host that it names.
pub(super) fn excerpt(hit: &Hit) -> Option<String> {
    /// Enough for a method and a path.
    const SHOWN: usize = 120;
    let line: String = String::from_utf8_lossy(hit.raw.split(|byte| *byte == b'\r').next()?)
        .chars()
        .take(SHOWN)
        .flat_map(char::escape_default)
        .collect();
    (!line.is_empty()).then_some(line)
}
