//! Which bytes of a file are not to be shown.
//!
//! Owns the masking of secrets in what is drawn: also in files that cannot be read, where any word
//! may be one.

use std::{collections::BTreeSet, ops::Range};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::{
    finding::Finding,
    keys,
    secret::{entropy, secret_name, shown},
    url,
};
use crate::{
    diag::{Problems, Source},
    probe::Severity,
};

/// Masks the secrets of all findings: in the text, wherever they stand in it, and in the messages,
/// since a package may be fetched from an address with a token in it.
pub(super) fn mask(source: &Source, findings: &mut [Finding]) -> Source {
    let secrets = Secrets::new(
        findings
            .iter()
            .filter(|finding| finding.severity > Severity::Low)
            .filter_map(|finding| finding.secret.clone())
            // Short ones are words.
            .filter(|secret| secret.len() >= 6),
    );
    let mut spans: Vec<Range<usize>> = findings
        .iter()
        .filter(|finding| finding.secret.is_some())
        .map(|finding| finding.span.clone())
        .collect();
    // The same again in a comment or under another name.
    spans.extend(secrets.places(source.text()));
    for finding in findings {
        finding.message = secrets.hidden(&finding.message);
    }
    source.masked(&tails(source.text(), spans))
}

/// The longest secret that is looked for in other places than its own, in bytes.
const MOST: usize = 4096;

/// Texts that are found together, however many they are.
struct Secrets(Option<AhoCorasick>);

impl Secrets {
    fn new(secrets: impl Iterator<Item = String>) -> Self {
        // Longer ones are blocks such as private keys, and are masked where they were found.
        let all: BTreeSet<String> = secrets.filter(|secret| secret.len() <= MOST).collect();
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::NoncontiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            .build(&all);
        // More than fit into one do not come from a file of 4 MiB.
        Self(automaton.ok().filter(|_| !all.is_empty()))
    }

    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let found = self.0.iter().flat_map(|all| all.find_iter(text));
        found.map(|found| found.range()).collect()
    }

    fn hidden(&self, told: &str) -> String {
        let mut hidden = String::with_capacity(told.len());
        let mut after = 0;
        for span in self.places(told) {
            let secret = &told[span.clone()];
            hidden.push_str(&told[after..span.start]);
            hidden.extend(secret.chars().take(shown(secret.chars().count())));
            hidden.push_str("...");
            after = span.end;
        }
        hidden.push_str(&told[after..]);
        hidden
    }
}

/// Mistakes of a file that cannot be read, with all that may be a secret masked in the drawn lines
/// and in the texts.
pub(super) fn redacted(source: &Source, problems: Problems) -> Problems {
    let text = source.text();
    let spans = guesses(text);
    let secrets = Secrets::new(
        spans
            .iter()
            .map(|span| text[span.clone()].to_owned())
            .filter(|secret| secret.len() >= 3),
    );
    let masked = source.masked(&tails(text, spans));
    let hide = |told: &str| secrets.hidden(told);
    let all = problems
        .into_vec()
        .into_iter()
        .map(|one| one.redacted(&masked, hide))
        .collect();
    Problems::new(all).expect("hiding words makes no warning of a mistake")
}

/// Without the first characters of each, which are shown.
fn tails(text: &str, spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans
        .into_iter()
        .map(|span| {
            let secret = text.get(span.clone()).unwrap_or_default();
            let head: usize = secret
                .chars()
                .take(shown(secret.chars().count()))
                .map(char::len_utf8)
                .sum();
            span.start + head..span.end
        })
        .collect()
}

/// What may be a secret in a text of no known form: what has the shape of one, what follows the
/// name of one on its line, and long words of mixed characters.
fn guesses(text: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = keys::scan(text)
        .into_iter()
        .chain(url::secrets(text))
        .map(|hit| hit.span)
        .collect();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mut named = false;
        let mut at = start;
        for word in line.split(|c: char| c.is_whitespace() || "\"'`,=:{}[]();<>".contains(c)) {
            let span = at..at + word.len();
            at = span.end + text[span.end..].chars().next().map_or(0, char::len_utf8);
            let mixed = word.len() >= 16
                && word.contains(|c: char| c.is_ascii_digit())
                && word.contains(|c: char| c.is_ascii_alphabetic())
                && entropy(word) >= 3.0;
            if !word.is_empty() && (named || mixed) {
                spans.push(span);
            } else if secret_name(word) {
                named = true;
            }
        }
        start += line.len();
    }
    spans
}
