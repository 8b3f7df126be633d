//! Verdicts of probes, boundaries and the run, counted from trials.
//!
//! Owns the worst-of rules and the exit code: pure functions of the model. Knows nothing of how a
//! trial was judged.

use crate::{
    judge::{Basis, Strength, Verdict},
    probe::{Priority, Probe, Severity},
    report::{
        BoundaryReport, Counts, Extent, NotTested, ProbeReport, Summary, Thresholds, TrialReport,
        accept::{any_accepted, forgiven},
        boundary_order, boundary_title,
    },
};

/// The only verdict that a basis leads to.
#[must_use]
pub fn basis_verdict(basis: Basis) -> Verdict {
    match basis {
        Basis::Token
        | Basis::Effect
        | Basis::Access
        | Basis::Metadata
        | Basis::Connection
        | Basis::Query
        | Basis::Limit
        | Basis::Execution
        | Basis::Computed
        | Basis::Record
        | Basis::Exhaustion
        | Basis::Posture
        | Basis::Finding => Verdict::Breached,
        Basis::Policy | Basis::Syntax | Basis::Filtered | Basis::Observed | Basis::Envelope => {
            Verdict::Held
        }
        Basis::ControlFailed
        | Basis::ControlLost
        | Basis::ServerDied
        | Basis::Timeout
        | Basis::WitnessBlind
        | Basis::Unmapped
        | Basis::WeakSignal
        | Basis::NoEvidence
        | Basis::HarnessFault
        | Basis::NotRun => Verdict::Inconclusive,
        Basis::NoClaim
        | Basis::NoChannel
        | Basis::Platform
        | Basis::OptOut
        | Basis::Withheld
        | Basis::Moot
        | Basis::Inert => Verdict::NotApplicable,
    }
}

/// Verdict of a probe: breached if any trial is, else inconclusive if any trial is, else held if
/// any trial is, else not applicable; and the weakest strength when it is held.
#[must_use]
pub fn probe_verdict(trials: &[TrialReport]) -> (Verdict, Option<Strength>) {
    let verdict = trials
        .iter()
        .map(|trial| trial.verdict)
        .max()
        .unwrap_or(Verdict::NotApplicable);
    let strength = match verdict {
        Verdict::Held => trials.iter().filter_map(|trial| trial.strength).min(),
        _ => None,
    };
    (verdict, strength)
}

/// The entry of a probe, from its declaration and its trials. `reason` is for a probe that did
/// not apply or could not be judged as a whole.
#[must_use]
pub fn probe_report(
    probe: &Probe,
    trials: Vec<TrialReport>,
    reason: Option<String>,
) -> ProbeReport {
    let (verdict, strength) = probe_verdict(&trials);
    ProbeReport {
        id: probe.id.clone(),
        boundary: String::from(probe.id.boundary()),
        title: probe.title.clone(),
        question: probe.question.clone(),
        priority: probe.priority,
        severity: probe.severity,
        assumes: probe.assumes,
        why: probe.why.clone(),
        fix: probe.fix.clone(),
        references: probe.references.clone(),
        claimed: None,
        verdict,
        strength,
        reason,
        trials,
    }
}

/// Severity of a breached probe, `None` for any other: as declared, or one step lower when all
/// that was seen is that the forbidden file was read, and nothing of it was returned.
#[must_use]
pub fn breach_severity(probe: &ProbeReport) -> Option<Severity> {
    let mut breaches = probe
        .trials
        .iter()
        .filter(|trial| trial.verdict == Verdict::Breached)
        .peekable();
    breaches.peek()?;
    if !breaches.all(|trial| trial.basis == Basis::Access) {
        return Some(probe.severity);
    }
    Some(match probe.severity {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
    })
}

/// One row per boundary that any of the probes belongs to, in catalogue order.
#[must_use]
pub fn boundary_reports(probes: &[ProbeReport], extent: Extent) -> Vec<BoundaryReport> {
    let mut ids: Vec<&str> = probes.iter().map(|probe| &*probe.boundary).collect();
    ids.sort_by_key(|id| boundary_order(id));
    ids.dedup();
    ids.into_iter()
        .map(|id| boundary_report(id, probes, extent))
        .collect()
}

/// The row of one boundary, from those of the probes that belong to it.
///
/// Breached if any probe is; not applicable if all are; else inconclusive if a P0 probe is, or if
/// no P0 probe was judged at all; else held, as strongly as its weakest P0 probe. Where no P0 probe was selected, or
/// none has anything to be asked of, the same is said of the others. In a part of a run that no P0 probe was judged
/// says nothing: other parts have them. What only calls can cross, and no tool was driven at, is not applicable, whatever
/// was watched meanwhile.
#[must_use]
pub fn boundary_report(id: &str, probes: &[ProbeReport], extent: Extent) -> BoundaryReport {
    let own: Vec<&ProbeReport> = probes.iter().filter(|probe| probe.boundary == id).collect();
    let worst = own
        .iter()
        .map(|probe| probe.verdict)
        .max()
        .unwrap_or(Verdict::NotApplicable);
    let first = |probe: &&ProbeReport| probe.priority == Priority::P0 && !has_no_object(probe);
    let core: Vec<&ProbeReport> = match own.iter().any(first) {
        true => own.iter().copied().filter(|probe| first(probe)).collect(),
        false => own.clone(),
    };
    let decided = core
        .iter()
        .map(|probe| probe.verdict)
        .max()
        .unwrap_or(Verdict::NotApplicable);
    let undriven = decided == Verdict::Held && is_undriven(id, &own);
    let verdict = match (worst, decided) {
        _ if undriven => Verdict::NotApplicable,
        (Verdict::Breached | Verdict::NotApplicable, _) => worst,
        (_, Verdict::Held) => Verdict::Held,
        (_, Verdict::NotApplicable) if extent == Extent::Part => worst,
        _ => Verdict::Inconclusive,
    };
    let strength = match verdict {
        Verdict::Held => core.iter().filter_map(|probe| probe.strength).min(),
        _ => None,
    };
    BoundaryReport {
        id: String::from(id),
        title: String::from(boundary_title(id)),
        verdict,
        strength,
        severity: own.iter().filter_map(|probe| breach_severity(probe)).max(),
        probes: count(own.iter().map(|probe| probe.verdict)),
        trials: count(
            own.iter()
                .flat_map(|probe| &probe.trials)
                .map(|trial| trial.verdict),
        ),
    }
}

/// Whether only calls can cross a boundary.
fn crossed_by_calls(id: &str) -> bool {
    ["fs.", "net."].iter().any(|family| id.starts_with(family))
}

/// Whether what holds of a boundary that only calls can cross was watched while no tool was driven at it.
fn is_undriven(id: &str, own: &[&ProbeReport]) -> bool {
    let mut judged = own
        .iter()
        .flat_map(|probe| &probe.trials)
        .filter(|trial| trial.verdict != Verdict::NotApplicable);
    crossed_by_calls(id)
        && judged.all(|trial| trial.role.is_none() && trial.verdict == Verdict::Held)
}

/// Whether there is nothing that the probe could be asked of: no tool, no claim, nothing that reads what it sends.
/// That a trial was ruled out by the machine or by its user is another matter.
fn has_no_object(probe: &ProbeReport) -> bool {
    let objectless = |trial: &TrialReport| {
        matches!(
            trial.basis,
            Basis::NoChannel | Basis::NoClaim | Basis::Inert | Basis::Moot
        )
    };
    probe.verdict == Verdict::NotApplicable && probe.trials.iter().all(objectless)
}

/// Whether tools take something and none was driven, though it was asked about boundaries that only calls can cross.
/// Then whatever was watched meanwhile says nothing of what they can reach.
#[must_use]
pub fn nothing_driven(probes: &[ProbeReport], not_tested: &[NotTested]) -> bool {
    let trials = || probes.iter().flat_map(|probe| &probe.trials);
    let asked = |probe: &ProbeReport| {
        let mut trials = probe.trials.iter();
        crossed_by_calls(&probe.boundary) && trials.any(|trial| trial.basis == Basis::NoChannel)
    };
    not_tested.iter().any(|gap| gap.parameter.is_some())
        && probes.iter().any(asked)
        && trials().all(|trial| trial.role.is_none() || trial.verdict == Verdict::NotApplicable)
}

/// Verdict, counts and exit code of the run. `roles` are (bound, offered).
#[must_use]
pub fn summary(
    boundaries: &[BoundaryReport],
    probes: &[ProbeReport],
    planned: usize,
    roles: (usize, usize),
    thresholds: Thresholds,
    interrupted: bool,
    extent: Extent,
) -> Summary {
    let counts = count(probes.iter().map(|probe| probe.verdict));
    let judged = counts.held + counts.breached;
    let coverage = match judged + counts.inconclusive {
        0 => 0.0,
        applicable => share(judged, applicable),
    };
    // Known verdicts are counted as what they are, and decide nothing.
    let forgiven = any_accepted(probes).then(|| forgiven(probes));
    let deciding = forgiven.as_deref().unwrap_or(probes);
    let breached = deciding
        .iter()
        .filter_map(breach_severity)
        .any(|severity| severity >= thresholds.min_severity);
    // A part in which nothing applies is in order: what the run is worth is told by all of them.
    let idle = extent == Extent::Part && counts.inconclusive == 0;
    let mut verdicts = boundaries.iter().map(|boundary| boundary.verdict);
    let nothing = verdicts.all(|verdict| verdict == Verdict::NotApplicable);
    let open = interrupted
        || (nothing && !idle)
        || (judged > 0 && coverage < thresholds.min_coverage)
        || match &forgiven {
            Some(forgiven) => boundary_reports(forgiven, extent).iter().any(is_open),
            None => boundaries.iter().any(is_open),
        };
    Summary {
        verdict: boundaries
            .iter()
            .map(|boundary| boundary.verdict)
            .max()
            .unwrap_or(Verdict::NotApplicable),
        exit_code: match (breached, open) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        },
        boundaries: count(boundaries.iter().map(|boundary| boundary.verdict)),
        probes: counts,
        trials: count(verdicts_of_trials(probes)),
        planned,
        coverage,
        roles_bound: roles.0,
        roles_offered: roles.1,
        thresholds,
    }
}

/// The summary of a run that drove nothing: what was watched holds no run.
#[must_use]
pub fn of_nothing_driven(summary: Summary) -> Summary {
    Summary {
        verdict: match summary.verdict {
            Verdict::Held => Verdict::Inconclusive,
            other => other,
        },
        exit_code: match summary.exit_code {
            0 => 3,
            other => other,
        },
        ..summary
    }
}

fn is_open(boundary: &BoundaryReport) -> bool {
    boundary.verdict == Verdict::Inconclusive
}

/// Rounded down to four decimals: a threshold is never passed by rounding, and the number survives
/// the way through JSON.
fn share(part: usize, whole: usize) -> f64 {
    let parts = part * 10_000 / whole;
    f64::from(u32::try_from(parts).expect("a part is at most the whole")) / 10_000.0
}

fn verdicts_of_trials(probes: &[ProbeReport]) -> impl Iterator<Item = Verdict> {
    probes
        .iter()
        .flat_map(|probe| &probe.trials)
        .map(|trial| trial.verdict)
}

fn count(verdicts: impl Iterator<Item = Verdict>) -> Counts {
    let mut counts = Counts::default();
    for verdict in verdicts {
        match verdict {
            Verdict::Held => counts.held += 1,
            Verdict::Breached => counts.breached += 1,
            Verdict::Inconclusive => counts.inconclusive += 1,
            Verdict::NotApplicable => counts.not_applicable += 1,
        }
    }
    counts
}
