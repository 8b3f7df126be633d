//! The accounting: verdicts of probes, boundaries and the run, counted from trials.
//!
//! Owns the worst-of rules, the exit code, and the refusal to report what does not add up. Pure
//! functions of the model; nothing here knows how a trial was judged.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::{
    judge::{Basis, Strength, Verdict},
    probe::{Priority, Probe, Severity},
    report::{
        BoundaryReport, Calibration, Calls, Counts, Harness, NotTested, ProbeReport, Report,
        Summary, TargetReport, TestbedReport, Thresholds, TrialReport, boundary_order,
        boundary_title,
    },
};

/// What a run found; [`Report::new`] makes the report of it.
#[derive(Debug, Clone)]
pub struct Findings {
    /// What made the report.
    pub harness: Harness,
    /// Every selected probe with its trials, in any order.
    pub probes: Vec<ProbeReport>,
    /// Trials that the plan holds, those that do not apply included.
    pub planned: usize,
    /// Gaps that are known from discovery and plan; tools without trials are added.
    pub not_tested: Vec<NotTested>,
    /// The server under test.
    pub target: TargetReport,
    /// The policy as it was applied.
    pub policy: serde_json::Value,
    /// The world in which the target ran.
    pub testbed: TestbedReport,
    /// Proof that the harness can pass and fail, when it was made.
    pub calibration: Option<Calibration>,
    /// What was sent and how far it came.
    pub calls: Calls,
    /// Things a reader should know.
    pub notes: Vec<String>,
    /// Roles that at least one proven channel drives.
    pub roles_bound: usize,
    /// Roles for which the target offers a candidate.
    pub roles_offered: usize,
    /// What it takes to pass.
    pub thresholds: Thresholds,
}

/// Why a report may not exist. Each is a fault of the harness, or a file that was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AccountError {
    /// Trials were lost or doubled on the way from the plan.
    #[error("the plan holds {planned} trials, but {found} were judged")]
    Planned {
        /// Trials of the plan.
        planned: usize,
        /// Trials of the report.
        found: usize,
    },
    /// Two trials or probes share an id.
    #[error("`{0}` is reported twice")]
    Twice(String),
    /// A verdict that needs evidence has none.
    #[error("trial `{0}` is held or breached without evidence")]
    WithoutEvidence(String),
    /// A held trial has no strength, or another one has.
    #[error("trial `{0}` has a strength though it is not held, or none though it is")]
    Strength(String),
    /// The rule that decided cannot lead to this verdict.
    #[error("trial `{0}` has a basis that does not lead to its verdict")]
    Basis(String),
    /// A trial is filed under a probe that is not its own.
    #[error("trial `{trial}` is filed under probe `{probe}`")]
    Misfiled {
        /// The trial.
        trial: String,
        /// The probe.
        probe: String,
    },
    /// A probe has neither trials nor a reason why.
    #[error("probe `{0}` has neither trials nor a reason for having none")]
    Silent(String),
    /// A stated verdict or count is not what the trials add up to.
    #[error("{0} is not what its trials add up to")]
    Stale(String),
}

impl Report {
    /// Counts the findings and makes the report; sorts probes, trials and boundaries.
    ///
    /// # Errors
    /// The findings do not add up; see [`AccountError`].
    pub fn new(findings: Findings) -> Result<Self, AccountError> {
        let mut probes = findings.probes;
        probes.sort_by(|a, b| a.id.cmp(&b.id));
        for probe in &mut probes {
            probe.trials.sort_by(|a, b| a.id.cmp(&b.id));
        }
        let boundaries = boundary_reports(&probes);
        let summary = summary(
            &boundaries,
            &probes,
            findings.planned,
            (findings.roles_bound, findings.roles_offered),
            findings.thresholds,
            findings.harness.interrupted,
        );
        let mut not_tested = findings.not_tested;
        not_tested.extend(untried_tools(&findings.target, &not_tested));
        let report = Self {
            schema: 1,
            harness: findings.harness,
            summary,
            boundaries,
            probes,
            not_tested,
            target: findings.target,
            policy: findings.policy,
            testbed: findings.testbed,
            calibration: findings.calibration,
            calls: findings.calls,
            notes: findings.notes,
        };
        report.account()?;
        Ok(report)
    }

    /// Checks that every trial of the plan is accounted for and that every verdict follows from
    /// the trials; to be called on reports that were read from a file too.
    ///
    /// # Errors
    /// Something does not add up; see [`AccountError`].
    pub fn account(&self) -> Result<(), AccountError> {
        let mut seen = BTreeSet::new();
        for probe in &self.probes {
            if !seen.insert(&*probe.id.0) {
                return Err(AccountError::Twice(probe.id.to_string()));
            }
            if probe.trials.is_empty() && probe.reason.is_none() {
                return Err(AccountError::Silent(probe.id.to_string()));
            }
            for trial in &probe.trials {
                if !seen.insert(&*trial.id) {
                    return Err(AccountError::Twice(trial.id.clone()));
                }
                account_trial(probe, trial)?;
            }
            if (probe.verdict, probe.strength) != probe_verdict(&probe.trials) {
                return Err(AccountError::Stale(format!("probe `{}`", probe.id)));
            }
        }
        let trials: Vec<Verdict> = verdicts_of_trials(&self.probes).collect();
        if trials.len() != self.summary.planned {
            return Err(AccountError::Planned {
                planned: self.summary.planned,
                found: trials.len(),
            });
        }
        if self.boundaries != boundary_reports(&self.probes) {
            return Err(AccountError::Stale(String::from("the table of boundaries")));
        }
        let counted = summary(
            &self.boundaries,
            &self.probes,
            self.summary.planned,
            (self.summary.roles_bound, self.summary.roles_offered),
            self.summary.thresholds,
            self.harness.interrupted,
        );
        if self.summary != counted {
            return Err(AccountError::Stale(String::from("the summary")));
        }
        Ok(())
    }
}

fn account_trial(probe: &ProbeReport, trial: &TrialReport) -> Result<(), AccountError> {
    let id = || trial.id.clone();
    if trial.id.split_once('/').map(|(owner, _)| owner) != Some(&*probe.id.0) {
        return Err(AccountError::Misfiled {
            trial: id(),
            probe: probe.id.to_string(),
        });
    }
    if basis_verdict(trial.basis) != trial.verdict {
        return Err(AccountError::Basis(id()));
    }
    let judged = matches!(trial.verdict, Verdict::Held | Verdict::Breached);
    if judged && trial.evidence.is_empty() {
        return Err(AccountError::WithoutEvidence(id()));
    }
    if trial.strength.is_some() != (trial.verdict == Verdict::Held) {
        return Err(AccountError::Strength(id()));
    }
    Ok(())
}

/// The only verdict that a basis leads to.
#[must_use]
pub fn basis_verdict(basis: Basis) -> Verdict {
    match basis {
        Basis::Token | Basis::Effect | Basis::Access | Basis::Metadata => Verdict::Breached,
        Basis::Policy | Basis::Syntax | Basis::Filtered | Basis::Envelope => Verdict::Held,
        Basis::ControlFailed
        | Basis::ControlLost
        | Basis::ServerDied
        | Basis::Timeout
        | Basis::WitnessBlind
        | Basis::WeakSignal
        | Basis::NoEvidence
        | Basis::HarnessFault
        | Basis::NotRun => Verdict::Inconclusive,
        Basis::NoClaim | Basis::NoChannel | Basis::Platform | Basis::OptOut | Basis::Inert => {
            Verdict::NotApplicable
        }
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
pub fn boundary_reports(probes: &[ProbeReport]) -> Vec<BoundaryReport> {
    let mut ids: Vec<&str> = probes.iter().map(|probe| &*probe.boundary).collect();
    ids.sort_by_key(|id| boundary_order(id));
    ids.dedup();
    ids.into_iter()
        .map(|id| boundary_report(id, probes))
        .collect()
}

/// The row of one boundary, from those of the probes that belong to it.
///
/// Breached if any probe is; not applicable if all are; else inconclusive if a P0 probe is, or if
/// no P0 probe was judged at all; else held, as strongly as its weakest P0 probe.
#[must_use]
pub fn boundary_report(id: &str, probes: &[ProbeReport]) -> BoundaryReport {
    let own: Vec<&ProbeReport> = probes.iter().filter(|probe| probe.boundary == id).collect();
    let worst = own
        .iter()
        .map(|probe| probe.verdict)
        .max()
        .unwrap_or(Verdict::NotApplicable);
    let core = own
        .iter()
        .filter(|probe| probe.priority == Priority::P0)
        .map(|probe| probe.verdict)
        .max()
        .unwrap_or(Verdict::NotApplicable);
    let verdict = match (worst, core) {
        (Verdict::Breached | Verdict::NotApplicable, _) => worst,
        (_, Verdict::Held) => Verdict::Held,
        _ => Verdict::Inconclusive,
    };
    let strength = match verdict {
        Verdict::Held => own
            .iter()
            .filter(|probe| probe.priority == Priority::P0)
            .filter_map(|probe| probe.strength)
            .min(),
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

/// Verdict, counts and exit code of the run. `roles` are (bound, offered).
#[must_use]
pub fn summary(
    boundaries: &[BoundaryReport],
    probes: &[ProbeReport],
    planned: usize,
    roles: (usize, usize),
    thresholds: Thresholds,
    interrupted: bool,
) -> Summary {
    let counts = count(probes.iter().map(|probe| probe.verdict));
    let judged = counts.held + counts.breached;
    let coverage = match judged + counts.inconclusive {
        0 => 0.0,
        applicable => share(judged, applicable),
    };
    let breached = probes
        .iter()
        .filter_map(breach_severity)
        .any(|severity| severity >= thresholds.min_severity);
    let open = judged == 0
        || interrupted
        || coverage < thresholds.min_coverage
        || boundaries.iter().any(is_open);
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

/// A gap for each tool that no trial exercised and that no known gap names.
fn untried_tools(target: &TargetReport, known: &[NotTested]) -> Vec<NotTested> {
    target
        .tools
        .iter()
        .filter(|tool| tool.trials == 0)
        .filter(|tool| {
            !known
                .iter()
                .any(|gap| gap.tool.as_ref() == Some(&tool.name) && gap.parameter.is_none())
        })
        .map(|tool| NotTested {
            tool: Some(tool.name.clone()),
            parameter: None,
            probe: None,
            why: match (tool.unproven.first(), tool.proven.is_empty()) {
                (Some((_, why)), true) => format!("no channel could be proven: {why}"),
                (_, false) => String::from("no selected probe asks about what it does"),
                (None, true) => String::from(
                    "no role fits its name and parameters; an explicit binding would have it tested",
                ),
            },
        })
        .collect()
}
