//! Who stopped an attack: the server, the sandbox around it, or both.
//!
//! Owns two ways to tell. One compares a run with three others: a server of ours that permits everything, in the
//! same sandbox and without one, and the same server without the sandbox. The other looks at what the server
//! attempted, and what the kernel said to it. Decides no verdict.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EvidenceReport, Report, TrialReport};
use crate::{
    judge::{Basis, Verdict},
    witness::syscalls::{Attempted, How},
};

/// The witness of system calls, by its name.
pub(super) const SYSCALL_WITNESS: &str = "syscall-witness";

/// Who stopped an attack.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum StoppedBy {
    /// The server; the sandbox lets it pass, or was not seen to stop it.
    Server,
    /// The sandbox; the server lets it pass, or was not seen to stop it.
    Envelope,
    /// Each of them by itself.
    Both,
    /// It could not be told.
    Unknown,
}

impl StoppedBy {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Server => "the server",
            Self::Envelope => "the sandbox",
            Self::Both => "both",
            Self::Unknown => "one of them, it is not known which",
        }
    }
}

/// What one of the two does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It stops the attack.
    Stops,
    /// It lets the attack pass.
    Permits,
    /// It could not be told.
    Unknown,
}

impl Part {
    fn or(self, other: Self) -> Self {
        match self {
            Self::Unknown => other,
            known => known,
        }
    }
}

/// Who stopped the attack of a held trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayersReport {
    /// Together.
    pub stopped_by: StoppedBy,
    /// The server without the sandbox.
    pub server: Part,
    /// The sandbox around a server that permits everything.
    pub envelope: Part,
}

/// What a run is compared with; what is missing could not be run.
#[derive(Debug, Default)]
pub struct Passes {
    /// The server that permits everything, in the sandbox.
    pub stub_inside: Option<Report>,
    /// The same without a sandbox: what of an attack works at all.
    pub stub_outside: Option<Report>,
    /// The server without the sandbox.
    pub server_outside: Option<Report>,
}

/// What an attack is, whichever tool is attacked.
type Attack = (String, String, String, String);

fn attack(probe: &str, trial: &TrialReport) -> Attack {
    let spot = trial.id.rsplit_once('~').map_or("", |(_, spot)| spot);
    let role = trial.role.map_or_else(String::new, |role| role.to_string());
    (
        probe.to_owned(),
        trial.variant.clone(),
        role,
        spot.to_owned(),
    )
}

fn verdicts(report: Option<&Report>) -> BTreeMap<&str, Verdict> {
    let probes = report.iter().flat_map(|report| &report.probes);
    probes
        .flat_map(|probe| &probe.trials)
        .map(|trial| (&*trial.id, trial.verdict))
        .collect()
}

/// Marks every held trial with who stopped it. Where that was the sandbox alone, the verdict rests on it.
pub fn attribute(report: &mut Report, passes: &Passes) {
    let outside = verdicts(passes.stub_outside.as_ref());
    let bare = verdicts(passes.server_outside.as_ref());
    let mut permitted: BTreeMap<Attack, Part> = BTreeMap::new();
    let inside = passes.stub_inside.iter().flat_map(|report| &report.probes);
    for (probe, trial) in inside.flat_map(|probe| probe.trials.iter().map(move |it| (probe, it))) {
        let part = match (trial.verdict, outside.get(&*trial.id)) {
            (Verdict::Breached, _) => Part::Permits,
            // It would work, were it not for the sandbox.
            (Verdict::Held, Some(Verdict::Breached)) => Part::Stops,
            _ => Part::Unknown,
        };
        let known = permitted
            .entry(attack(&probe.id.0, trial))
            .or_insert(Part::Unknown);
        if *known != Part::Permits && part != Part::Unknown {
            *known = part;
        }
    }
    for probe in &mut report.probes {
        for trial in &mut probe.trials {
            if trial.verdict != Verdict::Held {
                continue;
            }
            // What the comparison leaves open, what was seen may tell.
            let (own, around) = trial.layers.map_or((Part::Unknown, Part::Unknown), |it| {
                (it.server, it.envelope)
            });
            let envelope = match trial.basis {
                Basis::Envelope => Part::Stops,
                _ => permitted
                    .get(&attack(&probe.id.0, trial))
                    .copied()
                    .unwrap_or(Part::Unknown)
                    .or(around),
            };
            let server = match bare.get(&*trial.id) {
                Some(Verdict::Held) => Part::Stops,
                Some(Verdict::Breached) => Part::Permits,
                _ => own,
            };
            trial.layers = Some(layers(trial, server, envelope));
        }
    }
}

/// Marks a trial with what the target attempted. Of a held one that tells who stopped it; where the kernel let an
/// attempt pass, that is evidence beside the rest.
pub(super) fn seen(trial: &mut TrialReport, attempted: &Attempted) {
    if attempted.how == How::Succeeded {
        trial.evidence.push(EvidenceReport {
            witness: SYSCALL_WITNESS.to_owned(),
            fact: attempted.fact.clone(),
            at_ms: None,
            decoders: Vec::new(),
            excerpt: None,
        });
    }
    if trial.verdict == Verdict::Breached {
        return;
    }
    trial.attempted = Some(attempted.clone());
    if trial.verdict != Verdict::Held {
        return;
    }
    let (server, envelope) = match (trial.basis, parts(attempted.how)) {
        (Basis::Envelope, (server, _)) => (server, Part::Stops),
        (_, parts) => parts,
    };
    let known = trial.basis == Basis::Envelope;
    trial.layers = Some(layers(trial, server, envelope));
    if trial.basis == Basis::Envelope && !known {
        trial.reason = format!("held by the sandbox: {}", attempted.fact);
    }
}

/// What an attempt tells of server and sandbox.
fn parts(how: How) -> (Part, Part) {
    match how {
        // Nothing was left for a sandbox to stop.
        How::NotMade | How::Looked | How::Guarded => (Part::Stops, Part::Unknown),
        // Whatever it would have done with it.
        How::LookRefused => (Part::Unknown, Part::Stops),
        How::Refused => (Part::Permits, Part::Stops),
        // It had it, and kept it to itself.
        How::Succeeded => (Part::Stops, Part::Permits),
        How::Failed | How::Unseen => (Part::Unknown, Part::Unknown),
    }
}

/// What the parts come to. Where that is the sandbox alone, the verdict rests on it.
fn layers(trial: &mut TrialReport, server: Part, envelope: Part) -> LayersReport {
    let stopped_by = together(server, envelope);
    if stopped_by == StoppedBy::Envelope {
        trial.basis = Basis::Envelope;
    }
    LayersReport {
        stopped_by,
        server,
        envelope,
    }
}

fn together(server: Part, envelope: Part) -> StoppedBy {
    match (server, envelope) {
        (Part::Stops, Part::Stops) => StoppedBy::Both,
        (Part::Stops, _) => StoppedBy::Server,
        (_, Part::Stops) => StoppedBy::Envelope,
        // It was held, so whoever is left has done it.
        (Part::Unknown, Part::Permits) => StoppedBy::Server,
        (Part::Permits, Part::Unknown) => StoppedBy::Envelope,
        (Part::Unknown, Part::Unknown) | (Part::Permits, Part::Permits) => StoppedBy::Unknown,
    }
}

/// How many held trials were stopped by whom; nothing when that was not asked.
#[must_use]
pub fn stopped(report: &Report) -> BTreeMap<StoppedBy, usize> {
    let mut counts = BTreeMap::new();
    for trial in report.probes.iter().flat_map(|probe| &probe.trials) {
        if let Some(layers) = trial.layers {
            *counts.entry(layers.stopped_by).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempted(how: How) -> Attempted {
        Attempted {
            how,
            fact: String::from("openat of /x"),
            call: None,
            errno: None,
            layer: None,
        }
    }

    fn trial(verdict: Verdict, basis: Basis) -> TrialReport {
        TrialReport {
            id: String::from("fs.read.x/y@z"),
            tool: String::from("z"),
            role: None,
            variant: String::from("y"),
            verdict,
            basis,
            strength: None,
            accepted: None,
            reason: String::new(),
            asked: None,
            answered: None,
            object: None,
            mapping: None,
            layers: None,
            attempted: None,
            evidence: Vec::new(),
            repro: None,
        }
    }

    #[test]
    fn what_was_attempted_tells_who_stopped_it() {
        use Basis::{Envelope, Policy};
        for (how, basis, by, rests_on) in [
            (How::NotMade, Policy, StoppedBy::Server, Policy),
            (How::NotMade, Envelope, StoppedBy::Both, Envelope),
            (How::Looked, Policy, StoppedBy::Server, Policy),
            (How::Guarded, Policy, StoppedBy::Server, Policy),
            (How::Refused, Policy, StoppedBy::Envelope, Envelope),
            (How::LookRefused, Policy, StoppedBy::Envelope, Envelope),
            (How::Succeeded, Policy, StoppedBy::Server, Policy),
            (How::Unseen, Policy, StoppedBy::Unknown, Policy),
            (How::Failed, Policy, StoppedBy::Unknown, Policy),
        ] {
            let mut held = trial(Verdict::Held, basis);
            seen(&mut held, &attempted(how));
            let stopped = held.layers.map(|layers| layers.stopped_by);
            assert_eq!((stopped, held.basis), (Some(by), rests_on), "{how:?}");
            assert_eq!(held.evidence.len(), usize::from(how == How::Succeeded));
        }
    }

    #[test]
    fn of_a_breach_an_attempt_that_passed_is_evidence_and_nothing_else() {
        let mut breached = trial(Verdict::Breached, Basis::Token);
        seen(&mut breached, &attempted(How::Refused));
        assert!(breached.attempted.is_none() && breached.evidence.is_empty());
        seen(&mut breached, &attempted(How::Succeeded));
        assert_eq!(breached.evidence.len(), 1);
        assert!(breached.layers.is_none() && breached.attempted.is_none());
        let mut open = trial(Verdict::Inconclusive, Basis::ControlFailed);
        seen(&mut open, &attempted(How::Refused));
        assert!(open.layers.is_none() && open.attempted.is_some());
    }

    #[test]
    fn what_is_held_was_stopped_by_somebody() {
        use Part::{Permits, Stops, Unknown};
        for (server, envelope, expected) in [
            (Stops, Stops, StoppedBy::Both),
            (Stops, Permits, StoppedBy::Server),
            (Stops, Unknown, StoppedBy::Server),
            (Permits, Stops, StoppedBy::Envelope),
            (Unknown, Stops, StoppedBy::Envelope),
            (Unknown, Permits, StoppedBy::Server),
            (Permits, Unknown, StoppedBy::Envelope),
            (Unknown, Unknown, StoppedBy::Unknown),
            (Permits, Permits, StoppedBy::Unknown),
        ] {
            assert_eq!(
                together(server, envelope),
                expected,
                "{server:?} {envelope:?}"
            );
        }
    }
}
