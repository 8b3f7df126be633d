//! From the text of a probe file to a valid probe, or to the list of its mistakes.
//!
//! Owns the order of the checks and the form of a mistake. The rules that serde cannot state are in
//! `check_rules.rs` and `check_texts.rs`. Knows nothing of where files come from.

use std::{borrow::Cow, ops::Range};

use crate::probe::{
    Probe, ProbeId, check_rules, check_texts,
    spans::{Spans, Unwanted},
};

/// A mistake in a declared file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, such as `probe.reference`.
    pub code: &'static str,
    /// What is wrong, without a full stop.
    pub message: String,
    /// Bytes of the file to underline.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: String,
}

/// Reads a probe file.
///
/// `flaws` are the flaws that the reference target knows; without the list their names are not checked.
///
/// # Errors
/// Every mistake that was found, in the order of the file.
pub fn read_probe(
    source: &str,
    id: &ProbeId,
    flaws: Option<&[&str]>,
) -> Result<Probe, Vec<Problem>> {
    let spans = parse_toml(source, "probe")?;
    let mut probe: Probe = decode(source, "probe")?;
    probe.source = Cow::Owned(source.to_owned());
    let mut problems = check_rules::run(&probe, &spans, id, flaws);
    check_texts::run(&probe, &spans, &mut problems);
    if problems.is_empty() {
        return Ok(probe);
    }
    problems.sort_by_key(|problem| problem.span.start);
    Err(problems)
}

/// Parses TOML for positions and refuses what our formats never hold.
pub(crate) fn parse_toml<'a>(source: &'a str, kind: &str) -> Result<Spans<'a>, Vec<Problem>> {
    let spans = Spans::parse(source).map_err(|error| vec![syntax(&error, kind)])?;
    let unwanted: Vec<Problem> = spans
        .unwanted()
        .into_iter()
        .map(|(what, span)| match what {
            Unwanted::Date => Problem {
                code: "toml.date",
                message: "a bare date is not a value here".into(),
                span,
                help: "put it in quotes to send it as text".into(),
            },
            Unwanted::EmptyList => Problem {
                code: "toml.empty-list",
                message: "an empty list states nothing".into(),
                span,
                help: "name at least one item, or remove the key".into(),
            },
        })
        .collect();
    if unwanted.is_empty() {
        Ok(spans)
    } else {
        Err(unwanted)
    }
}

/// Decodes TOML into a model; the message of serde becomes a problem.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    source: &str,
    kind: &str,
) -> Result<T, Vec<Problem>> {
    toml::from_str(source).map_err(|error| vec![syntax(&error, kind)])
}

fn syntax(error: &toml::de::Error, kind: &str) -> Problem {
    Problem {
        code: "toml.decode",
        message: error.message().trim().replace('\n', ", "),
        span: error.span().unwrap_or(0..0),
        help: format!("`watertight schema {kind}` prints what a {kind} file may hold"),
    }
}

/// The nearest of the known names, as a help text.
pub(crate) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let best = known
        .iter()
        .map(|name| (strsim::jaro_winkler(word, name), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("known are {}", known.join(", ")),
    }
}
