//! How it was done: what was sent, to whom, in which world, watched by whom.

use super::page::{BAD, BOLD, FAINT, PLAIN, Page, UNSURE, Wrap};
use crate::report::{
    Report, WitnessReport,
    story::{attempts, counted, layers, paths, seconds},
};

pub(super) fn section(page: &mut Page, report: &Report) {
    let harness = &report.harness;
    page.heading(BOLD, "HOW IT WAS DONE", &format!("run {}", harness.run));
    calls(page, report);
    target(page, report);
    let testbed = &report.testbed;
    let filesystem = testbed
        .filesystem
        .as_deref()
        .map_or_else(String::new, |name| format!(", {name}"));
    let world = format!("{}, {}{filesystem}", testbed.kind, testbed.platform);
    page.field("testbed", PLAIN, Wrap::Code, &world);
    page.field("allowed", PLAIN, Wrap::Code, &testbed.allowed);
    page.field("denied", PLAIN, Wrap::Code, &testbed.denied);
    if let Some(paths) = paths(report) {
        page.field("server has", PLAIN, Wrap::Code, &paths);
    }
    if let Some(layers) = layers(report) {
        page.field("stopped", PLAIN, Wrap::Prose, &layers);
    }
    if let Some(attempts) = attempts(report) {
        page.field("attacks", PLAIN, Wrap::Prose, &attempts);
    }
    if !testbed.clean {
        let left = "not everything that was created could be removed";
        page.field("left", BAD, Wrap::Prose, left);
    }
    witnesses(page, &testbed.witnesses);
    if let Some(calibration) = &report.calibration {
        let (passed, total) = (calibration.passed, calibration.total);
        let style = if passed == total { PLAIN } else { BAD };
        let text = format!(
            "{passed} of {total} cells of probe and reference target gave their declared verdict here"
        );
        page.field("self-test", style, Wrap::Prose, &text);
    }
    let run = format!(
        "seed {}, {} s of which {} s start-up, begun {}",
        harness.seed,
        seconds(harness.took_ms),
        seconds(harness.startup_ms),
        harness.started,
    );
    page.field("run", PLAIN, Wrap::Code, &run);
    if !harness.selection.is_empty() {
        page.field("selected", PLAIN, Wrap::Code, &harness.selection.join(", "));
    }
    if let Some(asked) = &harness.asked {
        // As much of a digest as tells two apart; the other reports have all of it.
        let digest = asked.digest.get(..12).unwrap_or(&asked.digest);
        let text = format!("{} probes, digest {digest}", asked.probes);
        page.field("", PLAIN, Wrap::Code, &text);
    }
    for part in &harness.parts {
        let text = format!(
            "{}: run {}, {} s, begun {}",
            part.number,
            part.run,
            seconds(part.took_ms),
            part.started,
        );
        let label = if part.number == 1 { "parts" } else { "" };
        page.field(label, PLAIN, Wrap::Code, &text);
    }
    for note in &report.notes {
        page.field("note", UNSURE, Wrap::Code, note);
    }
}

fn calls(page: &mut Page, report: &Report) {
    let (planned, trials) = (report.summary.planned, report.summary.trials);
    let text = format!(
        "{planned} planned: {} held, {} breached, {} inconclusive, {} not applicable",
        trials.held, trials.breached, trials.inconclusive, trials.not_applicable,
    );
    page.field("trials", PLAIN, Wrap::Prose, &text);
    let calls = report.calls;
    let text = format!(
        "{}: {} reached the tool, {} rejected by schema, {} unanswered",
        counted(calls.sent, "call", "calls"),
        calls.reached_tool,
        calls.rejected_by_schema,
        calls.unanswered,
    );
    page.field("sent", PLAIN, Wrap::Prose, &text);
    let summary = &report.summary;
    let text = format!(
        "{} of {} that the tools offer could be driven with proof",
        summary.roles_bound, summary.roles_offered,
    );
    page.field("roles", PLAIN, Wrap::Prose, &text);
}

fn target(page: &mut Page, report: &Report) {
    let target = &report.target;
    page.field("target", PLAIN, Wrap::Code, &target.display);
    let mut spoken = format!(
        "MCP {} over {} ({}), {}",
        target.protocol,
        target.transport,
        target.era,
        counted(target.tools.len(), "tool", "tools"),
    );
    if !target.environment.is_empty() {
        spoken = format!("{spoken}; environment {}", target.environment.join(", "));
    }
    page.field("", FAINT, Wrap::Code, &spoken);
}

fn witnesses(page: &mut Page, witnesses: &[WitnessReport]) {
    let awake: Vec<&str> = witnesses
        .iter()
        .filter(|witness| witness.awake)
        .map(|witness| &*witness.name)
        .collect();
    if !awake.is_empty() {
        let text = format!("{} (awake before and after)", awake.join(", "));
        page.field("witnesses", PLAIN, Wrap::Code, &text);
    }
    for witness in witnesses {
        let note = witness.note.as_deref();
        match witness.awake {
            true => {
                if let Some(note) = note {
                    let text = format!("{}: {note}", witness.name);
                    page.field("", FAINT, Wrap::Code, &text);
                }
            }
            false => {
                let why = note.unwrap_or("its self-test failed");
                let text = format!("{}: {why}", witness.name);
                page.field("blind", UNSURE, Wrap::Code, &text);
            }
        }
    }
}
