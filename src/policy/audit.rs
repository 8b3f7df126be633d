//! What a policy says of the audit log.
//!
//! Owns the meaning of the `audit` section: where the log is, what stands in it, when it is rotated.

use std::path::PathBuf;

use crate::policy::{
    AuditEvent, Policy,
    document::{Audit, Fields},
};

/// The word that stands for standard error where a log file is named.
pub const STDERR: &str = "stderr";

/// The audit log as claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLog {
    /// The files that it is written to, current ones, not rotated ones.
    pub files: Vec<PathBuf>,
    /// Whether it is written to standard error.
    pub stderr: bool,
    /// What is recorded; empty when the policy names nothing, which means that nothing is claimed.
    pub events: Vec<AuditEvent>,
    /// Bytes of a file at which a new one is begun, and how many are kept.
    pub rotation: Option<(u64, u32)>,
    /// Which field says what, as far as the policy tells.
    pub fields: Fields,
}

impl Policy {
    /// The audit log, if one is claimed.
    #[must_use]
    pub fn audit(&self) -> Option<AuditLog> {
        let audit = self.document.audit.as_ref().filter(|audit| audit.enabled)?;
        let named: Vec<&str> = sinks(audit).collect();
        if named.is_empty() {
            return None;
        }
        /// Bytes of an MB, as for the size of files.
        const MB: f64 = 1_048_576.0;
        Some(AuditLog {
            files: named
                .iter()
                .filter(|name| **name != STDERR)
                .map(PathBuf::from)
                .collect(),
            stderr: named.contains(&STDERR),
            events: audit.events.iter().map(|event| event.value).collect(),
            rotation: audit.rotate.as_ref().map(|rotate| {
                // Both are checked to be positive; a fraction of a byte is none.
                let bytes = (rotate.max_size_mb.value * MB).max(1.0);
                (bytes as u64, rotate.max_files.value)
            }),
            fields: audit.fields.clone().unwrap_or_default(),
        })
    }

    /// Whether events of this kind are claimed to be recorded.
    #[must_use]
    pub fn records(&self, event: AuditEvent) -> bool {
        self.audit().is_some_and(|log| log.events.contains(&event))
    }

    /// Bytes of memory that the processes of the target may take together (`max_memory_mb`).
    #[must_use]
    pub fn max_memory(&self) -> Option<u64> {
        let megabytes = self.document.resources.as_ref()?.max_memory_mb.as_ref()?;
        Some((megabytes.value * 1_048_576.0) as u64)
    }
}

fn sinks(audit: &Audit) -> impl Iterator<Item = &str> {
    audit
        .log_file
        .iter()
        .chain(&audit.log_files)
        .map(|at| at.value.as_str())
}
