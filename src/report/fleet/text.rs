//! The overview of a fleet at a terminal.

use super::{FleetReport, Outcome, ServerReport, headline};
use crate::report::{
    Look, severity_word,
    story::{percent, seconds},
    terminal::page::{BAD, BOLD, FAINT, GOOD, PLAIN, Page, Span, UNSURE, Wrap},
};

/// The overview as text. `directory` is where its reports are.
#[must_use]
pub fn render(fleet: &FleetReport, look: &Look, directory: &str) -> String {
    let mut page = Page::new(look);
    page.line(&[
        (BOLD, String::from("watertight")),
        (FAINT, format!(" {} · ", fleet.version)),
        (BOLD, format!("fleet of {}", fleet.servers.len())),
    ]);
    page.blank();
    let heads = [
        "server", "", "verdict", "held", "breached", "inconcl.", "n/a", "judged", "time",
    ];
    let mut rows: Vec<Vec<Span>> = vec![heads.map(|head| (FAINT, String::from(head))).into()];
    rows.extend(fleet.servers.iter().map(row));
    let right = [false, false, false, true, true, true, true, true, true];
    page.table(Some(1), &right, &rows);
    let legend = "Columns held to n/a count probes.";
    page.paragraph(3, 0, FAINT, Wrap::Prose, legend);
    breaches(&mut page, fleet);
    failures(&mut page, fleet);
    page.blank();
    page.field("reports", PLAIN, Wrap::Code, directory);
    page.blank();
    page.rule();
    let interrupted = match fleet.interrupted {
        true => " · interrupted",
        false => "",
    };
    page.line(&[
        (PLAIN, String::from("   ")),
        (ink(worst(fleet)).bold(), headline(fleet)),
        (
            PLAIN,
            format!(
                " · exit code {} · {} s{interrupted}",
                fleet.exit_code,
                seconds(fleet.took_ms)
            ),
        ),
    ]);
    page.finish()
}

fn worst(fleet: &FleetReport) -> Outcome {
    let is = |outcome: &Outcome| fleet.servers.iter().any(|one| one.outcome == *outcome);
    let worst = Outcome::ALL.into_iter().find(is);
    worst.unwrap_or(Outcome::NotApplicable)
}

fn ink(outcome: Outcome) -> anstyle::Style {
    match outcome {
        Outcome::Held => GOOD,
        Outcome::Breached | Outcome::Failed => BAD,
        Outcome::Inconclusive => UNSURE,
        Outcome::NotApplicable | Outcome::NotRun => FAINT,
    }
}

fn row(server: &ServerReport) -> Vec<Span> {
    let found = server.found.as_ref();
    let severity = found.and_then(|found| found.severity);
    let degree = severity.map_or_else(String::new, |severity| {
        format!(" ({})", severity_word(severity))
    });
    let named = found.map_or_else(String::new, |found| {
        let name = found.name.as_deref().unwrap_or_default();
        let version = found.version.as_deref().unwrap_or_default();
        format!("{name} {version}").chars().take(40).collect()
    });
    let number = |style, of: fn(crate::report::Counts) -> usize| match found {
        None => (FAINT, String::new()),
        Some(found) => match of(found.probes) {
            0 => (FAINT, String::from("·")),
            number => (style, number.to_string()),
        },
    };
    let judged = found.map_or_else(String::new, |found| {
        format!("{} %", percent(found.coverage))
    });
    let outcome = server.outcome;
    vec![
        (BOLD, server.name.clone()),
        (FAINT, named),
        (
            ink(outcome),
            format!("{} {}{degree}", outcome.sign(), outcome.word()),
        ),
        number(PLAIN, |probes| probes.held),
        number(BAD, |probes| probes.breached),
        number(UNSURE, |probes| probes.inconclusive),
        number(FAINT, |probes| probes.not_applicable),
        (PLAIN, judged),
        (FAINT, format!("{} s", seconds(server.took_ms))),
    ]
}

fn breaches(page: &mut Page, fleet: &FleetReport) {
    /// Breaches of one server that are listed.
    const NAMED: usize = 6;
    let breached = |server: &&ServerReport| server.outcome == Outcome::Breached;
    let servers: Vec<&ServerReport> = fleet.servers.iter().filter(breached).collect();
    if servers.is_empty() {
        return;
    }
    page.heading(BAD, "BREACHED", "");
    for server in servers {
        let breaches = server.found.iter().flat_map(|found| &found.breaches);
        let named = breaches.clone().take(NAMED).map(|breach| {
            let severity = severity_word(breach.severity);
            format!("{} ({severity})", breach.probe)
        });
        let named: Vec<String> = named.collect();
        let more = match breaches.count().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!("{}: {}{more}", server.name, named.join(", "));
        page.paragraph(3, 2, PLAIN, Wrap::Code, &text);
    }
}

fn failures(page: &mut Page, fleet: &FleetReport) {
    let silent: Vec<&ServerReport> = fleet
        .servers
        .iter()
        .filter(|server| server.message.is_some())
        .collect();
    if silent.is_empty() {
        return;
    }
    page.heading(UNSURE, "WITHOUT A REPORT", "");
    for server in silent {
        let said = server.message.as_deref().unwrap_or_default();
        // The log and the page have the rest.
        let message = said
            .lines()
            .find_map(|line| line.strip_prefix("error: "))
            .or(said.lines().next())
            .unwrap_or_default();
        let text = format!("{}: {message}", server.name);
        page.paragraph(3, 2, PLAIN, Wrap::Quote, &text);
    }
}
