//! Why a session could not be opened, or a list not be read, in words that name the fix.
//!
//! Owns the wording. All text of a target in it is escaped and cut.

use std::{fmt, io, path::PathBuf, time::Duration};

use thiserror::Error;

use super::printable;

/// The end of what a target wrote to its standard error, for a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StderrTail(pub Vec<String>);

/// Lines of standard error that a message shows: enough for a cause, short enough to be read.
const TAIL: usize = 8;
/// Characters of each of them.
const WIDE: usize = 160;

impl fmt::Display for StderrTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("\nit wrote nothing to its standard error");
        }
        f.write_str("\nthe end of its standard error:")?;
        let first = self.0.len().saturating_sub(TAIL);
        self.0[first..]
            .iter()
            .try_for_each(|line| write!(f, "\n  {}", printable(line.as_bytes(), WIDE)))
    }
}

/// Why a file that is there cannot be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is a directory.
    Directory,
    /// Its permissions forbid it.
    Permission,
    /// The interpreter in its first line is not there.
    Interpreter,
    /// It has no known format (execve(2), `ENOEXEC`).
    Format,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "it is a directory",
            Self::Permission => "permission denied",
            Self::Interpreter => "the interpreter in its first line does not exist",
            Self::Format => "it is no program, and has no `#!` line",
        })
    }
}

impl Unfit {
    fn fix(self) -> &'static str {
        match self {
            Self::Directory => "give the path of the program in it",
            Self::Permission => "make it executable (chmod +x), or name its interpreter before it",
            Self::Interpreter => "install that interpreter, or name another before the file",
            Self::Format => "name its interpreter before it, such as `python3 FILE`",
        }
    }
}

/// What to do of a refusal: one that names a path may be about the directory that the run made, and one that names the
/// protocol about its revision.
fn cure(message: &str) -> &'static str {
    let lower = message.to_ascii_lowercase();
    let of_protocol = ["version", "protocol", "revision", "method", "initialize"];
    if message.contains('/') {
        "if it wants no directory at that path, give the run another one with --allowed DIR; \
         if it speaks another lifecycle, choose it with --era handshake or --era stateless"
    } else if of_protocol.iter().any(|word| lower.contains(word)) {
        "choose the lifecycle that the server has with --era handshake or --era stateless"
    } else {
        "give it what it asks for; of your environment it has nothing but what --env NAME=VALUE and \
         --pass-env NAME give it"
    }
}

fn first_line(line: &Option<String>) -> String {
    line.as_ref().map_or_else(String::new, |line| {
        format!("\nits standard output began with: {line}")
    })
}

/// Why no session came about.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The program is not there.
    #[error(
        "command not found: `{program}`\nfix: install it, put its directory into PATH, or give its path"
    )]
    NotFound {
        /// As given.
        program: String,
    },
    /// The program may not be executed.
    #[error(
        "`{program}` cannot be executed: {why}\nfix: {}",
        why.fix()
    )]
    NotExecutable {
        /// As given.
        program: String,
        /// The reason.
        why: Unfit,
    },
    /// The working directory is not there.
    #[error("the working directory `{}` does not exist\nfix: create it, or give another with --cwd", .0.display())]
    NoWorkingDirectory(PathBuf),
    /// The system could not start the program for another reason.
    #[error(
        "`{program}` could not be started: {source}\nfix: run the same command by hand; it must start there"
    )]
    Spawn {
        /// As given.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The program ended before it had answered.
    #[error(
        "`{program}` ended before it answered the first request ({status}){}{stderr}\nfix: run the command by hand: it must keep running and read its standard input; what it needs of your environment it is given with --env NAME=VALUE or --pass-env NAME",
        first_line(stdout)
    )]
    Exited {
        /// As given.
        program: String,
        /// Exit status or signal.
        status: String,
        /// The first line of its output, if it wrote any.
        stdout: Option<String>,
        /// The end of its standard error.
        stderr: StderrTail,
    },
    /// The program printed something else than MCP and never answered.
    #[error(
        "`{program}` prints something on its standard output, but no MCP\nits standard output began with: {line}{stderr}\nfix: give the command that starts the server in stdio mode; its logs and banners belong on standard error"
    )]
    NotMcp {
        /// As given.
        program: String,
        /// The first line, escaped.
        line: String,
        /// The end of its standard error.
        stderr: StderrTail,
    },
    /// The program wrote no whole line.
    #[error(
        "`{program}` runs, but did not answer the first request within {} s{}{stderr}\nfix: check that it is an MCP server in stdio mode, and that it does not wait for something (a password, an answer to a prompt, a download); if it only starts slowly, raise --startup-timeout",
        .waited.as_secs(), first_line(stdout)
    )]
    Silent {
        /// As given.
        program: String,
        /// How long we waited.
        waited: Duration,
        /// The beginning of a line that it did not end, such as a prompt.
        stdout: Option<String>,
        /// The end of its standard error.
        stderr: StderrTail,
    },
    /// The program closed its output but keeps running.
    #[error(
        "`{program}` closed its standard output before it answered, and keeps running{}{stderr}\nfix: a server must not detach itself or redirect its standard output",
        first_line(stdout)
    )]
    ClosedOutput {
        /// As given.
        program: String,
        /// The first line of its output, if it wrote any.
        stdout: Option<String>,
        /// The end of its standard error.
        stderr: StderrTail,
    },
    /// The target sent more than it may before it had answered.
    #[error(
        "{target} did not answer the first request: {why}\nfix: it is no MCP server, or not in stdio mode; give the command that starts the server"
    )]
    TooMuch {
        /// Command or URL.
        target: String,
        /// Which limit.
        why: String,
    },
    /// The target answered the first request with a JSON-RPC error.
    #[error(
        "{target} refused `{method}`: {message} (code {})\nfix: {}",
        .code.map_or_else(|| "missing".to_owned(), |code| code.to_string()),
        cure(.message)
    )]
    Refused {
        /// Command or URL.
        target: String,
        /// `initialize` or `server/discover`.
        method: &'static str,
        /// The code, as far as it was a number.
        code: Option<i64>,
        /// The message, escaped.
        message: String,
    },
    /// The target answered the first request with something that is no answer.
    #[error(
        "{target} answered `{method}` with something that is no MCP: {reply}\nfix: this is a fault of the server; nothing can be tested through it"
    )]
    OddAnswer {
        /// Command or URL.
        target: String,
        /// `initialize` or `server/discover`.
        method: &'static str,
        /// The answer, escaped and cut.
        reply: String,
    },
    /// No protocol revision in common.
    #[error(
        "{target} supports only the protocol revisions {theirs}, which the stateless lifecycle here is not\nfix: use --era handshake"
    )]
    NoCommonRevision {
        /// Command or URL.
        target: String,
        /// Theirs.
        theirs: String,
    },
    /// Something in the options makes no sense.
    #[error("{0}")]
    BadOption(String),
    /// Nothing listens there.
    #[error(
        "nothing answers at {url}: {why}\nfix: start the server first, and check host and port"
    )]
    Unreachable {
        /// The URL.
        url: String,
        /// The reason.
        why: String,
    },
    /// The HTTP server answered the first request with an error status.
    #[error("{url} answered HTTP {status}{}\nfix: {}", shown_body(body), status_fix(*status))]
    Status {
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
        /// The beginning of the body, escaped.
        body: String,
    },
    /// There is an HTTP server, but it does not speak MCP.
    #[error(
        "{url} is not an MCP endpoint: it answered with {content_type}{}\nfix: give the URL of the endpoint itself, often ending in /mcp",
        shown_body(body)
    )]
    NotMcpEndpoint {
        /// The URL.
        url: String,
        /// The content type, or a word for its absence.
        content_type: String,
        /// The beginning of the body, escaped.
        body: String,
    },
    /// The HTTP server did not answer in time.
    #[error(
        "{url} did not answer the first request within {} s\nfix: check that it is the MCP endpoint and that the server is not stuck",
        .waited.as_secs()
    )]
    SilentEndpoint {
        /// The URL.
        url: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The command is to serve where somebody else does already; it is not started.
    #[error(
        "no session with `{program}`: another program listens at {url} already, and would be taken for it\n\
         fix: end that program, or give the command and --url another port"
    )]
    Taken {
        /// The command.
        program: String,
        /// Where it is to serve.
        url: String,
    },
    /// Something that has no name of its own.
    #[error("no session with {target}: {why}\nfix: run the server by hand, or look into its log")]
    Other {
        /// Command or URL.
        target: String,
        /// The reason.
        why: String,
    },
}

fn shown_body(body: &str) -> String {
    if body.is_empty() {
        String::new()
    } else {
        format!(": {body}")
    }
}

fn status_fix(status: u16) -> &'static str {
    match status {
        401 => "give credentials with --bearer-env or --header",
        403 => {
            "the server refuses this client: check credentials, and its list of allowed hosts and origins"
        }
        404 => "check the path of the URL; MCP endpoints often end in /mcp",
        405 => "the path does not take POST: check that the URL is that of the MCP endpoint",
        406 | 415 => "the endpoint does not take JSON: check that it speaks streamable HTTP",
        300..=399 => "give the URL that it redirects to; redirects are not followed",
        429 => "the server limits its callers: raise its limit, or test an instance of your own",
        500..=599 => "look into the log of the server",
        _ => "check the URL",
    }
}

/// Why a list could not be read.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ListError {
    /// The target refused.
    #[error("`{method}` was refused: {message}")]
    Refused {
        /// The list.
        method: &'static str,
        /// The code, as far as it was a number.
        code: Option<i64>,
        /// The message, escaped.
        message: String,
    },
    /// No answer, or none that can be read.
    #[error("`{method}` got no usable answer: {why}")]
    NoAnswer {
        /// The list.
        method: &'static str,
        /// What came instead.
        why: String,
    },
    /// The answer is no list.
    #[error("the answer to `{method}` has no array `{member}`")]
    NoList {
        /// The list.
        method: &'static str,
        /// The member that is missing.
        member: &'static str,
    },
}
