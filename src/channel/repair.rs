//! Learning from a validation error what a call should have looked like.
//!
//! Owns reading complaints on missing, unknown and mistyped fields, whichever library wrote them,
//! and changing a channel accordingly. Only shapes that many servers share are read.

use serde_json::{Deserializer, Value};

use super::{
    arguments::{escape, put, tokens},
    fill::value_for,
    flatten::{Form, Kind, Leaf},
    score::{joined, leaf_score, single},
    words::meaning,
};
use crate::channel::Channel;

/// How often one channel is changed.
pub(super) const ROUNDS: usize = 3;

/// Longer texts are content, not complaints.
const MAX_TEXT: usize = 8 * 1024;

/// Parameters in which some servers want everything else.
const WRAPPERS: &[&str] = &[
    "params",
    "args",
    "arguments",
    "input",
    "request",
    "options",
    "payload",
    "parameters",
    "req",
];

/// What a validation error says.
#[derive(Debug, Clone, PartialEq)]
enum Defect {
    Missing(Vec<String>, Option<Kind>),
    /// With the names that would have been known, when told.
    Unknown(Vec<String>, Vec<String>),
    Mistyped(Vec<String>, Kind),
}

/// Changes the channel by what an answer complains of; returns what was changed, in words.
pub(super) fn repair(channel: &mut Channel, form: &Form, answer: &str) -> Option<String> {
    if answer.len() > MAX_TEXT {
        return None;
    }
    let mut changes: Vec<String> = Vec::new();
    for defect in defects(answer) {
        changes.extend(mend(channel, form, &defect));
    }
    (!changes.is_empty()).then(|| changes.join(", "))
}

fn defects(answer: &str) -> Vec<Defect> {
    let mut found: Vec<Defect> = Vec::new();
    for (at, _) in answer.match_indices(['[', '{']).take(8) {
        if let Some(Ok(value)) = Deserializer::from_str(&answer[at..])
            .into_iter::<Value>()
            .next()
        {
            structured(&value, &mut found, 0);
            if !found.is_empty() {
                return found;
            }
        }
    }
    let lines: Vec<&str> = answer.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|above| lines.get(above));
        if let Some(defect) = plain(line, before.copied())
            && !found.contains(&defect)
        {
            found.push(defect);
        }
    }
    found
}

/// Issues as JSON: objects with a `path` or `loc` and words on what is wrong.
fn structured(value: &Value, found: &mut Vec<Defect>, depth: usize) {
    if depth > 4 || found.len() > 16 {
        return;
    }
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| structured(item, found, depth + 1)),
        Value::Object(issue) => {
            let path = issue
                .get("path")
                .or(issue.get("loc"))
                .and_then(Value::as_array);
            let Some(path) = path else {
                issue
                    .values()
                    .for_each(|member| structured(member, found, depth + 1));
                return;
            };
            let path: Vec<String> = path
                .iter()
                .map(|token| {
                    token
                        .as_str()
                        .map_or_else(|| token.to_string(), str::to_owned)
                })
                .collect();
            let word = |key: &str| {
                issue
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_lowercase()
            };
            let says = [word("message"), word("msg"), word("code"), word("type")].join(" ");
            let kind = kind(&format!("{} {}", word("expected"), word("type")))
                .or_else(|| says.split("expected").nth(1).and_then(kind));
            if let Some(keys) = issue.get("keys").and_then(Value::as_array) {
                for key in keys.iter().filter_map(Value::as_str) {
                    let mut path = path.clone();
                    path.push(key.to_owned());
                    found.push(Defect::Unknown(path, Vec::new()));
                }
            } else if says.contains("extra") || says.contains("unexpected") {
                found.push(Defect::Unknown(path, Vec::new()));
            } else if says.contains("required")
                || says.contains("missing")
                || says.contains("undefined")
                || word("received") == "undefined"
            {
                found.push(Defect::Missing(path, kind));
            } else if let Some(kind) = kind {
                found.push(Defect::Mistyped(path, kind));
            }
        }
        _ => {}
    }
}

/// The type that a word of a validation error names.
fn kind(text: &str) -> Option<Kind> {
    const KINDS: &[(&str, Kind)] = &[
        ("array", Kind::Array),
        ("list", Kind::Array),
        ("sequence", Kind::Array),
        ("string", Kind::Text),
        ("str", Kind::Text),
        ("integer", Kind::Integer),
        ("int", Kind::Integer),
        ("number", Kind::Number),
        ("float", Kind::Number),
        ("boolean", Kind::Boolean),
        ("bool", Kind::Boolean),
        ("object", Kind::Object),
        ("dict", Kind::Object),
        ("dictionary", Kind::Object),
        ("map", Kind::Object),
        ("struct", Kind::Object),
    ];
    text.split(|letter: char| !letter.is_alphanumeric())
        .find_map(|word| {
            KINDS
                .iter()
                .find(|(name, _)| *name == word)
                .map(|(_, kind)| *kind)
        })
}

/// A sentence. A field stands in quotes, beside the complaint, or alone on the line before.
fn plain(line: &str, before: Option<&str>) -> Option<Defect> {
    let lower = line.to_lowercase();
    let any = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
    let mut quoted = quoted(line);
    let alone = before
        .map(str::trim)
        .filter(|_| line.starts_with(' '))
        .filter(|above| !above.is_empty() && above.split('.').all(identifier));
    if any(&[
        "unknown field",
        "unexpected",
        "unrecognized",
        "additional propert",
        "extra inputs",
        "unknown parameter",
        "unknown argument",
        "extra fields",
    ]) {
        let field = match alone {
            Some(field) => field.to_owned(),
            None if quoted.is_empty() => return None,
            None => quoted.remove(0),
        };
        return Some(Defect::Unknown(dotted(&field), quoted));
    }
    if any(&[
        "missing",
        "required",
        "must have",
        "must be provided",
        "not provided",
        "undefined",
    ]) {
        let field = alone
            .map(str::to_owned)
            .or_else(|| quoted.last().cloned().filter(|_| quoted.len() < 3))
            .or_else(|| named(line))?;
        return Some(Defect::Missing(dotted(&field), None));
    }
    if any(&[
        "should be a",
        "must be a",
        "expected",
        "not of type",
        "invalid type",
    ]) {
        let after = lower
            .split_once("should be")
            .or_else(|| lower.split_once("must be"))
            .or_else(|| lower.split_once("expected"))
            .or_else(|| lower.split_once("not of type"))?
            .1;
        let kind = kind(after)?;
        let field = alone
            .map(str::to_owned)
            .or_else(|| quoted.first().cloned())
            .or_else(|| named(line))?;
        return Some(Defect::Mistyped(dotted(&field), kind));
    }
    None
}

fn identifier(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-')
}

fn dotted(field: &str) -> Vec<String> {
    field
        .trim_matches('/')
        .split(['.', '/'])
        .map(str::to_owned)
        .collect()
}

/// Identifiers in quotes of any kind.
pub(super) fn quoted(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for quote in ['`', '\'', '"'] {
        let parts: Vec<&str> = line.split(quote).collect();
        // Every second part stands between two quotes.
        for part in parts.iter().skip(1).step_by(2).take(8) {
            let name = part.trim_matches('/');
            if name.split(['.', '/']).all(identifier) && !found.contains(&name.to_owned()) {
                found.push(name.to_owned());
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found
}

/// The word after `field`, `parameter`, ... or before `is required`.
fn named(line: &str) -> Option<String> {
    const BEFORE: &[&str] = &[
        "field",
        "parameter",
        "argument",
        "property",
        "key",
        "param",
        "arguments",
        "parameters",
    ];
    const NEVER: &[&str] = &[
        "is", "are", "a", "an", "the", "not", "must", "for", "was", "and",
    ];
    let words: Vec<&str> = line
        .split(|letter: char| {
            letter.is_whitespace() || matches!(letter, ':' | ',' | ';' | '(' | ')')
        })
        .filter(|word| !word.is_empty())
        .map(|word| word.trim_matches(['.', '!', '"', '\'', '`', '[', ']']))
        .collect();
    let good = |word: &&&str| identifier(word) && !NEVER.contains(&word.to_lowercase().as_str());
    for (at, word) in words.iter().enumerate() {
        let lower = word.to_lowercase();
        if BEFORE.contains(&lower.as_str())
            && let Some(next) = words.get(at + 1).filter(good)
        {
            return Some((*next).to_owned());
        }
        if matches!(lower.as_str(), "is" | "are" | "must")
            && let Some(previous) = at.checked_sub(1).and_then(|at| words.get(at)).filter(good)
            && !BEFORE.contains(&previous.to_lowercase().as_str())
        {
            return Some((*previous).to_owned());
        }
    }
    None
}

fn mend(channel: &mut Channel, form: &Form, defect: &Defect) -> Option<String> {
    match defect {
        Defect::Missing(path, kind) => missing(channel, form, path, *kind),
        Defect::Unknown(path, known) => unknown(channel, path, known),
        Defect::Mistyped(path, kind) => mistyped(channel, path, *kind),
    }
}

/// The pointer that a complaint names, below the parameter that wraps all others if there is one.
fn pointer(channel: &Channel, path: &[String]) -> String {
    let pointer: String = path
        .iter()
        .map(|token| format!("/{}", escape(token)))
        .collect();
    let outer = wrapper(channel);
    match outer {
        Some(outer) if path.first().map(String::as_str) != Some(outer.as_str()) => {
            format!("/{}{pointer}", escape(&outer))
        }
        _ => pointer,
    }
}

fn wrapper(channel: &Channel) -> Option<String> {
    let firsts: Vec<Vec<String>> = channel
        .slots
        .values()
        .flatten()
        .map(|pointer| tokens(pointer).collect())
        .collect();
    let first = firsts.first()?.first()?;
    let wraps = firsts
        .iter()
        .all(|tokens| tokens.len() > 1 && tokens[0] == *first && identifier_key(&tokens[1]));
    wraps.then(|| first.clone())
}

fn identifier_key(token: &str) -> bool {
    token != "-" && token.parse::<usize>().is_err()
}

fn held(channel: &Channel, pointer: &str) -> bool {
    let inside = format!("{pointer}/");
    channel
        .slots
        .values()
        .flatten()
        .any(|slot| *slot == pointer || slot.starts_with(&inside))
        || Value::Object(channel.fixed.clone())
            .pointer(pointer)
            .is_some()
}

fn missing(
    channel: &mut Channel,
    form: &Form,
    path: &[String],
    kind: Option<Kind>,
) -> Option<String> {
    let name = path.iter().rfind(|token| identifier_key(token))?;
    let place = pointer(channel, path);
    if held(channel, &place) {
        return None;
    }
    let declared = form
        .leaves
        .iter()
        .find(|leaf| !leaf.guessed && single(&leaf.pointer) == place);
    let mut leaf = declared.cloned().unwrap_or_else(|| Leaf::guess(name));
    if let Some(kind) = kind {
        leaf.kinds = vec![kind];
    }
    if WRAPPERS.contains(&joined(name).as_str())
        && path.len() == 1
        && kind != Some(Kind::Text)
        && declared.is_none()
    {
        let inside = Value::Object(std::mem::take(&mut channel.fixed));
        let mut fixed = Value::Object(serde_json::Map::new());
        put(&mut fixed, &place, inside);
        if let Value::Object(fixed) = fixed {
            channel.fixed = fixed;
        }
        for pointers in channel.slots.values_mut() {
            for slot in pointers {
                *slot = format!("{place}{slot}");
            }
        }
        return Some(format!("put everything into `{name}`"));
    }
    // A slot whose place was only guessed moves to the place that the server asks for.
    let role = channel.role;
    let guessed = channel
        .slots
        .iter()
        .filter(|(_, pointers)| {
            pointers.len() == 1
                && !form.leaves.iter().any(|leaf| {
                    !leaf.guessed
                        && (single(&leaf.pointer) == pointers[0] || leaf.pointer == pointers[0])
                })
        })
        .map(|(slot, _)| (leaf_score(&leaf, meaning(role, *slot)), *slot))
        .filter(|(score, _)| *score >= 0.25)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, slot)) = guessed {
        let array = leaf.kinds.first() == Some(&Kind::Array);
        let to = if array { format!("{place}/-") } else { place };
        channel.slots.insert(slot, vec![to.clone()]);
        return Some(format!("moved {slot:?} to `{to}`"));
    }
    let value = value_for(&leaf, role);
    let mut fixed = Value::Object(std::mem::take(&mut channel.fixed));
    put(&mut fixed, &place, value);
    if let Value::Object(fixed) = fixed {
        channel.fixed = fixed;
    }
    Some(format!("added `{name}`"))
}

fn unknown(channel: &mut Channel, path: &[String], known: &[String]) -> Option<String> {
    let name = path.last()?;
    let place = pointer(channel, path);
    if remove(channel, &place) {
        return Some(format!("left out `{name}`"));
    }
    let role = channel.role;
    let slot = channel
        .slots
        .iter()
        .find(|(_, pointers)| pointers.contains(&place))
        .map(|(slot, _)| *slot)?;
    let best = known
        .iter()
        .filter(|name| !held(channel, &pointer(channel, &dotted(name))))
        .map(|name| (leaf_score(&Leaf::guess(name), meaning(role, slot)), name))
        .filter(|(score, _)| *score >= 0.25)
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let to = pointer(channel, &dotted(best.1));
    channel.slots.insert(slot, vec![to.clone()]);
    Some(format!("moved {slot:?} to `{to}`"))
}

fn remove(channel: &mut Channel, place: &str) -> bool {
    let Some((parent, key)) = place.rsplit_once('/') else {
        return false;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    let mut fixed = Value::Object(std::mem::take(&mut channel.fixed));
    let removed = fixed
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .and_then(|members| members.shift_remove(&key))
        .is_some();
    if let Value::Object(fixed) = fixed {
        channel.fixed = fixed;
    }
    removed
}

fn mistyped(channel: &mut Channel, path: &[String], kind: Kind) -> Option<String> {
    let place = pointer(channel, path);
    for (slot, pointers) in &mut channel.slots {
        let [only] = pointers.as_mut_slice() else {
            continue;
        };
        if kind == Kind::Array && *only == place {
            let mark = if *slot == crate::probe::Slot::Paths {
                "-"
            } else {
                "0"
            };
            *only = format!("{place}/{mark}");
            return Some(format!("made `{place}` an array"));
        }
        if kind == Kind::Text && (*only == format!("{place}/0") || *only == format!("{place}/-")) {
            only.clone_from(&place);
            return Some(format!("made `{place}` a text"));
        }
    }
    let mut fixed = Value::Object(std::mem::take(&mut channel.fixed));
    let changed = fixed.pointer_mut(&place).and_then(|value| {
        let new = match kind {
            Kind::Array if !value.is_array() => Value::Array(vec![value.clone()]),
            Kind::Text if value.is_number() || value.is_boolean() => {
                Value::String(value.to_string())
            }
            Kind::Text if !value.is_string() => Value::String(String::from("sample")),
            Kind::Integer | Kind::Number if !value.is_number() => Value::from(1),
            Kind::Boolean if !value.is_boolean() => Value::Bool(false),
            Kind::Object if !value.is_object() => Value::Object(serde_json::Map::new()),
            _ => return None,
        };
        *value = new;
        Some(format!("retyped `{place}`"))
    });
    if let Value::Object(fixed) = fixed {
        channel.fixed = fixed;
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn complaints_of_many_libraries_are_read() {
        let cases = [
            (
                "MCP error -32602: Invalid arguments: [{\"code\":\"invalid_type\",\"expected\":\"array\",\
                 \"received\":\"undefined\",\"path\":[\"edits\"],\"message\":\"Required\"}]",
                Defect::Missing(at(&["edits"]), Some(Kind::Array)),
            ),
            (
                "1 validation error for call[read]\nparams.path\n  Field required [type=missing, \
                 input_value={}, input_type=dict]",
                Defect::Missing(at(&["params", "path"]), None),
            ),
            (
                "[{\"type\":\"list_type\",\"loc\":[\"paths\"],\"msg\":\"Input should be a valid list\"}]",
                Defect::Mistyped(at(&["paths"]), Kind::Array),
            ),
            (
                "failed to deserialize parameters: missing field `file_path`",
                Defect::Missing(at(&["file_path"]), None),
            ),
            (
                "unknown field `path`, expected one of `file_path`, `limit`",
                Defect::Unknown(at(&["path"]), at(&["file_path", "limit"])),
            ),
            (
                "data must have required property 'path'",
                Defect::Missing(at(&["path"]), None),
            ),
            (
                "read() got an unexpected keyword argument 'path'",
                Defect::Unknown(at(&["path"]), Vec::new()),
            ),
            (
                "read() missing 1 required positional argument: 'name'",
                Defect::Missing(at(&["name"]), None),
            ),
            (
                "Error: filename is required",
                Defect::Missing(at(&["filename"]), None),
            ),
            (
                "Missing required parameter: project",
                Defect::Missing(at(&["project"]), None),
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(defects(answer), [expected], "{answer}");
        }
    }

    #[test]
    fn refusals_are_no_complaints() {
        for answer in [
            "Access denied - path outside allowed directories: /x/y not in /x/z",
            "No such file or directory",
            "",
        ] {
            assert_eq!(defects(answer), [], "{answer}");
        }
    }
}
