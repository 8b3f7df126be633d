//! Trials that ask nothing: the target is looked at from outside.
//!
//! Owns what such a look comes to, in the words of the judge. Looked at are the processes of the target, and the
//! texts with which it was launched and bounded.

mod powers;
mod process;
mod secrets;
mod text;
mod visit;
mod world;

pub use visit::{Purpose, visit};

use std::sync::{Arc, atomic::Ordering};

use super::{
    Order,
    outcome::{Running, news, observed},
};
use crate::{
    judge::{Attempt, Control, Liveness, Observation, Response, Twin, Wall, Watch},
    plan::{Fate, Plan},
    policy::Policy,
    probe::{Aspect, EvidenceKind, Probe},
    witness::process::Postures,
};

/// What was seen of an aspect.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    /// What saw it, and what that proves.
    pub(super) by: (&'static str, EvidenceKind),
    /// What contradicts the policy, one sentence each.
    pub(super) against: Vec<String>,
    /// What agrees with it.
    pub(super) agreeing: Vec<String>,
    /// What could not be seen.
    pub(super) blind: Vec<String>,
    /// What is neither, as nothing could keep it from being so.
    pub(super) moot: Vec<String>,
    /// What shows that the look would have found something.
    pub(super) control: Result<String, String>,
}

impl Seen {
    /// Nothing yet, under a control.
    pub(super) fn under(control: Result<String, String>) -> Self {
        Self {
            by: ("process-witness", EvidenceKind::Posture),
            against: Vec::new(),
            agreeing: Vec::new(),
            blind: Vec::new(),
            moot: Vec::new(),
            control,
        }
    }

    /// As an attempt, for the judge.
    pub(super) fn attempt(self, at_ms: u64) -> Attempt {
        let observation = |witness: &str, fact: String| Observation {
            witness: witness.to_owned(),
            kind: self.by.1,
            fact,
            at_ms,
            decoders: Vec::new(),
            excerpt: None,
        };
        let checked = match self.control {
            Ok(fact) => Control::Passed(observation("control", fact)),
            Err(why) => Control::Failed(why),
        };
        Attempt {
            alone: true,
            before: checked.clone(),
            after: checked,
            liveness: match self.moot.is_empty() {
                true => Liveness::Live,
                false => Liveness::Inert,
            },
            twin: Twin::None([self.moot, self.agreeing].concat().join("; ")),
            watch: if self.blind.is_empty() {
                Watch::Awake
            } else {
                Watch::Blind(self.blind.join("; "))
            },
            proofs: self
                .against
                .into_iter()
                .map(|fact| observation(self.by.0, fact))
                .collect(),
            signals: Vec::new(),
            response: Response::Observed,
            wall: Wall::None,
        }
    }
}

/// Has everything looked at that the plan wants to see, unless the run is to end. Returns the trials, and
/// what people should know of the processes.
pub(super) async fn look(
    plan: &Plan,
    order: &Order<'_>,
    at_ms: u64,
) -> (Vec<Running>, Vec<String>) {
    if trials(plan).next().is_none() || order.stop.load(Ordering::Relaxed) {
        return (Vec::new(), Vec::new());
    }
    let mut seen = texts(plan, order, at_ms);
    let mut portraits = Vec::new();
    if of_processes(plan).next().is_some() {
        let postures = postures(plan, order).await;
        seen.extend(processes(plan, &postures, order.policy, at_ms));
        portraits.extend(postures.iter().flat_map(told));
    }
    for one in &seen {
        (order.emit)(news(plan, one));
    }
    (seen, portraits)
}

/// What was seen of the processes before the run, or is seen now.
async fn postures(plan: &Plan, order: &Order<'_>) -> Result<Postures, String> {
    match &order.postures {
        Some(before) => before.clone(),
        None => {
            let purpose = Purpose {
                policy: order.policy,
                planted: &order.variables,
                aspects: &of_processes(plan)
                    .map(|(_, aspect)| aspect)
                    .collect::<Vec<Aspect>>(),
            };
            visit(&order.endpoint, &order.options, purpose).await
        }
    }
}

/// What the probes look at in processes under the policy.
pub fn aspects(probes: &[Arc<Probe>], policy: &Policy) -> Vec<Aspect> {
    probes
        .iter()
        .filter(|probe| probe.claim.of_process() && policy.claims(probe.claim))
        .flat_map(|probe| probe.variants.iter().filter_map(|variant| variant.aspect))
        .collect()
}

/// The trials that look, with what they look at.
fn trials(plan: &Plan) -> impl Iterator<Item = (usize, Aspect)> {
    plan.trials
        .iter()
        .enumerate()
        .filter(|(_, trial)| trial.fate == Fate::Observed)
        .filter_map(|(index, trial)| Some((index, trial.probe.variants[trial.variant].aspect?)))
}

/// Those of them that look at processes.
fn of_processes(plan: &Plan) -> impl Iterator<Item = (usize, Aspect)> {
    trials(plan).filter(|(_, aspect)| !aspect.of_text())
}

/// The trials about texts, as they were read.
fn texts(plan: &Plan, order: &Order<'_>, at_ms: u64) -> Vec<Running> {
    trials(plan)
        .filter(|(_, aspect)| aspect.of_text())
        .map(|(index, aspect)| {
            let attempt = text::look(aspect, order.launch.as_ref(), order.policy).attempt(at_ms);
            observed(index, &plan.trials[index], attempt)
        })
        .collect()
}

/// The trials about processes, as they were seen.
fn processes(
    plan: &Plan,
    postures: &Result<Postures, String>,
    policy: &Policy,
    at_ms: u64,
) -> Vec<Running> {
    of_processes(plan)
        .map(|(index, aspect)| {
            let attempt = match postures {
                Ok(postures) => process::look(aspect, postures, policy).attempt(at_ms),
                Err(why) => Seen::under(Err(why.clone())).attempt(at_ms),
            };
            observed(index, &plan.trials[index], attempt)
        })
        .collect()
}

/// What was seen of each process, for people: one sentence each.
fn told(postures: &Postures) -> Vec<String> {
    postures
        .processes
        .iter()
        .map(|one| process::portrait(one, postures))
        .collect()
}
