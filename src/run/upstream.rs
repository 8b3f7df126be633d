//! Headers of requests that choose where a server sends its own, tried at the end of a run.
//!
//! Owns the sessions with such headers, and the facts that come of them. Each header holds a URL with a word of its
//! own, and counts only when a request arrives whose host or path has that word: a server may pass on what it is sent.

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

use names::{Header, Holds, headers};

use super::{
    control::plain,
    conversation::Conversation,
    net::{Wire, is_contact, told},
    send::response,
    stage::{Counting, Stage},
};
use crate::{
    channel::{Channel, destructive, sweep},
    judge::{Attempt, Control, Liveness, Observation, Response, Twin, Wall, Watch},
    plan::{Fate, Plan},
    probe::{EvidenceKind, Probe, Spelling},
    session::{Caller as _, Direction, Endpoint, Exchange, HttpEndpoint, OpenError, Session, Tool},
    testbed::{
        Geometry,
        net::{Answers, Hit, Kind, Nonce, Page, Script, Server, Spot},
        spell,
    },
};

/// Calls of one session at most.
const CALLS: usize = 16;
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

/// What is asked in a session.
enum Call {
    Plain(Arc<Channel>),
    Tool(String),
}

impl Call {
    fn tool(&self) -> &str {
        match self {
            Self::Plain(channel) => &channel.tool,
            Self::Tool(tool) => tool,
        }
    }
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

/// A session to its end.
struct Round {
    calls: usize,
    response: Response,
    exchange: Option<Exchange>,
}

/// Where the URL of a header leads.
#[derive(Clone, Copy)]
enum Way {
    Permitted,
    Name(IpAddr),
    Address(IpAddr),
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
        let chosen = rounds.choosing(&places).await;
        let mut made = Vec::new();
        if chosen.is_empty() {
            let why = format!(
                "no header was seen to choose where requests go, of {} that were tried: {} that the server tells, and \
                 usual names; one that it needs, and those that must go along, are told with --header",
                places.len(),
                places.iter().filter(|header| header.told).count(),
            );
            made.extend(
                hosts
                    .iter()
                    .map(|host| (*host, rounds.attempt(Response::Moot(why.clone())), None)),
            );
            return Self(made);
        }
        let mut before = Control::Passed(passed(&chosen));
        for host in hosts {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let (attack, asked) = rounds.attack(host, &chosen).await;
            let after = rounds.again(&chosen).await;
            let mut twin = passed(&chosen);
            twin.witness = String::from("twin");
            let attempt = Attempt {
                before: std::mem::replace(&mut before, after.clone()),
                after,
                twin: Twin::Passed(twin),
                ..attack
            };
            made.push((host, attempt, asked));
        }
        Self(made)
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

    /// The headers that choose: all of them are tried at once, and those that seem to, each by itself.
    async fn choosing(&self, places: &[Header]) -> Vec<Chosen> {
        let mut chosen = Vec::new();
        let told: Vec<&Header> = places.iter().filter(|header| header.told).collect();
        let all: Vec<&Header> = places.iter().collect();
        // Where something refuses so many, those that the server tells may be let through.
        for some in [all, told] {
            let given: Vec<(&Header, Nonce)> = some
                .into_iter()
                .map(|header| (header, self.wire.glass.nonce()))
                .collect();
            self.round(&self.values(&given, Way::Permitted), &self.calls, &|| false)
                .await;
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
        chosen
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
        for one in chosen {
            if self
                .alone(&one.header, &self.calls[..one.calls])
                .await
                .is_none()
            {
                return Control::Failed(format!(
                    "the header {} chose nothing any more",
                    one.header.name
                ));
            }
        }
        Control::Passed(passed(chosen))
    }

    /// Each header with the denied host, by name and by address.
    async fn attack(&self, host: IpAddr, chosen: &[Chosen]) -> (Attempt, Option<Exchange>) {
        let mut attempt = self.attempt(Response::Refusal);
        let mut asked = None;
        for one in chosen {
            for way in [Way::Name(host), Way::Address(host)] {
                // In an address no word would be seen.
                if matches!(way, Way::Address(_)) && !one.path {
                    continue;
                }
                let nonce = self.wire.glass.nonce();
                let lost = self.wire.glass.hits().next();
                let values = self.values(&[(&one.header, nonce.clone())], way);
                let calls = &self.calls[..one.calls];
                let round = self.round(&values, calls, &|| false).await;
                if self.wire.glass.hits().lost() > lost {
                    attempt.watch = Watch::Blind(String::from(
                        "more arrived at the sink than is kept on record",
                    ));
                }
                if let Some(hit) = self.arrived(&nonce, false) {
                    let fact = format!(
                        "{}, which the policy denies: the header {} chose it",
                        told(&hit),
                        one.header.name
                    );
                    attempt
                        .proofs
                        .push(self.stage.observed(&hit, EvidenceKind::Connection, fact));
                    asked = round.exchange.or(asked);
                } else if rank(&round.response) > rank(&attempt.response) {
                    attempt.response = round.response;
                }
            }
        }
        (attempt, asked)
    }

    /// The values of headers, and names and answers at the sink for them.
    fn values(&self, given: &[(&Header, Nonce)], way: Way) -> Vec<(String, String)> {
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
            let Some(exchange) = self.call(&session, call).await else {
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

    async fn call(&self, session: &Session, call: &Call) -> Option<Exchange> {
        match call {
            Call::Tool(tool) => {
                let exchange = session
                    .call(tool, serde_json::Map::new(), self.deadline)
                    .await;
                self.stage.tally.count(&exchange);
                Some(exchange)
            }
            Call::Plain(channel) => {
                let plain = plain(channel.role)?;
                let ask = self.stage.plain_ask(channel, plain, self.deadline);
                let word = "headers";
                let geometry = Geometry::twin(self.stage.bed, word, None);
                let scene = self.stage.set(&ask, geometry, word).ok()?;
                let played = self
                    .stage
                    .play(session, &ask, scene, Counting::All)
                    .await
                    .ok()?;
                Some(played.exchange)
            }
        }
    }

    /// A request with the word, at a permitted host or at a denied one.
    fn arrived(&self, nonce: &Nonce, permitted: bool) -> Option<Hit> {
        let hits = self.wire.glass.hits().of_nonce(nonce).into_iter();
        let mut went = hits.filter(|hit| {
            // What a server passes on in fields of its own chooses nothing.
            let named = bears(hit.host.as_deref(), nonce) || bears(hit.path.as_deref(), nonce);
            !hit.own && is_contact(hit) && hit.kind != Kind::Bytes && named
        });
        went.find(|hit| self.wire.permits(hit.local.ip()) == permitted)
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

fn bears(text: Option<&str>, nonce: &Nonce) -> bool {
    text.is_some_and(|text| text.to_ascii_lowercase().contains(nonce.as_str()))
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

/// All that the target said in the run.
fn heard(session: &Session) -> Vec<String> {
    let records = session.transcript().records().map_while(Result::ok);
    records
        .filter(|record| record.entry.direction != Direction::Sent)
        .map(|record| String::from_utf8_lossy(&record.entry.bytes).into_owned())
        .collect()
}

/// What is called: what reaches hosts, what takes no arguments, and what takes a text.
fn calls(tools: &[Tool], channels: &[Arc<Channel>], allow_destructive: &[String]) -> Vec<Call> {
    let network = channels.iter().filter(|channel| {
        channel.proof.proven() && channel.role.of_network() && channel.then.is_none()
    });
    let bare = tools.iter().filter(|tool| {
        let required = tool.input_schema["required"].as_array();
        required.is_none_or(Vec::is_empty)
            && (destructive(tool).is_none() || allow_destructive.contains(&tool.name))
    });
    let swept = sweep(tools, channels, allow_destructive)
        .into_iter()
        .map(Arc::new);
    let mut made: Vec<Call> = Vec::new();
    let all = network
        .cloned()
        .map(Call::Plain)
        .chain(bare.map(|tool| Call::Tool(tool.name.clone())))
        .chain(swept.map(Call::Plain));
    for call in all {
        if made.len() < CALLS && made.iter().all(|known| known.tool() != call.tool()) {
            made.push(call);
        }
    }
    made
}
