//! The network on which channels that reach hosts are proven.
//!
//! Owns what an experiment needs to know of it. The network itself is the testbed's; here nothing
//! is ever sent.

use crate::probe::Role;

/// Why roles that reach hosts are not tried without a network of the run's own.
pub(super) const NEEDS_NETWORK: &str = "reaches hosts; that needs the namespace testbed";

/// A network of the run's own: places that the target may reach, and what arrived there.
pub trait Net: Sync {
    /// A new place that the policy permits, at which this is to arrive. It answers requests and
    /// connections with `word`, which is never sent to the target otherwise.
    fn place(&self, word: &str, what: Arrival) -> Place;

    /// Whether that has arrived at the place since it was made. What came late is asked for again
    /// after a moment, so this must not wait.
    fn arrived(&self, place: &Place, what: Arrival) -> bool;

    /// Whether the target is told that its API is here.
    fn has_base(&self) -> bool {
        false
    }

    /// Path and query, as they were sent, of the request for the place that arrived at the base of that API.
    fn joined(&self, _place: &Place) -> Option<String> {
        None
    }
}

/// What may arrive at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A request whose path begins with [`Place::nonce`], or, whatever its path, one for
    /// [`Place::name`]: by its `Host`, or by the server name of a TLS hello. The name alone, when
    /// it is only looked up, is no request.
    Request,
    /// A connection to [`Place::port`] of [`Place::host`] or of [`Place::name`].
    Connection,
    /// A question for [`Place::name`], of any type.
    Question,
    /// A request with [`Place::nonce`] in its path at the host of the target's API.
    Joined,
}

impl Arrival {
    /// What a channel of a role that reaches hosts brings about.
    #[must_use]
    pub fn of(role: Role) -> Self {
        match role {
            Role::HttpFetch => Self::Request,
            Role::NetConnect => Self::Connection,
            Role::ApiPath => Self::Joined,
            _ => Self::Question,
        }
    }
}

/// A place on the network that nobody else asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `http://<host>/<nonce>/<name>`, on port 80 unless the policy permits another only.
    pub url: String,
    /// The host of the URL: an address, or a name that the resolver knows.
    pub host: String,
    /// A host name with the nonce in it, which the resolver knows, and which leads to the place.
    /// With another word in place of the nonce, nobody knows it.
    pub name: String,
    /// A port of the host on which nothing but this place listens, where a connection is to arrive.
    pub port: u16,
    /// A port of the host on which nothing listens.
    pub closed: u16,
    /// The word that tells this place from all others: `[a-z0-9]`, at most 40.
    pub nonce: String,
}
