//! What is looked for in the audit log once a call is over.
//!
//! Owns the words. How a log is read, and which field says what, is the witness's business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the audit log must hold, or must not, after the call of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordCheck {
    /// A record of the permitted call, which names its target, its tool or event, and a time. The
    /// variant sends the plain call of its role where it fills no slot.
    Named,
    /// A record of the refused call, which cannot be taken for one of a permitted call.
    Denied,
    /// A record that names the place behind the link `link`, which the call goes through.
    Resolved,
    /// No token of a plant, nor what stands in the payload, whatever the call had to do with it.
    Clean,
    /// The text of the call in one record, which ends where it ends: nothing of it counts as a record.
    WholeLine,
    /// The log as it was, but for what was appended: the call asks the server's own tool for the log.
    Untouched,
    /// A record of a caller who is not let in: without the credential of the run, or with the `headers` of the
    /// variant in its place. Targets that are attached to over HTTP only.
    Stranger,
    /// One record for each of fifty calls at once.
    EveryOne,
    /// Log files that nobody else can read, in directories that nobody else can write.
    Private,
    /// A new file where the old one is full, no more files than agreed on, and no record lost.
    Rotated,
    /// Nothing of the log on standard output, which belongs to the protocol.
    ProtocolOnly,
}

impl RecordCheck {
    /// Whether the check needs no tool of a certain role.
    #[must_use]
    pub fn without_role(self) -> bool {
        matches!(self, Self::Private | Self::ProtocolOnly | Self::Stranger)
    }
}
