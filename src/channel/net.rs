//! The network on which channels that reach hosts are proven.
//!
//! Owns what an experiment needs to know of it. The network itself is the testbed's; here nothing
//! is ever sent.

/// A network of the run's own: places that the target may reach, and what arrived there.
pub trait Net: Sync {
    /// A new place that the policy permits and that answers with `word`. Its URL holds a nonce that
    /// only this place has.
    fn place(&self, word: &str) -> Place;

    /// Whether a request for the place, a connection to it or a question for its name has arrived
    /// since it was made.
    fn arrived(&self, place: &Place) -> bool;
}

/// A place on the network that nobody else asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `http://<host>/<nonce>/<name>`, on port 80 unless the policy permits another only.
    pub url: String,
    /// The host of the URL: an address, or a name that the resolver knows.
    pub host: String,
    /// A host name with the nonce in it, which the resolver knows.
    pub name: String,
    /// A port of the host on which nothing but this place listens.
    pub port: u16,
    /// The word that tells this place from all others.
    pub nonce: String,
}
