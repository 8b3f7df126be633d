//! What was not judged and why, and on request what held: the counterpart of the breaches.

use std::collections::BTreeMap;

use super::{
    by_tool, listed,
    page::{BOLD, FAINT, GOOD, PLAIN, Page, Span, UNSURE, Wrap},
};
use crate::{
    judge::{Basis, Verdict},
    report::{
        ProbeReport, Report, basis_word, basis_words,
        story::{ByProbe, by_reason, counted, gap_counts, gaps},
        strength_word, visible,
    },
};

/// Names in a list and probes below a reason that are shown unless all are wanted.
const SHOWN: usize = 6;

/// Trials that could not be judged, by rule and then by reason.
pub(super) fn inconclusive(page: &mut Page, report: &Report, verbose: bool) {
    let groups = by_reason(report, Verdict::Inconclusive);
    if groups.is_empty() {
        return;
    }
    let remark = format!(
        "{}, {}",
        counted(report.summary.probes.inconclusive, "probe", "probes"),
        counted(report.summary.trials.inconclusive, "trial", "trials"),
    );
    page.heading(UNSURE, "INCONCLUSIVE", &remark);
    let mut last = None;
    for ((basis, reason), probes) in groups {
        if last.replace(basis).is_some_and(|last| last != basis) {
            page.blank();
        }
        group(page, basis, reason, &probes, verbose);
    }
}

fn group(page: &mut Page, basis: Basis, reason: &str, probes: &ByProbe<'_>, verbose: bool) {
    let trials: usize = probes.values().map(Vec::len).sum();
    page.line(&[
        (PLAIN, String::from("   ")),
        (UNSURE, String::from(basis_word(basis))),
        (FAINT, format!("  {}", counted(trials, "trial", "trials"))),
    ]);
    let reason = if reason.is_empty() {
        basis_words(basis)
    } else {
        reason
    };
    page.paragraph(3, 0, PLAIN, Wrap::Code, reason);
    let shown = if verbose { usize::MAX } else { SHOWN };
    for (probe, trials) in probes.iter().take(shown) {
        let text = format!("{probe}: {}", by_tool(trials.iter().copied(), shown));
        page.paragraph(5, 2, PLAIN, Wrap::Code, &text);
    }
    if probes.len() > shown {
        let more = format!(
            "and {} more probes; --verbose names them",
            probes.len() - shown
        );
        page.paragraph(5, 2, FAINT, Wrap::Prose, &more);
    }
}

/// Tools, parameters and probes that nothing was learnt about.
pub(super) fn not_tested(page: &mut Page, report: &Report, verbose: bool) {
    let gaps = gaps(report);
    if gaps.is_empty() {
        return;
    }
    page.heading(UNSURE, "NOT TESTED", &gap_counts(&gaps));
    for gap in &gaps {
        let limit = if verbose || gap.kind == "tool" {
            usize::MAX
        } else {
            SHOWN
        };
        let names: Vec<String> = gap.names.iter().map(|parts| named(parts)).collect();
        page.field(gap.kind, BOLD, Wrap::Code, &listed(&names, limit));
        page.field("", PLAIN, Wrap::Prose, gap.why);
    }
}

fn named(parts: &[&str]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .map(|part| visible(part, super::NAME))
        .collect();
    parts.join(" ")
}

/// Every probe that held, with what its verdict rests on.
pub(super) fn held(page: &mut Page, report: &Report) {
    let probes: Vec<&ProbeReport> = report
        .probes
        .iter()
        .filter(|probe| probe.verdict == Verdict::Held)
        .collect();
    if probes.is_empty() {
        return;
    }
    page.heading(GOOD, "HELD", &counted(probes.len(), "probe", "probes"));
    let rows: Vec<Vec<Span>> = probes.into_iter().map(held_row).collect();
    page.table(None, &[false; 3], &rows);
}

fn held_row(probe: &ProbeReport) -> Vec<Span> {
    let mut bases: BTreeMap<Basis, usize> = BTreeMap::new();
    for trial in &probe.trials {
        if trial.verdict == Verdict::Held {
            *bases.entry(trial.basis).or_default() += 1;
        }
    }
    let bases: Vec<String> = bases
        .into_iter()
        .map(|(basis, trials)| {
            format!(
                "{} by {}",
                counted(trials, "trial", "trials"),
                basis_word(basis)
            )
        })
        .collect();
    vec![
        (BOLD, probe.id.to_string()),
        (GOOD, probe.strength.map_or("", strength_word).into()),
        (FAINT, bases.join(", ")),
    ]
}
