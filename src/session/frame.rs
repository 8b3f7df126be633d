//! One message as the target wrote it, read leniently and only once.
//!
//! Owns the decision what a line is: noise, a request, a notification, or a reply, and what the
//! reply says. The typed client drops replies that it cannot decode, and the call then hangs;
//! here they become outcomes. Knows nothing of who waits for them.

use std::{borrow::Cow, fmt, ops::ControlFlow};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::Outcome;

/// The members of a JSON-RPC message, undecoded. Skimming validates the syntax of the line but
/// neither its nesting (serde_json skips iteratively) nor its surrogates.
#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    pub(super) version: bool,
    pub(super) id: Option<&'a RawValue>,
    pub(super) method: Option<String>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    doubled: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Frame<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Frame<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON-RPC message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Frame<'de>, A::Error> {
                let mut frame = Frame::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match &*key {
                        "jsonrpc" => {
                            frame.version = map.next_value::<&RawValue>()?.get() == "\"2.0\"";
                        }
                        "id" => {
                            frame.doubled |= frame.id.is_some();
                            frame.id = Some(map.next_value()?);
                        }
                        "method" => {
                            let raw: &RawValue = map.next_value()?;
                            frame.method = Some(
                                serde_json::from_str(raw.get())
                                    .unwrap_or_else(|_| raw.get().to_owned()),
                            );
                        }
                        "result" => {
                            frame.doubled |= frame.result.is_some();
                            frame.result = Some(map.next_value()?);
                        }
                        "error" => {
                            frame.doubled |= frame.error.is_some();
                            frame.error = Some(map.next_value()?);
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(frame)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl<'a> Frame<'a> {
    /// Reads the members of a message; `None` when the text is no JSON object or has no member
    /// that a JSON-RPC message has (a log line in JSON, for example).
    pub(super) fn read(text: &'a str) -> Option<Frame<'a>> {
        let frame: Frame<'a> = serde_json::from_str(text).ok()?;
        let speaks = frame.version
            || (frame.id.is_some()
                && (frame.method.is_some() || frame.result.is_some() || frame.error.is_some()));
        speaks.then_some(frame)
    }

    /// The members of a batch (revision 2025-03-26 had them), or the text itself.
    pub(super) fn each<B>(
        text: &'a str,
        mut visit: impl FnMut(&'a str) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if text.starts_with('[')
            && let Ok(items) = serde_json::from_str::<Vec<&'a RawValue>>(text)
            && !items.is_empty()
        {
            for item in items {
                visit(item.get())?;
            }
            return ControlFlow::Continue(());
        }
        visit(text)
    }

    /// Our number that the reply carries, also when it comes back as a string.
    pub(super) fn number(&self) -> Option<i64> {
        let text = self.id?.get();
        text.parse()
            .ok()
            .or_else(|| serde_json::from_str::<&str>(text).ok()?.parse().ok())
    }

    /// Whether the id is absent or `null`.
    pub(super) fn anonymous(&self) -> bool {
        self.id.is_none_or(|id| id.get() == "null")
    }

    /// What the reply says, decoded down to `depth` levels.
    pub(super) fn outcome(&self, depth: usize) -> Outcome {
        if !self.version || self.doubled {
            return Outcome::Undecodable;
        }
        match (self.result, self.error) {
            (Some(result), None) => decode(result, depth).map_or(Outcome::Undecodable, |value| {
                if value.is_object() {
                    Outcome::Result(value)
                } else {
                    Outcome::Undecodable
                }
            }),
            (None, Some(error)) => match decode(error, depth) {
                Some(Value::Object(error)) => {
                    let code = error.get("code").and_then(Value::as_i64);
                    let message = error.get("message").and_then(Value::as_str);
                    if code.is_none() && message.is_none() {
                        return Outcome::Undecodable;
                    }
                    Outcome::Error {
                        code,
                        message: message.unwrap_or_default().to_owned(),
                    }
                }
                _ => Outcome::Undecodable,
            },
            _ => Outcome::Undecodable,
        }
    }
}

fn decode(raw: &RawValue, depth: usize) -> Option<Value> {
    let value: Value = serde_json::from_str(raw.get()).ok()?;
    within(&value, depth).then_some(value)
}

fn within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| within(item, depth - 1)),
        Value::Object(members) => depth > 0 && members.values().all(|item| within(item, depth - 1)),
        _ => true,
    }
}

/// The number of the request that an over-long line answers, guessed from its edges: all
/// implementations known to us write the id first, second or last. A wrong guess can only end a
/// wait early with "undecodable", which proves nothing.
pub(super) fn number_at_edges(head: &[u8], tail: &[u8]) -> Option<i64> {
    let after = |text: &str| -> Option<i64> {
        let digits = text.trim_start().strip_prefix(':')?.trim_start();
        let end = digits
            .find(|char: char| !char.is_ascii_digit())
            .unwrap_or(digits.len());
        digits[..end].parse().ok()
    };
    let head = String::from_utf8_lossy(&head[..head.len().min(64)]).into_owned();
    let tail = String::from_utf8_lossy(&tail[tail.len().saturating_sub(64)..]).into_owned();
    let before_payload = head
        .find("\"result\"")
        .or_else(|| head.find("\"error\""))
        .unwrap_or(head.len());
    head[..before_payload]
        .find("\"id\"")
        .and_then(|at| after(&head[at + 4..]))
        .or_else(|| tail.rfind("\"id\"").and_then(|at| after(&tail[at + 4..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Outcome {
        Frame::read(text).expect("a frame").outcome(100)
    }

    #[test]
    fn replies_which_the_typed_client_drops_still_have_their_number() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":7,"result":{}{}}}"#,
            "[".repeat(200),
            "]".repeat(200)
        );
        for text in [
            deep.as_str(),
            r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"\ud800"}]}}"#,
            r#"{"jsonrpc":"2.0","id":"7","result":"text"}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"both"}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{},"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":"text"}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
            r#"{"id":7,"result":{}}"#,
        ] {
            let frame = Frame::read(text).expect("a frame");
            assert_eq!(frame.number(), Some(7), "{text}");
            assert_eq!(frame.outcome(100), Outcome::Undecodable, "{text}");
        }
    }

    #[test]
    fn errors_are_read_leniently() {
        assert_eq!(
            outcome(r#"{"jsonrpc":"2.0","id":1,"error":{"code":99999999999,"message":"no"}}"#),
            Outcome::Error {
                code: Some(99_999_999_999),
                message: "no".into()
            }
        );
        assert_eq!(
            outcome(r#"{"jsonrpc":"2.0","id":1,"error":{"code":"E_DENIED","message":"no"}}"#),
            Outcome::Error {
                code: None,
                message: "no".into()
            }
        );
    }

    #[test]
    fn log_lines_in_json_are_no_frames() {
        for text in ["123", "{}", r#"{"level":"info","id":3}"#, "[1,2]", "hello"] {
            assert!(Frame::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn nesting_within_the_limit_is_decoded() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"a":[[1]]}}"#;
        let frame = Frame::read(text).expect("a frame");
        assert!(matches!(frame.outcome(3), Outcome::Result(_)));
        assert_eq!(frame.outcome(2), Outcome::Undecodable);
    }

    #[test]
    fn the_number_of_an_overlong_line_is_found_at_either_end() {
        assert_eq!(
            number_at_edges(br#"{"jsonrpc":"2.0","id": 12,"result":{"#, b"xxx"),
            Some(12)
        );
        assert_eq!(
            number_at_edges(
                br#"{"result":{"id":5,"content":"#,
                b"xxx\"}]},\"jsonrpc\":\"2.0\",\"id\":31}\n"
            ),
            Some(31)
        );
        assert_eq!(number_at_edges(b"aaaa", b"aaaa"), None);
    }
}
