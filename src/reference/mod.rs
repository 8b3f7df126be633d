//! The reference target: a real MCP server with tools for files and hosts, which enforces its policy soundly and has one switch for
//! every known flaw.
//!
//! It is the calibration of the harness: on the sound server every probe must report `held`, and on each of its flaws
//! `breached`. Besides it there are servers that do nothing useful, on which no probe may ever report `held`.
//!
//! How the sound server decides: a request is resolved to a canonical path and checked (`guard`), then that very path
//! is opened beneath a descriptor of the root with links forbidden (`beneath`), so a swap between the two is refused.
//! Where a flaw is switched on, the tool asks `flawed` first, which has the defective checks and opens by path.
//!
//! Must not know probes, sessions or anything else of the harness.
//!
//! On systems that are not Unix there are no directory descriptors; there the server refuses to start.

mod args;
#[cfg(unix)]
mod audit;
#[cfg(unix)]
mod beneath;
#[cfg(target_os = "linux")]
mod confine;
#[cfg(unix)]
mod deny;
mod flaw;
#[cfg(unix)]
mod flawed;
#[cfg(unix)]
mod frames;
#[cfg(unix)]
mod guard;
#[cfg(unix)]
mod http;
#[cfg(unix)]
mod net;
mod network;
#[cfg(unix)]
mod refusal;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod tools;
#[cfg(unix)]
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};

pub use self::args::{ReferenceArgs, StubArgs};
pub use self::flaw::{Flaw, FlawSet, flaws};
pub use self::network::NetworkOptions;

/// The policy of a reference server, and its flaws.
#[derive(Clone, Debug, Default)]
pub struct ReferenceOptions {
    /// Directories below which files may be reached; relative paths belong to the first. Empty and missing ones count for
    /// nothing, and without any the sound server refuses every file.
    pub roots: Vec<PathBuf>,
    /// Absolute paths or globs that are refused although a root holds them; a glob without `/` is matched against names.
    pub deny: Vec<String>,
    /// Most bytes of a file that is read or written, or of what comes out of an archive.
    pub max_file_size: Option<u64>,
    /// Whether the writing tools are absent.
    pub read_only: bool,
    /// Names, or ends of paths such as `.git/config`, that no tool may write, in whatever letter case.
    pub protect: Vec<String>,
    /// The policy of the tools that run programs. Without one they are absent, unless a flaw is about them.
    pub execution: Option<ExecutionOptions>,
    /// Names of the environment variables that may be told. Without any, the tools that tell of the server are absent,
    /// unless a flaw is about them.
    pub variables: Vec<String>,
    /// Whether all powers are given up at the start, and the directory that cannot be written then.
    pub confine: Option<PathBuf>,
    /// The policy of the tools that reach hosts. Without one they are absent, unless a flaw is about them.
    pub network: Option<NetworkOptions>,
    /// The audit log, if there is one.
    pub audit: Option<AuditOptions>,
    /// The defects that are switched on.
    pub flaws: FlawSet,
}

/// What the tools that run programs may do.
#[derive(Clone, Debug, Default)]
pub struct ExecutionOptions {
    /// Names of the commands that `run_command` runs.
    pub commands: Vec<String>,
}

/// The audit log of a reference server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditOptions {
    /// The file, or `stderr`.
    pub to: PathBuf,
    /// Size in bytes at which a new file is begun.
    pub max_bytes: Option<u64>,
    /// How many files are kept, the current one included; at least 1.
    pub max_files: u32,
}

/// How a reference server is reached over streamable HTTP.
#[derive(Clone, Debug)]
pub struct Door {
    /// The address, with port 0 for one that is free.
    pub listen: SocketAddr,
    /// The token that callers have to send.
    pub bearer: Option<String>,
}

/// What kind of server to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Enforces the policy, except for the flaws that are switched on.
    #[default]
    Sound,
    /// Exits at once.
    Dead,
    /// Reads everything and never answers.
    Mute,
    /// Lists the same tools and answers every call with the error "Access denied".
    RefuseAll,
    /// Lists the same tools and answers every call with its arguments as text.
    Echo,
    /// Lists the same tools and answers every call with an empty success.
    SilentlyEmpty,
    /// Lists the same tools and those that reach hosts, and answers every call with the error "Refused", after it has
    /// done what the latter were asked for.
    SilentExfil,
}

impl Kind {
    /// Every kind with the word that names it on the command line.
    pub const NAMES: &[(&str, Kind)] = &[
        ("sound", Kind::Sound),
        ("dead", Kind::Dead),
        ("mute", Kind::Mute),
        ("refuse-all", Kind::RefuseAll),
        ("echo", Kind::Echo),
        ("silently-empty", Kind::SilentlyEmpty),
        ("silent-exfil", Kind::SilentExfil),
    ];
}

/// Why a reference server does not start, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// No flaw has this name.
    #[error(
        "no flaw is named `{name}`{}; `watertight reference --list-flaws` lists them",
        did_you_mean(.near)
    )]
    UnknownFlaw {
        /// The name as given.
        name: String,
        /// Names that look like it, best first.
        near: Vec<&'static str>,
    },
    /// A deny pattern is neither an absolute path nor a glob.
    #[error("--deny `{pattern}`: not a glob; give an absolute path or a pattern such as `**/.env`")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// A rule for hosts names none.
    #[error("`{text}` is no host; give an address, a range such as 10.0.0.0/8, or a name")]
    Host {
        /// The rule as given.
        text: String,
    },
    /// The address of the name server is none.
    #[error("--dns `{text}`: not an address")]
    Dns {
        /// The address as given.
        text: String,
    },
    /// The variable that is to hold the token does not.
    #[error("--bearer-env {name}: no variable of this name holds a text")]
    Bearer {
        /// Its name.
        name: String,
    },
    /// The handshake with the client failed.
    #[error("the client did not complete the handshake")]
    Handshake(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server's task ended abnormally.
    #[error("the server stopped abnormally")]
    Stopped(#[from] tokio::task::JoinError),
    /// Reading from the client failed.
    #[error("cannot read from the client")]
    Io(#[from] std::io::Error),
    /// The platform lacks what the sound server needs.
    #[error("the reference server needs directory descriptors, which this platform does not have")]
    Unsupported,
}

/// The end of a sentence that offers other names.
fn did_you_mean(near: &[&str]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!(", did you mean `{}`?", near.join("`, `"))
    }
}

/// Serves one client on standard input and output, until it hangs up.
///
/// # Errors
/// [`ReferenceError`]; a client that hangs up is no error.
pub async fn serve_stdio(kind: Kind, options: ReferenceOptions) -> Result<(), ReferenceError> {
    let (read, write) = rmcp::transport::stdio_pipes();
    serve_on(kind, options, read, write).await
}

/// Serves any number of clients over streamable HTTP, after `listening` was told the URL.
///
/// # Errors
/// [`ReferenceError`], where the policy cannot be enforced or nothing can listen at the address.
pub async fn serve_http(
    kind: Kind,
    options: ReferenceOptions,
    door: Door,
    listening: impl FnOnce(&str),
) -> Result<(), ReferenceError> {
    #[cfg(unix)]
    {
        http::serve(server::Server::new(kind, options)?, door, listening).await
    }
    #[cfg(not(unix))]
    {
        let _ = (kind, options, door, listening);
        Err(ReferenceError::Unsupported)
    }
}

/// Serves one client on any pair of streams, until it hangs up.
///
/// # Errors
/// [`ReferenceError`]; a client that hangs up is no error.
pub async fn serve_on<R, W>(
    kind: Kind,
    options: ReferenceOptions,
    read: R,
    write: W,
) -> Result<(), ReferenceError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    #[cfg(unix)]
    {
        server::serve(kind, options, read, write).await
    }
    #[cfg(not(unix))]
    {
        let _ = (kind, options, read, write);
        Err(ReferenceError::Unsupported)
    }
}
