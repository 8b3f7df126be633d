//! What a report says of the part of a run that it is, and of the parts that it was merged from.
//!
//! Owns the words by which parts know that they belong together. How they are joined is `merge.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::Harness;

/// The part of a run that a report is about. Parts of one run agree in everything but `number`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShardReport {
    /// Its number, from 1.
    pub number: u32,
    /// How many parts there are.
    pub of: u32,
    /// Trials of all parts.
    pub planned: usize,
    /// SHA-256 of the ids of the trials of all parts, sorted, each with a line feed.
    pub plan: String,
    /// SHA-256 of how the target is launched or reached; values of variables and headers, which may be
    /// secret, are left out.
    pub target: String,
    /// SHA-256 of the policy as it was written, with its placeholders.
    pub policy: String,
    /// SHA-256 of the probes that were selected, with all that they say.
    pub probes: String,
    /// SHA-256 of the settings that verdicts depend on, such as the time that a call may take.
    pub settings: String,
}

/// A part that a report was merged from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartReport {
    /// Its number, from 1.
    pub number: u32,
    /// Id of its run.
    pub run: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Its wall time in milliseconds.
    pub took_ms: u64,
    /// SHA-256 of its JSON report, as `--report json=` writes it.
    pub sha256: String,
}

/// Whether a report accounts for a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It does.
    Whole,
    /// Other reports have the rest: that something is not in this one says nothing.
    Part,
}

impl Harness {
    /// Whether the report accounts for a whole run.
    #[must_use]
    pub fn extent(&self) -> Extent {
        match self.shard {
            None => Extent::Whole,
            Some(_) => Extent::Part,
        }
    }

    /// Which part it is, in words; none for a whole run.
    #[must_use]
    pub(crate) fn part(&self) -> Option<String> {
        let shard = self.shard.as_ref()?;
        Some(format!("part {} of {}", shard.number, shard.of))
    }
}
