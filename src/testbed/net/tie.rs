//! Ties: to which trial something belongs that arrived.
//!
//! Owns what a word means by where it stands, the ports that stand for a word, and how what came on one connection is
//! divided among the trials that used it. Keeps no record of what arrived.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    log::{Hit, Kind},
    nonce::{Nonce, Nonces},
};

/// What ties a hit to its trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tie {
    /// The word stands in the path, the host or the name that was asked for: the sender went where the trial led it.
    Asked,
    /// The word stands elsewhere, such as in a query, a header or a body: the sender brought it along on its own way.
    Carried,
    /// There is no word, and nobody but the trial has the port.
    Port,
    /// There is no word, and the port is one that other trials use as well: only a trial that is alone can be meant.
    Shared,
}

/// The ports that stand for a word.
#[derive(Debug, Default)]
pub(super) struct Ports(Mutex<Vec<(u16, Nonce, Tie)>>);

impl Ports {
    fn lock(&self) -> MutexGuard<'_, Vec<(u16, Nonce, Tie)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn assign(&self, port: u16, nonce: &Nonce, tie: Tie) {
        self.lock().push((port, nonce.clone(), tie));
    }

    /// The port stands for nobody any more.
    pub(super) fn clear(&self, port: u16) {
        self.lock().retain(|(other, ..)| *other != port);
    }

    /// The port does not stand for this word any more.
    pub(super) fn release(&self, port: u16, nonce: &Nonce) {
        self.lock()
            .retain(|(other, its, _)| (*other, its) != (port, nonce));
    }

    fn of(&self, port: u16) -> Option<(Nonce, Tie)> {
        let ports = self.lock();
        let (_, nonce, tie) = ports.iter().rfind(|(other, ..)| *other == port)?;
        Some((nonce.clone(), *tie))
    }
}

/// What ties the hit to a trial, if anything does.
pub(super) fn of(hit: &Hit, nonces: &Nonces, ports: &Ports) -> Option<(Nonce, Tie)> {
    let asked = |text: &Option<String>| nonces.find(text.as_deref()?.as_bytes());
    let path = hit.path.as_deref().map(own_path);
    path.and_then(|path| nonces.find(path.as_bytes()))
        .or_else(|| asked(&hit.host))
        .or_else(|| asked(&hit.proxied))
        .map(|nonce| (nonce, Tie::Asked))
        .or_else(|| Some((nonces.find(&hit.raw)?, Tie::Carried)))
        .or_else(|| ports.of(hit.local.port()))
}

/// The part of a path that says what is asked for here: not the query, and no URL that is given to somebody in a path.
fn own_path(path: &str) -> &str {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let url = [":/", "%3a%2f", ":%2f"];
    let end = url.iter().filter_map(|begin| lower.find(begin)).min();
    &path[..end.unwrap_or(path.len())]
}

/// How the hits of a record are divided among trials.
pub(super) struct Shares<'h> {
    /// What has a word of its own on a connection, in order; ports count only where there is none.
    of: HashMap<u64, Vec<(u64, &'h Nonce)>>,
    /// Both ends of connections with a word: their first packets have no number.
    ends: HashMap<(SocketAddr, SocketAddr), u64>,
}

impl<'h> Shares<'h> {
    pub(super) fn of(hits: impl Iterator<Item = &'h Hit> + Clone) -> Self {
        let mut of: HashMap<u64, Vec<(u64, &Nonce)>> = HashMap::new();
        let mut ends = HashMap::new();
        let tied = |hit: &'h Hit| Some((hit.connection?, hit.nonce.as_ref()?, hit));
        let worded = |hit: &Hit| matches!(hit.tie, Tie::Asked | Tie::Carried);
        for (connection, nonce, hit) in hits.clone().filter_map(tied) {
            if worded(hit) {
                of.entry(connection).or_default().push((hit.seq, nonce));
                ends.insert((hit.local, hit.peer), connection);
            }
        }
        let with_word: HashSet<u64> = of.keys().copied().collect();
        for (connection, nonce, hit) in hits.filter_map(tied) {
            if !with_word.contains(&connection) {
                of.entry(connection).or_default().push((hit.seq, nonce));
            }
        }
        Self { of, ends }
    }

    /// Whether the hit is the trial's whose word was given out when the record had so many hits.
    pub(super) fn has(&self, hit: &Hit, nonce: &Nonce, born: u64) -> bool {
        let tied = hit.nonce.as_ref() == Some(nonce);
        if tied && matches!(hit.tie, Tie::Asked | Tie::Carried) {
            return true;
        }
        let number = match hit.kind {
            Kind::Syn => self.ends.get(&(hit.local, hit.peer)).copied(),
            _ => hit.connection,
        };
        let Some(words) = number.and_then(|number| self.of.get(&number)) else {
            return tied;
        };
        if hit.kind == Kind::Closed {
            return words.iter().any(|(_, its)| *its == nonce);
        }
        if hit.kind == Kind::Syn {
            return tied && words.first().is_some_and(|(_, its)| *its == nonce);
        }
        // What has no word goes on with the one before it, and at the beginning of a connection leads to the first.
        let before = words.iter().rfind(|(seq, _)| *seq <= hit.seq);
        let owner = before.or(words.first());
        hit.seq >= born && owner.is_some_and(|(_, its)| *its == nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_url_within_a_path_is_carried() {
        for (path, own) in [
            ("/a/b?c=d", "/a/b"),
            ("/a/b#c", "/a/b"),
            ("/http://a/b", "/http"),
            ("/r/HTTP%3A%2F%2Fa/b", "/r/HTTP"),
            ("/latest/a:b/c", "/latest/a:b/c"),
            ("", ""),
        ] {
            assert_eq!(own_path(path), own);
        }
    }
}
