//! The format of baseline files: verdicts that are known, each with a reason and the day it expires.
//!
//! Owns what a file may say and where it says it. Whether a verdict is still as known is the report's
//! business.

use std::{collections::BTreeSet, path::Path};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{At, Diagnostic, Problems, Source};

/// Verdicts of trials that are known, and therefore do not fail a run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineFile {
    /// Version of this format; always 1.
    #[schemars(range(min = 1, max = 1))]
    pub format: At<u32>,
    /// What is known, an entry for trials of one probe that have one reason.
    #[serde(default)]
    pub known: Vec<KnownFile>,
}

/// Trials of one probe whose verdict is known.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownFile {
    /// Id of the probe.
    pub probe: At<String>,
    /// The verdict that is known.
    pub verdict: KnownVerdict,
    /// The trials, as reports name them after the slash: `VARIANT@TOOL:PARAMETER`. What is not named
    /// here is not known.
    pub trials: At<Vec<At<String>>>,
    /// Why it is accepted.
    pub reason: At<String>,
    /// The last day, UTC, on which it is: `2027-01-31`.
    pub expires: At<String>,
}

/// A verdict that can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KnownVerdict {
    /// The boundary is known to be breached in this way.
    Breached,
    /// It is known that this cannot be judged.
    Inconclusive,
}

/// A baseline file that was read and checked.
#[derive(Debug, Clone)]
pub struct Baseline {
    source: Source,
    known: Vec<KnownFile>,
}

impl Baseline {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// All mistakes in it, with their places.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        Self::parse(Source::read(path)?)
    }

    /// Checks the text of a file.
    ///
    /// # Errors
    /// All mistakes in it, with their places.
    pub fn parse(source: Source) -> Result<Self, Problems> {
        let file: BaselineFile = source.parse(source.format())?;
        let mut found = Vec::new();
        let mut error = |code, message: String, span: &std::ops::Range<usize>, help: &str| {
            found.push(
                Diagnostic::error(code, message)
                    .within(&source)
                    .label(span.clone(), "here")
                    .help(help),
            );
        };
        if file.format.value != 1 {
            let message = format!("format {} is not known", file.format.value);
            error(
                "baseline::format",
                message,
                &file.format.span,
                "write `format = 1`",
            );
        }
        let mut seen = BTreeSet::new();
        for entry in &file.known {
            if entry.trials.value.is_empty() {
                let message = String::from("an entry without trials knows nothing");
                let help =
                    "name trials as reports do: \"plain@read_file:path\"; or remove the entry";
                error("baseline::empty", message, &entry.trials.span, help);
            }
            for trial in &entry.trials.value {
                if !seen.insert((&entry.probe.value, &trial.value)) {
                    let message = format!("`{}/{}` is known twice", entry.probe.value, trial.value);
                    error(
                        "baseline::twice",
                        message,
                        &trial.span,
                        "remove one of them",
                    );
                }
            }
            if entry.reason.value.trim().is_empty() {
                let message = String::from("the reason is empty");
                let help = "say why this is accepted: whoever reads the report wants to know";
                error("baseline::reason", message, &entry.reason.span, help);
            }
            if !is_day(&entry.expires.value) {
                let message = format!("`{}` is no day", entry.expires.value);
                let help = "write it as \"2027-01-31\"";
                error("baseline::expires", message, &entry.expires.span, help);
            }
        }
        match Problems::new(found) {
            Some(problems) => Err(problems),
            None => Ok(Self {
                known: file.known,
                source,
            }),
        }
    }

    /// The file.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What is known, in the order of the file.
    #[must_use]
    pub fn known(&self) -> &[KnownFile] {
        &self.known
    }

    /// Where a trial is known, by its whole id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&At<String>> {
        let (probe, name) = id.split_once('/')?;
        let own = self.known.iter().filter(|entry| entry.probe.value == probe);
        own.flat_map(|entry| &entry.trials.value)
            .find(|trial| trial.value == name)
    }

    /// A mistake that only shows beside a catalogue or a report, at a place of the file.
    #[must_use]
    pub fn problem<T>(&self, code: &'static str, message: String, at: &At<T>) -> Diagnostic {
        Diagnostic::error(code, message)
            .within(&self.source)
            .label(at.span.clone(), "here")
    }
}

/// Whether a text is a day: `2027-01-31`.
#[must_use]
pub fn is_day(text: &str) -> bool {
    text.len() == 10 && humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).is_ok()
}
