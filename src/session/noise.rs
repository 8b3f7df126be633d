//! What a target sent that is no part of the conversation.
//!
//! Owns the counts. It is reported, never judged here: hundreds of log lines between the frames
//! are common among real servers.

use super::printable;

/// How much of an example is kept, in characters.
const EXAMPLE: usize = 200;

/// A kind of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoiseKind {
    /// Output that is no JSON-RPC message.
    NotJsonRpc,
    /// A reply to a request that we did not make, or that was answered before.
    UnknownId,
    /// A reply that came after the deadline of its request.
    LateReply,
    /// A line, body or event longer than the limit of the session.
    OverLong,
    /// A request for a capability that we did not advertise.
    UnadvertisedRequest,
    /// More requests than any client could be expected to answer; the excess was ignored.
    RequestFlood,
    /// An answer to `initialize` or `server/discover` that lacks what the specification demands.
    BrokenHandshake,
    /// A list whose pages repeat or do not end; what was read until then is used.
    EndlessList,
}

impl NoiseKind {
    /// The kind in words, to go before an example.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            NoiseKind::NotJsonRpc => "output that is not JSON-RPC",
            NoiseKind::UnknownId => "replies to requests that were never made",
            NoiseKind::LateReply => "replies after the deadline",
            NoiseKind::OverLong => "lines longer than the limit",
            NoiseKind::UnadvertisedRequest => "requests for capabilities we did not advertise",
            NoiseKind::RequestFlood => "requests beyond any reasonable number",
            NoiseKind::BrokenHandshake => "a handshake with missing members",
            NoiseKind::EndlessList => "a list whose pages do not end",
        }
    }
}

/// Noise of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noise {
    /// Its kind.
    pub kind: NoiseKind,
    /// How often it came.
    pub count: u64,
    /// The first of it, escaped and cut.
    pub example: String,
}

/// Collects noise.
#[derive(Debug, Default)]
pub(super) struct NoiseLog(Vec<Noise>);

impl NoiseLog {
    pub(super) fn add(&mut self, kind: NoiseKind, bytes: &[u8]) {
        if let Some(noise) = self.0.iter_mut().find(|noise| noise.kind == kind) {
            noise.count += 1;
        } else {
            self.0.push(Noise {
                kind,
                count: 1,
                example: printable(bytes.trim_ascii(), EXAMPLE),
            });
        }
    }

    pub(super) fn all(&self) -> Vec<Noise> {
        self.0.clone()
    }

    pub(super) fn first(&self, kind: NoiseKind) -> Option<&str> {
        self.0
            .iter()
            .find(|noise| noise.kind == kind)
            .map(|noise| noise.example.as_str())
    }
}
