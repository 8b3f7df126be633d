//! The accounting: from findings to a report, and the refusal to report what does not add up.
//!
//! Owns what must be true of every report, made here or read from a file. How verdicts follow
//! from trials is told in `tally.rs`.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::{
    judge::Verdict,
    report::{
        Calibration, Calls, Extent, Harness, NotTested, ProbeReport, Repeat, Report, TargetReport,
        TestbedReport, Thresholds, Told, TrialReport,
        accept::{can_be_known, with_baseline},
        basis_verdict, boundary_reports, nothing_driven, of_nothing_driven, probe_verdict, shorten,
        shorten_value, summary,
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
    /// How the same is asked again.
    pub repeat: Option<Repeat>,
    /// Verdicts that are known.
    pub baseline: Option<Told>,
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
    /// A verdict is accepted that nobody can know, or more or fewer are than the baseline says.
    #[error("{0} is accepted by no baseline")]
    Accepted(String),
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
    /// Whether the run says nothing of what calls can reach; see [`nothing_driven`].
    #[must_use]
    pub fn drove_nothing(&self) -> bool {
        self.harness.extent() == Extent::Whole && nothing_driven(&self.probes, &self.not_tested)
    }

    /// Counts the findings and makes the report; sorts probes, trials and boundaries, and shortens
    /// what was sent and answered to [`STORED`](crate::report::STORED) characters a text.
    ///
    /// # Errors
    /// The findings do not add up; see [`AccountError`].
    pub fn new(findings: Findings) -> Result<Self, AccountError> {
        let mut probes = findings.probes;
        probes.sort_by(|a, b| a.id.cmp(&b.id));
        for probe in &mut probes {
            probe.trials.sort_by(|a, b| a.id.cmp(&b.id));
            probe.trials.iter_mut().for_each(shorten_trial);
        }
        let extent = findings.harness.extent();
        let baseline = findings
            .baseline
            .map(|told| told.accept(&mut probes, &findings.harness.started, extent));
        let boundaries = boundary_reports(&probes, extent);
        let mut summary = summary(
            &boundaries,
            &probes,
            findings.planned,
            (findings.roles_bound, findings.roles_offered),
            findings.thresholds,
            findings.harness.interrupted,
            extent,
        );
        if extent == Extent::Whole && nothing_driven(&probes, &findings.not_tested) {
            summary = of_nothing_driven(summary);
        }
        summary.exit_code = with_baseline(summary.exit_code, baseline.as_ref());
        let mut not_tested = findings.not_tested;
        if extent == Extent::Whole {
            not_tested.extend(untried_tools(&findings.target, &not_tested));
        }
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
            repeat: findings.repeat,
            baseline,
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
        let accepted: Vec<&TrialReport> = self
            .probes
            .iter()
            .flat_map(|probe| &probe.trials)
            .filter(|trial| trial.accepted.is_some())
            .collect();
        let told = self.baseline.as_ref().map_or(0, |told| told.accepted);
        if accepted.len() != told {
            return Err(AccountError::Accepted(format!(
                "one of {} trials",
                accepted.len()
            )));
        }
        if let Some(trial) = accepted.iter().find(|trial| !can_be_known(trial)) {
            return Err(AccountError::Accepted(format!("trial `{}`", trial.id)));
        }
        let found = self.probes.iter().map(|probe| probe.trials.len()).sum();
        if found != self.summary.planned {
            return Err(AccountError::Planned {
                planned: self.summary.planned,
                found,
            });
        }
        let extent = self.harness.extent();
        if self.boundaries != boundary_reports(&self.probes, extent) {
            return Err(AccountError::Stale(String::from("the table of boundaries")));
        }
        let mut counted = summary(
            &self.boundaries,
            &self.probes,
            self.summary.planned,
            (self.summary.roles_bound, self.summary.roles_offered),
            self.summary.thresholds,
            self.harness.interrupted,
            extent,
        );
        if self.drove_nothing() {
            counted = of_nothing_driven(counted);
        }
        counted.exit_code = with_baseline(counted.exit_code, self.baseline.as_ref());
        if self.summary != counted {
            return Err(AccountError::Stale(String::from("the summary")));
        }
        Ok(())
    }
}

fn shorten_trial(trial: &mut TrialReport) {
    trial.asked.iter_mut().for_each(shorten_value);
    trial.answered.iter_mut().for_each(shorten);
    shorten(&mut trial.reason);
    for evidence in &mut trial.evidence {
        shorten(&mut evidence.fact);
        evidence.excerpt.iter_mut().for_each(shorten);
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
