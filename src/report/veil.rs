//! What a report must not hold: values that the user passed on to the target.
//!
//! Owns the replacement. A target that gives its environment away gives these away too, and reports are published.

use serde_json::Value;

use crate::report::Report;

/// Shorter values are no secrets, and stand everywhere.
const SHORTEST: usize = 4;

/// Shorter words of small letters are settings, such as `info`, and stand in other words.
const SHORTEST_WORD: usize = 8;

/// Members of a report whose texts are words of the format: no other text may stand there.
pub const WORDS: [&str; 10] = [
    "verdict",
    "basis",
    "strength",
    "severity",
    "min_severity",
    "priority",
    "assumes",
    "role",
    "proven",
    "boundary",
];

/// The report with each value, of pairs of a name and a value, replaced by `${NAME}` in all of its texts, the
/// longest first. Short ones are no secrets, and stay.
///
/// # Errors
/// When a value is also a word of the format.
pub fn veil(report: Report, values: &[(String, String)]) -> Result<Report, serde_json::Error> {
    let secret = |(_, value): &&(String, String)| {
        let word = value.bytes().all(|byte| byte.is_ascii_lowercase());
        value.len() >= if word { SHORTEST_WORD } else { SHORTEST }
    };
    let mut secrets: Vec<&(String, String)> = values.iter().filter(secret).collect();
    secrets.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    if secrets.is_empty() {
        return Ok(report);
    }
    let mut document = serde_json::to_value(report)?;
    veil_value(&mut document, &secrets);
    serde_json::from_value(document)
}

fn veil_value(value: &mut Value, secrets: &[&(String, String)]) {
    match value {
        Value::String(text) => {
            for (name, secret) in secrets {
                // In an excerpt, the answer is JSON in which the value stands as JSON has it.
                let escaped = Value::from(secret.as_str()).to_string();
                for spelled in [secret.as_str(), escaped.trim_matches('"')] {
                    if text.contains(spelled) {
                        *text = text.replace(spelled, &format!("${{{name}}}"));
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| veil_value(item, secrets)),
        Value::Object(members) => members
            .iter_mut()
            .filter(|(name, _)| !WORDS.contains(&name.as_str()))
            .for_each(|(_, member)| veil_value(member, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
