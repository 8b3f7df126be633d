//! What a validation error complains of.
//!
//! Owns reading the complaints of many libraries as defects of fields. Knows nothing of channels:
//! what is done about a defect is the repair's business.

use serde_json::{Deserializer, Value};

use super::{choices::offered, flatten::Kind};

/// What a validation error says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Defect {
    Missing(Vec<String>, Option<Kind>),
    /// With the names that would have been known, when told.
    Unknown(Vec<String>, Vec<String>),
    Mistyped(Vec<String>, Kind),
    /// The field if it is told, else the words beside the complaint, and the values that may be given.
    Choice(Vec<String>, Vec<String>, Vec<String>),
}

/// Lines of an answer that are read.
const LINES: usize = 64;
/// Words beside a complaint that may be the name of its field, or the value that was refused.
const WORDS: usize = 32;

/// All defects that an answer tells of, in its order.
pub(super) fn defects(answer: &str) -> Vec<Defect> {
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
    let lines: Vec<&str> = answer.lines().take(LINES).collect();
    for (number, line) in lines.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|above| lines.get(above));
        let plain = plain(line, before.copied());
        let choice = match &plain {
            // What it lists are fields.
            Some(Defect::Unknown(_, known)) if !known.is_empty() => None,
            _ => choice(line, before.copied(), &lines[number + 1..]),
        };
        // `list` may be a value, and no type.
        let plain = plain.filter(|it| choice.is_none() || !matches!(it, Defect::Mistyped(..)));
        for defect in plain.into_iter().chain(choice) {
            if !found.contains(&defect) {
                found.push(defect);
            }
        }
    }
    found
}

/// A sentence that lists the values that may be given.
fn choice(line: &str, before: Option<&str>, below: &[&str]) -> Option<Defect> {
    let choices = offered(line, below.iter().copied());
    if choices.is_empty() {
        return None;
    }
    let beside = [before.unwrap_or_default(), line];
    let said = beside
        .iter()
        .flat_map(|text| {
            text.split(|letter: char| !(letter.is_alphanumeric() || "_-".contains(letter)))
        })
        .filter(|word| identifier(word))
        .take(WORDS)
        .map(str::to_owned)
        .collect();
    Some(Defect::Choice(Vec::new(), said, choices))
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
            let place = issue.get("instancePath").and_then(Value::as_str);
            if let (Some(place), Some(choices)) = (place, listed(issue)) {
                found.push(Defect::Choice(dotted(place), Vec::new(), choices));
                return;
            }
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
            if let Some(choices) = listed(issue) {
                found.push(Defect::Choice(path, Vec::new(), choices));
            } else if let Some(keys) = issue.get("keys").and_then(Value::as_array) {
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

/// The values that an issue lists: as JSON, or in its message.
fn listed(issue: &serde_json::Map<String, Value>) -> Option<Vec<String>> {
    const MOST: usize = 16;
    let parameters = issue.get("params").and_then(Value::as_object);
    let lists = ["options", "values", "allowedValues", "enum"].iter();
    let list = lists
        .filter_map(|key| issue.get(*key).or_else(|| parameters?.get(*key)))
        .find_map(Value::as_array);
    let choices: Vec<String> = match list {
        Some(list) => {
            let texts = list.iter().filter_map(Value::as_str);
            texts.take(MOST).map(str::to_owned).collect()
        }
        None => {
            let of = |key: &str| issue.get(key).and_then(Value::as_str).unwrap_or_default();
            let text = if of("message").is_empty() {
                of("msg")
            } else {
                of("message")
            };
            offered(text, std::iter::empty())
        }
    };
    (!choices.is_empty()).then_some(choices)
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

/// The path that a field name with dots or slashes stands for.
pub(super) fn dotted(field: &str) -> Vec<String> {
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
    fn values_that_may_be_given_are_read() {
        let values = at(&["read", "list"]);
        for answer in [
            "[{\"code\":\"invalid_enum_value\",\"options\":[\"read\",\"list\"],\"path\":[\"mode\"],\
             \"received\":\"x\",\"message\":\"Invalid enum value\"}]",
            "[{\"code\":\"invalid_value\",\"values\":[\"read\",\"list\"],\"path\":[\"mode\"]}]",
            "[{\"type\":\"literal_error\",\"loc\":[\"mode\"],\"msg\":\"Input should be 'read' or 'list'\"}]",
            "[{\"instancePath\":\"/mode\",\"keyword\":\"enum\",\"params\":{\"allowedValues\":[\"read\",\"list\"]},\
             \"message\":\"must be equal to one of the allowed values\"}]",
        ] {
            let expected = Defect::Choice(at(&["mode"]), Vec::new(), values.clone());
            assert_eq!(defects(answer), [expected], "{answer}");
        }
        for answer in [
            "mode must be one of: read, list",
            "1 validation error\nmode\n  Input should be 'read' or 'list' [type=literal_error]",
        ] {
            let [Defect::Choice(_, said, choices)] = &defects(answer)[..] else {
                panic!("{:?}", defects(answer));
            };
            assert!(
                said.contains(&String::from("mode")) && *choices == values,
                "{answer}"
            );
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
