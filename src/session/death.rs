//! Why a conversation is over.

use std::fmt;

/// The end of a conversation; only the first cause counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Death {
    /// The launched command ended, with this status or signal.
    Exited(String),
    ClosedOutput,
    ClosedInput(String),
    /// More bytes came than a session may receive.
    TooMuch(u64),
    /// A line has grown to this many bytes without an end.
    Endless(usize),
    /// By us.
    Closed,
}

impl Death {
    /// Whether it is we who end the target because of what it sent.
    pub(super) fn is_excess(&self) -> bool {
        matches!(self, Death::TooMuch(_) | Death::Endless(_))
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Death::Exited(status) => write!(f, "it ended with {status}"),
            Death::ClosedOutput => f.write_str("it closed its standard output, and keeps running"),
            Death::ClosedInput(error) => {
                write!(
                    f,
                    "it closed its standard input ({error}), and keeps running"
                )
            }
            Death::TooMuch(limit) => {
                write!(f, "it sent more than {limit} bytes, the limit of a session")
            }
            Death::Endless(length) => {
                write!(f, "it sent a line without an end, {length} bytes so far")
            }
            Death::Closed => f.write_str("the session was closed"),
        }
    }
}
