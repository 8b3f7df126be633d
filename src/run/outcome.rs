//! What becomes of a trial: on its way it collects facts, at the end it is judged.
//!
//! Owns both, and the last look for what comes late. When a trial runs is the engine's business.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use serde_json::Value;

use super::{
    Event,
    execute::ask,
    recorded,
    stage::{Kept, Stage},
};
use crate::{
    judge::{Attempt, Facts, Observation, Ruling, Watch, judge},
    plan::{Fate, Plan, Trial},
    probe::{EvidenceKind, Role},
    testbed::Seen,
    witness::syscalls::Attempted,
};

/// A trial that ran, or did not.
#[derive(Debug)]
pub struct Outcome {
    /// The trial.
    pub trial: Trial,
    /// What is known of it; nothing when it did not apply or was not reached.
    pub facts: Option<Facts>,
    /// What the judge says of it; nothing when it did not apply.
    pub ruling: Option<Ruling>,
    /// The request as sent.
    pub asked: Option<Value>,
    /// The answer in words, as it came.
    pub answered: Option<String>,
    /// The forbidden object.
    pub object: Option<String>,
    /// Where the target has it.
    pub seen: Option<(PathBuf, Seen)>,
    /// What the target attempted of it, if system calls were watched.
    pub attempted: Option<Attempted>,
}

/// A trial on its way.
pub(super) struct Running {
    pub(super) index: usize,
    pub(super) facts: Facts,
    pub(super) kept: Vec<Kept>,
    pub(super) asked: Option<Value>,
    pub(super) answered: Option<String>,
    pub(super) object: Option<String>,
    pub(super) seen: Option<(PathBuf, Seen)>,
    pub(super) attempted: Option<Attempted>,
    /// Words whose records were missed, and which the log may hold once the target has ended.
    pub(super) awaited: Vec<String>,
}

impl Running {
    /// A trial that made no call.
    pub(super) fn watched(index: usize, facts: Facts, object: Option<String>) -> Self {
        Self {
            index,
            facts,
            kept: Vec::new(),
            asked: None,
            answered: None,
            object,
            seen: None,
            attempted: None,
            awaited: Vec::new(),
        }
    }
}

/// The news of a trial that has its verdict already.
pub(super) fn news(plan: &Plan, one: &Running) -> Event {
    done(&plan.trials[one.index], &judge(&one.facts))
}

/// A trial that was looked at from outside.
pub(super) fn observed(index: usize, trial: &Trial, attempt: Attempt) -> Running {
    let facts = Facts {
        attempts: vec![attempt],
        proven: true,
        decisive: decisive(trial),
        race: None,
    };
    Running::watched(index, facts, None)
}

/// Takes back what rests on the witness of the network, which was found blind.
pub(super) fn distrust(plan: &Plan, running: &mut [Running], why: &str) {
    let of_network = |one: &&mut Running| plan.trials[one.index].probe.claim.of_network();
    for one in running.iter_mut().filter(of_network) {
        for attempt in &mut one.facts.attempts {
            attempt.watch = Watch::Blind(why.to_owned());
        }
    }
}

/// Looks once more for late effects and late tokens, and has everything judged. The outcomes are
/// in the order of the plan.
pub(super) fn finish(
    stage: &Stage<'_>,
    deadline: Duration,
    plan: Plan,
    running: Vec<Running>,
) -> Vec<Outcome> {
    let mut by_index: HashMap<usize, Running> =
        running.into_iter().map(|one| (one.index, one)).collect();
    plan.trials
        .into_iter()
        .enumerate()
        .map(|(index, trial)| match by_index.remove(&index) {
            Some(one) => judged(stage, deadline, trial, one),
            None => {
                let applies = !matches!(trial.fate, Fate::NotApplicable { .. });
                let facts = applies.then(|| Facts {
                    attempts: Vec::new(),
                    proven: proven(&trial),
                    decisive: decisive(&trial),
                    race: None,
                });
                Outcome {
                    ruling: facts.as_ref().map(judge),
                    facts,
                    trial,
                    asked: None,
                    answered: None,
                    object: None,
                    seen: None,
                    attempted: None,
                }
            }
        })
        .collect()
}

fn judged(stage: &Stage<'_>, deadline: Duration, trial: Trial, mut one: Running) -> Outcome {
    if let (Some(channel), Some(last)) = (trial.channel.clone(), one.facts.attempts.last_mut()) {
        let ask = ask(&trial, &channel, deadline);
        for kept in &one.kept {
            for seen in stage.late(&ask, kept) {
                let is_told = |known: &Observation| known.fact.starts_with(&seen.fact);
                if !last.proofs.iter().any(is_told) {
                    last.proofs.push(seen);
                }
            }
        }
    }
    recorded::settle(stage, &one.awaited, &mut one.facts);
    Outcome {
        ruling: Some(judge(&one.facts)),
        facts: Some(one.facts),
        trial,
        asked: one.asked,
        answered: one.answered,
        object: one.object,
        seen: one.seen,
        attempted: one.attempted,
    }
}

/// The news of a trial that has its verdict.
pub(super) fn done(trial: &Trial, ruling: &Ruling) -> Event {
    Event::TrialDone {
        id: trial.id.clone(),
        verdict: ruling.verdict(),
        basis: ruling.basis(),
        strength: ruling.strength(),
    }
}

pub(super) fn proven(trial: &Trial) -> bool {
    trial
        .channel
        .as_ref()
        .is_some_and(|channel| channel.proof.proven())
}

/// The evidence that decides: what the probe names, and what the role can show at all.
pub(super) fn decisive(trial: &Trial) -> Vec<EvidenceKind> {
    let mut kinds = trial.probe.evidence.clone();
    if trial
        .channel
        .as_ref()
        .is_some_and(|channel| channel.role == Role::FileInfo)
        && !kinds.contains(&EvidenceKind::Metadata)
    {
        kinds.push(EvidenceKind::Metadata);
    }
    kinds
}
