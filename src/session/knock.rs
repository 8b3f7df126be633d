//! A request from somebody whom the target does not know.
//!
//! Owns one request beside every session, of which only the status is of interest. What is a credential is not known
//! here.

use std::time::Duration;

use http::header;
use serde_json::{Value, json};

use super::{http::client, printable};

/// What a target did with a stranger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Knock {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// The beginning of the body.
    pub(crate) body: String,
}

impl Knock {
    /// Whether it asked who was there and did not like the answer (RFC 9110, section 15.5.2 and 15.5.4).
    pub(crate) fn turned_away(&self) -> bool {
        matches!(self.status, 401 | 403)
    }
}

/// What is asked: the first request of any client.
pub(crate) fn greeting() -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "stranger", "version": "1" },
        },
    })
}

/// Sends the greeting to a URL with these headers and no others.
///
/// # Errors
///
/// Why there was no answer, in words.
pub(crate) async fn knock(
    url: &str,
    headers: &[(String, String)],
    deadline: Duration,
) -> Result<Knock, String> {
    /// Bytes of a body that are of interest.
    const SHOWN: usize = 200;
    let mut request = client()
        .map_err(|error| error.to_string())?
        .post(url)
        .timeout(deadline)
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::CONTENT_TYPE, "application/json")
        .json(&greeting());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let body = match status {
        // A stream that was opened need not end.
        200..=299 => None,
        _ => response.chunk().await.ok().flatten(),
    };
    Ok(Knock {
        status,
        body: printable(&body.unwrap_or_default(), SHOWN),
    })
}
