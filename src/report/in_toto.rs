//! The report as in-toto Statement v1 with a test-result predicate, unsigned.
//!
//! Owns what the statement is about and what it claims: the JSON report by the digest of its bytes, as
//! `--report json=` writes them, and the target by the digest of how the report describes it. Whoever
//! wants it signed signs it with a tool for that.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    judge::Verdict,
    report::{ProbeReport, Report, json::plain, render_json, story::known_share},
};

/// The report as an in-toto statement.
#[must_use]
pub fn render(report: &Report) -> String {
    let summary = &report.summary;
    // What is known and accepted is warned of, be it breached.
    let counts_as = |probe: &ProbeReport| match (probe.verdict, known_share(probe)) {
        (Verdict::Breached, Some(share)) if share == "known" => Verdict::Inconclusive,
        (verdict, _) => verdict,
    };
    let named = |verdict: Verdict| -> Vec<&str> {
        let own = |probe: &&ProbeReport| counts_as(probe) == verdict;
        let probes = report.probes.iter().filter(own);
        probes.map(|probe| &*probe.id.0).collect()
    };
    let selection = report.harness.selection.iter().cloned();
    let selected: Vec<String> = selection.chain(report.harness.part()).collect();
    let target = report
        .target
        .name
        .as_ref()
        .unwrap_or(&report.target.display);
    let asked = match &report.harness.asked {
        Some(asked) => json!({ "sha256": asked.digest }),
        None => digest(&report.harness.selection),
    };
    plain(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": target,
                "digest": digest(&report.target),
                "annotations": { "digestOf": "the member `target` of the JSON report, as the report is printed" },
            },
            {
                "name": "report.json",
                "digest": { "sha256": hex(render_json(report).as_bytes()) },
            },
        ],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": match summary.exit_code {
                0 if report.baseline.as_ref().is_some_and(|told| told.accepted > 0) => "WARNED",
                0 => "PASSED",
                _ => "FAILED",
            },
            "configuration": [
                {
                    "name": "policy",
                    "digest": digest(&report.policy),
                    "mediaType": "application/json",
                },
                {
                    "name": "selection",
                    "digest": asked,
                    "annotations": { "selected": selected },
                },
                {
                    "name": "watertight",
                    "uri": format!("pkg:cargo/watertight@{}", report.harness.version),
                },
            ],
            "passedTests": named(Verdict::Held),
            "warnedTests": named(Verdict::Inconclusive),
            "failedTests": named(Verdict::Breached),
        },
    }))
}

/// Digest of a value as the reports print it.
fn digest(value: &impl Serialize) -> Value {
    json!({ "sha256": hex(plain(value).as_bytes()) })
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
