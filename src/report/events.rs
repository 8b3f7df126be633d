//! The report as JSON Lines: the events of its run.
//!
//! Owns the lines. A run writes them while it goes on; from a stored report the same are made again,
//! apart from those that a report does not hold. The last line, `concluded`, is there only when there
//! is a report: a file without it is that of a run which did not come so far.

use serde::Serialize;

use crate::{
    judge::{Basis, Verdict},
    report::{BaselineReport, Report, Summary, json::compact},
    run::Event,
};

/// An event as a line with its line feed.
#[must_use]
pub fn event_line(event: &Event) -> String {
    compact(event)
}

/// The last line: what the run came to.
#[must_use]
pub fn conclusion_line(report: &Report) -> String {
    compact(&Last::Concluded {
        run: &report.harness.run,
        summary: &report.summary,
        baseline: report.baseline.as_ref(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Last<'a> {
    Concluded {
        run: &'a str,
        summary: &'a Summary,
        #[serde(skip_serializing_if = "Option::is_none")]
        baseline: Option<&'a BaselineReport>,
    },
}

/// The report as JSON Lines.
#[must_use]
pub fn render(report: &Report) -> String {
    let (target, harness) = (&report.target, &report.harness);
    let count = |of: fn(&crate::report::ToolReport) -> usize| target.tools.iter().map(of).sum();
    let trials = report.probes.iter().flat_map(|probe| &probe.trials);
    let ran = trials.filter(|trial| trial.basis != Basis::NotRun && was_planned(trial.verdict));
    let mut events = vec![
        Event::Launching {
            target: target.display.clone(),
        },
        Event::Ready {
            name: target.name.clone(),
            version: target.version.clone(),
            protocol: target.protocol.clone(),
            tools: target.tools.len(),
            startup_ms: harness.startup_ms,
        },
        Event::Discovered {
            proven: count(|tool| tool.proven.len()),
            unproven: count(|tool| tool.unproven.len()),
        },
        Event::Planned {
            trials: report.summary.planned - report.summary.trials.not_applicable,
        },
    ];
    events.extend(ran.map(|trial| Event::TrialDone {
        id: trial.id.clone(),
        verdict: trial.verdict,
        basis: trial.basis,
        strength: trial.strength,
    }));
    events.extend(report.notes.iter().cloned().map(Event::Note));
    events.push(Event::Finished {
        took_ms: harness.took_ms,
        interrupted: harness.interrupted,
    });
    let mut lines: String = events.iter().map(event_line).collect();
    lines.push_str(&conclusion_line(report));
    lines
}

/// Trials that do not apply are no part of what is run.
fn was_planned(verdict: Verdict) -> bool {
    verdict != Verdict::NotApplicable
}
