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
    /// By us.
    Closed,
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
            Death::Closed => f.write_str("the session was closed"),
        }
    }
}
