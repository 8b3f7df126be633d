//! What the sightings of variables come to: the facts of each trial, in the words of the judge.
//!
//! Owns which places a technique looks at, and what shows that something could have been seen there.

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

    /// The variables that left for a host, but for those that the server needs for one.
    fn undeclared(&self, stage: &Stage<'_>) -> Vec<(String, Seen)> {
        let mut seen = self.seen(stage, Place::Sink);
        let needed = |name: &String| {
            let mut planted = self.planted.iter();
            planted.any(|one| one.name == *name && one.declared)
        };
        seen.retain(|(name, _)| !needed(name));
        seen
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
        let place = technique.strip_prefix(WATCHES).unwrap_or_default();
        let (seen, gave, twin, response) = match place {
            "files" => Self::of_round(self.files.as_ref(), "reads files", "file.read"),
            "commands" => Self::of_round(
                self.commands.as_ref(),
                "runs what it is given",
                "exec.command or exec.code",
            ),
            "requests" => (
                self.undeclared(stage),
                None,
                spoken(stage, Place::Sink, "contacted the sink"),
                Response::Benign,
            ),
            "errors" => (
                self.seen(stage, Place::Error),
                None,
                spoken(stage, Place::Error, "refused a call"),
                Response::Benign,
            ),
            "metadata" => (
                self.seen(stage, Place::Metadata),
                None,
                spoken(stage, Place::Metadata, "described itself and its tools"),
                Response::Benign,
            ),
            "logs" => (
                self.seen(stage, Place::Log),
                None,
                spoken(stage, Place::Log, "wrote to its log"),
                Response::Benign,
            ),
            _ => self.of_answers(stage),
        };
        let observation = |witness: &str, fact: String| Observation {
            witness: witness.to_owned(),
            kind: EvidenceKind::Token,
            fact,
            at_ms: stage.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        };
        let mut named: Vec<&String> = Vec::new();
        let proofs: Vec<Observation> = seen
            .iter()
            .filter(|(name, _)| {
                let new = !named.contains(&name);
                named.push(name);
                new
            })
            .map(|(name, seen)| {
                let fact = format!("the value of the variable {name} came out of the server");
                seen.observation(EvidenceKind::Token, fact)
            })
            .collect();
        let control = match &self.holder {
            Ok(pid) => Control::Passed(observation(
                "control",
                format!(
                    "{} variables with tokens stand in the environment of process {pid}",
                    self.planted.len()
                ),
            )),
            Err(why) => Control::Failed(why.clone()),
        };
        let nothing = "no tool of the target was seen to do anything";
        let twin = match twin {
            // What gives a variable needs no other tool to be believed. To have listed tools, of which none could be
            // used, is no achievement.
            Ok(fact) if proven > 0 || place == "answers" => Twin::Passed(observation("twin", fact)),
            Ok(_) => Twin::Rejected(nothing.to_owned()),
            Err(why) => Twin::Rejected(why),
        };
        let response = match &twin {
            Twin::Rejected(why) => Response::Withheld(why.clone()),
            _ => response,
        };
        let object = proofs
            .first()
            .and(seen.first())
            .map(|(name, _)| name.clone());
        let attempt = Attempt {
            alone: true,
            before: control.clone(),
            after: control,
            twin,
            liveness: Liveness::Live,
            wall: Wall::None,
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
        if let Some(exchange) = gave {
            running.asked = Some(json!({ "method": exchange.method, "params": exchange.params }));
            running.answered = Some(exchange.outcome.text());
        }
        running
    }

    fn of_answers(&self, stage: &Stage<'_>) -> Told<'_> {
        let seen = self.told.clone();
        let seen = seen.unwrap_or_else(|| self.seen(stage, Place::Answer));
        let twin = self.gives.clone().ok_or_else(|| {
            String::from(
                "no tool of the target gave a variable that is no secret, such as PATH or HOME",
            )
        });
        (seen, self.gave.as_ref(), twin, Response::Benign)
    }

    /// What a round came to; without one, which role the target lacks.
    fn of_round<'v>(round: Option<&'v Round>, does: &str, roles: &str) -> Told<'v> {
        match round {
            Some(round) => (
                round.seen.clone(),
                round.gave.as_ref(),
                Ok(format!("{} {does}", round.tool)),
                round.response.clone(),
            ),
            None => (
                Vec::new(),
                None,
                Err(format!(
                    "no tool of the target was found in the role {roles}"
                )),
                Response::Benign,
            ),
        }
    }
}

/// Sightings, the call that led to them, what shows that something could have been seen, and the answer.
type Told<'v> = (
    Vec<(String, Seen)>,
    Option<&'v Exchange>,
    Result<String, String>,
    Response,
);

/// Whether the target said anything of that kind in the run.
fn spoken(stage: &Stage<'_>, place: Place, what: &str) -> Result<String, String> {
    match stage.sightings.heard(place) {
        0 => Err(format!("the target never {what}")),
        count => Ok(format!(
            "the target {what} {count} times, and all of it was looked through"
        )),
    }
}
