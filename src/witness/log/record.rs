//! Records: what a line of a log says, field by field.
//!
//! Owns the formats: JSON, `key=value` (logfmt), and either behind the header of a syslog line. Which
//! field means what is known by its name in the policy, or by what is in it.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

/// The fields of a line; empty when it is in none of the formats.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Values by name; a dot leads into an object.
    pub fields: BTreeMap<String, String>,
    /// What stood before the fields, such as the header of a syslog line.
    pub header: String,
}

impl Record {
    /// Reads a line.
    #[must_use]
    pub fn read(line: &str) -> Self {
        let mut record = Self::default();
        let object = line.find('{').and_then(|at| {
            let value: Value = serde_json::from_str(line[at..].trim_end()).ok()?;
            value.is_object().then_some((at, value))
        });
        match object {
            Some((at, value)) => {
                line[..at].trim().clone_into(&mut record.header);
                flatten("", &value, &mut record.fields);
            }
            None => pairs(line, &mut record),
        }
        record
    }

    /// The names of the fields that hold a word.
    pub fn holding<'r>(&'r self, word: &'r str) -> impl Iterator<Item = &'r str> {
        self.fields
            .iter()
            .filter(move |(_, value)| value.contains(word))
            .map(|(name, _)| name.as_str())
    }

    /// What is left when everything that differs from call to call is taken away: the fields that name
    /// what was touched, times, and numbers. Two records with the same rest cannot be told apart.
    #[must_use]
    pub fn shape(&self, line: &str, words: &[&str]) -> Vec<String> {
        let named = |text: &str| words.iter().any(|word| text.contains(word));
        if self.fields.is_empty() {
            let tokens = line.split_whitespace().filter(|token| !named(token));
            return tokens.map(without_digits).collect();
        }
        self.fields
            .iter()
            .filter(|(_, value)| !named(value) && !is_time(value))
            .map(|(name, value)| format!("{name}={}", without_digits(value)))
            .collect()
    }
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let below = |name: &str| match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}.{name}"),
    };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                flatten(&below(name), value, into);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&below(&index.to_string()), value, into);
            }
        }
        Value::String(text) => drop(into.insert(prefix.to_owned(), text.clone())),
        other => drop(into.insert(prefix.to_owned(), other.to_string())),
    }
}

/// `key=value key="quoted \"value\""`; what is no pair belongs to the header.
fn pairs(line: &str, record: &mut Record) {
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?:^|\s)([A-Za-z_][A-Za-z0-9_.\-]*)=("(?:[^"\\]|\\.)*"|\S*)"#)
            .expect("the pattern is ours")
    });
    for found in PAIR.captures_iter(line) {
        let value = &found[2];
        let value = serde_json::from_str::<String>(value)
            .unwrap_or_else(|_| value.trim_matches('"').to_owned());
        record.fields.entry(found[1].to_owned()).or_insert(value);
    }
    let first = PAIR.find(line).map_or(line.len(), |found| found.start());
    line[..first].trim().clone_into(&mut record.header);
}

fn without_digits(text: &str) -> String {
    let is_id = text.len() >= 8
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_id {
        return String::from("#");
    }
    text.chars()
        .map(|c| if c.is_ascii_digit() { '#' } else { c })
        .collect()
}

/// Whether a time of day with its date stands in a text: RFC 3339, RFC 3164, or seconds since 1970.
#[must_use]
pub fn is_time(text: &str) -> bool {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d",
            r"|\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d",
            r"|\b\d{2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d",
            r"|\b1[6-9]\d{8}(?:\d{3}|\d{6}|\d{9})?\b",
        ))
        .expect("the pattern is ours")
    });
    TIME.is_match(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'r>(record: &'r Record, name: &str) -> &'r str {
        record.fields.get(name).map_or("", String::as_str)
    }

    #[test]
    fn three_formats_are_read() {
        let json = Record::read(r#"{"time":"2026-01-02T03:04:05Z","evt":{"target":"/a \"b\""}}"#);
        assert_eq!(field(&json, "evt.target"), "/a \"b\"");
        let logfmt = Record::read(r#"time=2026-01-02T03:04:05Z tool=read target="/a b" ok=true"#);
        assert_eq!(field(&logfmt, "target"), "/a b");
        assert_eq!(field(&logfmt, "tool"), "read");
        for header in [
            "<13>Oct 11 22:14:15 host app[3]:",
            "<165>1 2026-10-11T22:14:15.003Z h app 1 ID - ",
        ] {
            let syslog = Record::read(&format!(r#"{header} {{"target":"/a"}}"#));
            assert_eq!(field(&syslog, "target"), "/a");
            assert!(is_time(&syslog.header), "{}", syslog.header);
        }
        assert!(Record::read("plain words only").fields.is_empty());
    }

    #[test]
    fn times_are_known_by_their_shape() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02 03:04",
            "Oct 11 22:14:15",
            "1767323045",
            "1767323045123",
        ] {
            assert!(is_time(text), "{text}");
        }
        for text in ["12:30", "/srv/a1767", "2026-01-02", "42"] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn what_differs_by_call_alone_is_no_difference() {
        let shape = |line: &str, word| Record::read(line).shape(line, &[word]);
        let one =
            r#"{"time":"2026-01-02T03:04:05Z","id":17,"target":"/a/xyz","outcome":"allowed"}"#;
        let two =
            r#"{"time":"2026-01-02T03:09:05Z","id":23,"target":"/b/uvw","outcome":"allowed"}"#;
        let three =
            r#"{"time":"2026-01-02T03:09:05Z","id":23,"target":"/b/uvw","outcome":"denied"}"#;
        assert_eq!(shape(one, "xyz"), shape(two, "uvw"));
        assert_ne!(shape(one, "xyz"), shape(three, "uvw"));
        assert_eq!(
            shape("read /a/xyz at 5", "xyz"),
            shape("read /b/uvw at 7", "uvw")
        );
    }
}
