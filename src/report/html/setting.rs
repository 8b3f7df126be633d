//! How it was done, as lines of label and text.

use crate::report::{
    PartReport, Report,
    story::{attempts, counted, layers, paths, percent, seconds},
};

/// One line.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) label: &'static str,
    pub(super) text: String,
    /// Whether it takes something from what the verdicts are worth.
    pub(super) alarm: bool,
}

pub(super) fn setting(report: &Report) -> Vec<Setting> {
    let (harness, target, testbed) = (&report.harness, &report.target, &report.testbed);
    let (summary, calls) = (&report.summary, report.calls);
    let mut lines = Vec::new();
    let mut add = |label, text: String| {
        lines.push(Setting {
            label,
            text,
            alarm: false,
        });
    };
    add("Target", target.display.clone());
    if let Some(cwd) = &target.cwd {
        add("Started in", cwd.clone());
    }
    add(
        "Protocol",
        format!(
            "MCP {} over {} ({}), {}",
            target.protocol,
            target.transport,
            target.era,
            counted(target.tools.len(), "tool", "tools"),
        ),
    );
    if !target.environment.is_empty() {
        add("Environment", target.environment.join(", "));
    }
    let filesystem = testbed
        .filesystem
        .as_deref()
        .map_or_else(String::new, |name| format!(", {name}"));
    let world = format!("{}, {}{filesystem}", testbed.kind, testbed.platform);
    add("Testbed", world);
    add("Allowed", testbed.allowed.clone());
    add("Denied", testbed.denied.clone());
    if let Some(paths) = paths(report) {
        add("Server has", paths);
    }
    if let Some(layers) = layers(report) {
        add("Stopped", layers);
    }
    if let Some(attempts) = attempts(report) {
        add("Attacks", attempts);
    }
    add(
        "Trials",
        format!(
            "{} planned: {} held, {} breached, {} inconclusive, {} not applicable",
            summary.planned,
            summary.trials.held,
            summary.trials.breached,
            summary.trials.inconclusive,
            summary.trials.not_applicable,
        ),
    );
    add(
        "Calls",
        format!(
            "{} sent: {} reached the tool, {} rejected by schema, {} unanswered",
            calls.sent, calls.reached_tool, calls.rejected_by_schema, calls.unanswered,
        ),
    );
    add(
        "Roles",
        format!(
            "{} of {} that the tools offer could be driven with proof",
            summary.roles_bound, summary.roles_offered,
        ),
    );
    add(
        "To pass",
        format!(
            "no breach of severity {} or worse, {} % of what applies judged",
            crate::report::severity_word(summary.thresholds.min_severity),
            percent(summary.thresholds.min_coverage),
        ),
    );
    add(
        "Run",
        format!(
            "{}, begun {}, seed {}, {} s of which {} s start-up",
            harness.run,
            harness.started,
            harness.seed,
            seconds(harness.took_ms),
            seconds(harness.startup_ms),
        ),
    );
    if !harness.selection.is_empty() {
        add("Selected", harness.selection.join(", "));
    }
    if let Some(asked) = &harness.asked {
        let text = format!("{} probes, SHA-256 {}", asked.probes, asked.digest);
        add("Asked", text);
    }
    if !harness.parts.is_empty() {
        let part = |part: &PartReport| format!("run {} (begun {})", part.run, part.started);
        let parts: Vec<String> = harness.parts.iter().map(part).collect();
        add("Merged from", parts.join(", "));
    }
    if !testbed.clean {
        lines.push(Setting {
            label: "Left behind",
            text: String::from("not everything that was created could be removed"),
            alarm: true,
        });
    }
    lines
}
