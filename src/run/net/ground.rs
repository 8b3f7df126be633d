//! The network on which channels are proven: permitted places at the run's own sink.
//!
//! Owns making them. What a proof asks of them is the channel's business.

use super::{
    Wire,
    base::{joins, record},
};
use crate::{
    channel::{Arrival, Net, Place},
    testbed::net::{Answers, Hit, Kind, Nonce, Page, Script, Server, Spot},
};

/// A port on which nothing of the run listens: discard, RFC 863.
const CLOSED: u16 = 9;

/// Permitted places of a run.
#[derive(Debug, Clone, Copy)]
pub(in crate::run) struct Grounds<'r>(pub(in crate::run) Wire<'r>);

impl Net for Grounds<'_> {
    fn place(&self, word: &str, what: Arrival) -> Place {
        let Wire { glass, hosts, .. } = self.0;
        let nonce = glass.nonce();
        glass.script(
            Spot::all(&nonce),
            // Plain, because what turns HTML into something else may be slow, or fetch a converter first.
            Script::Serve(match what {
                // What an API answers is read as JSON.
                Arrival::Joined => record(nonce.as_str(), word),
                _ => Page::text(format!("A note.\n\nWritten down: {word}.\n")),
            }),
        );
        let address = hosts.permitted.first().copied();
        let name = format!("{nonce}.{}", hosts.domain);
        for name in hosts.named.iter().chain([&name]) {
            glass
                .names()
                .set(Server::Any, name, Answers::addresses(address));
        }
        let host = hosts
            .named
            .clone()
            .or(address.map(|address| address.to_string()))
            .unwrap_or_default();
        let in_url = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let at = self
            .0
            .in_url(80)
            .map_or(String::new(), |port| format!(":{port}"));
        Place {
            url: format!("http://{in_url}{at}/{nonce}/page.html"),
            host,
            name,
            // Without a port of its own the place is told by time alone, which proves nothing.
            port: match what {
                Arrival::Connection => glass
                    .listen_for(self.0.own_port(), &nonce)
                    .inspect(|port| glass.greet(*port, format!("{word}\r\n")))
                    .unwrap_or(0),
                Arrival::Request | Arrival::Question | Arrival::Joined => 0,
            },
            closed: CLOSED,
            nonce: nonce.to_string(),
        }
    }

    fn arrived(&self, place: &Place, what: Arrival) -> bool {
        let Ok(nonce) = self.0.glass.adopt(&place.nonce) else {
            return false;
        };
        let hits = self.0.glass.hits().of_nonce(&nonce);
        hits.iter().filter(|hit| !hit.own).any(|hit| match what {
            Arrival::Request => fetched(&nonce, hit),
            Arrival::Connection => hit.kind == Kind::Connection && hit.local.port() == place.port,
            Arrival::Question => hit.kind == Kind::Query,
            Arrival::Joined => joins(self.0, &nonce, hit),
        })
    }

    fn has_base(&self) -> bool {
        self.0.sink
    }

    fn joined(&self, place: &Place) -> Option<String> {
        let nonce = self.0.glass.adopt(&place.nonce).ok()?;
        let hits = self.0.glass.hits().of_nonce(&nonce);
        let mut others = hits.into_iter().filter(|hit| !hit.own);
        others.find(|hit| joins(self.0, &nonce, hit))?.path
    }
}

/// Whether the hit is of somebody who fetches the URL of a place. Who has the word in a query or in a body went
/// wherever it always goes, and so did who has it further down in a path.
fn fetched(nonce: &Nonce, hit: &Hit) -> bool {
    let bears = |host: &Option<String>| {
        let host = host.as_deref().unwrap_or_default();
        host.to_ascii_lowercase().contains(nonce.as_str())
    };
    let path = hit.path.as_deref().unwrap_or_default();
    let first = path.split(['/', '?', '#']).nth(1).unwrap_or_default();
    match hit.kind {
        Kind::TlsHello => bears(&hit.host),
        Kind::Request => {
            bears(&hit.host) || bears(&hit.proxied) || first.eq_ignore_ascii_case(nonce.as_str())
        }
        _ => false,
    }
}
