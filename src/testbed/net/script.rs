//! What the sink does when it is asked, decided per trial.
//!
//! Owns the scripts, where they apply, and how often each was asked for. Knows nothing of sockets.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::nonce::Nonce;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Status code.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: String,
    /// Further header fields, written as they are: a line break in one is the caller's wish.
    pub headers: Vec<(String, String)>,
    /// The body; canaries are put in by the caller.
    pub body: Vec<u8>,
}

impl Page {
    /// Status 200 with plain text.
    pub fn text(body: impl Into<Vec<u8>>) -> Self {
        Self::of("text/plain; charset=utf-8", body)
    }

    /// Status 200 with HTML.
    pub fn html(body: impl Into<Vec<u8>>) -> Self {
        Self::of("text/html; charset=utf-8", body)
    }

    /// Status 200 with a body of this type.
    pub fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            content_type: content_type.into(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The page with another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The page with one more header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// How an attempt fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// With this status and a short body.
    Status(u16),
    /// The connection is reset.
    Reset,
    /// The connection is closed without a byte.
    Close,
    /// There is no answer; the connection stays open.
    Silence,
}

/// What the sink does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// Answers with the page.
    Serve(Page),
    /// Answers with the status and a `Location` that is written as it is. A redirect to itself is a loop; hops are
    /// scripts at other paths.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The value of `Location`.
        location: String,
    },
    /// Never answers; the connection stays open.
    Tarpit,
    /// Never answers the ClientHello of TLS; without TLS, a tarpit. Stands at the nonce's empty path, and the nonce in
    /// the host name.
    TlsStall,
    /// Sends half of a head, then nothing.
    HeadersStall,
    /// Sends the head, then the body in pieces; ends after `total` bytes, or never.
    Drip {
        /// Time between two pieces.
        every: Duration,
        /// Bytes in a piece; at least 1.
        piece: usize,
        /// Length of the body; `None` goes on forever.
        total: Option<u64>,
    },
    /// Fails this many times, then does the other.
    FailTimes {
        /// How often.
        times: u32,
        /// How.
        failure: Failure,
        /// Value of `Retry-After`, with a status.
        retry_after: Option<String>,
        /// What comes after.
        then: Box<Script>,
    },
    /// A body of this many bytes; the [`Closed`](super::Kind::Closed) hit tells how many were taken.
    Oversize {
        /// Length of the body.
        bytes: u64,
    },
    /// Answers with the request's own head as it came.
    Echo,
    /// Waits, then does the other.
    Delay(Duration, Box<Script>),
}

/// Where a script applies. The most special one wins: nonce and path, nonce alone, then addresses by longest path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Spot {
    /// Requests with the nonce in path or host; the path behind the nonce, without leading slash and query. Where the
    /// nonce is in the host, the whole path. Empty: every path that has no script of its own.
    Nonce(Nonce, String),
    /// Requests to this address whose path begins so: cloud metadata, whose paths carry no nonce.
    Address(IpAddr, String),
}

impl Spot {
    /// Every path of the nonce.
    #[must_use]
    pub fn all(nonce: &Nonce) -> Self {
        Self::Nonce(nonce.clone(), String::new())
    }

    /// One path of the nonce: `a/b` for `/NONCE/a/b`.
    #[must_use]
    pub fn at(nonce: &Nonce, path: &str) -> Self {
        Self::Nonce(nonce.clone(), path.trim_start_matches('/').into())
    }
}

/// The scripts of a run.
#[derive(Debug, Default)]
pub(super) struct Scripts(Mutex<HashMap<Spot, Entry>>);

#[derive(Debug)]
struct Entry {
    script: Script,
    asked: u32,
}

impl Scripts {
    pub(super) fn put(&self, spot: Spot, script: Script) {
        self.locked().insert(spot, Entry { script, asked: 0 });
    }

    pub(super) fn remove(&self, spot: &Spot) {
        self.locked().remove(spot);
    }

    /// How often the script at this spot was asked for.
    pub(super) fn asked(&self, spot: &Spot) -> u32 {
        self.locked().get(spot).map_or(0, |entry| entry.asked)
    }

    /// What to do with a request, failing attempts counted off.
    pub(super) fn find(&self, nonce: Option<&Nonce>, address: IpAddr, path: &str) -> Script {
        let mut scripts = self.locked();
        let path = path.split(['?', '#']).next().unwrap_or(path);
        let spot = nonce
            .and_then(|nonce| {
                let place = path.to_ascii_lowercase().find(nonce.as_str());
                let rest = place.map_or(path, |place| &path[place + nonce.as_str().len()..]);
                [Spot::at(nonce, rest), Spot::all(nonce)]
                    .into_iter()
                    .find(|spot| scripts.contains_key(spot))
            })
            .or_else(|| {
                scripts
                    .keys()
                    .filter(|spot| {
                        matches!(spot, Spot::Address(of, start)
                            if of.to_canonical() == address && path.starts_with(start.as_str()))
                    })
                    .max_by_key(|spot| match spot {
                        Spot::Address(_, start) | Spot::Nonce(_, start) => start.len(),
                    })
                    .cloned()
            });
        match spot.and_then(|spot| scripts.get_mut(&spot)) {
            Some(entry) => {
                entry.asked += 1;
                entry.script.at_attempt(entry.asked)
            }
            None => Script::Serve(Page::text("There is nothing to see here.\n")),
        }
    }

    /// The nonce's TLS is never answered.
    pub(super) fn stalls_tls(&self, nonce: &Nonce) -> bool {
        let scripts = self.locked();
        let entry = scripts.get(&Spot::all(nonce));
        entry.is_some_and(|entry| entry.script == Script::TlsStall)
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Spot, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    /// What the script does the `attempt`th time, from 1.
    fn at_attempt(&self, attempt: u32) -> Script {
        match self {
            Script::FailTimes { times, then, .. } if attempt > *times => {
                then.at_attempt(attempt - times)
            }
            Script::Delay(time, then) => Script::Delay(*time, then.at_attempt(attempt).into()),
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::net::nonce::Nonces;

    #[test]
    fn the_most_special_script_wins() {
        let (scripts, nonce) = (Scripts::default(), Nonces::default().fresh(0));
        let here: IpAddr = [169, 254, 169, 254].into();
        let serve = |text: &str| Script::Serve(Page::text(text));
        scripts.put(Spot::all(&nonce), serve("all"));
        scripts.put(Spot::at(&nonce, "a/b"), serve("ab"));
        scripts.put(Spot::Address(here, "/latest/".into()), serve("meta"));
        scripts.put(Spot::Address(here, "/".into()), serve("root"));
        let find = |nonce, path: &str| scripts.find(nonce, here, path);
        assert_eq!(find(Some(&nonce), &format!("/{nonce}/a/b?c")), serve("ab"));
        assert_eq!(find(Some(&nonce), "/a/b"), serve("ab"));
        assert_eq!(find(Some(&nonce), &format!("/{nonce}/c")), serve("all"));
        assert_eq!(find(None, "/latest/meta-data"), serve("meta"));
        assert_eq!(find(None, "/other"), serve("root"));
        assert_eq!(scripts.asked(&Spot::at(&nonce, "/a/b")), 2);
    }

    #[test]
    fn failures_are_counted_off() {
        let (scripts, nonce) = (Scripts::default(), Nonces::default().fresh(0));
        let fails = Script::FailTimes {
            times: 2,
            failure: Failure::Reset,
            retry_after: None,
            then: Script::Echo.into(),
        };
        scripts.put(Spot::all(&nonce), fails.clone());
        let did: Vec<Script> = (0..4)
            .map(|_| scripts.find(Some(&nonce), [1, 1, 1, 1].into(), "/"))
            .collect();
        assert_eq!(did, [fails.clone(), fails, Script::Echo, Script::Echo]);
    }
}
