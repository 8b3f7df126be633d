//! The rule table: first match wins.
//!
//! Owns the step from [`Facts`] to a [`Ruling`]. Text of the target is not among the facts, so it
//! cannot decide. `tests/judge` enumerates the table.

use super::{
    Attempt, Basis, Control, Facts, Liveness, NonEmpty, Observation, Response, Strength, Twin,
    Verdict, Wall, Watch, observed::observed,
};
use crate::probe::EvidenceKind;

/// What the judge says of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// There is proof that the boundary did not hold.
    Breached {
        /// The kind of proof.
        basis: Basis,
        /// The proof.
        evidence: NonEmpty<Observation>,
    },
    /// The controls passed, the payload was live, and no witness saw anything.
    Held {
        /// How it was held.
        basis: Basis,
        /// What the verdict is worth.
        strength: Strength,
        /// The controls that passed: before, after, and the twin if there was one.
        controls: NonEmpty<Observation>,
        /// Why, in one sentence.
        reason: String,
    },
    /// It cannot be judged from these facts.
    Inconclusive {
        /// Which rule.
        basis: Basis,
        /// Why, in one sentence.
        reason: String,
    },
    /// The variant cannot do anything here, or was not sent.
    NotApplicable {
        /// Which rule.
        basis: Basis,
        /// Why, in one sentence.
        reason: String,
    },
}

impl Ruling {
    /// The verdict in one word.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Breached { .. } => Verdict::Breached,
            Self::Held { .. } => Verdict::Held,
            Self::Inconclusive { .. } => Verdict::Inconclusive,
            Self::NotApplicable { .. } => Verdict::NotApplicable,
        }
    }

    /// The rule that decided.
    #[must_use]
    pub fn basis(&self) -> Basis {
        match self {
            Self::Breached { basis, .. }
            | Self::Held { basis, .. }
            | Self::Inconclusive { basis, .. }
            | Self::NotApplicable { basis, .. } => *basis,
        }
    }

    /// What a `held` is worth.
    #[must_use]
    pub fn strength(&self) -> Option<Strength> {
        match self {
            Self::Held { strength, .. } => Some(*strength),
            _ => None,
        }
    }
}

/// What would settle an open question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Once more with nothing else in flight.
    Alone,
    /// Once more alone, with three times the deadline.
    Patient,
    /// Once more alone in a fresh process.
    Fresh,
}

/// How often a weak signal must recur alone to be a breach, and how many attempts alone it takes.
const RECURRENCE: (usize, usize) = (2, 3);

/// Judges a trial.
#[must_use]
pub fn judge(facts: &Facts) -> Ruling {
    if let Some(ruling) = breach(facts) {
        return ruling;
    }
    let Some(last) = facts.attempts.last() else {
        return inconclusive(Basis::NotRun, "the run ended before this trial");
    };
    if facts.attempts.iter().any(|attempt| loud(facts, attempt)) && !cleared(facts) {
        return inconclusive(
            Basis::WeakSignal,
            "signals were seen that name no trial, and did not recur when it ran alone",
        );
    }
    let unsent = match &last.response {
        Response::Withheld(reason) => Some((Basis::Withheld, reason)),
        Response::Moot(reason) => Some((Basis::Moot, reason)),
        _ => None,
    };
    if let Some((basis, reason)) = unsent {
        return Ruling::NotApplicable {
            basis,
            reason: reason.clone(),
        };
    }
    if let Response::Died(why) = &last.response {
        return inconclusive(Basis::ServerDied, why);
    }
    if let Response::Fault(why) = &last.response {
        return inconclusive(Basis::HarnessFault, why);
    }
    let before = match &last.before {
        Control::Passed(observation) => observation,
        Control::Failed(why) => return inconclusive(Basis::ControlFailed, why),
    };
    let after = match &last.after {
        Control::Passed(observation) => observation,
        Control::Failed(why) => return inconclusive(Basis::ControlLost, why),
    };
    if last.response == Response::Observed {
        return observed(facts, last, [before, after]);
    }
    if let Some(reason) = inert(facts, last) {
        return Ruling::NotApplicable {
            basis: Basis::Inert,
            reason,
        };
    }
    if let (Watch::Blind(why), true) = (&last.watch, only_by_witness(facts)) {
        return inconclusive(Basis::WitnessBlind, why);
    }
    if last.response == Response::Timeout {
        let reason = if timeouts(facts) > 1 {
            "no answer in time, twice"
        } else {
            "no answer in time"
        };
        return inconclusive(Basis::Timeout, reason);
    }
    if let Some(race) = facts.race
        && (race.permitted == 0 || race.refused == 0)
    {
        return inconclusive(
            Basis::NoEvidence,
            &format!(
                "the race was never won or lost: {} tries met the permitted state {} times and the forbidden one {} times",
                race.tries, race.permitted, race.refused
            ),
        );
    }
    if let Wall::Unseen(why) = &last.wall {
        return inconclusive(Basis::Unmapped, why);
    }
    let awake = witnessed(facts) && last.watch == Watch::Awake;
    let basis = match (&last.response, &last.twin) {
        // Whatever was answered: nobody inside could have reached it.
        _ if matches!(last.wall, Wall::Around(_)) => Basis::Envelope,
        (Response::Benign, _) if awake => Basis::Filtered,
        // All that could leak is in the answer, and the twin shows that it would have been found there.
        (Response::Benign, Twin::Passed(_)) if !witnessed(facts) => Basis::Filtered,
        // Nor does the answer tell of a permitted object what it would have to tell.
        (Response::Benign, Twin::Rejected(_)) if !witnessed(facts) => {
            return Ruling::NotApplicable {
                basis: Basis::Inert,
                reason: String::from(
                    "nothing here tells it, not even of a permitted object: its twin told nothing either",
                ),
            };
        }
        (Response::Benign, _) => {
            return inconclusive(
                Basis::NoEvidence,
                "the answer looks like a success, and no witness could tell whether it was one",
            );
        }
        (_, Twin::Rejected(_)) => Basis::Syntax,
        _ => Basis::Policy,
    };
    let mut controls = vec![before.clone(), after.clone()];
    let twin_passed = if let Twin::Passed(observation) = &last.twin {
        controls.push(observation.clone());
        true
    } else {
        false
    };
    let strength = match (awake && facts.proven, twin_passed) {
        (true, true) => Strength::Strong,
        (true, false) | (false, true) => Strength::Medium,
        (false, false) => Strength::Weak,
    };
    match NonEmpty::new(controls) {
        Some(controls) => Ruling::Held {
            basis,
            strength,
            controls,
            reason: held_reason(facts, basis, last),
        },
        None => inconclusive(Basis::ControlFailed, "no control passed"),
    }
}

/// What would have to be run to settle the trial, if anything would.
#[must_use]
pub fn again(facts: &Facts) -> Option<Again> {
    let last = facts.attempts.last()?;
    let alone = alone(facts).count();
    match judge(facts) {
        Ruling::Inconclusive {
            basis: Basis::WeakSignal,
            ..
        } if alone < RECURRENCE.1 => Some(Again::Alone),
        Ruling::Inconclusive {
            basis: Basis::Timeout,
            ..
        } if timeouts(facts) == 1 => Some(Again::Patient),
        Ruling::Inconclusive {
            basis: Basis::ServerDied,
            ..
        } if alone == 0 => Some(Again::Fresh),
        Ruling::Inconclusive {
            basis: Basis::ControlLost,
            ..
        } if facts.attempts.len() == 1 => Some(Again::Fresh),
        // A control that never passed will not pass by repetition; one that was drowned by the
        // death of the server in the same wave will.
        Ruling::Inconclusive {
            basis: Basis::ControlFailed,
            ..
        } if alone == 0 && !last.alone && matches!(last.after, Control::Passed(_)) => {
            Some(Again::Alone)
        }
        _ => None,
    }
}

fn breach(facts: &Facts) -> Option<Ruling> {
    let proofs: Vec<&Observation> = facts
        .attempts
        .iter()
        .flat_map(|attempt| &attempt.proofs)
        .collect();
    for (kind, basis) in [
        (EvidenceKind::Execution, Basis::Execution),
        (EvidenceKind::Token, Basis::Token),
        (EvidenceKind::Effect, Basis::Effect),
        (EvidenceKind::Access, Basis::Access),
        (EvidenceKind::Connection, Basis::Connection),
        (EvidenceKind::Query, Basis::Query),
        (EvidenceKind::Limit, Basis::Limit),
        (EvidenceKind::Computed, Basis::Computed),
        (EvidenceKind::Record, Basis::Record),
        (EvidenceKind::Exhaustion, Basis::Exhaustion),
        (EvidenceKind::Posture, Basis::Posture),
        (EvidenceKind::Finding, Basis::Finding),
        (EvidenceKind::Metadata, Basis::Metadata),
    ] {
        let found: Vec<Observation> = proofs
            .iter()
            .filter(|proof| proof.kind == kind)
            .map(|proof| (*proof).clone())
            .collect();
        // Told metadata is a breach only where the probe asks for it, and only on a channel that
        // is known to work: a number in an answer is weaker than a token.
        if kind == EvidenceKind::Metadata && !(facts.decisive.contains(&kind) && controlled(facts))
        {
            continue;
        }
        if let Some(evidence) = NonEmpty::new(found) {
            return Some(Ruling::Breached { basis, evidence });
        }
    }
    recurring(facts)
}

/// Decisive signals that recurred in attempts alone. When tokens did not recur by themselves, the
/// breach claims no more than that the object was reached.
fn recurring(facts: &Facts) -> Option<Ruling> {
    let of = |counts: &dyn Fn(&Observation) -> bool| -> Vec<Observation> {
        alone(facts)
            .filter_map(|attempt| attempt.signals.iter().find(|signal| counts(signal)))
            .cloned()
            .collect()
    };
    let decisive = |signal: &Observation| facts.decisive.contains(&signal.kind);
    let tokens = of(&|signal| signal.kind == EvidenceKind::Token && decisive(signal));
    let (basis, evidence) = if tokens.len() >= RECURRENCE.0 {
        (Basis::Token, tokens)
    } else {
        let signals = of(&decisive);
        let all = |kind| signals.iter().all(|signal| signal.kind == kind);
        let basis = if all(EvidenceKind::Connection) {
            Basis::Connection
        } else if all(EvidenceKind::Exhaustion) {
            Basis::Exhaustion
        } else {
            Basis::Access
        };
        (basis, signals)
    };
    if evidence.len() < RECURRENCE.0 {
        return None;
    }
    NonEmpty::new(evidence).map(|evidence| Ruling::Breached { basis, evidence })
}

fn alone(facts: &Facts) -> impl Iterator<Item = &Attempt> {
    facts.attempts.iter().filter(|attempt| attempt.alone)
}

fn timeouts(facts: &Facts) -> usize {
    facts
        .attempts
        .iter()
        .filter(|attempt| attempt.response == Response::Timeout)
        .count()
}

fn controlled(facts: &Facts) -> bool {
    facts.attempts.iter().any(passed)
}

fn passed(attempt: &Attempt) -> bool {
    matches!(attempt.before, Control::Passed(_)) && matches!(attempt.after, Control::Passed(_))
}

/// Whether an attempt gave a signal that could decide.
fn loud(facts: &Facts, attempt: &Attempt) -> bool {
    attempt
        .signals
        .iter()
        .any(|signal| facts.decisive.contains(&signal.kind))
}

/// Signals of an attempt beside others are settled when every attempt alone was quiet, and enough of
/// them were attempts in which the signal could have recurred.
fn cleared(facts: &Facts) -> bool {
    let could_recur = |attempt: &&Attempt| {
        passed(attempt)
            && matches!(attempt.response, Response::Refusal | Response::Benign)
            && (attempt.watch == Watch::Awake || !witnessed(facts))
    };
    alone(facts).all(|attempt| !loud(facts, attempt))
        && alone(facts).filter(could_recur).count() >= RECURRENCE.1
}

/// Whether a witness beside the wire watches this kind of attack. No file is
/// watched in a race.
fn witnessed(facts: &Facts) -> bool {
    facts.decisive.iter().any(|kind| match kind {
        // Places are compared before and after, whatever goes on in between.
        EvidenceKind::Effect => true,
        // Every address, every resolver and every clock of the network is the run's own.
        EvidenceKind::Connection | EvidenceKind::Query | EvidenceKind::Limit => true,
        // The log, and the processes of the target, are looked at from outside.
        EvidenceKind::Record | EvidenceKind::Exhaustion | EvidenceKind::Posture => true,
        // Texts of the user's are read as a whole.
        EvidenceKind::Finding => true,
        EvidenceKind::Access => facts.race.is_none(),
        // The program itself tells that it was started, whatever the answer says.
        EvidenceKind::Execution => true,
        EvidenceKind::Token | EvidenceKind::Metadata | EvidenceKind::Computed => false,
    })
}

/// Whether a success could have been seen by the witness alone: no token travels, no state changes. What
/// leaves for a host may come back in no answer, whatever else the probe looks for.
fn only_by_witness(facts: &Facts) -> bool {
    let mut decisive = facts.decisive.iter();
    let leaves = |kind: &EvidenceKind| {
        matches!(
            kind,
            EvidenceKind::Connection
                | EvidenceKind::Query
                | EvidenceKind::Limit
                | EvidenceKind::Execution
        )
    };
    decisive.clone().any(leaves) || decisive.all(|kind| *kind == EvidenceKind::Access)
}

fn inert(facts: &Facts, attempt: &Attempt) -> Option<String> {
    let executes = facts
        .decisive
        .iter()
        .any(|kind| matches!(kind, EvidenceKind::Execution | EvidenceKind::Computed));
    match (attempt.liveness, &attempt.twin) {
        (Liveness::Unknown, Twin::Rejected(why)) if executes => Some(format!(
            "nothing shows that a text given here reaches anything that could execute it: {why}"
        )),
        (Liveness::Inert, _) => Some(String::from(
            "not even an unrestricted process reaches the forbidden object with this payload",
        )),
        (Liveness::Unknown, Twin::Rejected(why)) => Some(format!(
            "nothing here decodes this form, or lets it out: its permitted twin was not served either ({why})"
        )),
        (Liveness::Unknown, Twin::None(_)) => Some(String::from(
            "nothing shows that anything here decodes this form",
        )),
        _ => None,
    }
}

fn held_reason(facts: &Facts, basis: Basis, last: &Attempt) -> String {
    if let Wall::Around(why) = &last.wall {
        return format!("held by the sandbox: {why}");
    }
    let how = match (basis, &last.twin) {
        (Basis::Filtered, _) => "answered without an error, and nothing forbidden was reached",
        (Basis::Syntax, _) => "refused, as is the same form on a permitted object",
        (_, Twin::Passed(_)) => "refused, while the same form on a permitted object was served",
        _ => "refused, while the channel went on serving permitted objects",
    };
    match facts.race {
        Some(race) => format!(
            "{how}; {} tries, so a chance above {:.2} % per try is excluded",
            race.tries,
            300.0 / f64::from(race.tries.max(1))
        ),
        None => how.to_owned(),
    }
}

pub(super) fn inconclusive(basis: Basis, reason: &str) -> Ruling {
    Ruling::Inconclusive {
        basis,
        reason: reason.to_owned(),
    }
}
