//! Breaches, worst first: what was asked, what was seen, the proof, how to repeat and to fix it.

use std::cmp::Reverse;

use serde_json::Value;

use super::{
    by_tool, counted,
    page::{BAD, BOLD, CODE, FAINT, PLAIN, Page, Wrap},
};
use crate::{
    judge::{Basis, Verdict},
    probe::Assumption,
    report::{
        EvidenceReport, ProbeReport, Report, TrialReport, assumption_words, basis_words,
        breach_severity, severity_word,
    },
};

/// Witnesses whose facts show that the channel worked, not that the boundary gave way.
const CONTROLS: [&str; 2] = ["control", "twin"];

pub(super) fn section(page: &mut Page, report: &Report, verbose: bool) {
    let mut probes: Vec<&ProbeReport> = report
        .probes
        .iter()
        .filter(|probe| probe.verdict == Verdict::Breached)
        .collect();
    if probes.is_empty() {
        return;
    }
    probes.sort_by_key(|probe| (Reverse(breach_severity(probe)), probe.priority));
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
    ]);
    page.paragraph(3, 0, PLAIN, Wrap::Prose, &probe.question);
    page.blank();
    let breached: Vec<&TrialReport> = probe
        .trials
        .iter()
        .filter(|trial| trial.verdict == Verdict::Breached)
        .collect();
    if let Some(trial) = breached.iter().min_by_key(|trial| clarity(trial)) {
        proof(page, trial, verbose);
    }
    scope(page, probe, &breached, verbose);
    if probe.assumes != Assumption::Caller {
        let words = format!("the attacker {}", assumption_words(probe.assumes));
        page.field("assumes", PLAIN, Wrap::Prose, &words);
    }
    page.field("why", PLAIN, Wrap::Prose, &probe.why);
    page.field("fix", PLAIN, Wrap::Prose, &probe.fix);
    let references = &probe.references;
    let mut see: Vec<String> = references
        .cwe
        .iter()
        .map(|cwe| format!("CWE-{cwe}"))
        .collect();
    see.extend(references.cve.iter().cloned());
    see.extend(
        references
            .owasp
            .iter()
            .map(|entry| format!("OWASP {entry}")),
    );
    see.extend(references.spec.iter().cloned());
    if !see.is_empty() {
        page.field("see", FAINT, Wrap::Prose, &see.join(", "));
    }
}

/// Sort key: the trial whose proof is easiest to believe comes first.
fn clarity(trial: &TrialReport) -> (Basis, usize, bool, &str) {
    let decoders = trial
        .evidence
        .iter()
        .map(|evidence| evidence.decoders.len())
        .max();
    let shown = trial.evidence.iter().any(|fact| fact.excerpt.is_some());
    (trial.basis, decoders.unwrap_or(0), !shown, &trial.id)
}

fn proof(page: &mut Page, trial: &TrialReport, verbose: bool) {
    if let Some(asked) = &trial.asked {
        page.field("asked", CODE, Wrap::Code, &call(asked));
    }
    if let Some(object) = &trial.object {
        page.field("forbidden", PLAIN, Wrap::Code, object);
    }
    if let Some(answered) = &trial.answered {
        page.field("answer", PLAIN, Wrap::Quote, answered);
    }
    let (controls, facts): (Vec<_>, Vec<_>) = trial
        .evidence
        .iter()
        .partition(|evidence| CONTROLS.contains(&&*evidence.witness));
    let shown = if verbose { facts.len() } else { 3 };
    for fact in facts.iter().take(shown) {
        evidence(page, "seen", fact);
    }
    if verbose {
        for control in controls {
            evidence(page, "control", control);
        }
    }
    if let Some(repro) = &trial.repro {
        page.shell("repeat", repro);
    }
}

fn evidence(page: &mut Page, label: &str, evidence: &EvidenceReport) {
    let mut source = vec![evidence.witness.clone()];
    if !evidence.decoders.is_empty() {
        source.push(format!("through {}", evidence.decoders.join(" > ")));
    }
    source.extend(evidence.at_ms.map(|at| format!("+{at} ms")));
    let fact = format!("{} ({})", evidence.fact, source.join(", "));
    page.field(label, BOLD, Wrap::Code, &fact);
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
    } else if let Some(trial) = breached.first() {
        page.field("where", PLAIN, Wrap::Code, &by_tool([*trial], limit));
    }
    let held: Vec<&TrialReport> = probe
        .trials
        .iter()
        .filter(|trial| trial.verdict == Verdict::Held)
        .collect();
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

/// A request as people read it: the tool and its arguments, or the method and its parameters.
fn call(asked: &Value) -> String {
    let (method, params) = match (
        asked.get("method").and_then(Value::as_str),
        asked.get("params"),
    ) {
        (Some(method), Some(params)) => (method, params),
        _ => ("tools/call", asked),
    };
    match (
        params.get("name").and_then(Value::as_str),
        params.get("arguments"),
    ) {
        (Some(tool), Some(arguments)) if method == "tools/call" => format!("{tool} {arguments}"),
        _ if std::ptr::eq(params, asked) => asked.to_string(),
        _ => format!("{method} {params}"),
    }
}
