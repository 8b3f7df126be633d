//! `bindings.lock` on the disk: read for a run, written by `discover`.
//!
//! Owns where mistakes in it are told. What it means is the channel module's.

use std::path::Path;

use super::run::Failure;
use crate::{
    channel::{Lock, LockError},
    config::Settings,
    diag::{Diagnostic, Problems, Source},
    report::write::store,
};

/// The channels of an earlier discovery, if there was one.
pub(super) fn of(settings: &Settings) -> Result<Option<Lock>, Failure> {
    match &settings.lock {
        Some(path) => read(path).map_err(Failure::Problems),
        None => Ok(None),
    }
}

/// The lock at a path; none when there is no file.
///
/// # Errors
/// When it cannot be read, or is no lock, with the place.
fn read(path: &Path) -> Result<Option<Lock>, Problems> {
    if !path.exists() {
        return Ok(None);
    }
    let source = Source::read(path)?;
    Lock::parse(source.text())
        .map(Some)
        .map_err(|error| mistake(&source, error).into())
}

fn mistake(source: &Source, error: LockError) -> Diagnostic {
    let told = Diagnostic::error("lock::format", error.message)
        .within(source)
        .help("correct it, or delete the file and run `watertight discover` to have it made anew");
    match error.span {
        Some(span) => told.label(span.offset()..span.offset() + span.len(), "here"),
        None => told,
    }
}

/// Puts a lock in its place.
///
/// # Errors
/// When it cannot be written there.
pub(super) fn write(path: &Path, lock: &Lock) -> Result<(), Failure> {
    let text = lock.to_toml().map_err(|error| {
        Failure::Input(format!(
            "an argument cannot be written to {}: {error}\nfix: use --no-lock, and bind the tool in watertight.toml",
            path.display()
        ))
    })?;
    store(path, text.as_bytes()).map_err(|error| {
        Failure::Input(format!(
            "cannot write {}: {error}\nfix: name another place with --lock, or use --no-lock",
            path.display()
        ))
    })
}
