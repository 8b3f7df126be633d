//! One request and what came of it.
//!
//! Owns the facts of an exchange. What they mean for a boundary is the judge's business.

use std::{future::Future, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

/// One request to the target and what came of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Number of the exchange in its session, from 0, in the order of sending.
    pub number: u64,
    /// JSON-RPC id under which it was sent, as JSON text.
    pub id: String,
    /// Method, such as `tools/call`.
    pub method: String,
    /// Parameters as sent.
    pub params: Value,
    /// What came back, or why nothing did.
    pub outcome: Outcome,
    /// The reply line as it arrived (stdio) or the message body (HTTP); empty when there was none.
    pub raw: Arc<[u8]>,
    /// Time from sending to outcome.
    pub took: Duration,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A JSON-RPC result.
    Result(Value),
    /// A JSON-RPC error.
    Error {
        /// The code, as far as it was a number.
        code: Option<i64>,
        /// The message.
        message: String,
    },
    /// A reply with our id that is neither result nor error as the specification has them.
    Undecodable,
    /// No reply within the deadline.
    Timeout,
    /// The target ended, or its output closed, before a reply.
    Died(String),
    /// The request could not be sent (HTTP status, refused connection, broken pipe).
    SendFailed(String),
}

impl Outcome {
    /// Whether the target answered at all, be it with a refusal.
    #[must_use]
    pub fn answered(&self) -> bool {
        matches!(
            self,
            Outcome::Result(_) | Outcome::Error { .. } | Outcome::Undecodable
        )
    }

    /// Whether the answer calls itself an error: a JSON-RPC error or `isError: true`.
    #[must_use]
    pub fn is_error(&self) -> bool {
        match self {
            Outcome::Result(value) => value.get("isError").and_then(Value::as_bool) == Some(true),
            Outcome::Error { .. } => true,
            _ => false,
        }
    }

    /// All text of the answer for a human reader: content blocks of type text, or the error message.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Outcome::Result(value) => {
                let texts: Vec<&str> = value
                    .get("content")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(|block| block.get("text").and_then(Value::as_str))
                    .collect();
                if texts.is_empty() {
                    value.to_string()
                } else {
                    texts.join("\n")
                }
            }
            Outcome::Error { message, .. } => message.clone(),
            Outcome::Undecodable => String::from("(a reply that is no JSON-RPC)"),
            Outcome::Timeout => String::from("(no answer in time)"),
            Outcome::Died(why) | Outcome::SendFailed(why) => format!("({why})"),
        }
    }
}

/// A tool as the target advertises it, parsed leniently: schemas may be empty or lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name; any string.
    pub name: String,
    /// Its description; empty when absent.
    pub description: String,
    /// `inputSchema` as advertised; `Value::Null` when absent.
    pub input_schema: Value,
    /// `annotations` as advertised; hints, never facts.
    pub annotations: Value,
    /// The whole definition.
    pub definition: Value,
}

impl Tool {
    /// A tool of which nothing but the name is known.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            input_schema: Value::Null,
            annotations: Value::Null,
            definition: Value::Null,
        }
    }

    /// Whether this is a prompt that stands among the tools.
    pub(crate) fn is_prompt(&self) -> bool {
        self.name.starts_with(PROMPT)
    }
}

/// What the name of a prompt begins with where it stands among the tools: whatever a caller fills in
/// reaches the same code as the arguments of a tool.
pub(super) const PROMPT: &str = "prompts/get ";

/// Method and parameters of the request for a tool, or for a prompt that stands among them.
#[must_use]
pub fn asking(tool: &str, arguments: Map<String, Value>) -> (&'static str, Value) {
    let (method, name) = match tool.strip_prefix(PROMPT) {
        Some(prompt) => ("prompts/get", prompt),
        None => ("tools/call", tool),
    };
    (method, json!({ "name": name, "arguments": arguments }))
}

/// Anything through which requests reach a target; sessions, and fakes in tests.
pub trait Caller: Sync {
    /// Sends one request and waits for its outcome, at most `deadline`.
    fn request(
        &self,
        method: &str,
        params: Value,
        deadline: Duration,
    ) -> impl Future<Output = Exchange> + Send;

    /// Calls a tool, or asks for a prompt that stands among them, with the given arguments.
    fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        deadline: Duration,
    ) -> impl Future<Output = Exchange> + Send {
        let (method, params) = asking(tool, arguments);
        self.request(method, params, deadline)
    }
}
