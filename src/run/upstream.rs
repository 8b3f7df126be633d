//! Headers of requests that choose where a server sends its own, tried at the end of a run.
//!
//! Owns the sessions with such headers, and the facts that come of them. Each header holds a URL with a word of its
//! own, and counts only when a request arrives whose host or path has that word: a server may pass on what it is sent.

mod calls;
mod leads;
mod names;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use calls::{Call, calls, heard};
use leads::{Way, bears};
use names::{Header, Holds, headers};

use super::{
    conversation::Conversation,
    net::{Wire, told},
    send::response,
    stage::Stage,
};
use crate::{
    channel::Channel,
    judge::{Attempt, Control, Liveness, Observation, Response, Twin, Wall, Watch},
    plan::{Fate, Plan},
    probe::{EvidenceKind, Probe},
    session::{Endpoint, Exchange, HttpEndpoint, OpenError, Tool},
    testbed::net::Nonce,
};

/// Headers that are attacked at most.
const CHOSEN: usize = 6;
/// Time that what a call set off may still be on its way to the sink.
const TRAIL: Duration = Duration::from_millis(100);

/// Whether a probe asks whether headers choose.
pub(super) fn asks(probe: &Probe) -> bool {
    probe.technique.as_deref() == Some("watch.headers")
}

/// What came of the headers, by denied host.
pub(super) struct Upstream(Vec<(IpAddr, Attempt, Option<Exchange>)>);

/// What all rounds have in common.
struct Rounds<'r> {
    stage: &'r Stage<'r>,
    wire: Wire<'r>,
    conversation: &'r Conversation,
    endpoint: &'r HttpEndpoint,
    calls: Vec<Call>,
    credentials: Vec<(String, String)>,
    deadline: Duration,
}

/// A header that was seen to choose.
struct Chosen {
    header: Header,
    /// After how many calls its request was there.
    calls: usize,
    /// Whether the path of its URL is kept, so that a word in it is enough.
    path: bool,
    seen: Observation,
}

/// A header that was sent with a denied host.
struct Sent {
    header: String,
    nonce: Nonce,
    exchange: Option<Exchange>,
}

/// A session to its end.
struct Round {
    calls: usize,
    response: Response,
    exchange: Option<Exchange>,
}

impl Upstream {
    /// Tries headers at permitted hosts, and those that choose at each denied one that the plan names.
    pub(super) async fn ask(
        stage: &Stage<'_>,
        conversation: &Conversation,
        plan: &Plan,
        (tools, channels, allow_destructive): (&[Tool], &[Arc<Channel>], &[String]),
        (deadline, stop): (Duration, &AtomicBool),
    ) -> Self {
        let mut trials = plan.trials.iter();
        let Some(rounds) = Rounds::of(stage, conversation, deadline) else {
            return Self(Vec::new());
        };
        let hosts: BTreeSet<IpAddr> = trials
            .by_ref()
            .filter(|trial| asks(&trial.probe) && trial.fate == Fate::Watched)
            .filter_map(|trial| trial.host)
            .collect();
        let session = conversation.session();
        let heard = heard(&session);
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        let texts = heard.iter().map(String::as_str);
        let all = headers(
            &rounds.endpoint.headers,
            texts,
            &session.info().name,
            &names,
        );
        let (credentials, places): (Vec<Header>, Vec<Header>) = all
            .into_iter()
            .partition(|header| header.holds == Holds::Credential);
        let rounds = Rounds {
            calls: calls(tools, channels, allow_destructive),
            credentials: credentials
                .into_iter()
                .map(|header| (header.name, format!("{:032x}", fastrand::u128(..))))
                .collect(),
            ..rounds
        };
        let (chosen, fault) = rounds.choosing(&places).await;
        if chosen.is_empty() {
            let why = format!(
                "no header was seen to choose where requests go, of {} that were tried: {} that the server or the user \
                 names, and usual ones; give others, and what must go along with them, by --header",
                places.len(),
                places.iter().filter(|header| header.told).count(),
            );
            let response = fault.unwrap_or(Response::Moot(why));
            let none = |host| (host, rounds.attempt(response.clone()), None);
            return Self(hosts.into_iter().map(none).collect());
        }
        let mut made = Vec::new();
        let mut before = Control::Passed(passed(&chosen));
        for host in hosts {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let (attack, sent) = rounds.attack(host, &chosen).await;
            let after = rounds.again(&chosen).await;
            let mut twin = passed(&chosen);
            twin.witness = String::from("twin");
            let attempt = Attempt {
                before: std::mem::replace(&mut before, after.clone()),
                after,
                twin: Twin::Passed(twin),
                ..attack
            };
            made.push((host, attempt, sent));
        }
        // By now what came late has come.
        let settled = made.into_iter().map(|(host, mut attempt, sent)| {
            let (proofs, asked) = rounds.reached(sent);
            attempt.proofs = proofs;
            (host, attempt, asked)
        });
        Self(settled.collect())
    }

    /// The facts of the trial about a denied host, and the call by which it was reached.
    pub(super) fn of(&self, host: Option<IpAddr>) -> Option<(Attempt, Option<&Exchange>)> {
        let mut made = self.0.iter();
        let (_, attempt, asked) = made.find(|(of, ..)| Some(*of) == host)?;
        Some((attempt.clone(), asked.as_ref()))
    }
}

impl<'r> Rounds<'r> {
    fn of(
        stage: &'r Stage<'r>,
        conversation: &'r Conversation,
        deadline: Duration,
    ) -> Option<Self> {
        let Endpoint::Stdio(launch) = conversation.endpoint() else {
            return None;
        };
        Some(Self {
            stage,
            wire: stage.wire?,
            conversation,
            endpoint: launch.serves.as_ref()?,
            calls: Vec::new(),
            credentials: Vec::new(),
            deadline,
        })
    }

    /// The headers that choose: all of them are tried at once, and those that seem to, each by itself. With them why
    /// the last session did not come about, unless it was refused.
    async fn choosing(&self, places: &[Header]) -> (Vec<Chosen>, Option<Response>) {
        let (mut chosen, mut fault) = (Vec::new(), None);
        let told: Vec<&Header> = places.iter().filter(|header| header.told).collect();
        let all: Vec<&Header> = places.iter().collect();
        // Where something refuses so many, those that the server tells may be let through.
        for some in [all, told].into_iter().filter(|some| !some.is_empty()) {
            let given: Vec<(&Header, Nonce)> = some
                .into_iter()
                .map(|header| (header, self.wire.glass.nonce()))
                .collect();
            let values = self.values(&given, Way::Permitted);
            let round = self.round(&values, &self.calls, &|| false).await;
            fault = Some(round.response).filter(|it| matches!(it, Response::Fault(_)));
            let seems = given
                .iter()
                .filter(|(_, nonce)| self.arrived(nonce, true).is_some());
            for (header, _) in seems.take(CHOSEN) {
                chosen.extend(self.alone(header, &self.calls).await);
            }
            if !chosen.is_empty() {
                break;
            }
        }
        (chosen, fault)
    }

    /// Whether a header by itself chooses a permitted host.
    async fn alone(&self, header: &Header, calls: &[Call]) -> Option<Chosen> {
        let nonce = self.wire.glass.nonce();
        let values = self.values(&[(header, nonce.clone())], Way::Permitted);
        let arrived = || self.arrived(&nonce, true).is_some();
        let round = self.round(&values, calls, &arrived).await;
        let hit = self.arrived(&nonce, true)?;
        let fact = format!("{}, which the header {} chose", told(&hit), header.name);
        let mut seen = self.stage.observed(&hit, EvidenceKind::Connection, fact);
        seen.witness = String::from("control");
        Some(Chosen {
            header: header.clone(),
            calls: round.calls,
            path: bears(hit.path.as_deref(), &nonce),
            seen,
        })
    }

    /// Whether all headers still choose.
    async fn again(&self, chosen: &[Chosen]) -> Control {
        let mut still = Vec::new();
        for one in chosen {
            match self.alone(&one.header, &self.calls[..one.calls]).await {
                Some(seen) => still.push(seen),
                None => {
                    let why = format!("the header {} chose nothing any more", one.header.name);
                    return Control::Failed(why);
                }
            }
        }
        Control::Passed(passed(&still))
    }

    /// Each header with the denied host, by name and by address.
    async fn attack(&self, host: IpAddr, chosen: &[Chosen]) -> (Attempt, Vec<Sent>) {
        let mut attempt = self.attempt(Response::Refusal);
        let mut sent = Vec::new();
        for one in chosen {
            for way in [Way::Name(host), Way::Address(host)] {
                // In an address no word would be seen.
                if matches!(way, Way::Address(_)) && !one.path {
                    continue;
                }
                let nonce = self.wire.glass.nonce();
                let since = self.wire.glass.hits().next();
                let values = self.values(&[(&one.header, nonce.clone())], way);
                let round = self
                    .round(&values, &self.calls[..one.calls], &|| false)
                    .await;
                if self.wire.glass.hits().lost() > since {
                    attempt.watch = Watch::Blind(String::from(
                        "more arrived at the sink than is kept on record",
                    ));
                }
                if rank(&round.response) > rank(&attempt.response) {
                    attempt.response = round.response;
                }
                sent.push(Sent {
                    header: one.header.name.clone(),
                    nonce,
                    exchange: round.exchange,
                });
            }
        }
        (attempt, sent)
    }

    /// What arrived of attacks at denied hosts, and the call that led there.
    fn reached(&self, sent: Vec<Sent>) -> (Vec<Observation>, Option<Exchange>) {
        let (mut proofs, mut asked) = (Vec::new(), None);
        for one in sent {
            let Some(hit) = self.arrived(&one.nonce, false) else {
                continue;
            };
            let fact = format!(
                "{}, which the policy denies: the header {} chose it",
                told(&hit),
                one.header
            );
            proofs.push(self.stage.observed(&hit, EvidenceKind::Connection, fact));
            asked = asked.or(one.exchange);
        }
        (proofs, asked)
    }

    /// A session with headers: it lists the tools and makes the calls, until that is enough.
    async fn round(
        &self,
        values: &[(String, String)],
        calls: &[Call],
        enough: &(dyn Fn() -> bool + Sync),
    ) -> Round {
        let mut endpoint = self.endpoint.clone();
        let named = |name: &str| {
            values
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        endpoint.headers.retain(|(name, _)| !named(name));
        endpoint.headers.extend_from_slice(values);
        let mut round = Round {
            calls: 0,
            response: Response::Refusal,
            exchange: None,
        };
        let session = match self.conversation.beside(&Endpoint::Http(endpoint)).await {
            Ok((session, _)) => session,
            Err(OpenError::Refused { .. } | OpenError::Status { .. }) => {
                tokio::time::sleep(TRAIL).await;
                return round;
            }
            Err(error) => {
                round.response =
                    Response::Fault(format!("no session with the header was opened: {error}"));
                return round;
            }
        };
        let listed = session.tools(self.deadline).await;
        tokio::time::sleep(TRAIL).await;
        if listed.is_ok() && calls.is_empty() {
            round.response = Response::Benign;
        }
        for call in calls {
            if enough() {
                break;
            }
            round.calls += 1;
            let Some(exchange) = call.make(self.stage, &session, self.deadline).await else {
                continue;
            };
            tokio::time::sleep(TRAIL).await;
            let answer = response(&exchange.outcome);
            if rank(&answer) > rank(&round.response) {
                round.response = answer;
            }
            round.exchange = Some(exchange);
        }
        session.close().await;
        round
    }

    fn attempt(&self, response: Response) -> Attempt {
        Attempt {
            alone: true,
            before: Control::Failed(String::new()),
            after: Control::Failed(String::new()),
            twin: Twin::None(String::new()),
            liveness: Liveness::Live,
            watch: Watch::Awake,
            wall: Wall::None,
            proofs: Vec::new(),
            signals: Vec::new(),
            response,
        }
    }
}

/// That headers choose, as the first of them did.
fn passed(chosen: &[Chosen]) -> Observation {
    let mut seen = chosen[0].seen.clone();
    let others: Vec<&str> = chosen[1..]
        .iter()
        .map(|one| one.header.name.as_str())
        .collect();
    if !others.is_empty() {
        seen.fact = format!("{}, as did {}", seen.fact, others.join(", "));
    }
    seen
}

/// Which of two answers tells less of a boundary.
fn rank(response: &Response) -> u8 {
    match response {
        Response::Refusal => 0,
        Response::Benign => 1,
        Response::Timeout => 2,
        Response::Died(_) => 3,
        _ => 4,
    }
}
