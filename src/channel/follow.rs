//! The second call of a channel that takes a file in: what it is fed with.
//!
//! Owns finding a value in an answer, the same way in a proof and in an attack.

use serde_json::{Number, Value};

use super::arguments::put;
use crate::{
    channel::{Channel, Follow, Take},
    session::Outcome,
};

/// Longer values are content, no identifiers.
pub(super) const MAX_VALUE: usize = 128;

impl Channel {
    /// Method and parameters of the second call, once the first was answered. None when the
    /// channel has none, when the first call was refused, or when the answer lacks the value.
    #[must_use]
    pub fn follow(&self, answer: &Outcome) -> Option<(&'static str, Value)> {
        let then = self.then.as_ref()?;
        if answer.is_error() {
            return None;
        }
        let value = then.take.find(answer)?;
        let mut arguments = Value::Object(then.fixed.clone());
        put(&mut arguments, &then.pointer, then.typed(&value)?);
        Some((
            "tools/call",
            serde_json::json!({ "name": then.tool, "arguments": arguments }),
        ))
    }
}

impl Follow {
    fn typed(&self, value: &str) -> Option<Value> {
        if self.number {
            value.parse::<Number>().ok().map(Value::Number)
        } else {
            Some(Value::String(value.to_owned()))
        }
    }
}

impl Take {
    /// The value in an answer; none when it is not there, or too long to be an identifier.
    pub(super) fn find(&self, answer: &Outcome) -> Option<String> {
        let value = match self {
            Take::Text => answer.text().trim().to_owned(),
            Take::Member(pointer) => members(answer).find_map(|whole| {
                let value = whole.pointer(pointer)?;
                scalar(value)
            })?,
            Take::Word(number) => {
                let text = answer.text();
                split(&text).nth(*number)?.to_owned()
            }
        };
        ((1..=MAX_VALUE).contains(&value.len())).then_some(value)
    }
}

/// The JSON that an answer holds: its structured content, and its text where that is JSON.
pub(super) fn members(answer: &Outcome) -> impl Iterator<Item = Value> {
    let structured = match answer {
        Outcome::Result(result) => result.get("structuredContent").cloned(),
        _ => None,
    };
    let text = serde_json::from_str(&answer.text()).ok();
    structured.into_iter().chain(text)
}

/// The words of a text: runs of what identifiers and paths are made of.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_alphanumeric() || "-_./".contains(letter)))
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
}

/// A text or number as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
