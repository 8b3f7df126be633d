//! Why a call fails, in the few words that the client is told.
//!
//! Owns the texts. They name neither the path nor what is there: a refusal must not carry what it refuses.

use std::io;

use rustix::io::Errno;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Outside the roots, denied by a rule, or a link that leads there.
    #[error("Access denied: the path is not permitted")]
    Denied,
    /// Missing, in a place where that may be known.
    #[error("No such file or directory")]
    NotFound,
    /// A directory, pipe, device or socket where a file is needed.
    #[error("Not a regular file")]
    NotAFile,
    /// A file where a directory is needed.
    #[error("Not a directory")]
    NotADirectory,
    /// The file has further names, perhaps outside the roots.
    #[error("Access denied: the file has more than one name")]
    HardLink,
    /// Over the size limit, in bytes.
    #[error("Too large: the limit is {0} bytes")]
    TooLarge(u64),
    /// A protected name.
    #[error("Access denied: the name is protected")]
    Protected,
    /// A writing tool in read-only mode.
    #[error("Access denied: the server is read-only")]
    ReadOnly,
    /// A variable that is not on the list.
    #[error("Access denied: the variable is not permitted")]
    Variable,
    /// A command that is not on the list.
    #[error("Access denied: the command is not permitted")]
    Command,
    /// A host that the policy does not permit, or none of whose addresses it permits.
    #[error("Access denied: the host is not permitted")]
    Host,
    /// A port that is not on the list.
    #[error("Access denied: the port is not permitted")]
    Port,
    /// A URL that is neither http nor https.
    #[error("Access denied: the scheme is not permitted")]
    Scheme,
    /// No name server to ask, none that answers, or a name without an address.
    #[error("The name cannot be resolved")]
    Unresolved,
    /// No connection, or one that broke.
    #[error("The host cannot be reached")]
    Unreachable,
    /// The host's certificate is not trusted, or it speaks no TLS.
    #[error("No secure connection to the host")]
    Tls,
    /// The reply is none.
    #[error("The reply is not HTTP")]
    NotHttp,
    /// One redirect after another.
    #[error("Too many redirects")]
    Redirects,
    /// Over the time limit.
    #[error("Timed out")]
    TimedOut,
    /// The client has taken the call back.
    #[error("Cancelled")]
    Cancelled,
    /// The arguments make no sense.
    #[error("{0}")]
    Invalid(String),
    /// The system's word.
    #[error("Failed: {0}")]
    System(io::ErrorKind),
}

impl Refusal {
    /// Whether the policy is the reason.
    pub(super) fn denies(&self) -> bool {
        matches!(
            self,
            Self::Denied
                | Self::HardLink
                | Self::Protected
                | Self::ReadOnly
                | Self::Host
                | Self::Scheme
                | Self::Command
        )
    }

    /// A complaint about the arguments or about the content of a file.
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            // A link in a path that had none when it was checked.
            Some(Errno::LOOP | Errno::XDEV) => return Self::Denied,
            // A pipe, device or socket without a peer.
            Some(Errno::NXIO) => return Self::NotAFile,
            _ => {}
        }
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::NotADirectory => Self::NotADirectory,
            io::ErrorKind::IsADirectory => Self::NotAFile,
            kind => Self::System(kind),
        }
    }
}
