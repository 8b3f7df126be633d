//! A finding, and the collecting of findings in one file.
//!
//! Owns how a finding is told. A secret is never told as a whole.

use std::ops::Range;

use super::{
    keys,
    rule::{Rule, rule_of},
    secret::{Hit, secrets, told},
    url::{addresses, in_clear},
};
use crate::{
    diag::{At, Diagnostic, Source},
    probe::Severity,
};

/// Something doubtful in a file.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in one sentence without a full stop.
    pub message: String,
    /// Its bytes in the file.
    pub span: Range<usize>,
    /// Whether a comment or a flag allows it.
    pub allowed: bool,
    /// The secret that the bytes are, if they are one.
    pub(super) secret: Option<String>,
    label: &'static str,
}

impl Finding {
    /// As a diagnostic in a text whose secrets are masked: an error when it counts.
    pub(super) fn diagnostic(&self, masked: &Source, counts: bool) -> Diagnostic {
        let message = format!("{}: {}", self.severity, self.message);
        let diagnostic = if counts {
            Diagnostic::error(self.rule.id, message)
        } else {
            Diagnostic::warning(self.rule.id, message)
        };
        let Rule { cwe, why, fix, .. } = self.rule;
        diagnostic
            .within(masked)
            .label(self.span.clone(), self.label)
            .help(format!("CWE-{cwe}: {why}\nfix: {fix}"))
    }
}

/// A name, an address or a package in a message: without what may be a secret in it, and cut when
/// it is long. A secret that was cut would not be known for one later.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 60;
    let keys = keys::scan(text).into_iter().map(|hit| hit.span);
    let logins = addresses(text).into_iter().filter_map(|one| one.userinfo);
    let mut spans: Vec<Range<usize>> = keys.chain(logins).collect();
    spans.sort_by_key(|span| span.start);
    let mut told = String::new();
    let mut after = 0;
    for span in spans {
        if span.start >= after {
            told.push_str(&text[after..span.start]);
            told.push_str("...");
        }
        after = after.max(span.end);
    }
    told.push_str(&text[after..]);
    match told.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &told[..end]),
        None => told,
    }
}

/// Where a value stands, as far as that matters for a secret in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file only.
    File,
    /// On a command line, where every user of the machine sees it.
    CommandLine,
}

/// Collects the findings of a file.
pub(super) struct Finder<'a> {
    pub(super) source: &'a Source,
    pub(super) found: Vec<Finding>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            found: Vec::new(),
        }
    }

    /// Adds a finding of a rule, with the severity of the rule.
    pub(super) fn add(
        &mut self,
        rule: &'static str,
        span: Range<usize>,
        label: &'static str,
        message: impl Into<String>,
    ) -> &mut Finding {
        let rule = rule_of(rule).expect("rules are named by their ids; a test fires each");
        let index = self.found.len();
        self.found.push(Finding {
            rule,
            severity: rule.severity,
            message: message.into(),
            span,
            allowed: false,
            secret: None,
            label,
        });
        &mut self.found[index]
    }

    /// Adds the secrets in a value that stands under a name, if it has one.
    pub(super) fn secrets(&mut self, place: Place, name: Option<&str>, at: &At<String>) {
        for hit in secrets(name, &at.value) {
            self.secret(place, &hit, at);
        }
    }

    fn secret(&mut self, place: Place, hit: &Hit, at: &At<String>) {
        let secret = &at.value[hit.span.clone()];
        let (rule, how) = match (place, hit.rule) {
            (_, "secret.entropy") => (hit.rule, "stands here"),
            (Place::CommandLine, _) => ("secret.argument", "stands on the command line"),
            (Place::File, _) => (hit.rule, "is written out"),
        };
        let message = format!("{} {how} ({})", hit.what, told(secret));
        let span = self.place_of(at, &hit.span);
        let severity = hit.severity;
        let finding = self.add(rule, span, "", message);
        finding.severity = severity.unwrap_or(finding.severity);
        finding.secret = Some(secret.to_owned());
    }

    /// Adds addresses in a value that are reached in clear, none worse than `most`.
    pub(super) fn in_clear(&mut self, at: &At<String>, most: Severity) {
        for address in addresses(&at.value) {
            let scheme = &at.value[address.scheme.clone()];
            let host = &at.value[address.host.clone()];
            if !["http", "ws"].contains(&scheme) {
                continue;
            }
            if let Some(severity) = in_clear(host) {
                let span = self.place_of(at, &(address.scheme.start..address.host.end));
                let message = format!("`{}` is reached without encryption", short(host));
                self.add("url.plain-http", span, "nothing is encrypted", message)
                    .severity = severity.min(most);
            }
        }
    }

    /// Bytes of the file for bytes of a value: the whole value where it is written with escapes.
    pub(super) fn place_of(&self, at: &At<String>, part: &Range<usize>) -> Range<usize> {
        let written = self.source.text().get(at.span.clone()).unwrap_or_default();
        match written.find(&at.value) {
            Some(offset) => {
                let start = at.span.start + offset;
                start + part.start..start + part.end
            }
            None => at.span.clone(),
        }
    }
}
