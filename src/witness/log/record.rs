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
    /// The fields are those of a JSON object.
    pub object: bool,
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
                record.object = true;
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

/// `key=value key="quoted \"value\""`; what is no pair belongs to the header. A pair within quotes is none: whoever
/// writes a record quotes what the caller sent.
fn pairs(line: &str, record: &mut Record) {
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^([A-Za-z_][A-Za-z0-9_.\-]*)=("(?:[^"\\]|\\.)*"|\S*)"#)
            .expect("the pattern is ours")
    });
    let mut first = None;
    let mut before = ' ';
    let mut at = 0;
    while let Some(letter) = line[at..].chars().next() {
        let rest = &line[at..];
        let mut taken = letter.len_utf8();
        if let Some(found) = PAIR.captures(rest).filter(|_| before.is_whitespace()) {
            let value = &found[2];
            let value = serde_json::from_str::<String>(value)
                .unwrap_or_else(|_| value.trim_matches('"').to_owned());
            record.fields.entry(found[1].to_owned()).or_insert(value);
            first.get_or_insert(at);
            taken = found[0].len();
        } else if !before.is_alphanumeric() {
            taken = quoted(rest).unwrap_or(taken);
        }
        before = line[..at + taken].chars().next_back().unwrap_or(letter);
        at += taken;
    }
    line[..first.unwrap_or(line.len())]
        .trim()
        .clone_into(&mut record.header);
}

/// The length of what stands in quotes at the beginning of a text, with them.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    let mut escaped = false;
    let end = text[1..].find(|letter| {
        let ends = letter == quote && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    })?;
    Some(end + 2)
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

/// Times as far as they go, also those without a date.
pub(super) fn time() -> &'static Regex {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?:\b\d{4}[-/]\d\d[-/]\d\d[T ]|\b[A-Z][a-z]{2} [ \d]\d |\b\d{2}/[A-Z][a-z]{2}/\d{4}:)?",
            r"\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z\b| ?[+-]\d\d:?\d\d\b)?",
            r"|\b1[6-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?\b",
        ))
        .expect("the pattern is ours")
    });
    &TIME
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
    fn pairs_within_quotes_are_none() {
        let added = |line: &str| Record::read(line).fields.contains_key("k");
        for line in [
            r#"2026-01-02 03:04:05,123 - audit - WARNING - read: "/a k=x ""#,
            r#"read "/a\" k=x \"""#,
            "read '/a k=x '",
            "read(path='/a\" k=x y=\"')",
            r#"target="/a k=x " ok=true"#,
        ] {
            assert!(!added(line), "{line}");
        }
        for line in [
            "read /a k=x ",
            "target=/a k=x ",
            r#"target="/a" k=x y="""#,
            r#"read "/a" k=x y="""#,
            r#"it can't read /a k=x of today's"#,
            r#"read "/a k=x "#,
        ] {
            assert!(added(line), "{line}");
        }
        let record = Record::read("<13> app: DENIED \"a b\" tool=read target=/a");
        assert_eq!(record.header, "<13> app: DENIED \"a b\"");
    }
}
