//! The network on which channels are proven: permitted places at the run's own sink.
//!
//! Owns making them. What a proof asks of them is the channel's business.

use super::Wire;
use crate::{
    channel::{Arrival, Net, Place},
    testbed::net::{Answers, Kind, Page, Script, Server, Spot},
};

/// A port on which nothing of the run listens: discard, RFC 863.
const CLOSED: u16 = 9;

/// Permitted places of a run.
#[derive(Debug, Clone, Copy)]
pub(in crate::run) struct Grounds<'r>(pub(in crate::run) Wire<'r>);

impl Net for Grounds<'_> {
    fn place(&self, word: &str) -> Place {
        let Wire { glass, hosts, .. } = self.0;
        let nonce = glass.nonce();
        glass.script(
            Spot::all(&nonce),
            Script::Serve(Page::html(format!(
                "<!doctype html><html><head><title>A note</title></head>\
                 <body><h1>A note</h1><p>Written down: {word}.</p></body></html>"
            ))),
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
        Place {
            url: format!("http://{in_url}/{nonce}/page.html"),
            host,
            name,
            // Without a port of its own the place is told by time alone, which proves nothing.
            port: glass
                .listen_for(0, &nonce)
                .inspect(|port| glass.greet(*port, format!("{word}\r\n")))
                .unwrap_or(0),
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
            Arrival::Request => matches!(hit.kind, Kind::Request | Kind::TlsHello),
            Arrival::Connection => hit.kind == Kind::Connection && hit.local.port() == place.port,
            Arrival::Question => hit.kind == Kind::Query,
        })
    }
}
