//! The values that a complaint offers: `mode must be one of: read, list`.
//!
//! Owns finding a list of values in a sentence, and which of them fits a role. Knows nothing of channels.

use super::{
    score::{destructive_verb, fit, trade},
    words::{Words, words},
};
use crate::probe::Role;

/// Values of one list that are looked at.
const MOST: usize = 16;
/// Letters of one value.
const LETTERS: usize = 40;
/// Lines of a list with one value on each.
const LINES: usize = 16;

/// What stands before a list of values.
const TRIGGERS: &[&str] = &[
    "one of",
    "supported",
    "supports",
    "valid",
    "allowed",
    "must be",
    "should be",
    "expected",
    "choose",
    "available",
    "options",
    "accepted",
    "accepts",
    "permitted",
    "possible",
    "choices",
    "either",
    "use ",
    "known ",
    "got ",
];

/// The values that the line offers, with those below it where it only announces them; none where it offers none, or
/// only one. `below` are the lines that follow.
pub(super) fn offered<'l>(line: &str, below: impl Iterator<Item = &'l str>) -> Vec<String> {
    let lower = line.to_lowercase();
    // Lower case may be longer or shorter than the letters it is of.
    if lower.len() != line.len() {
        return Vec::new();
    }
    let mut best: Vec<String> = Vec::new();
    for trigger in TRIGGERS {
        for (at, _) in lower.match_indices(trigger).take(4) {
            // `invalid` says nothing of what is valid.
            if lower[..at].ends_with(char::is_alphabetic) {
                continue;
            }
            let found = list(&line[at + trigger.len()..]);
            if found.len() > best.len() {
                best = found;
            }
        }
    }
    let announces = line.trim_end().ends_with(':');
    if best.is_empty() && announces && TRIGGERS.iter().any(|trigger| lower.contains(trigger)) {
        best = bullets(below);
    }
    best
}

/// The items of a list that is bulleted or numbered.
fn bullets<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<String> {
    let item = |line: &str| {
        let rest = line.trim_start();
        let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let rest = rest.strip_prefix(['-', '*', '•', '.', ')'])?;
        let word = rest.split_whitespace().next()?;
        value(word.trim_end_matches([':', ',']))
    };
    several(lines.take(LINES).map_while(item).collect())
}

/// The items after a trigger: all in quotes, or else all bare words.
fn list(text: &str) -> Vec<String> {
    let text: String = text.chars().take(MOST * LETTERS).collect();
    // What follows is of the value that was sent.
    let text = ["received", "but got", ", got", "input_value", " got "]
        .iter()
        .filter_map(|end| text.find(end))
        .min()
        .map_or(text.as_str(), |end| &text[..end]);
    let quote = text
        .find(['\'', '"', '`'])
        .and_then(|at| text[at..].chars().next());
    if let Some(quote) = quote {
        let parts: Vec<&str> = text.split(quote).collect();
        let inside = parts.iter().skip(1).step_by(2);
        let between = parts.iter().skip(2).step_by(2);
        let joins = between
            .map(|part| part.chars().count() <= 8)
            .take_while(|joins| *joins);
        let together = joins.count();
        // The last one has all the rest of the sentence behind it.
        let found = inside
            .take(together + 1)
            .map_while(|part| value(part))
            .collect();
        let found = several(found);
        if !found.is_empty() {
            return found;
        }
    }
    let start = text
        .find(['[', '(', '{', ':', '='])
        .filter(|at| *at <= LETTERS);
    let rest = start.map_or(text, |at| &text[at + 1..]);
    let rest = rest.trim_start_matches([' ', '[', '(', '{']);
    let end = rest
        .find([']', ')', '}', ';', '\n', '\\'])
        .unwrap_or(rest.len());
    let items = rest[..end]
        .split([',', '|'])
        .flat_map(|part| part.split(" or ").flat_map(|part| part.split(" and ")));
    let trimmed = items
        .map(|item| {
            item.trim()
                .trim_start_matches("or ")
                .trim_start_matches("and ")
        })
        .filter(|item| !item.is_empty());
    several(
        trimmed
            .map_while(|item| value(item.trim_end_matches('.')))
            .collect(),
    )
}

/// One value without what stands around it, if it could be one.
fn value(text: &str) -> Option<String> {
    let text = text
        .trim()
        .trim_matches(['\'', '"', '`', '[', ']', '(', ')', '{', '}']);
    let fits = (1..=LETTERS).contains(&text.len())
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || "_-+./".contains(letter))
        && text.chars().any(char::is_alphanumeric)
        && !text.starts_with(['/', '.']);
    fits.then(|| text.to_owned())
}

/// The values, if there are several, and not the names of types.
fn several(mut values: Vec<String>) -> Vec<String> {
    const TYPES: Words = Words(
        "string str integer int number float boolean bool array list object dict null none undefined true false a an \
         of",
    );
    values.truncate(MOST);
    let mut kept: Vec<String> = Vec::new();
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    let types = kept
        .iter()
        .filter(|value| TYPES.has(&value.to_lowercase()))
        .count();
    // `list` is a type, and something to do.
    if kept.len() < 2 || types == kept.len() {
        kept.clear();
    }
    kept
}

/// The value that fits a role best; of several, one that asks for plain text; never one that destroys.
pub(super) fn fitting<'c>(role: Role, tool: &str, offered: &'c [String]) -> Option<&'c String> {
    const PLAIN: Words =
        Words("text txt plain raw utf full content markdown md html json csv default none auto");
    let named = words(tool);
    let rank = |value: &String| {
        let said = words(value);
        let destroys = role != Role::FileDelete && destructive_verb(&said).is_some();
        let fits = trade(role).map_or(0.0, |trade| fit(trade, &said, &named));
        let plain = said.iter().any(|word| PLAIN.has(word));
        (!destroys).then_some(if fits > 0.0 {
            1.0 + fits
        } else {
            f32::from(u8::from(plain)) / 2.0
        })
    };
    let ranked = offered
        .iter()
        .filter_map(|value| Some((rank(value)?, value)));
    // The first of the best.
    let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let mut lines = text.lines();
        offered(lines.next().unwrap_or_default(), lines)
    }

    #[test]
    fn lists_of_many_shapes_are_read() {
        for text in [
            "mode must be one of: read, write",
            "Invalid mode 'x'. Supported: read, write",
            "Supported modes are: read | write.",
            "unknown variant `x`, expected `read` or `write`",
            "unknown variant `x`, expected one of `read`, `write`",
            "Input should be 'read' or 'write' [type=literal_error, input_value='x', input_type=str]",
            "Invalid enum value. Expected 'read' | 'write', received 'x'",
            "argument mode: invalid choice: 'x' (choose from 'read', 'write')",
            "'x' is not one of ['read', 'write']",
            "{\"error\": \"Allowed values: read, write\"}",
            "Unknown mode x; valid modes: [read, write]",
            "must be either read or write",
            "Available modes:\n- read\n- write: stores it\nand no more",
            "Options:\n  1. read\n  2. write",
        ] {
            assert_eq!(of(text), ["read", "write"], "{text}");
        }
        assert_eq!(of("Supported: pdf, html, and md"), ["pdf", "html", "md"]);
    }

    #[test]
    fn other_sentences_offer_nothing() {
        let long = format!("one of: {}", "a,".repeat(10_000));
        for text in [
            "",
            "Access denied - path outside allowed directories: /x/y not in /x/z",
            "path must be a string",
            "Expected string, received undefined",
            "expected string or null",
            "File already exists, use overwrite=true",
            "No such file or directory",
            "one of",
            "supported: \u{130}\u{130}, '",
        ] {
            assert!(of(text).is_empty(), "{text}: {:?}", of(text));
        }
        assert!(of(&long).len() <= MOST);
    }

    #[test]
    fn what_fits_the_role_is_taken() {
        let offered = ["delete", "append", "write", "read", "html"].map(str::to_owned);
        let of = |role| fitting(role, "file_op", &offered).map(String::as_str);
        assert_eq!(of(Role::FileRead), Some("read"));
        assert_eq!(of(Role::FileWrite), Some("write"));
        assert_eq!(of(Role::RepoRead), Some("html"));
        assert_eq!(fitting(Role::FileRead, "", &[String::from("purge")]), None);
    }
}
