//! Calls that are more than a question and its answer: taken back, watched beyond their end, made twice.
//!
//! Owns what is sent when. What arrives is looked at elsewhere, except for connections that should be gone.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Props, Wire};
use crate::{
    judge::Observation,
    probe::EvidenceKind,
    run::stage::{Ask, Stage},
    session::{Caller, Exchange, Outcome},
    testbed::net::{Hit, Kind},
};

/// How long a connection may outlive its call: time to hear of the end, and a loaded machine.
const LINGER: Duration = Duration::from_secs(5);

/// What came of sending.
pub(super) struct Sent {
    pub(super) exchange: Exchange,
    /// The number of the first hit that may be of the call, the second of two.
    pub(super) since: u64,
    /// A connection that should be gone.
    pub(super) lingering: Option<Observation>,
    /// Whether nobody waits for an answer.
    pub(super) taken_back: bool,
}

impl Stage<'_> {
    /// Makes the call, in the way that the technique of the trial has it.
    #[expect(clippy::too_many_arguments, reason = "all of it is the call")]
    pub(super) async fn make<C: Caller>(
        &self,
        caller: &C,
        wire: Wire<'_>,
        ask: &Ask<'_>,
        props: &Props,
        (method, params): (&'static str, Value),
        deadline: Duration,
        attack: bool,
    ) -> Sent {
        let since = wire.glass.hits().next();
        let mut sent = Sent {
            exchange: Exchange {
                number: 0,
                id: String::new(),
                method: method.to_owned(),
                params: params.clone(),
                outcome: Outcome::Timeout,
                raw: Arc::default(),
                took: Duration::ZERO,
            },
            since,
            lingering: None,
            taken_back: false,
        };
        let call = caller.request(method, params.clone(), deadline);
        if attack && ask.technique == Some("call.cancel") {
            let mine = |hit: &Hit| hit.kind == Kind::Request && of_trial(props, hit);
            let began = Instant::now();
            // Dropped, the call is taken back; the session tells the target.
            let arrived = tokio::select! {
                exchange = call => {
                    self.tally.count(&exchange);
                    return Sent { exchange, ..sent };
                }
                arrived = wire.glass.hits().wait_for(since, ask.deadline, mine) => arrived,
            };
            sent.exchange.took = began.elapsed();
            if arrived.is_some() {
                sent.taken_back = true;
                sent.exchange.outcome = Outcome::Error {
                    code: None,
                    message: String::from("(taken back by the client)"),
                };
                sent.lingering = self.lingering(wire, props, "was taken back").await;
            }
            return sent;
        }
        sent.exchange = call.await;
        self.tally.count(&sent.exchange);
        let answered = sent.exchange.outcome.answered();
        if attack && ask.technique == Some("call.outlast") && answered {
            sent.lingering = self.lingering(wire, props, "was answered").await;
        }
        if answered && props.turn(wire) {
            sent.since = wire.glass.hits().next();
            sent.exchange = caller.request(method, params, deadline).await;
            self.tally.count(&sent.exchange);
        }
        sent
    }

    /// A connection of the trial that outlives its call.
    async fn lingering(&self, wire: Wire<'_>, props: &Props, ended: &str) -> Option<Observation> {
        let hits = wire.glass.hits();
        // What the target's own limit ends would be taken for what the end of the call ends.
        let patience = wire.time_limit.map_or(LINGER, |limit| {
            if ended == "was answered" {
                LINGER
            } else {
                LINGER.min(limit.mul_f64(0.7))
            }
        });
        let mut from = hits.next();
        let until = Instant::now() + patience;
        loop {
            let hit = open(wire, props)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(Observation {
                    witness: String::from("sink"),
                    kind: EvidenceKind::Limit,
                    fact: format!(
                        "the connection to {} was still open {:.1} s after the call {ended}",
                        hit.local,
                        patience.as_secs_f64()
                    ),
                    at_ms: self.now_ms(),
                    decoders: Vec::new(),
                    excerpt: None,
                });
            }
            let closed = hits
                .wait_for(from, left, |hit| hit.kind == Kind::Closed)
                .await;
            from = closed.map_or(from, |hit| hit.seq + 1);
        }
    }
}

fn of_trial(props: &Props, hit: &Hit) -> bool {
    !hit.own
        && props
            .nonces()
            .any(|nonce| hit.nonce.as_ref() == Some(nonce))
}

/// A request of the trial whose connection has not ended.
fn open(wire: Wire<'_>, props: &Props) -> Option<Hit> {
    let hits: Vec<Hit> = props
        .nonces()
        .flat_map(|nonce| wire.glass.hits().of_nonce(nonce))
        .filter(|hit| !hit.own)
        .collect();
    let closed: BTreeSet<u64> = hits
        .iter()
        .filter(|hit| hit.kind == Kind::Closed)
        .filter_map(|hit| hit.connection)
        .collect();
    hits.into_iter()
        .filter(|hit| hit.kind == Kind::Request)
        .find(|hit| {
            hit.connection
                .is_some_and(|number| !closed.contains(&number))
        })
}
