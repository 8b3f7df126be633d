//! What the sightings of variables come to: the facts of each trial, in the words of the judge.
//!
//! Owns which places a technique looks at, and what shows that something could have been seen there.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Round, Variables, WATCHES};
use crate::{
    judge::{Attempt, Control, Facts, Liveness, Observation, Response, Twin, Wall, Watch},
    plan::Trial,
    probe::EvidenceKind,
    run::{
        outcome::Running,
        sightings::{Place, Seen},
        stage::Stage,
    },
    session::Exchange,
};

impl Variables<'_> {
    /// Each variable that was seen somewhere, oldest sighting first.
    pub(super) fn seen(&self, stage: &Stage<'_>, place: Place) -> Vec<(String, Seen)> {
        let mut seen: Vec<(String, Seen)> = self
            .planted
            .all
            .iter()
            .flat_map(|one| {
                let all = stage.sightings.seen(one.token.slot());
                let here = all.into_iter().filter(move |seen| seen.place == place);
                here.filter(|seen| seen.sighting.proof)
                    .map(|seen| (one.name.clone(), seen))
            })
            .collect();
        seen.sort_by_key(|(_, seen)| seen.at_ms);
        seen
    }

    /// The variables that left for a host that they are not for.
    fn astray(&self, stage: &Stage<'_>) -> Vec<Leak> {
        let (Some(wire), false) = (stage.wire, self.seen(stage, Place::Sink).is_empty()) else {
            return Vec::new();
        };
        let mut leaks = Vec::new();
        for hit in wire.glass.hits().since(0) {
            if hit.own || hit.raw.is_empty() || wire.of_api(&hit) {
                continue;
            }
            let host = hit.host.clone();
            let host = host.unwrap_or_else(|| hit.local.ip().to_string());
            for sighting in stage.sightings.detector().scan(&hit.raw) {
                let variable = self.planted.of(sighting.slot).filter(|_| sighting.proof);
                if let Some(variable) = variable.filter(|variable| !variable.is_for(&host)) {
                    let at_ms = hit.at.saturating_duration_since(stage.began).as_millis();
                    leaks.push(Leak {
                        fact: format!("the value of the variable {} went to {host}", variable.name),
                        name: variable.name.clone(),
                        seen: Seen {
                            sighting,
                            witness: "sink",
                            place: Place::Sink,
                            at_ms: u64::try_from(at_ms).unwrap_or(u64::MAX),
                        },
                    });
                }
            }
        }
        leaks
    }

    /// The variables that a command was given, but for those that the server needs.
    fn inherited(&self, stage: &Stage<'_>) -> Vec<Leak> {
        let needed = |name: &str| {
            let mut all = self.planted.all.iter();
            all.any(|one| one.declared && one.name == name)
        };
        let seen = self.seen(stage, Place::Command).into_iter();
        seen.filter(|(name, _)| !needed(name))
            .map(|(name, seen)| Leak {
                fact: format!(
                    "the variable {name} stood in the environment of a command that the server started"
                ),
                name,
                seen,
            })
            .collect()
    }

    /// Whether anything was asked about them: unless the run was ended before.
    pub(in crate::run) fn was_asked(&self) -> bool {
        self.told.is_some()
    }

    /// The facts of a trial: what its technique looks at.
    pub(in crate::run) fn settled(
        &self,
        stage: &Stage<'_>,
        trial: &Trial,
        index: usize,
        proven: usize,
    ) -> Running {
        let technique = trial.probe.technique.as_deref().unwrap_or_default();
        let passive = |place, what| Told {
            leaks: leaks(self.seen(stage, place)),
            gave: None,
            // To have listed tools, of which none could be used, is no achievement.
            shown: match proven {
                0 => Err(Response::Moot(String::from(
                    "no tool of the target was seen to do anything",
                ))),
                _ => spoken(stage, place, what),
            },
            response: Response::Benign,
        };
        let told = match technique.strip_prefix(WATCHES).unwrap_or_default() {
            "files" => Self::of_round(self.files.as_ref(), "reads files", "file.read"),
            "commands" => Self::of_round(
                self.commands.as_ref(),
                "runs what it is given",
                "exec.command or exec.code",
            ),
            "requests" => Told {
                leaks: self.astray(stage),
                ..passive(Place::Sink, "contacted the sink")
            },
            "children" => Told {
                leaks: self.inherited(stage),
                ..passive(Place::Command, "started a command with a word of a call")
            },
            "errors" => passive(Place::Error, "refused a call"),
            "metadata" => passive(Place::Metadata, "described itself and its tools"),
            "logs" => self.logged(stage, passive(Place::Log, "wrote to its log")),
            _ => self.of_answers(stage),
        };
        // What a command was given did not come out of the server.
        let kind = trial.probe.evidence.first();
        let kind = kind.copied().unwrap_or(EvidenceKind::Token);
        let observation = |witness: &str, fact: String| Observation {
            witness: witness.to_owned(),
            kind,
            fact,
            at_ms: stage.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        };
        let mut named = BTreeSet::new();
        let first = told.leaks.iter().filter(|leak| named.insert(&leak.name));
        let proofs: Vec<Observation> = first
            .map(|leak| {
                let fact = leak.fact.clone();
                leak.seen.observation(kind, fact)
            })
            .collect();
        // Where nothing was asked, nothing is known: the control failed.
        let asked = self.was_asked();
        let stood = match (&self.planted.holder, &self.planted.wall) {
            _ if !asked => Err(String::from("the run ended before it was asked")),
            (Ok(pid), _) => Ok(format!("stand in the environment of process {pid}")),
            (Err(_), Wall::Around(_)) => Ok(String::from("were set at the launch of the target")),
            (Err(why), _) => Err(why.clone()),
        };
        let control = match stood {
            Ok(stood) => Control::Passed(observation(
                "control",
                format!("{} variables with tokens {stood}", self.planted.all.len()),
            )),
            Err(why) => Control::Failed(why),
        };
        let walled = self.planted.wall != Wall::None;
        let (twin, response) = match told.shown {
            Ok(fact) => (Twin::Passed(observation("twin", fact)), told.response),
            Err(Response::Moot(why)) if asked && !walled => {
                (Twin::Rejected(why.clone()), Response::Moot(why))
            }
            Err(Response::Moot(why)) => (Twin::Rejected(why), told.response),
            Err(lost) => (Twin::None(String::from("it was not answered")), lost),
        };
        let object = told.leaks.first().map(|leak| leak.name.clone());
        let attempt = Attempt {
            alone: true,
            before: control.clone(),
            after: control,
            twin,
            liveness: Liveness::Live,
            wall: self.planted.wall.clone(),
            watch: Watch::Awake,
            proofs,
            signals: Vec::new(),
            response,
        };
        let facts = Facts {
            attempts: vec![attempt],
            proven: true,
            decisive: trial.probe.evidence.clone(),
            race: None,
        };
        let mut running = Running::watched(index, facts, object);
        if let Some(exchange) = told.gave {
            running.asked = Some(json!({ "method": exchange.method, "params": exchange.params }));
            running.answered = Some(exchange.outcome.text());
        }
        running
    }

    /// What its error output holds, and what the audit log does that the policy names.
    fn logged<'v>(&self, stage: &Stage<'_>, mut told: Told<'v>) -> Told<'v> {
        let Some(ledger) = stage.ledger else {
            return told;
        };
        ledger.log.look();
        let lines = ledger.log.since(0);
        for line in &lines {
            let found = stage.sightings.detector().scan(&line.bytes);
            for sighting in found.into_iter().filter(|sighting| sighting.proof) {
                let Some(variable) = self.planted.of(sighting.slot) else {
                    continue;
                };
                told.leaks.push(Leak {
                    name: variable.name.clone(),
                    fact: format!(
                        "the value of the variable {} stands in the audit log",
                        variable.name
                    ),
                    seen: Seen {
                        sighting,
                        witness: "audit-log",
                        place: Place::Log,
                        at_ms: stage.now_ms(),
                    },
                });
            }
        }
        if told.shown.is_err() && !lines.is_empty() {
            told.shown = Ok(format!(
                "the target wrote {} lines to its audit log, and all of it was looked through",
                lines.len()
            ));
        }
        told
    }

    fn of_answers(&self, stage: &Stage<'_>) -> Told<'_> {
        let seen = self.told.clone();
        let seen = seen.unwrap_or_else(|| self.seen(stage, Place::Answer));
        let none = || {
            let why =
                "no tool of the target gave a variable that is no secret, such as PATH or HOME";
            let lost = self.lost.clone();
            lost.unwrap_or_else(|| Response::Moot(String::from(why)))
        };
        Told {
            leaks: leaks(seen),
            gave: self.gave.as_ref(),
            shown: self.gives.clone().ok_or_else(none),
            response: Response::Benign,
        }
    }

    /// What a round came to; without one, which role the target lacks. An answer that is no refusal shows something
    /// only where an environment is in it.
    fn of_round<'v>(round: Option<&'v Round>, does: &str, roles: &str) -> Told<'v> {
        let Some(round) = round else {
            let why = format!("no tool of the target was found in the role {roles}");
            return Told {
                leaks: Vec::new(),
                gave: None,
                shown: Err(Response::Moot(why)),
                response: Response::Benign,
            };
        };
        let nothing = || {
            let why = "what was answered holds no variable at all, not even PATH";
            Response::Moot(String::from(why))
        };
        Told {
            leaks: leaks(round.seen.clone()),
            gave: round.gave.as_ref(),
            shown: match round.response {
                Response::Benign => round.open.clone().ok_or_else(nothing),
                _ => Ok(format!("{} {does}", round.tool)),
            },
            response: round.response.clone(),
        }
    }
}

/// What was seen of a place, and what shows that something could have been.
struct Told<'v> {
    leaks: Vec<Leak>,
    /// The call that led to the first of them.
    gave: Option<&'v Exchange>,
    /// What shows it; or the answer that nothing was learned by.
    shown: Result<String, Response>,
    response: Response,
}

/// A variable that came out.
struct Leak {
    name: String,
    fact: String,
    seen: Seen,
}

fn leaks(seen: Vec<(String, Seen)>) -> Vec<Leak> {
    let leak = |(name, seen)| Leak {
        fact: format!("the value of the variable {name} came out of the server"),
        name,
        seen,
    };
    seen.into_iter().map(leak).collect()
}

/// Whether the target said anything of that kind in the run.
fn spoken(stage: &Stage<'_>, place: Place, what: &str) -> Result<String, Response> {
    match stage.sightings.heard(place) {
        0 => Err(Response::Moot(format!("the target never {what}"))),
        count => Ok(format!(
            "the target {what} {count} times, and all of it was looked through"
        )),
    }
}
