//! Trials about the base of an API: what a caller gives for a part of a path must not lead away from it.
//!
//! Owns where the API is on the run's own network, and which requests are not below its base. A request counts only
//! when it went where the trial wanted it: a server may have other hosts of its own to ask.

use super::{Props, Wire, answered, tell::told};
use crate::{
    channel::Joined,
    judge::{Liveness, Observation},
    policy::Base,
    probe::{EvidenceKind, Text},
    run::stage::{Ask, Stage},
    session::Exchange,
    testbed::net::{Answers, Hit, Kind, Nonce, Page, Script, Server, Spot},
};

/// Marks of a URL that end its path.
const CUTS: [char; 2] = ['?', '#'];

impl Wire<'_> {
    /// Has the API be there, if the target is told of it: whatever it is asked for, it answers in JSON.
    pub(in crate::run) fn stand(&self) {
        let base = &self.hosts.base;
        let (Some(address), true) = (base.address, self.sink) else {
            return;
        };
        let names = self.glass.names();
        names.set(Server::Any, &base.host, Answers::addresses([address]));
        self.glass.script(
            Spot::Address(address, String::from("/")),
            Script::Serve(Page::of("application/json", "{}")),
        );
    }

    /// Whether the hit is of the API to which the target was told to go: what is sent there, and when, is between them.
    pub(in crate::run) fn of_api(&self, hit: &Hit) -> bool {
        let base = &self.hosts.base;
        let there = match hit.kind {
            Kind::Query => hit.host.is_some(),
            _ => Some(hit.local.ip()) == base.address && hit.local.port() == base.port,
        };
        self.sink && there && (hit.host.is_none() || named(base, hit))
    }
}

/// What the API answers about the one thing that it is asked for.
pub(super) fn record(id: &str, word: &str) -> Page {
    let body = serde_json::json!({ "id": id, "name": "A note", "text": word });
    Page::of("application/json", body.to_string())
}

/// Whether the hit is a request at the host of the API that has the word in its path.
pub(super) fn joins(wire: Wire<'_>, nonce: &Nonce, hit: &Hit) -> bool {
    let (path, _) = parts(hit);
    here(&wire.hosts.base, hit)
        && named(&wire.hosts.base, hit)
        && path.to_ascii_lowercase().contains(nonce.as_str())
}

/// Whether the hit is a request that arrived where the API is.
fn here(base: &Base, hit: &Hit) -> bool {
    hit.kind == Kind::Request
        && Some(hit.local.ip()) == base.address
        && hit.local.port() == base.port
}

/// Whether the request is meant for the host of the API.
fn named(base: &Base, hit: &Hit) -> bool {
    let host = hit.host.as_deref().unwrap_or_default();
    host.trim_end_matches('.').eq_ignore_ascii_case(&base.host)
}

/// Path and query of a request as they were sent.
fn parts(hit: &Hit) -> (&str, &str) {
    let sent = hit.path.as_deref().unwrap_or_default();
    sent.split_once('?').unwrap_or((sent, ""))
}

/// Whether a variant could do anything to what the channel joins: nothing can be cut where nothing follows, and no
/// directory be left where there is none.
pub(super) fn liveness(ask: &Ask<'_>) -> Liveness {
    let Some(joined) = &ask.channel.joined else {
        return Liveness::Unknown;
    };
    let text = ask.variant.ident.as_ref();
    let references = |symbol: &str| {
        let mut all = text.into_iter().flat_map(Text::references);
        all.any(|reference| reference.symbol == symbol)
    };
    let elsewhere = references("net.elsewhere") || references("net.denied");
    let shown = text.map(Text::shown).unwrap_or_default();
    let inert = if elsewhere {
        false
    } else if shown.ends_with(CUTS) {
        joined.after.is_empty()
    } else {
        joined.before == "/"
    };
    if inert {
        Liveness::Inert
    } else {
        Liveness::Live
    }
}

impl Stage<'_> {
    /// Requests of the trial that left the base of the API.
    pub(super) fn off_base(
        &self,
        wire: Wire<'_>,
        ask: &Ask<'_>,
        props: &Props,
        exchange: Option<&Exchange>,
    ) -> Vec<Observation> {
        let base = &wire.hosts.base;
        let mut found = Vec::new();
        for hit in self.hits(wire, props) {
            let Some(how) = left(base, ask, props, &hit) else {
                continue;
            };
            let mut fact = format!("{}{how}", told(&hit));
            if let Some(exchange) = exchange {
                fact.push_str("; ");
                fact.push_str(answered(exchange));
            }
            found.push(self.observed(&hit, EvidenceKind::Connection, fact));
        }
        found.truncate(4);
        found
    }

    /// A request of the twin at the host of the API, whatever its path.
    pub(super) fn at_base(&self, wire: Wire<'_>, props: &Props, since: u64) -> Vec<Observation> {
        let hits = self.hits(wire, props).into_iter();
        let arrived = hits.filter(|hit| hit.seq >= since && here(&wire.hosts.base, hit));
        arrived
            .take(1)
            .map(|hit| {
                let fact = format!("{}, the host of the API", told(&hit));
                self.observed(&hit, EvidenceKind::Connection, fact)
            })
            .collect()
    }

    /// A request of the control where requests of the channel go.
    pub(super) fn below_base(
        &self,
        wire: Wire<'_>,
        ask: &Ask<'_>,
        props: &Props,
        since: u64,
    ) -> Vec<Observation> {
        let base = &wire.hosts.base;
        let before = ask.channel.joined.as_ref();
        let before = before.map_or("/", |joined| joined.before.as_str());
        let below = |hit: &Hit| {
            let (path, _) = parts(hit);
            here(base, hit) && named(base, hit) && resolved(path).starts_with(before)
        };
        let hits = self.hits(wire, props).into_iter();
        hits.filter(|hit| hit.seq >= since && below(hit))
            .take(1)
            .map(|hit| {
                let fact = format!("{}, below {}{before}", told(&hit), base.url());
                self.observed(&hit, EvidenceKind::Connection, fact)
            })
            .collect()
    }
}

/// How a hit left the base, in words that follow where it arrived; nothing if it did not.
fn left(base: &Base, ask: &Ask<'_>, props: &Props, hit: &Hit) -> Option<String> {
    if hit.kind != Kind::Request && hit.kind != Kind::TlsHello {
        return None;
    }
    let host = hit.host.as_deref().unwrap_or_default();
    if !(here(base, hit) && named(base, hit)) {
        let lower = host.to_ascii_lowercase();
        let wanted = Some(hit.local.ip()) == ask.host
            || props.nonces().any(|nonce| lower.contains(nonce.as_str()));
        return wanted.then(|| format!(" for {host}, and the base of the API is {}", base.url()));
    }
    let joined = ask.channel.joined.as_ref()?;
    let (path, query) = parts(hit);
    let resolved = resolved(path);
    let lower = resolved.to_ascii_lowercase();
    let at = props
        .nonces()
        .find_map(|nonce| lower.find(nonce.as_str()))?;
    let directory = &resolved[..=resolved[..at].rfind('/')?];
    // Other paths may be the server's own choice for what is no id.
    if directory.len() < joined.before.len() && joined.before.starts_with(directory) {
        let fixed = &joined.before;
        return Some(format!(
            " with the path {resolved}, which has left the {fixed} before it"
        ));
    }
    let same = directory == joined.before;
    cut(joined, path, query)
        .filter(|_| same)
        .map(|lost| format!(" without the {lost} that the server puts behind what it is given"))
}

/// What is missing of what a server puts behind the caller's part, if something is.
fn cut<'j>(joined: &'j Joined, path: &str, query: &str) -> Option<&'j str> {
    let (tail, pairs) = match joined.after.split_once('?') {
        Some((tail, pairs)) => (tail, Some(pairs)),
        None => (joined.after.as_str(), None),
    };
    let kept = path.ends_with(tail)
        && pairs.is_none_or(|pairs| {
            let mut wanted = pairs.split('&');
            wanted.all(|pair| query.split('&').any(|sent| sent == pair))
        });
    (!kept).then_some(joined.after.as_str())
}

/// A path without its dot segments, as who answers it reads it (RFC 3986 §5.2.4). A dot may be percent-encoded; a slash
/// that is encoded separates nothing.
fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{Joined, cut, resolved};

    #[test]
    fn dots_are_resolved_and_encoded_slashes_stay() {
        for (sent, read) in [
            ("/v1/items/x", "/v1/items/x"),
            ("/v1/items/../x", "/v1/x"),
            ("/v1/items/%2e%2E/../../x", "/x"),
            ("/v1/./items//x/", "/v1/items//x/"),
            ("/v1/items/..%2f..%2fx", "/v1/items/..%2f..%2fx"),
        ] {
            assert_eq!(resolved(sent), read);
        }
    }

    #[test]
    fn what_follows_is_cut_or_kept() {
        let joined = |after: &str| Joined {
            before: String::from("/v1/"),
            after: after.to_owned(),
        };
        assert_eq!(cut(&joined("/notes"), "/v1/x%3F/notes", ""), None);
        assert_eq!(cut(&joined("/notes"), "/v1/x", "/notes"), Some("/notes"));
        assert_eq!(cut(&joined("?all=1"), "/v1/x", "y=2&all=1"), None);
        assert_eq!(cut(&joined("?all=1"), "/v1/x", "?all=1"), Some("?all=1"));
        assert_eq!(cut(&joined(""), "/v1/x", ""), None);
    }
}
