//! The report as JUnit XML, for the test views of CI systems.
//!
//! Owns the mapping: a boundary is a test suite, a trial is a test case, and so is a probe without
//! trials; breached is a failure, inconclusive an error, not applicable skipped. Every text is made
//! visible first, so that no character is left that XML forbids.

use askama::Template;

use crate::{
    judge::Verdict,
    report::{
        BaselineFault, BaselineProblem, BaselineReport, ProbeReport, Report, TrialReport,
        basis_word, breach_severity, severity_word,
        story::{accepted, account, why, why_not},
        verdict_word, visible,
    },
};

/// Characters of one text.
const LIMIT: usize = 2_000;

#[derive(Template)]
#[template(path = "junit.xml", config = "reports/page/askama.toml")]
struct Document {
    tests: usize,
    failures: usize,
    errors: usize,
    time: String,
    timestamp: String,
    properties: Vec<(&'static str, String)>,
    suites: Vec<Suite>,
}

struct Suite {
    name: String,
    failures: usize,
    errors: usize,
    skipped: usize,
    cases: Vec<Case>,
}

struct Case {
    class: String,
    name: String,
    outcome: Outcome,
    kind: String,
    message: String,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failure,
    Error,
    Skipped,
}

/// The report as JUnit XML.
#[must_use]
pub fn render(report: &Report) -> String {
    let suites: Vec<Suite> = report
        .boundaries
        .iter()
        .map(|row| suite(&row.id, report))
        .chain(report.baseline.as_ref().and_then(baseline))
        .collect();
    let harness = &report.harness;
    let document = Document {
        tests: suites.iter().map(|suite| suite.cases.len()).sum(),
        failures: suites.iter().map(|suite| suite.failures).sum(),
        errors: suites.iter().map(|suite| suite.errors).sum(),
        time: format!("{}.{:03}", harness.took_ms / 1000, harness.took_ms % 1000),
        timestamp: shown(harness.started.trim_end_matches('Z')),
        properties: vec![
            ("target", shown(&report.target.display)),
            (
                "verdict",
                String::from(verdict_word(report.summary.verdict)),
            ),
            ("exit-code", report.summary.exit_code.to_string()),
            ("coverage", report.summary.coverage.to_string()),
            ("watertight", shown(&harness.version)),
            ("run", shown(&harness.run)),
        ],
        suites,
    };
    let text = document
        .render()
        .expect("writing to a String does not fail, and nothing else in the document can");
    text + "\n"
}

fn suite(boundary: &str, report: &Report) -> Suite {
    let probes = report
        .probes
        .iter()
        .filter(|probe| probe.boundary == boundary);
    let cases: Vec<Case> = probes
        .flat_map(|probe| match probe.trials.is_empty() {
            true => vec![untried(probe)],
            false => probe
                .trials
                .iter()
                .map(|trial| case(probe, trial))
                .collect(),
        })
        .collect();
    let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
    Suite {
        name: shown(boundary),
        failures: count(Outcome::Failure),
        errors: count(Outcome::Error),
        skipped: count(Outcome::Skipped),
        cases,
    }
}

/// Entries of the baseline that fail the run; a suite only if there are any.
fn baseline(baseline: &BaselineReport) -> Option<Suite> {
    let case = |problem: &BaselineProblem| Case {
        class: String::from("baseline"),
        name: shown(&problem.trial),
        outcome: Outcome::Failure,
        kind: String::from(match problem.kind {
            BaselineFault::Stale => "stale",
            BaselineFault::Expired => "expired",
        }),
        message: shown(&problem.message),
        text: shown(&format!("{}:{}", problem.place.file, problem.place.line)),
    };
    let cases: Vec<Case> = baseline.problems.iter().map(case).collect();
    (!cases.is_empty()).then(|| Suite {
        name: String::from("baseline"),
        failures: cases.len(),
        errors: 0,
        skipped: 0,
        cases,
    })
}

fn case(probe: &ProbeReport, trial: &TrialReport) -> Case {
    let name = trial
        .id
        .split_once('/')
        .map_or(&*trial.id, |(_, name)| name);
    let severity = breach_severity(probe).map_or("", severity_word);
    let known = trial.accepted.as_ref().map(accepted);
    let (outcome, message) = match trial.verdict {
        // The format has no other word for what is expected not to pass.
        verdict if known.is_some() => (
            Outcome::Skipped,
            format!(
                "{}: {}; {}",
                verdict_word(verdict),
                why(trial),
                known.unwrap_or_default()
            ),
        ),
        Verdict::Held => (Outcome::Passed, String::new()),
        Verdict::Breached => (
            Outcome::Failure,
            format!("BREACHED ({severity}): {}", why(trial)),
        ),
        Verdict::Inconclusive => (Outcome::Error, format!("inconclusive: {}", why(trial))),
        Verdict::NotApplicable => (Outcome::Skipped, format!("not applicable: {}", why(trial))),
    };
    Case {
        class: shown(&probe.id.0),
        name: shown(name),
        outcome,
        kind: String::from(basis_word(trial.basis)),
        message: shown(&message),
        text: match outcome {
            Outcome::Failure | Outcome::Error => text(probe, trial),
            Outcome::Passed | Outcome::Skipped => String::new(),
        },
    }
}

fn untried(probe: &ProbeReport) -> Case {
    Case {
        class: shown(&probe.id.0),
        name: String::from("no trial"),
        outcome: Outcome::Skipped,
        kind: String::from("not-applicable"),
        message: shown(why_not(probe)),
        text: String::new(),
    }
}

/// What a person reads who opens the failure: one line for each thing to know.
fn text(probe: &ProbeReport, trial: &TrialReport) -> String {
    let lines: Vec<String> = account(probe, trial)
        .into_iter()
        .map(|(label, text)| format!("{label}: {}", visible(&text, LIMIT)))
        .collect();
    lines.join("\n")
}

fn shown(text: &str) -> String {
    visible(text, LIMIT).into_owned()
}
