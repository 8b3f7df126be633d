//! The report as OSCAL assessment results, version 1.1.3.
//!
//! Owns the mapping: the run is a result, each probe that was judged an observation, each breach a
//! finding whose objective is not satisfied, each held boundary one that is. Ids are made of the run
//! and what they name, so that the same report gives the same document.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    judge::Verdict,
    report::{
        BoundaryReport, ProbeReport, Report,
        json::plain,
        story::{accepted, clearest, counted, evidence, known_share, sighting, why, why_not},
        verdict_word, visible,
    },
};

/// Characters of one text.
const LIMIT: usize = 2_000;

/// The report as OSCAL assessment results.
#[must_use]
pub fn render(report: &Report) -> String {
    let harness = &report.harness;
    let target = shown(
        report
            .target
            .name
            .as_ref()
            .unwrap_or(&report.target.display),
    );
    let started = shown(&harness.started);
    let observations: Vec<Value> = report
        .probes
        .iter()
        .filter(|probe| probe.verdict != Verdict::NotApplicable)
        .map(|probe| observation(report, probe))
        .collect();
    let findings: Vec<Value> = report
        .boundaries
        .iter()
        .filter(|row| matches!(row.verdict, Verdict::Held | Verdict::Breached))
        .map(|row| finding(report, row))
        .collect();
    let mut result = json!({
        "uuid": uuid(report, "result"),
        "title": format!("Isolation of {target}"),
        "description": format!(
            "{}: {} planned; {} held, {} breached, {} inconclusive, {} not applicable.",
            verdict_word(report.summary.verdict),
            counted(report.summary.planned, "trial", "trials"),
            report.summary.trials.held,
            report.summary.trials.breached,
            report.summary.trials.inconclusive,
            report.summary.trials.not_applicable,
        ),
        "start": started,
        "props": [
            prop("exit-code", &report.summary.exit_code.to_string()),
            prop("coverage", &report.summary.coverage.to_string()),
            prop("run", &harness.run),
        ],
        "reviewed-controls": { "control-selections": [{ "include-all": {} }] },
    });
    let fails = report.baseline.iter().flat_map(|told| &told.problems);
    let remarks: Vec<String> = fails
        .map(|problem| {
            let place = &problem.place;
            shown(&format!(
                "{}:{}: {}",
                place.file, place.line, problem.message
            ))
        })
        .collect();
    if !remarks.is_empty() {
        result["remarks"] = Value::from(remarks.join("\n"));
    }
    // OSCAL has no empty lists.
    if !observations.is_empty() {
        result["observations"] = Value::from(observations);
    }
    if !findings.is_empty() {
        result["findings"] = Value::from(findings);
    }
    plain(&json!({ "assessment-results": {
        "uuid": uuid(report, "document"),
        "metadata": {
            "title": format!("Watertight isolation report of {target}"),
            "last-modified": started,
            "version": shown(&harness.run),
            "oscal-version": "1.1.3",
        },
        "import-ap": { "href": format!("#{}", uuid(report, "policy")) },
        "results": [result],
        "back-matter": { "resources": [{
            "uuid": uuid(report, "policy"),
            "title": "Policy as it was applied",
            "description": shown(&plain(&report.policy)),
        }] },
    } }))
}

fn observation(report: &Report, probe: &ProbeReport) -> Value {
    let mut description = format!("{} {}", shown(&probe.question), verdict_word(probe.verdict));
    let mut observation = json!({
        "uuid": uuid(report, &probe.id.0),
        "title": shown(&probe.title),
        "props": [
            prop("probe", &probe.id.0),
            prop("verdict", verdict_word(probe.verdict)),
            prop("trials", &probe.trials.len().to_string()),
        ],
        "methods": ["TEST"],
        "collected": shown(&report.harness.started),
    });
    let facts: Vec<Value> = match clearest(probe) {
        Some(trial) => {
            description.push_str(&format!(": {}", shown(why(trial))));
            let facts = evidence(trial).1.into_iter();
            facts
                .map(|fact| json!({ "description": shown(&sighting(fact)) }))
                .collect()
        }
        None => {
            if probe.verdict == Verdict::Inconclusive {
                description.push_str(&format!(": {}", shown(why_not(probe))));
            }
            Vec::new()
        }
    };
    if let Some(known) = probe
        .trials
        .iter()
        .find_map(|trial| trial.accepted.as_ref())
    {
        let share = known_share(probe).unwrap_or_else(|| String::from("known"));
        description.push_str(&format!(" ({share}, {})", shown(&accepted(known))));
    }
    observation["description"] = Value::from(description);
    if !facts.is_empty() {
        observation["relevant-evidence"] = Value::from(facts);
    }
    observation
}

fn finding(report: &Report, row: &BoundaryReport) -> Value {
    let probes = report
        .probes
        .iter()
        .filter(|probe| probe.boundary == row.id && probe.verdict != Verdict::NotApplicable);
    let related: Vec<Value> = probes
        .map(|probe| json!({ "observation-uuid": uuid(report, &probe.id.0) }))
        .collect();
    json!({
        "uuid": uuid(report, &format!("finding {}", row.id)),
        "title": shown(&row.title),
        "description": format!("The boundary {} {}.", shown(&row.id), match row.verdict {
            Verdict::Breached => "was breached",
            _ => "held",
        }),
        "target": {
            "type": "objective-id",
            "target-id": token(&row.id),
            "status": { "state": match row.verdict {
                Verdict::Breached => "not-satisfied",
                _ => "satisfied",
            } },
        },
        "related-observations": related,
    })
}

fn prop(name: &str, value: &str) -> Value {
    json!({ "name": name, "ns": "https://watertight.invalid/ns/oscal", "value": shown(value) })
}

/// A version 4 UUID by shape, made of the run and a name.
fn uuid(report: &Report, name: &str) -> String {
    let harness = &report.harness;
    let seed = format!(
        "{}\0{}\0{}\0{name}",
        harness.run, harness.seed, harness.started
    );
    let mut hex = data_encoding::HEXLOWER.encode(&Sha256::digest(seed)[..16]);
    hex.replace_range(12..13, "4");
    hex.replace_range(16..17, "8");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// An id as OSCAL allows one: what else it holds becomes a hyphen.
fn token(id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let token: String = id.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    match token.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => token,
        false => format!("b-{token}"),
    }
}

/// A text on one line without space around it, which OSCAL does not take.
fn shown(text: &str) -> String {
    let shown = visible(text.trim(), LIMIT);
    match shown.is_empty() {
        true => String::from("-"),
        false => shown.into_owned(),
    }
}
