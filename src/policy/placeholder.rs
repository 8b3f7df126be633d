//! Placeholders: `{allowed}` and its fellows in command lines, environments and paths.
//!
//! Owns the names and their replacement. The testbed knows the values. Anything else in braces
//! stays as it is, since arguments may be JSON; there is no escape, because nobody needs the six
//! names in braces for anything else.

use std::{collections::BTreeMap, ops::Range};

use crate::diag::nearest;

/// The names, and what each stands for.
pub const PLACEHOLDERS: [(&str, &str); 6] = [
    ("allowed", "the allowed directory of the run"),
    ("denied", "a forbidden sibling of the allowed directory"),
    ("outside", "a forbidden directory elsewhere"),
    ("home", "the home directory of the target"),
    ("tmp", "the temporary directory of the target"),
    (
        SINK,
        "the URL of a host that the run answers for itself: the base of an API that the server is told",
    ),
];

/// The one that stands for no directory.
pub const SINK: &str = "sink";

/// What the placeholders stand for in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placeholders {
    values: BTreeMap<&'static str, String>,
}

/// A placeholder stands in a text, and this run has nothing to put there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{{{name}}}` stands for nothing in this run: {}", meaning(.name))]
pub struct UnknownPlaceholder {
    /// Its name, without braces.
    pub name: &'static str,
}

impl Placeholders {
    /// No placeholder has a value yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a placeholder its value: an absolute path or a URL, without a trailing slash.
    ///
    /// # Panics
    ///
    /// When `name` is not one of [`PLACEHOLDERS`].
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let (name, _) = PLACEHOLDERS
            .into_iter()
            .find(|(known, _)| *known == name)
            .expect("only names of PLACEHOLDERS are given values");
        self.values.insert(name, value.into());
        self
    }

    /// The value of a placeholder.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The same values for use in patterns: what is special there stands for itself.
    pub(super) fn escaped(&self) -> Self {
        let escape = |(name, value): (&&'static str, &String)| (*name, globset::escape(value));
        Self {
            values: self.values.iter().map(escape).collect(),
        }
    }

    /// Replaces every placeholder. Values are not expanded again.
    ///
    /// # Errors
    ///
    /// When a placeholder has no value.
    pub fn expand(&self, text: &str) -> Result<String, UnknownPlaceholder> {
        let mut expanded = String::with_capacity(text.len());
        let mut after = 0;
        for (span, name) in occurrences(text) {
            let value = self.values.get(name).ok_or(UnknownPlaceholder { name })?;
            expanded.push_str(&text[after..span.start]);
            expanded.push_str(value);
            after = span.end;
        }
        expanded.push_str(&text[after..]);
        Ok(expanded)
    }
}

/// Where placeholders stand in a text, braces included.
pub fn occurrences(text: &str) -> impl Iterator<Item = (Range<usize>, &'static str)> {
    braced(text).filter_map(|(span, word)| {
        PLACEHOLDERS
            .into_iter()
            .find(|(name, _)| *name == word)
            .map(|(name, _)| (span, name))
    })
}

/// Words in braces that are no placeholders but were probably meant to be, with the right name.
pub fn near_misses(text: &str) -> impl Iterator<Item = (Range<usize>, &'static str)> {
    braced(text).filter_map(|(span, word)| {
        let names = PLACEHOLDERS.map(|(name, _)| name);
        (!names.contains(&word))
            .then(|| nearest(word, names))
            .flatten()
            .map(|name| (span, name))
    })
}

/// `{word}` in a text, where the word has letters, `-` and `_` only.
fn braced(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    text.match_indices('{').filter_map(|(open, _)| {
        let inner = &text[open + 1..];
        let word = &inner[..inner.find('}')?];
        let plain = word
            .chars()
            .all(|c| c.is_ascii_alphabetic() || c == '-' || c == '_');
        (plain && !word.is_empty()).then(|| (open..open + word.len() + 2, word))
    })
}

fn meaning(name: &str) -> &'static str {
    PLACEHOLDERS
        .into_iter()
        .find(|(known, _)| *known == name)
        .map_or("", |(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::{Placeholders, near_misses};

    #[test]
    fn only_the_known_names_are_replaced() {
        let placeholders = Placeholders::new().with("allowed", "/a").with("tmp", "/t");
        let expand = |text: &str| placeholders.expand(text).unwrap_or_default();
        assert_eq!(expand("{allowed}"), "/a");
        assert_eq!(expand("--root={allowed}/x:{tmp}"), "--root=/a/x:/t");
        assert_eq!(expand(r#"{"root":"{allowed}"}"#), r#"{"root":"/a"}"#);
        assert_eq!(expand("{{allowed}} {} {x} {"), "{/a} {} {x} {");
        assert_eq!(expand("ä{tmp}ö"), "ä/tö");
    }

    #[test]
    fn values_are_not_expanded_again() {
        let placeholders = Placeholders::new()
            .with("allowed", "/{tmp}")
            .with("tmp", "/t");
        assert_eq!(placeholders.expand("{allowed}"), Ok("/{tmp}".into()));
    }

    #[test]
    fn a_name_without_a_value_is_an_error() {
        let error = Placeholders::new()
            .expand("x{home}")
            .expect_err("there is no value");
        assert_eq!(error.name, "home");
        assert!(error.to_string().starts_with("`{home}`"), "{error}");
    }

    #[test]
    fn near_misses_are_found() {
        let near = |text| near_misses(text).map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(near("{alowed}/{Tmp}/{denied}"), ["allowed", "tmp"]);
        assert_eq!(near(r#"{"name":{}} {user} {id}"#), Vec::<&str>::new());
    }
}
