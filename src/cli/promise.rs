//! The policy as the user gave it: its file, and whether what it allows is there.

use std::path::Path;

use super::failure::Failure;
use crate::{config::Settings, policy::Policy};

/// Allowed paths must exist: a server that starts without its directory shows nothing.
pub(super) fn exists(policy: &Policy) -> Result<(), Failure> {
    let missing: Vec<&str> = policy
        .allowed_paths()
        .into_iter()
        .flatten()
        .map(|entry| entry.text.as_str())
        .filter(|path| !Path::new(path).exists())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Input(format!(
        "the policy allows {}, which does not exist here\n\
         write `{{allowed}}` in the policy and in the command line for a directory that the run makes itself",
        missing.join(" and ")
    )))
}

/// The file that the policy was read from, when it was.
pub(super) fn policy_path(settings: &Settings) -> Option<&Path> {
    let path = Path::new(settings.policy.source().name());
    path.is_file().then_some(path)
}
