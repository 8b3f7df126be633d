//! Breaches, worst first: what was asked, what was seen, the proof, how to repeat and to fix it.

use super::{
    by_tool,
    page::{BAD, BOLD, CODE, FAINT, PLAIN, Page, UNSURE, Wrap},
};
use crate::{
    judge::{Basis, Verdict},
    probe::Assumption,
    report::{
        EvidenceReport, ProbeReport, Report, TrialReport, assumption_words, basis_words,
        breach_severity, severity_word,
        story::{
            breaches, call, clearest, counted, evidence, known_share, see, sighting, trials_of,
        },
    },
};

pub(super) fn section(page: &mut Page, report: &Report, verbose: bool) {
    let probes = breaches(report);
    if probes.is_empty() {
        return;
    }
    let remark = format!(
        "{}, {}",
        counted(probes.len(), "probe", "probes"),
        counted(report.summary.trials.breached, "trial", "trials"),
    );
    page.heading(BAD, "BREACHED", &remark);
    for (number, probe) in probes.iter().enumerate() {
        if number > 0 {
            page.blank();
        }
        breach(page, number + 1, probe, verbose);
    }
}

fn breach(page: &mut Page, number: usize, probe: &ProbeReport, verbose: bool) {
    let severity = breach_severity(probe).map_or("", severity_word);
    page.line(&[
        (FAINT, format!("{number:>2} ")),
        (BOLD, probe.id.to_string()),
        (PLAIN, String::from("  ")),
        (BAD, String::from(severity)),
        (
            UNSURE,
            known_share(probe).map_or_else(String::new, |share| format!("  {share}")),
        ),
    ]);
    page.paragraph(3, 0, PLAIN, Wrap::Prose, &probe.question);
    page.blank();
    let breached = trials_of(probe, Verdict::Breached);
    if let Some(trial) = clearest(probe) {
        proof(page, trial, verbose);
    }
    scope(page, probe, &breached, verbose);
    if probe.assumes != Assumption::Caller {
        let words = format!("the attacker {}", assumption_words(probe.assumes));
        page.field("assumes", PLAIN, Wrap::Prose, &words);
    }
    page.field("why", PLAIN, Wrap::Prose, &probe.why);
    page.field("fix", PLAIN, Wrap::Prose, &probe.fix);
    let see = see(&probe.references);
    if !see.is_empty() {
        page.field("see", FAINT, Wrap::Prose, &see.join(", "));
    }
}

pub(super) fn proof(page: &mut Page, trial: &TrialReport, verbose: bool) {
    if let Some(asked) = &trial.asked {
        page.field("asked", CODE, Wrap::Code, &call(asked));
    }
    if let Some(object) = &trial.object {
        page.field("forbidden", PLAIN, Wrap::Code, object);
    }
    if let Some(answered) = &trial.answered {
        page.field("answer", PLAIN, Wrap::Quote, answered);
    }
    let (controls, facts) = evidence(trial);
    let shown = if verbose { facts.len() } else { 3 };
    for fact in facts.iter().take(shown) {
        seen(page, "seen", fact);
    }
    if verbose {
        for control in controls {
            seen(page, "control", control);
        }
    }
    if let Some(repro) = &trial.repro {
        page.shell("repeat", repro);
    }
}

fn seen(page: &mut Page, label: &str, evidence: &EvidenceReport) {
    page.field(label, BOLD, Wrap::Code, &sighting(evidence));
    if let Some(excerpt) = &evidence.excerpt {
        page.field("proof", BAD, Wrap::Quote, excerpt);
    }
}

/// Where else it happened, and where it did not: the difference is often the cause.
fn scope(page: &mut Page, probe: &ProbeReport, breached: &[&TrialReport], verbose: bool) {
    let limit = if verbose { usize::MAX } else { 6 };
    if probe.trials.len() > 1 {
        let text = format!(
            "{} of {}: {}",
            breached.len(),
            counted(probe.trials.len(), "trial", "trials"),
            by_tool(breached.iter().copied(), limit),
        );
        page.field("where", PLAIN, Wrap::Code, &text);
    } else if let Some(trial) = breached.first().filter(|trial| !trial.tool.is_empty()) {
        page.field("where", PLAIN, Wrap::Code, &by_tool([*trial], limit));
    }
    let held = trials_of(probe, Verdict::Held);
    if !held.is_empty() {
        page.field("held", PLAIN, Wrap::Code, &by_tool(held, limit));
    }
    if breach_severity(probe) != Some(probe.severity) {
        let text = format!(
            "{}; therefore one step below the declared severity, {}",
            basis_words(Basis::Access),
            severity_word(probe.severity),
        );
        page.field("means", PLAIN, Wrap::Prose, &text);
    }
}
