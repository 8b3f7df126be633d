//! The report as one page for a browser.
//!
//! Owns the page: one file that asks nobody for anything, whose only style and script are its own by
//! digest, and in which text of a target is text. How it looks is `reports/page/`; what is in it and
//! in which order is told here and in `view.rs`.

mod grid;
mod setting;
mod text;
mod view;

use askama::Template;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    judge::Verdict,
    probe::{Assumption, Severity},
    report::{
        EvidenceReport, Report, TrialReport, assumption_words, is_plain,
        json::plain,
        role_word, severity_word,
        story::{Gap, call, evidence, gap_counts, gaps, sighting, why},
        verdict_sign,
    },
};
use grid::Row;
use setting::{Setting, setting};
use text::prose;
pub(super) use text::{Inert, anchor, inert, name};
use view::{Entry, Figure, Story, Unjudged};

pub(super) const STYLE: &str = include_str!("../../../reports/page/page.css");
const SCRIPT: &str = include_str!("../../../reports/page/page.js");

#[derive(Template)]
#[template(path = "page.html", config = "reports/page/askama.toml")]
struct Page<'a> {
    report: &'a Report,
    target: &'a str,
    style: &'static str,
    style_hash: String,
    script: &'static str,
    script_hash: String,
    verdict_word: &'static str,
    headline: String,
    baseline: Vec<String>,
    measure: String,
    figures: Vec<Figure>,
    boundaries: Vec<Row<'a>>,
    matrix: grid::Matrix<'a>,
    breaches: Vec<Story<'a>>,
    unjudged: Vec<Unjudged<'a>>,
    gaps: Vec<Gap<'a>>,
    gap_words: String,
    gap_total: usize,
    probes: Vec<Entry<'a>>,
    setting: Vec<Setting>,
    policy: String,
    policy_lines: usize,
}

/// The report as one HTML page.
#[must_use]
pub fn render(report: &Report) -> String {
    let gaps = gaps(report);
    let policy = plain(&report.policy);
    let page = Page {
        report,
        target: report
            .target
            .name
            .as_ref()
            .unwrap_or(&report.target.display),
        style: STYLE,
        style_hash: source_hash(STYLE),
        script: SCRIPT,
        script_hash: source_hash(SCRIPT),
        verdict_word: word(&report.summary.verdict),
        headline: view::headline(report),
        baseline: view::baseline(report),
        measure: view::measure(report),
        figures: view::figures(report),
        boundaries: grid::rows(report),
        matrix: grid::matrix(report),
        breaches: view::stories(report),
        unjudged: view::unjudged(report),
        gap_words: gap_counts(&gaps),
        gap_total: gaps.iter().map(|gap| gap.names.len()).sum(),
        gaps,
        probes: view::entries(report),
        setting: setting(report),
        policy_lines: policy.lines().count(),
        policy,
    };
    let text = page
        .render()
        .expect("writing to a String does not fail, and nothing else in the page can");
    without_raw(text)
}

// The template hands over references.

/// The class of what has a verdict; also the word of the JSON report.
fn class(verdict: &Verdict) -> &'static str {
    view::class(*verdict)
}

/// The word for a verdict in running text.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::NotApplicable => "not applicable",
        other => class(other),
    }
}

fn sign(verdict: &Verdict) -> char {
    verdict_sign(*verdict)
}

fn severity(severity: &Severity) -> &'static str {
    severity_word(*severity)
}

fn request(asked: &Value) -> Inert<String> {
    inert(call(asked))
}

fn seen(fact: &EvidenceReport) -> Inert<String> {
    inert(sighting(fact))
}

fn controls(trial: &TrialReport) -> Vec<&EvidenceReport> {
    evidence(trial).0
}

fn facts(trial: &TrialReport) -> Vec<&EvidenceReport> {
    evidence(trial).1
}

fn because(trial: &TrialReport) -> Inert<&str> {
    inert(why(trial))
}

fn assumption(assumption: &Assumption) -> &'static str {
    assumption_words(*assumption)
}

/// A source expression of a content security policy.
pub(super) fn source_hash(text: &str) -> String {
    let digest = data_encoding::BASE64.encode(&Sha256::digest(text));
    format!("sha256-{digest}")
}

/// Spells out what is not plain, wherever it stands: the last guard behind all others, for texts
/// that should hold nothing of the kind, such as a probe's own.
pub(super) fn without_raw(text: String) -> String {
    let raw = |c: char| !matches!(c, '\n' | ' '..='~') && !is_plain(c);
    if !text.contains(raw) {
        return text;
    }
    let mut clean = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        match raw(c) {
            true => clean.extend(c.escape_unicode()),
            false => clean.push(c),
        }
    }
    clean
}
