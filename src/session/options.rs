//! What a caller decides about a session before it is opened.
//!
//! Owns the plain values. Knows nothing of processes, sockets or frames.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::Inside;

/// Which lifecycle of the Model Context Protocol the conversation uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Era {
    /// The handshake first, the stateless one when the target refuses it.
    #[default]
    Auto,
    /// `initialize` and `notifications/initialized`: revisions up to 2025-11-25.
    Handshake,
    /// `server/discover` and metadata in every request: revision 2026-07-28.
    Stateless,
}

impl Era {
    /// The word under which users know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Era::Auto => "auto",
            Era::Handshake => "handshake",
            Era::Stateless => "stateless",
        }
    }
}

/// Bounds on what a hostile target may cost us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest line (stdio), body or event (HTTP) that is decoded, in bytes. Longer ones are still
    /// shown to the listeners of the transcript, and reported as noise.
    pub line: usize,
    /// Deepest nesting of a result that is decoded; deeper ones are undecodable. serde_json itself
    /// stops at 127, so a greater figure means 127.
    pub depth: usize,
    /// All bytes that the target may send in one session; one more ends the session.
    pub total: u64,
    /// How long the target may take until it has answered the first request. Cold starts of 45 s
    /// were measured for servers that a registry launcher has to fetch first.
    pub startup: Duration,
    /// How long the target may take to end by itself after its input was closed, and again after
    /// it was asked to by `SIGTERM`.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line: 16 << 20,
            depth: 100,
            total: 1 << 30,
            startup: Duration::from_secs(90),
            close: Duration::from_secs(1),
        }
    }
}

/// How to converse.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The lifecycle.
    pub era: Era,
    /// Directories to offer through `roots/list`; `None` does not advertise the capability. Roots
    /// replace or widen the start-up directories of some servers, hence none by default.
    pub roots: Option<Vec<PathBuf>>,
    /// Bounds.
    pub limits: Limits,
    /// Protocol revision to ask for instead of the newest of the era.
    pub protocol: Option<String>,
}

/// Where the target is.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// A command that speaks MCP on its standard input and output, or serves where it says.
    Stdio(Launch),
    /// A running server that speaks streamable HTTP.
    Http(HttpEndpoint),
    /// A server inside of this process.
    Inside(Inside),
}

/// A command to launch. The child gets exactly this environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program. A bare name is looked up in the `PATH` of `env`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The whole environment; nothing of ours is inherited.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// What of ours starts it, program first, if anything does.
    pub by: Vec<String>,
    /// Where it serves streamable HTTP, if it does not speak on its standard input and output.
    pub serves: Option<HttpEndpoint>,
}

/// An MCP endpoint over streamable HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpEndpoint {
    /// The URL of the endpoint itself, such as `http://127.0.0.1:3000/mcp`.
    pub url: String,
    /// Headers to add to every request.
    pub headers: Vec<(String, String)>,
    /// Token to send as `Authorization: Bearer TOKEN`.
    pub bearer: Option<String>,
}

impl HttpEndpoint {
    /// The port of the URL, that of its scheme if it names none.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let url: http::Uri = self.url.parse().ok()?;
        let usual = if url.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        Some(url.port_u16().unwrap_or(usual))
    }
}
