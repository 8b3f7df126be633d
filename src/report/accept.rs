//! Verdicts that are known: which trials a baseline accepts, and which of its entries fail the run.
//!
//! Owns the matching of entries and trials. A known verdict stays what it is; it only does not decide
//! the exit code. An entry that no longer matches, or has expired, does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{Baseline, KnownFile, KnownVerdict},
    diag::At,
    exit::Exit,
    judge::{Basis, Verdict},
    report::{Extent, Place, ProbeReport, TrialReport, verdict_word},
};

/// Why a verdict does not decide the exit code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// In the words of whoever accepted it.
    pub reason: String,
    /// The last day, UTC, on which it is.
    pub expires: String,
    /// Where the baseline says so.
    pub place: Place,
}

/// The baseline of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineReport {
    /// The file as the user named it.
    pub file: String,
    /// Trials whose verdict it accepts.
    pub accepted: usize,
    /// Entries that fail the run.
    pub problems: Vec<BaselineProblem>,
    /// Of a part of a run: entries whose trials it does not hold. What no part holds is stale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<BaselineProblem>,
}

/// Where the known verdicts of a run are told.
#[derive(Debug, Clone)]
pub enum Told {
    /// In a file.
    File(Baseline),
    /// In the reports of the parts of a run, which have applied them.
    Parts(Vec<BaselineReport>),
}

impl Told {
    pub(super) fn accept(
        self,
        probes: &mut [ProbeReport],
        started: &str,
        extent: Extent,
    ) -> BaselineReport {
        match self {
            Self::File(baseline) => accept(probes, &baseline, started, extent),
            Self::Parts(parts) => joined(parts),
        }
    }
}

/// The baseline of a whole run, from those of its parts.
fn joined(parts: Vec<BaselineReport>) -> BaselineReport {
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_else(|| BaselineReport {
        file: String::new(),
        accepted: 0,
        problems: Vec::new(),
        missing: Vec::new(),
    });
    for part in parts {
        whole.accepted += part.accepted;
        whole.problems.extend(part.problems);
        whole.missing.retain(|entry| part.missing.contains(entry));
    }
    whole.problems.append(&mut whole.missing);
    whole.problems.sort_by_key(|problem| problem.place.line);
    whole
}

/// An entry of a baseline that fails the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineProblem {
    /// What is wrong with it.
    pub kind: BaselineFault,
    /// Id of the trial.
    pub trial: String,
    /// Where it stands.
    pub place: Place,
    /// In one sentence.
    pub message: String,
}

/// What can be wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineFault {
    /// The verdict is another one now, or the trial is gone.
    Stale,
    /// Its last day is over, and the verdict is as it was.
    Expired,
}

/// Marks the trials that a baseline accepts on the day of the run. Probes that the run did not ask are
/// none of its business.
fn accept(
    probes: &mut [ProbeReport],
    baseline: &Baseline,
    started: &str,
    extent: Extent,
) -> BaselineReport {
    let mut report = BaselineReport {
        file: baseline.source().name().to_owned(),
        accepted: 0,
        problems: Vec::new(),
        missing: Vec::new(),
    };
    let place = |at: &At<String>| Place {
        file: baseline.source().name().to_owned(),
        line: baseline.source().position(at.span.start).0,
    };
    for entry in baseline.known() {
        let Some(probe) = probes
            .iter_mut()
            .find(|probe| probe.id.0 == entry.probe.value)
        else {
            continue;
        };
        for name in &entry.trials.value {
            let id = format!("{}/{}", entry.probe.value, name.value);
            let trial = probe.trials.iter_mut().find(|trial| trial.id == id);
            let gone = trial.is_none();
            let (kind, message) = match trial {
                Some(trial) if is_known(entry, trial) => {
                    if *entry.expires.value >= *started.get(..10).unwrap_or(started) {
                        trial.accepted = Some(Accepted {
                            reason: entry.reason.value.clone(),
                            expires: entry.expires.value.clone(),
                            place: place(name),
                        });
                        report.accepted += 1;
                        continue;
                    }
                    let message = format!(
                        "`{id}` is {} as it is known to be, but that was accepted until {} only",
                        verdict_word(trial.verdict),
                        entry.expires.value
                    );
                    (BaselineFault::Expired, message)
                }
                // Not judged is not fixed, and counts for itself.
                Some(trial) if trial.verdict == Verdict::Inconclusive => continue,
                Some(trial) => {
                    let message = format!(
                        "`{id}` is known to be {}, and is {}",
                        word(entry),
                        verdict_word(trial.verdict)
                    );
                    (BaselineFault::Stale, message)
                }
                None => (
                    BaselineFault::Stale,
                    format!(
                        "`{id}` is known to be {}, and there is no such trial",
                        word(entry)
                    ),
                ),
            };
            let list = match extent {
                Extent::Part if gone => &mut report.missing,
                _ => &mut report.problems,
            };
            list.push(BaselineProblem {
                kind,
                trial: id,
                place: place(name),
                message,
            });
        }
    }
    report
}

fn is_known(entry: &KnownFile, trial: &TrialReport) -> bool {
    match entry.verdict {
        KnownVerdict::Breached => trial.verdict == Verdict::Breached,
        // What was not reached says nothing of what it would have been.
        KnownVerdict::Inconclusive => {
            trial.verdict == Verdict::Inconclusive && trial.basis != Basis::NotRun
        }
    }
}

fn word(entry: &KnownFile) -> &'static str {
    match entry.verdict {
        KnownVerdict::Breached => "breached",
        KnownVerdict::Inconclusive => "inconclusive",
    }
}

/// Whether a verdict is one that can be accepted.
pub(super) fn can_be_known(trial: &TrialReport) -> bool {
    matches!(trial.verdict, Verdict::Breached | Verdict::Inconclusive)
}

/// The exit code of a run with this baseline: a breach counts more than a baseline that must be mended,
/// and that more than an open question.
pub(super) fn with_baseline(exit_code: u8, baseline: Option<&BaselineReport>) -> u8 {
    let fails = baseline.is_some_and(|baseline| !baseline.problems.is_empty());
    match (fails, exit_code) {
        (true, 0 | 3) => Exit::BadInput.code(),
        _ => exit_code,
    }
}

/// The probes as the exit code sees them: with accepted trials held.
pub(super) fn forgiven(probes: &[ProbeReport]) -> Vec<ProbeReport> {
    let mut probes = probes.to_vec();
    for probe in &mut probes {
        for trial in &mut probe.trials {
            if trial.accepted.is_some() {
                trial.verdict = Verdict::Held;
            }
        }
        (probe.verdict, probe.strength) = super::probe_verdict(&probe.trials);
    }
    probes
}

/// Whether any verdict was accepted.
pub(super) fn any_accepted(probes: &[ProbeReport]) -> bool {
    let mut trials = probes.iter().flat_map(|probe| &probe.trials);
    trials.any(|trial| trial.accepted.is_some())
}
