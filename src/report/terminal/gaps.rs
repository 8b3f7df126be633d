//! What was not judged and why, and on request what held: the counterpart of the breaches.

use std::collections::BTreeMap;

use super::{
    by_tool, counted, listed,
    page::{BOLD, FAINT, GOOD, PLAIN, Page, Span, UNSURE, Wrap},
};
use crate::{
    judge::{Basis, Verdict},
    report::{
        NotTested, ProbeReport, Report, TrialReport, basis_word, basis_words, strength_word,
        visible,
    },
};

/// Names in a list and probes below a reason that are shown unless all are wanted.
const SHOWN: usize = 6;

/// Trials that could not be judged, by rule and then by reason.
pub(super) fn inconclusive(page: &mut Page, report: &Report, verbose: bool) {
    let groups = grouped(&report.probes, Verdict::Inconclusive);
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

type Group<'a> = BTreeMap<&'a str, Vec<&'a TrialReport>>;

fn grouped(probes: &[ProbeReport], verdict: Verdict) -> BTreeMap<(Basis, &str), Group<'_>> {
    let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
    for probe in probes {
        for trial in probe.trials.iter().filter(|trial| trial.verdict == verdict) {
            groups
                .entry((trial.basis, &*trial.reason))
                .or_default()
                .entry(&probe.id.0)
                .or_default()
                .push(trial);
        }
    }
    groups
}

fn group(page: &mut Page, basis: Basis, reason: &str, probes: &Group<'_>, verbose: bool) {
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
    let mut groups: Vec<(&str, &str, Vec<String>)> = Vec::new();
    let mut add = |kind, why, name: String| match groups
        .iter_mut()
        .find(|(known, reason, _)| *known == kind && *reason == why)
    {
        Some((.., names)) => names.push(name),
        None => groups.push((kind, why, vec![name])),
    };
    for gap in &report.not_tested {
        let (kind, name) = subject(gap);
        add(kind, &gap.why, name);
    }
    let named = |probe: &ProbeReport| {
        report
            .not_tested
            .iter()
            .any(|gap| gap.probe.as_ref() == Some(&probe.id))
    };
    for probe in &report.probes {
        if probe.verdict == Verdict::NotApplicable && !named(probe) {
            add("probe", reason(probe), probe.id.to_string());
        }
    }
    if groups.is_empty() {
        return;
    }
    let order = ["tool", "parameter", "probe", ""];
    groups.sort_by_key(|(kind, ..)| order.iter().position(|known| known == kind));
    let total = |kind: &str| {
        groups
            .iter()
            .filter(|(known, ..)| *known == kind)
            .map(|(.., names)| names.len())
            .sum::<usize>()
    };
    let remark: Vec<String> = [
        ("tool", "tools"),
        ("parameter", "parameters"),
        ("probe", "probes"),
    ]
    .into_iter()
    .filter(|(one, _)| total(one) > 0)
    .map(|(one, many)| counted(total(one), one, many))
    .collect();
    page.heading(UNSURE, "NOT TESTED", &remark.join(", "));
    for (kind, why, names) in &groups {
        let limit = if verbose || *kind == "tool" {
            usize::MAX
        } else {
            SHOWN
        };
        page.field(kind, BOLD, Wrap::Code, &listed(names, limit));
        page.field("", PLAIN, Wrap::Prose, why);
    }
}

fn subject(gap: &NotTested) -> (&'static str, String) {
    let name = |text: &str| visible(text, super::NAME).into_owned();
    match (&gap.tool, &gap.parameter, &gap.probe) {
        (Some(tool), Some(parameter), _) => {
            ("parameter", format!("{} {}", name(tool), name(parameter)))
        }
        (Some(tool), None, _) => ("tool", name(tool)),
        (None, Some(parameter), _) => ("parameter", name(parameter)),
        (None, None, Some(probe)) => ("probe", probe.to_string()),
        (None, None, None) => ("", String::from("(in general)")),
    }
}

/// Why a probe did not apply: its own reason, else that of its first trial.
fn reason(probe: &ProbeReport) -> &str {
    match (&probe.reason, probe.trials.first()) {
        (Some(reason), _) => reason,
        (None, Some(trial)) if trial.reason.is_empty() => basis_words(trial.basis),
        (None, Some(trial)) => &trial.reason,
        (None, None) => "no reason was given",
    }
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
