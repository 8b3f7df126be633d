//! From a report to tests: names and outcomes.
//!
//! Owns what each verdict is for a test, and what people read of one that fails. Knows nothing of
//! processes, and decides no verdict.

use std::collections::BTreeMap;

use crate::{
    judge::{Basis, Verdict},
    probe::Severity,
    report::{
        ProbeReport, Report, TrialReport, severity_word,
        story::{account, counted, percent, why},
        visible,
    },
};

/// The test that stands for the run as a whole.
pub(super) const RUN: &str = "watertight::run";

/// Characters of a name, and of one part of a message.
const LONGEST_NAME: usize = 300;
const LONGEST: usize = 2_000;

/// Columns of the labels of a message.
const LABEL: usize = 10;

/// What becomes of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It passes.
    Passed,
    /// It fails, with this message.
    Failed(String),
    /// It does not apply, for this reason.
    Ignored(String),
    /// It is planned, and nothing more is known of it.
    Planned,
}

/// Tests by name, in the order in which they are shown.
pub(super) type Cases = BTreeMap<String, Outcome>;

/// What of a report depends on who asks.
#[derive(Debug, Clone)]
pub(super) struct Telling {
    /// Breaches below it do not fail.
    pub(super) least: Severity,
    /// The command that repeats a test, up to its name.
    pub(super) repeat: String,
    /// Whether a line of `watertight run` repeats a trial too: it needs a policy that is in a file.
    pub(super) by_hand: bool,
}

/// The tests of a report, each trial one.
pub(super) fn cases(report: &Report, telling: &Telling) -> Cases {
    let mut cases = Cases::new();
    for probe in &report.probes {
        for trial in &probe.trials {
            let plain = name(&trial.id);
            // Tools may have names that look the same.
            let name = (2..).find_map(|number| match number {
                2 if !cases.contains_key(&plain) => Some(plain.clone()),
                _ => Some(format!("{plain}#{number}")).filter(|name| !cases.contains_key(name)),
            });
            let name = name.unwrap_or(plain);
            let outcome = outcome(&name, probe, trial, telling);
            cases.insert(name, outcome);
        }
    }
    cases
}

/// `fs.read.symlink-dir::file::read_note:name` of `fs.read.symlink-dir/file@read_note:name`.
pub(super) fn name(trial: &str) -> String {
    let (probe, rest) = trial.split_once('/').unwrap_or((trial, "-"));
    let (variant, channel) = match rest.split_once('@') {
        Some((variant, channel)) => (variant, Some(channel)),
        None => (rest, None),
    };
    let mut name = String::from(probe);
    // A probe that does not apply as a whole.
    if variant != "-" {
        name.push_str("::");
        name.push_str(variant);
    }
    if let Some(channel) = channel {
        name.push_str("::");
        // The target names its tools; a name is one line, and its parts are told by `::`.
        name.push_str(&channel.replace("::", ":"));
    }
    visible(&name, LONGEST_NAME).into_owned()
}

/// The id of the probe that a test is of.
pub(super) fn probe_of(name: &str) -> &str {
    name.split_once("::").map_or(name, |(probe, _)| probe)
}

fn outcome(name: &str, probe: &ProbeReport, trial: &TrialReport, telling: &Telling) -> Outcome {
    let severity = severity_word(probe.severity);
    match trial.verdict {
        Verdict::Held => Outcome::Passed,
        Verdict::NotApplicable => {
            Outcome::Ignored(visible(&format!("not applicable: {}", why(trial)), LONGEST).into())
        }
        Verdict::Inconclusive if trial.basis == Basis::NotRun => Outcome::Planned,
        Verdict::Inconclusive => {
            Outcome::Failed(story("inconclusive", name, probe, trial, telling))
        }
        Verdict::Breached if probe.severity < telling.least => Outcome::Ignored(format!(
            "breached, but {severity} is below the least severity that fails"
        )),
        Verdict::Breached => Outcome::Failed(story(
            &format!("BREACHED ({severity})"),
            name,
            probe,
            trial,
            telling,
        )),
    }
}

fn story(
    verdict: &str,
    name: &str,
    probe: &ProbeReport,
    trial: &TrialReport,
    telling: &Telling,
) -> String {
    let mut told = trial.clone();
    if !telling.by_hand {
        told.repro = None;
    }
    let mut text = format!("{verdict}: {}\n", visible(why(trial), LONGEST));
    let mut line = |label: &str, part: &str| {
        text.push_str(&format!("  {label:LABEL$}{}\n", visible(part, LONGEST)));
    };
    for (label, part) in account(probe, &told) {
        line(if label == "repeat" { "by hand" } else { label }, &part);
    }
    let exact = shell_words::join(["--exact", name]);
    line("repeat", &format!("{} -- {exact}", telling.repeat));
    text
}

/// What becomes of the test that stands for the whole run, or for the plan of one.
pub(super) fn whole(report: &Report, cases: &Cases, rehearsal: bool) -> Outcome {
    let summary = &report.summary;
    let counts = &summary.probes;
    let judged = counts.held + counts.breached;
    let reasons = || {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for trial in report.probes.iter().flat_map(|probe| &probe.trials) {
            *reasons.entry(why(trial)).or_default() += 1;
        }
        let lines: Vec<String> = reasons
            .iter()
            .map(|(why, count)| {
                let why = visible(why, LONGEST);
                format!("  {}: {why}", counted(*count, "trial", "trials"))
            })
            .collect();
        lines.join("\n")
    };
    if cases
        .values()
        .all(|outcome| matches!(outcome, Outcome::Ignored(_)))
    {
        return Outcome::Failed(format!(
            "no trial is planned: nothing that the selected probes ask about applies\n{}\n\
             fix: select other probes, let the policy claim more, or bind a tool",
            reasons()
        ));
    }
    if rehearsal {
        return Outcome::Planned;
    }
    if report.harness.interrupted {
        return Outcome::Failed(String::from("the run was interrupted"));
    }
    if judged == 0 {
        return Outcome::Failed(format!("nothing could be judged\n{}", reasons()));
    }
    if report.drove_nothing() {
        return Outcome::Failed(format!(
            "no tool was driven, so that nothing is said of what calls can reach\n{}\n\
             fix: bind a tool",
            reasons()
        ));
    }
    if summary.coverage < summary.thresholds.min_coverage {
        return Outcome::Failed(format!(
            "{} % of the probes that apply were judged, and {} % must be",
            percent(summary.coverage),
            percent(summary.thresholds.min_coverage),
        ));
    }
    Outcome::Passed
}

/// A line on the run as a whole.
pub(super) fn summary(report: &Report) -> String {
    let counts = &report.summary.boundaries;
    let parts: Vec<String> = [
        (counts.breached, "breached"),
        (counts.held, "held"),
        (counts.inconclusive, "inconclusive"),
        (counts.not_applicable, "not applicable"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    format!(
        "isolation: boundaries {}; {} % of the probes that apply judged; testbed {}\n",
        parts.join(", "),
        percent(report.summary.coverage),
        report.testbed.kind,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_ids() {
        for (id, test) in [
            (
                "fs.read.dotdot/plain@read:path",
                "fs.read.dotdot::plain::read:path",
            ),
            ("fs.read.dotdot/-", "fs.read.dotdot"),
            ("fs.read.case/upper", "fs.read.case::upper"),
            ("a.b/v@x::y:p=file.write~2", "a.b::v::x:y:p=file.write~2"),
            ("a.b/v@two words:p/@q", "a.b::v::two words:p/@q"),
        ] {
            assert_eq!(name(id), test);
            assert_eq!(probe_of(test), id.split('/').next().unwrap_or_default());
        }
        assert!(!name("a.b/v@x\ny:p").contains('\n'));
    }
}
