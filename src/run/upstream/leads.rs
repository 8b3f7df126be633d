//! Where the URLs of headers lead at the run's own sink, and what has arrived there.
//!
//! Owns names and answers of the sink for them. Which headers are sent, and when, is not its business.

use std::net::IpAddr;

use super::{
    Rounds,
    names::{Header, Holds},
};
use crate::{
    probe::Spelling,
    run::net::is_contact,
    testbed::{
        net::{Answers, Hit, Kind, Nonce, Page, Script, Server, Spot},
        spell,
    },
};

/// Where the URL of a header leads.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Permitted,
    Name(IpAddr),
    Address(IpAddr),
}

impl Rounds<'_> {
    /// The values of headers, and names and answers at the sink for them.
    pub(super) fn values(&self, given: &[(&Header, Nonce)], way: Way) -> Vec<(String, String)> {
        let hosts = self.wire.hosts;
        let mut values = self.credentials.clone();
        for (header, nonce) in given {
            let own = format!("{nonce}.{}", hosts.domain);
            let (host, address) = match way {
                Way::Permitted => (
                    hosts.named.clone().unwrap_or(own),
                    hosts.permitted.first().copied(),
                ),
                Way::Name(address) => (own, Some(address)),
                Way::Address(address) => (spell(&address.to_string(), Spelling::Bracketed), None),
            };
            if let Some(address) = address {
                self.wire
                    .glass
                    .names()
                    .set(Server::Any, &host, Answers::addresses([address]));
            }
            self.wire.glass.script(
                Spot::all(nonce),
                Script::Serve(Page::of("application/json", "{}")),
            );
            let host = match self.wire.in_url(80) {
                Some(port) => format!("{host}:{port}"),
                None => host,
            };
            let value = match header.holds {
                Holds::Host => host,
                _ => format!("http://{host}/{nonce}/"),
            };
            values.push((header.name.clone(), value));
        }
        values
    }

    /// A request with the word, at a permitted host or at a denied one.
    pub(super) fn arrived(&self, nonce: &Nonce, permitted: bool) -> Option<Hit> {
        let hits = self.wire.glass.hits().of_nonce(nonce).into_iter();
        let mut went = hits.filter(|hit| {
            // What a server passes on in fields of its own chooses nothing.
            let named = bears(hit.host.as_deref(), nonce) || bears(hit.path.as_deref(), nonce);
            !hit.own && is_contact(hit) && hit.kind != Kind::Bytes && named
        });
        went.find(|hit| self.wire.permits(hit.local.ip()) == permitted)
    }
}

/// Whether the word stands in a text.
pub(super) fn bears(text: Option<&str>, nonce: &Nonce) -> bool {
    text.is_some_and(|text| text.to_ascii_lowercase().contains(nonce.as_str()))
}
