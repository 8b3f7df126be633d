//! The result as JSON, version 1.
//!
//! Owns the types behind `reports/lint-v1.schema.json`. Fields appear without a new version; a
//! change of meaning needs one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Kind, Linted};
use crate::{diag::schema_of, probe::Severity};

/// What `watertight lint --json` prints. No secret stands in it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LintReport {
    /// Version of this format; always 1.
    pub schema: u32,
    /// Files that were read, in the order in which they were named.
    pub files: Vec<FileReport>,
    /// Findings, by file and place.
    pub findings: Vec<FindingReport>,
    /// How many findings there are of each severity that nothing allows.
    pub counts: BTreeMap<Severity, usize>,
    /// How many findings a comment or a flag allows.
    pub allowed: usize,
    /// How many findings are not listed, because their file has very many as bad.
    pub left_out: usize,
}

/// A file that was read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileReport {
    /// Its path as it was named.
    pub file: String,
    /// What it is, judged by its content.
    pub kind: Kind,
}

/// A finding.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingReport {
    /// Id of the rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// Number in the Common Weakness Enumeration.
    pub cwe: u32,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where it ends: line, from 1.
    pub end_line: usize,
    /// Where it ends: the first column after it.
    pub end_column: usize,
    /// What was found; of a secret, its first characters and its length.
    pub message: String,
    /// Why it matters.
    pub why: String,
    /// What to do.
    pub fix: String,
    /// Whether a comment or a flag allows it.
    pub allowed: bool,
}

impl LintReport {
    /// Of files that were read.
    #[must_use]
    pub fn new(files: &[Linted]) -> Self {
        let findings: Vec<FindingReport> = files.iter().flat_map(findings).collect();
        let mut counts = BTreeMap::from([
            (Severity::Low, 0),
            (Severity::Medium, 0),
            (Severity::High, 0),
            (Severity::Critical, 0),
        ]);
        for one in findings.iter().filter(|one| !one.allowed) {
            *counts.entry(one.severity).or_default() += 1;
        }
        Self {
            schema: 1,
            files: files
                .iter()
                .map(|linted| FileReport {
                    file: linted.source.name().to_owned(),
                    kind: linted.kind,
                })
                .collect(),
            allowed: findings.iter().filter(|one| one.allowed).count(),
            left_out: files.iter().map(|linted| linted.left_out).sum(),
            findings,
            counts,
        }
    }
}

fn findings(linted: &Linted) -> impl Iterator<Item = FindingReport> {
    linted.findings.iter().map(|finding| {
        let (line, column) = linted.source.position(finding.span.start);
        let (end_line, end_column) = linted.source.position(finding.span.end);
        FindingReport {
            rule: finding.rule.id.to_owned(),
            severity: finding.severity,
            cwe: finding.rule.cwe,
            file: linted.source.name().to_owned(),
            line,
            column,
            end_line,
            end_column,
            message: finding.message.clone(),
            why: finding.rule.why.to_owned(),
            fix: finding.rule.fix.to_owned(),
            allowed: finding.allowed,
        }
    })
}

/// JSON Schema of [`LintReport`].
#[must_use]
pub fn schema() -> schemars::Schema {
    schema_of::<LintReport>("Watertight lint report, version 1")
}
