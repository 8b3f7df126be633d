//! The report for people at a terminal.
//!
//! Owns what is said and in which order: boundaries first, then breaches, then what could not be
//! judged and what was not tested with the same prominence, then how it was done, then the
//! verdict. A pure function of the report; layout is [`page`]'s, colour is the caller's wish.

mod breach;
mod diff;
mod gaps;
mod known;
pub(crate) mod page;
mod setting;

use std::borrow::Cow;

pub use diff::render as render_diff;

use crate::{
    judge::Verdict,
    report::{
        BoundaryReport, Report, TrialReport, severity_word,
        story::{counted, percent},
        strength_word, verdict_sign, verdict_word, visible,
    },
};
use page::{BAD, BOLD, FAINT, GOOD, PLAIN, Page, Span, UNSURE, Wrap};

/// How a report shall look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// With ANSI styles.
    pub color: bool,
    /// Columns; held between 72 and 132.
    pub width: usize,
    /// With every probe that held, and without shortened lists.
    pub verbose: bool,
}

/// The report as text.
#[must_use]
pub fn render(report: &Report, look: &Look) -> String {
    let mut page = Page::new(look);
    title(&mut page, report);
    boundaries(&mut page, report);
    breach::section(&mut page, report, look.verbose);
    known::section(&mut page, report, look.verbose);
    gaps::inconclusive(&mut page, report, look.verbose);
    gaps::not_tested(&mut page, report, look.verbose);
    if look.verbose {
        gaps::held(&mut page, report);
    }
    setting::section(&mut page, report);
    verdict(&mut page, report);
    page.finish()
}

fn title(page: &mut Page, report: &Report) {
    let target = &report.target;
    let name = target.name.as_ref().unwrap_or(&target.display);
    let version = target.version.as_deref().unwrap_or_default();
    page.line(&[
        (BOLD, String::from("watertight")),
        (FAINT, format!(" {} · ", report.harness.version)),
        (BOLD, visible(name, NAME).into_owned()),
        (PLAIN, format!(" {}", visible(version, NAME))),
    ]);
    page.blank();
}

fn boundaries(page: &mut Page, report: &Report) {
    let head = |text: &str| (FAINT, String::from(text));
    let mut rows = vec![
        [
            "boundary", "", "verdict", "held", "breached", "inconcl.", "n/a", "trials",
        ]
        .map(head)
        .into(),
    ];
    rows.extend(report.boundaries.iter().map(boundary));
    let right = [false, false, false, true, true, true, true, true];
    page.table(Some(1), &right, &rows);
    let legend = "Columns held to n/a count probes, the last one counts their trials.";
    page.paragraph(3, 0, FAINT, Wrap::Prose, legend);
}

fn boundary(row: &BoundaryReport) -> Vec<Span> {
    let style = ink(row.verdict);
    let degree = row
        .severity
        .map(severity_word)
        .or(row.strength.map(strength_word))
        .map_or_else(String::new, |degree| format!(" ({degree})"));
    let number = |style, number: usize| match number {
        0 => (FAINT, String::from("·")),
        _ => (style, number.to_string()),
    };
    vec![
        (BOLD, row.id.clone()),
        (PLAIN, row.title.clone()),
        (style, format!("{}{degree}", mark(row.verdict))),
        number(PLAIN, row.probes.held),
        number(BAD, row.probes.breached),
        number(UNSURE, row.probes.inconclusive),
        number(FAINT, row.probes.not_applicable),
        number(PLAIN, planned(row)),
    ]
}

fn planned(row: &BoundaryReport) -> usize {
    let counts = row.trials;
    counts.held + counts.breached + counts.inconclusive + counts.not_applicable
}

/// The last lines: verdict, in what measure, exit code.
fn verdict(page: &mut Page, report: &Report) {
    let summary = &report.summary;
    let all = report.boundaries.len() - summary.boundaries.not_applicable;
    let below = summary.coverage < summary.thresholds.min_coverage;
    let measure = match summary.verdict {
        Verdict::Breached => {
            let worst = report
                .boundaries
                .iter()
                .filter_map(|row| row.severity)
                .max();
            let gate = match worst {
                Some(worst) if worst < summary.thresholds.min_severity => format!(
                    ", all below {}",
                    severity_word(summary.thresholds.min_severity)
                ),
                _ => String::new(),
            };
            format!(
                "{} of {}{gate}",
                summary.boundaries.breached,
                counted(all, "boundary", "boundaries"),
            )
        }
        Verdict::Held => counted(all, "boundary", "boundaries"),
        Verdict::Inconclusive if report.drove_nothing() => {
            format!("{} watched", counted(all, "boundary", "boundaries"))
        }
        Verdict::Inconclusive => format!(
            "{} of {}",
            summary.boundaries.inconclusive,
            counted(all, "boundary", "boundaries"),
        ),
        Verdict::NotApplicable => String::from("nothing that was selected applies"),
    };
    let judged = match below {
        true => format!(
            "{} % judged, {} % needed",
            percent(summary.coverage),
            percent(summary.thresholds.min_coverage),
        ),
        false => format!("{} % judged", percent(summary.coverage)),
    };
    let mut parts = vec![format!("exit code {}", summary.exit_code)];
    if report.harness.interrupted {
        parts.push(String::from("interrupted"));
    }
    parts.extend(report.harness.part());
    if let Some(baseline) = &report.baseline {
        if baseline.accepted > 0 {
            parts.push(format!("{} known", baseline.accepted));
        }
        if !baseline.problems.is_empty() {
            parts.push(String::from("baseline fails"));
        }
    }
    if report.drove_nothing() {
        parts.push(String::from("no tool was driven"));
    }
    parts.push(measure);
    if summary.verdict != Verdict::NotApplicable && !report.drove_nothing() {
        parts.push(judged);
    }
    page.blank();
    page.rule();
    let ink = ink(summary.verdict).bold();
    page.parts(ink, &mark(summary.verdict), &parts);
}

/// The style of a verdict.
pub(crate) fn ink(verdict: Verdict) -> anstyle::Style {
    match verdict {
        Verdict::Held => GOOD,
        Verdict::Breached => BAD,
        Verdict::Inconclusive => UNSURE,
        Verdict::NotApplicable => FAINT,
    }
}

/// Sign and word of a verdict; the word alone is enough.
fn mark(verdict: Verdict) -> String {
    format!("{} {}", verdict_sign(verdict), verdict_word(verdict))
}

/// Trials by tool with their variants, in order; tools with the same variants share them:
/// `read_file, read_many (plain, slash), list (plain)`. At most `limit` names are in each list.
fn by_tool<'a>(trials: impl IntoIterator<Item = &'a TrialReport>, limit: usize) -> String {
    let pairs = trials.into_iter();
    places(pairs.map(|trial| (&*trial.tool, &*trial.variant)), limit)
}

/// The same for pairs of tool and variant.
fn places<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, limit: usize) -> String {
    let mut tools: Vec<(&str, Vec<&str>)> = Vec::new();
    for (tool, variant) in pairs {
        match tools.iter_mut().find(|(known, _)| *known == tool) {
            Some((_, variants)) if variants.contains(&variant) => {}
            Some((_, variants)) => variants.push(variant),
            None => tools.push((tool, vec![variant])),
        }
    }
    let mut groups: Vec<(Vec<Cow<'_, str>>, Vec<&str>)> = Vec::new();
    for (tool, variants) in tools {
        let tool = match tool {
            "" => Cow::Borrowed("(no tool)"),
            _ => visible(tool, NAME),
        };
        match groups.iter_mut().find(|(_, known)| *known == variants) {
            Some((tools, _)) => tools.push(tool),
            None => groups.push((vec![tool], variants)),
        }
    }
    let named: Vec<String> = groups
        .iter()
        .map(|(tools, variants)| format!("{} ({})", listed(tools, limit), listed(variants, limit)))
        .collect();
    listed(&named, limit)
}

/// Names in a row; those beyond `limit` are counted.
fn listed<T: AsRef<str>>(names: &[T], limit: usize) -> String {
    let shown: Vec<&str> = names.iter().take(limit).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(limit) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Characters of a tool's name that are shown within a sentence.
const NAME: usize = 60;
