//! The report as SARIF 2.1.0, for code scanning.
//!
//! Owns the mapping: a probe is a rule, a breached trial is a result, a trial that could not be judged
//! is a notification of the run. A result stands at the line of the policy that was broken, else at
//! the command under test. Its fingerprint is made of the trial's id, which holds nothing of one run.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    judge::Verdict,
    probe::Severity,
    report::{
        BaselineProblem, ProbeReport, Report, TrialReport, breach_severity,
        json::plain,
        severity_word,
        story::{accepted, call, evidence, sighting, trials_of, why},
        visible,
    },
};

/// Characters of one text.
const LIMIT: usize = 2_000;

/// What may not stand in the path of a URI reference.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The report as SARIF 2.1.0.
#[must_use]
pub fn render(report: &Report) -> String {
    let cwe: BTreeSet<u32> = references(report, |probe| probe.references.cwe.clone());
    let owasp: BTreeSet<String> = references(report, |probe| probe.references.owasp.clone());
    let rules: Vec<Value> = report.probes.iter().map(rule).collect();
    let results: Vec<Value> = report
        .probes
        .iter()
        .enumerate()
        .flat_map(|(index, probe)| {
            trials_of(probe, Verdict::Breached)
                .into_iter()
                .map(move |trial| result(report, index, probe, trial))
        })
        .collect();
    let cwe = cwe.iter().map(|number| {
        json!({
            "id": number.to_string(),
            "helpUri": format!("https://cwe.mitre.org/data/definitions/{number}.html"),
        })
    });
    let owasp = owasp.iter().map(|entry| json!({ "id": shown(entry) }));
    plain(&json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "watertight",
                "version": shown(&report.harness.version),
                "rules": rules,
                "supportedTaxonomies": [{ "name": "CWE", "index": 0 }, { "name": "OWASP MCP Top 10", "index": 1 }],
            } },
            "taxonomies": [
                taxonomy("CWE", "MITRE", "https://cwe.mitre.org/", cwe.collect()),
                taxonomy(
                    "OWASP MCP Top 10",
                    "OWASP Foundation",
                    "https://owasp.org/www-project-mcp-top-10/",
                    owasp.collect(),
                ),
            ],
            "invocations": [{
                "executionSuccessful": !report.harness.interrupted,
                "exitCode": report.summary.exit_code,
                "toolExecutionNotifications": notifications(report),
                "toolConfigurationNotifications": configuration(report),
            }],
            "automationDetails": { "id": automation(report) },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

/// Tells analyses of one commit apart: a service keeps the newest of each id.
fn automation(report: &Report) -> String {
    let part = report.harness.part();
    let part = part.map_or_else(String::new, |part| format!("{}/", part.replace(' ', "-")));
    format!("watertight/{}/{part}", shown(target(report)))
}

fn target(report: &Report) -> &str {
    report
        .target
        .name
        .as_ref()
        .unwrap_or(&report.target.display)
}

fn references<T: Ord>(report: &Report, of: impl Fn(&ProbeReport) -> Vec<T>) -> BTreeSet<T> {
    report.probes.iter().flat_map(of).collect()
}

fn taxonomy(name: &str, organization: &str, at: &str, taxa: Vec<Value>) -> Value {
    json!({
        "name": name,
        "organization": organization,
        "informationUri": at,
        "shortDescription": { "text": name },
        "taxa": taxa,
    })
}

fn rule(probe: &ProbeReport) -> Value {
    let severity = breach_severity(probe).unwrap_or(probe.severity);
    let related = |taxonomy: &str, index: u8, id: String| {
        json!({
            "target": { "id": id, "toolComponent": { "name": taxonomy, "index": index } },
            "kinds": ["superset"],
        })
    };
    let cwe = probe.references.cwe.iter();
    let owasp = probe.references.owasp.iter();
    let relationships: Vec<Value> = cwe
        .clone()
        .map(|number| related("CWE", 0, number.to_string()))
        .chain(owasp.map(|entry| related("OWASP MCP Top 10", 1, shown(entry))))
        .collect();
    let mut tags = vec![String::from("security"), shown(&probe.boundary)];
    tags.extend(cwe.map(|number| format!("external/cwe/cwe-{number:03}")));
    json!({
        "id": shown(&probe.id.0),
        "name": shown(&probe.title),
        "shortDescription": { "text": shown(&probe.title) },
        "fullDescription": { "text": shown(&probe.question) },
        "help": { "text": format!("{}\n\n{}", shown(&probe.why), shown(&probe.fix)) },
        "defaultConfiguration": { "level": level(severity) },
        "relationships": relationships,
        "properties": {
            "tags": tags,
            "precision": "very-high",
            "security-severity": score(severity),
            "problem.severity": level(severity),
        },
    })
}

fn result(report: &Report, index: usize, probe: &ProbeReport, trial: &TrialReport) -> Value {
    let severity = breach_severity(probe).unwrap_or(probe.severity);
    let mut text = format!("{}: {}.", shown(&probe.title), shown(why(trial)));
    if let Some(asked) = &trial.asked {
        text.push_str(&format!(" Asked: {}.", shown(&call(asked))));
    }
    if let Some(fact) = evidence(trial).1.first() {
        text.push_str(&format!(" Seen: {}.", shown(&sighting(fact))));
    }
    let mut properties = json!({
        "trial": shown(&trial.id),
        "verdict": "breached",
        "severity": severity_word(severity),
    });
    if let Some(repro) = &trial.repro {
        properties["repeat"] = json!(shown(repro));
    }
    let mut result = json!({
        "ruleId": shown(&probe.id.0),
        "ruleIndex": index,
        "kind": "fail",
        "level": level(severity),
        "message": { "text": text },
        "locations": [location(report, probe, trial)],
        "partialFingerprints": { "watertightTrial/v1": fingerprint(&trial.id) },
        "properties": properties,
    });
    if let Some(known) = &trial.accepted {
        result["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": shown(&accepted(known)),
        }]);
    }
    result
}

/// The line that makes the claim; without a policy file the program that broke it.
fn location(report: &Report, probe: &ProbeReport, trial: &TrialReport) -> Value {
    let physical = match &probe.claimed {
        Some(place) => json!({
            "artifactLocation": { "uri": uri(&place.file) },
            "region": { "startLine": place.line.max(1) },
        }),
        None => {
            let words = shell_words::split(&report.target.display).unwrap_or_default();
            let program = words.first().unwrap_or(&report.target.display);
            json!({ "artifactLocation": {
                "uri": uri(program),
                "description": { "text": "the target; no policy file was given" },
            } })
        }
    };
    json!({
        "physicalLocation": physical,
        "logicalLocations": [{
            "name": shown(&trial.tool),
            "fullyQualifiedName": shown(&format!("{}/{}", target(report), trial.tool)),
            "kind": "function",
        }],
    })
}

/// A path as URI reference: relative ones stay relative, absolute ones become `file:`.
fn uri(path: &str) -> String {
    let shown = visible(path, LIMIT);
    let encoded = utf8_percent_encode(&shown, NOT_IN_PATH).to_string();
    match encoded.starts_with('/') {
        true => format!("file://{encoded}"),
        false => encoded,
    }
}

fn fingerprint(trial: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(trial))
}

fn notifications(report: &Report) -> Vec<Value> {
    let unjudged = |(index, probe)| {
        trials_of(probe, Verdict::Inconclusive)
            .into_iter()
            .map(move |trial| {
                json!({
                    "level": "warning",
                    "message": { "text": format!("{} could not be judged: {}", shown(&trial.id), shown(why(trial))) },
                    "associatedRule": { "id": shown(&probe.id.0), "index": index },
                })
            })
    };
    report
        .probes
        .iter()
        .enumerate()
        .flat_map(unjudged)
        .collect()
}

/// Entries of the baseline that fail the run.
fn configuration(report: &Report) -> Vec<Value> {
    let problems = report.baseline.iter().flat_map(|told| &told.problems);
    let notification = |problem: &BaselineProblem| {
        json!({
            "level": "error",
            "message": { "text": shown(&problem.message) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": uri(&problem.place.file) },
                "region": { "startLine": problem.place.line.max(1) },
            } }],
        })
    };
    problems.map(notification).collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// On the scale of CVSS, as code scanning sorts by it.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
    }
}

fn shown(text: &str) -> String {
    visible(text, LIMIT).into_owned()
}
