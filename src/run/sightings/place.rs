//! What a target says, by what it says it for: an answer, an error, a list, a log line.
//!
//! Owns how messages are told apart. What is in them is not its business.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

/// What a target says, by what it says it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::run) enum Place {
    /// An answer to a call.
    Answer,
    /// A refusal, or an error.
    Error,
    /// What it says of itself: its greeting and its lists.
    Metadata,
    /// A notification, standard error, or what is no message at all.
    Log,
    /// What arrived at the sink.
    Sink,
    /// What a command was given that the target started.
    Command,
}

/// Which place each message has, by what it answers, and how much was said of each kind.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Requests that tell of the target itself, by their ids as they were sent.
    describing: HashSet<String>,
    pub(super) heard: HashMap<Place, usize>,
}

/// The members of a message that tell what it is.
#[derive(Deserialize)]
struct Envelope<'m> {
    #[serde(borrow)]
    id: Option<&'m RawValue>,
    method: Option<Cow<'m, str>>,
    error: Option<IgnoredAny>,
    result: Option<Outcome>,
}

/// Of a result, whether it calls itself an error.
#[derive(Deserialize)]
struct Outcome {
    #[serde(default, rename = "isError")]
    is_error: Option<Value>,
}

impl Places {
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let Ok(Envelope {
            id: Some(id),
            method: Some(method),
            ..
        }) = serde_json::from_slice(bytes)
        else {
            return;
        };
        let describes =
            method == "initialize" || method.ends_with("/list") || method.starts_with("server/");
        // A target that is started anew is given the same ids for other requests.
        if describes {
            self.describing.insert(id.get().to_owned());
        } else {
            self.describing.remove(id.get());
        }
    }

    pub(super) fn received(&mut self, bytes: &[u8]) -> Place {
        let place = match serde_json::from_slice(bytes) {
            Ok(Envelope { error: Some(_), .. }) => Place::Error,
            Ok(Envelope {
                method: Some(_), ..
            })
            | Err(_) => Place::Log,
            Ok(Envelope {
                result: Some(result),
                ..
            }) if result.is_error == Some(Value::Bool(true)) => Place::Error,
            Ok(Envelope { id: Some(id), .. }) if self.describing.contains(id.get()) => {
                Place::Metadata
            }
            Ok(_) => Place::Answer,
        };
        self.count(place);
        place
    }

    pub(super) fn count(&mut self, place: Place) {
        *self.heard.entry(place).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let mut places = Places::default();
        places.sent(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        places.sent(br#"{"jsonrpc":"2.0","id":"2","method":"tools/call","params":{}}"#);
        for (message, place) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
                Place::Metadata,
            ),
            (
                r#"{"jsonrpc":"2.0","id":"2","result":{"content":[]}}"#,
                Place::Answer,
            ),
            (
                r#"{"id":"2","result":{"content":[],"isError":true}}"#,
                Place::Error,
            ),
            (
                r#"{"id":"2","error":{"code":-32602,"message":"no"}}"#,
                Place::Error,
            ),
            (
                r#"{"method":"notifications/message","params":{}}"#,
                Place::Log,
            ),
            ("a banner", Place::Log),
        ] {
            assert_eq!(places.received(message.as_bytes()), place, "{message}");
        }
        assert_eq!(places.heard[&Place::Error], 2);

        // In a second session the same id is that of a call.
        places.sent(br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#);
        let answer = br#"{"id":1,"result":{"content":[]}}"#;
        assert_eq!(places.received(answer), Place::Answer);
    }
}
