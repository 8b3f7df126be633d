//! The overview of a fleet as one page for a browser.
//!
//! Owns what is on the page. It asks nobody for anything, has no script, and leads to the reports of
//! the servers, which lie beside it.

use std::collections::BTreeSet;

use askama::Template;

use super::{FleetReport, Outcome, ServerReport, headline};
use crate::{
    judge::Verdict,
    report::{
        BoundaryReport, boundary_order, boundary_title,
        html::{Inert, STYLE, anchor, inert, name, source_hash, without_raw},
        severity_word,
        story::{percent, seconds},
        verdict_sign,
    },
};

#[derive(Template)]
#[template(path = "fleet.html", config = "reports/page/askama.toml")]
struct Page<'a> {
    fleet: &'a FleetReport,
    style: &'static str,
    style_hash: String,
    class: &'static str,
    sign: char,
    headline: String,
    measure: String,
    figures: Vec<(&'static str, usize, &'static str)>,
    columns: Vec<(&'a str, &'a str)>,
    rows: Vec<Row<'a>>,
}

/// A server with a cell for each boundary of the fleet.
struct Row<'a> {
    server: &'a ServerReport,
    class: &'static str,
    page: Option<&'a str>,
    judged: String,
    seconds: String,
    cells: Vec<Option<&'a BoundaryReport>>,
}

/// The overview as one HTML page.
#[must_use]
pub fn render(fleet: &FleetReport) -> String {
    let found = || {
        fleet
            .servers
            .iter()
            .filter_map(|server| server.found.as_ref())
    };
    let ids: BTreeSet<(usize, &str)> = found()
        .flat_map(|found| &found.boundaries)
        .map(|row| boundary_order(&row.id))
        .collect();
    let columns: Vec<(&str, &str)> = ids
        .into_iter()
        .map(|(_, id)| (id, boundary_title(id)))
        .collect();
    let worst = Outcome::ALL
        .into_iter()
        .find(|outcome| fleet.servers.iter().any(|one| one.outcome == *outcome))
        .unwrap_or(Outcome::NotApplicable);
    let outcomes = fleet.outcomes;
    let figures = vec![
        ("Breached", outcomes.breached, "breached"),
        ("Failed", outcomes.failed, "breached"),
        ("Not judged", outcomes.inconclusive, "inconclusive"),
        ("Not run", outcomes.not_run, "inconclusive"),
        ("Held", outcomes.held, "held"),
        ("Not applicable", outcomes.not_applicable, ""),
    ];
    let page = Page {
        fleet,
        style: STYLE,
        style_hash: source_hash(STYLE),
        class: class(worst),
        sign: worst.sign(),
        headline: headline(fleet),
        measure: measure(fleet),
        figures,
        rows: fleet
            .servers
            .iter()
            .map(|server| row(server, &columns))
            .collect(),
        columns,
    };
    let text = page
        .render()
        .expect("writing to a String does not fail, and nothing else in the page can");
    without_raw(text)
}

fn measure(fleet: &FleetReport) -> String {
    let interrupted = match fleet.interrupted {
        true => " It was interrupted: servers that had not been reached are not judged.",
        false => "",
    };
    format!(
        "{} at once, {} s. Exit code {}.{interrupted}",
        crate::report::story::counted(fleet.jobs, "server", "servers"),
        seconds(fleet.took_ms),
        fleet.exit_code
    )
}

fn row<'a>(server: &'a ServerReport, columns: &[(&'a str, &'a str)]) -> Row<'a> {
    let boundaries = || server.found.iter().flat_map(|found| &found.boundaries);
    let page = server.reports.iter().find(|file| file.format == "html");
    Row {
        server,
        class: class(server.outcome),
        page: page.map(|file| file.path.as_str()),
        judged: server.found.as_ref().map_or_else(String::new, |found| {
            format!("{} %", percent(found.coverage))
        }),
        seconds: seconds(server.took_ms),
        cells: columns
            .iter()
            .map(|(id, _)| boundaries().find(|row| row.id == *id))
            .collect(),
    }
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "held",
        Outcome::Breached | Outcome::Failed => "breached",
        Outcome::Inconclusive => "inconclusive",
        Outcome::NotApplicable | Outcome::NotRun => "not-applicable",
    }
}

// The template hands over references.

fn verdict_class(verdict: &Verdict) -> &'static str {
    class(Outcome::from(*verdict))
}

fn verdict_of(verdict: &Verdict) -> String {
    let word = match verdict {
        Verdict::NotApplicable => "not applicable",
        other => verdict_class(other),
    };
    format!("{} {word}", verdict_sign(*verdict))
}

fn severity(severity: &crate::probe::Severity) -> &'static str {
    severity_word(*severity)
}

fn outcome(outcome: &Outcome) -> String {
    outcome.word().to_lowercase()
}

fn shown(text: &str) -> Inert<&str> {
    inert(text)
}
