//! What is watched without a call: the silence before the first one, and all that is said in a run.
//!
//! Owns what counts as unasked, and the facts of trials that make no call. Who put the decoys where they are
//! is not its business.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use serde_json::json;

use super::{
    Event, Order,
    net::{is_contact, told},
    outcome::{Running, done},
    sightings::Sightings,
    stage::Stage,
    unlisted::{self, Unlisted},
    upstream::Upstream,
    variables::{self, Variables},
};
use crate::{
    judge::{
        Attempt, Control, Facts, Liveness, Observation, Response, Twin, Verdict, Wall, Watch, judge,
    },
    plan::{Fate, Plan},
    policy::Access,
    probe::{EvidenceKind, Probe},
    session::{Direction, Session, Transcript},
    testbed::{
        Decoy, lay_decoys,
        net::{Hit, Kind, Sight},
    },
};

/// What leaves without being asked for leaves at the start, or soon after the other side has shown up.
const SILENCE: Duration = Duration::from_secs(2);

/// Names of strangers that a note holds.
const NAMED: usize = 6;

/// The time before the first call.
pub(super) struct Silence {
    since: Option<u64>,
}

impl Silence {
    /// To be called before the target is started.
    pub(super) fn begin(order: &Order<'_>) -> Self {
        let wanted = order
            .probes
            .iter()
            .any(|probe| asks(probe, "watch.unasked"));
        let glass = order.glass.as_ref().ok().filter(|_| wanted);
        Self {
            since: glass.map(|glass| glass.hits().next()),
        }
    }

    /// Has the target list its tools, asks nothing of it for a while, and gives what has left it by then.
    pub(super) async fn end(self, order: &Order<'_>, session: &Session) -> Vec<Hit> {
        let (Some(since), Ok(glass)) = (self.since, &order.glass) else {
            return Vec::new();
        };
        // Whether it can is found out later.
        let _listed = session.tools(order.options.limits.startup).await;
        tokio::time::sleep(SILENCE).await;
        glass.hits().since(since)
    }
}

/// The decoys of a run, its own in the home of the target included, all of them armed.
pub(super) fn decoys(order: &Order<'_>, sightings: &Sightings) -> Vec<Decoy> {
    let mut decoys = order.decoys.clone();
    if order
        .probes
        .iter()
        .any(|probe| asks(probe, "watch.secrets"))
    {
        decoys.extend(lay_decoys(order.mint, &order.bed.home));
    }
    for decoy in &decoys {
        sightings.detector().arm(&decoy.token);
    }
    decoys
}

fn asks(probe: &Probe, technique: &str) -> bool {
    probe.technique.as_deref() == Some(technique)
}

/// What was watched.
pub(super) struct Watched<'r> {
    pub(super) stage: &'r Stage<'r>,
    pub(super) decoys: &'r [Decoy],
    /// What left before the first call.
    pub(super) unasked: &'r [Hit],
    pub(super) variables: &'r Variables<'r>,
    /// What came of tools that are not listed, where they were asked for.
    pub(super) unlisted: Option<&'r Unlisted>,
    /// What came of headers that may choose a host, where they were tried.
    pub(super) upstream: Option<&'r Upstream>,
    pub(super) sight: Option<&'r Sight>,
    pub(super) launcher: bool,
    /// Channels that were seen to do what their role says.
    pub(super) proven: usize,
}

impl Watched<'_> {
    /// Adds the trials that made no call.
    pub(super) fn settle(&self, plan: &Plan, running: &mut Vec<Running>, emit: &dyn Fn(Event)) {
        for (index, trial) in plan.trials.iter().enumerate() {
            if trial.fate != Fate::Watched {
                continue;
            }
            if variables::looks(&trial.probe) {
                let one = self
                    .variables
                    .settled(self.stage, trial, index, self.proven);
                let judged = judge(&one.facts);
                // What came out shows a breach, also where the run was ended before it was asked for.
                if self.variables.was_asked() || judged.verdict() == Verdict::Breached {
                    emit(done(trial, &judged));
                    running.push(one);
                }
                continue;
            }
            let gave = self.unlisted.filter(|_| unlisted::asks(&trial.probe));
            let mut gave = gave.and_then(Unlisted::gave);
            let (attempt, object) = match trial.probe.technique.as_deref() {
                Some("watch.unasked") => (self.silence(), None),
                Some("watch.unlisted") => match self.unlisted {
                    Some(unlisted) => (unlisted.attempt(), None),
                    // The run was ended before.
                    None => continue,
                },
                Some("watch.headers") => match self.upstream.and_then(|it| it.of(trial.host)) {
                    Some((attempt, asked)) => {
                        gave = asked;
                        (attempt, trial.host.map(|host| host.to_string()))
                    }
                    None => continue,
                },
                _ => self.secrets(),
            };
            let facts = Facts {
                attempts: vec![attempt],
                proven: true,
                decisive: trial.probe.evidence.clone(),
                race: None,
            };
            emit(done(trial, &judge(&facts)));
            running.push(Running {
                asked: gave.map(|it| json!({ "method": it.method, "params": it.params })),
                answered: gave.map(|it| it.outcome.text()),
                ..Running::watched(index, facts, object)
            });
        }
    }

    /// What left before the first call, but for what the policy names.
    fn silence(&self) -> Attempt {
        let mut shown = BTreeSet::new();
        let proofs: Vec<Observation> = self
            .unasked
            .iter()
            .filter(|hit| self.stranger(hit))
            // A connection and its first packet are one thing.
            .filter(|hit| shown.insert((hit.local, hit.host.clone())))
            .map(|hit| self.observed(hit))
            .collect();
        let blind = match (self.sight, proofs.first()) {
            (Some(Sight::Blind(why)), _) => Some(why.clone()),
            (None, _) => Some(String::from("there is no network of the run's own")),
            (_, Some(first)) if self.launcher => Some(format!(
                "the target is started by a package launcher, and it may have been that: {}. \
                 Give the command of the installed server instead",
                first.fact
            )),
            _ => None,
        };
        let told = blind.is_some();
        Attempt {
            proofs: if told { Vec::new() } else { proofs },
            watch: blind.map_or(Watch::Awake, Watch::Blind),
            before: self.passed(format!(
                "the target started and listed its tools, and nothing was asked of it for {} s",
                SILENCE.as_secs()
            )),
            after: self.passed(String::from(
                "a connection, a question and a packet of the harness's own were seen before and after",
            )),
            ..self.attempt(Twin::None(String::from("nothing is asked")))
        }
    }

    /// Tokens of decoys that came out of the target.
    fn secrets(&self) -> (Attempt, Option<String>) {
        let forbidden: Vec<&Decoy> = self
            .decoys
            .iter()
            .filter(|decoy| !self.stage.policy.decide(&decoy.path, Access::Read).allowed)
            .collect();
        let mut object = None;
        let mut proofs = Vec::new();
        for decoy in &forbidden {
            let seen = self.stage.sightings.seen(decoy.token.slot());
            if let Some(seen) = seen.into_iter().find(|seen| seen.sighting.proof) {
                object.get_or_insert_with(|| decoy.path.display().to_string());
                let fact = format!(
                    "the token of the decoy at {} came out of the server, which was not asked for it",
                    decoy.path.display()
                );
                proofs.push(seen.observation(EvidenceKind::Token, fact));
            }
        }
        let twin = match self.proven {
            0 => Twin::Rejected(String::from(
                "no tool of the target was seen to do anything",
            )),
            count => Twin::Passed(self.observation(
                "twin",
                format!(
                    "planted words came out of {count} ways to call its tools, and were recognised"
                ),
            )),
        };
        let nowhere = "the policy permits all places where secrets are looked for";
        let attempt = Attempt {
            response: match forbidden.is_empty() {
                true => Response::Moot(nowhere.to_owned()),
                false => Response::Benign,
            },
            proofs,
            liveness: if self.proven > 0 {
                Liveness::Live
            } else {
                Liveness::Unknown
            },
            before: self.passed(format!(
                "{} decoys stood where secrets are",
                forbidden.len()
            )),
            after: self.passed(String::from("all that the target said was looked through")),
            ..self.attempt(twin)
        };
        (attempt, object)
    }

    fn attempt(&self, twin: Twin) -> Attempt {
        Attempt {
            alone: true,
            before: Control::Failed(String::new()),
            after: Control::Failed(String::new()),
            twin,
            liveness: Liveness::Live,
            watch: Watch::Awake,
            wall: Wall::None,
            proofs: Vec::new(),
            signals: Vec::new(),
            response: Response::Benign,
        }
    }

    fn passed(&self, fact: String) -> Control {
        Control::Passed(self.observation("control", fact))
    }

    fn observation(&self, witness: &str, fact: String) -> Observation {
        Observation {
            witness: witness.to_owned(),
            kind: EvidenceKind::Token,
            fact,
            at_ms: self.stage.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        }
    }

    fn observed(&self, hit: &Hit) -> Observation {
        let fact = format!("{} before anything was asked of the server", told(hit));
        let kind = match hit.kind {
            Kind::Query => EvidenceKind::Query,
            _ => EvidenceKind::Connection,
        };
        self.stage.observed(hit, kind, fact)
    }

    /// Whether the hit went where nobody sent it, and off the machine.
    fn stranger(&self, hit: &Hit) -> bool {
        if hit.own || hit.nonce.is_some() {
            return false;
        }
        let network = self.stage.policy.network();
        if self.stage.wire.is_some_and(|wire| wire.of_api(hit)) {
            return false;
        }
        if hit.kind == Kind::Query {
            let name = hit.host.as_deref().unwrap_or_default();
            return !(of_machine(name)
                || network.allowed_names.iter().any(|rule| rule.covers(name)));
        }
        // Only a list names hosts that may be contacted of the server's own accord.
        let listed = network.allowed.is_some() && network.permits(hit.local.ip());
        is_contact(hit) && !of_loopback(hit.local.ip()) && !listed
    }

    /// Names that the target asked for in the run and that nobody gave it, as a note: no call tells who wanted
    /// them.
    pub(super) fn strangers(&self, transcript: &Transcript) -> Option<String> {
        let wire = self.stage.wire?;
        let mut names: BTreeSet<String> = wire
            .glass
            .hits()
            .since(0)
            .into_iter()
            .filter(|hit| hit.kind == Kind::Query && self.stranger(hit))
            .filter_map(|hit| hit.host)
            .map(|name| name.trim_end_matches('.').to_lowercase())
            .filter(|name| spoken(name) && !name.ends_with(&wire.hosts.domain))
            .collect();
        if names.is_empty() {
            return None;
        }
        // What was named in a call was asked for.
        for record in transcript.records().map_while(Result::ok) {
            if record.entry.direction == Direction::Sent {
                let sent = String::from_utf8_lossy(&record.entry.bytes).to_lowercase();
                names.retain(|name| !sent.contains(name));
            }
        }
        let count = names.len();
        let shown: Vec<String> = names.into_iter().take(NAMED).collect();
        let more = match count.saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!shown.is_empty()).then(|| {
            format!(
                "in the run the target asked for names that no call gave it: {}{more}",
                shown.join(", ")
            )
        })
    }
}

/// Whether the witness of the network sees; nothing when there is no network.
pub(super) async fn sight(order: &Order<'_>) -> Option<Sight> {
    match &order.glass {
        Ok(glass) => Some(glass.check().await.together()),
        Err(_) => None,
    }
}

/// Names that stay on the machine: its own, and those of addresses.
fn of_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_lowercase();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_lowercase();
    name.is_empty()
        || name == "localhost"
        || name.ends_with(".localhost")
        || name.ends_with(".arpa")
        || !host.is_empty()
            && name
                .strip_prefix(&host)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn of_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether the name is one that people give, and not a number or a piece of a payload.
fn spoken(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| {
        last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}
