//! The figure of the last self-test, kept between runs.
//!
//! Owns its file in the user's cache directory. It counts only for the very program that made it:
//! another build has to prove itself again.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};

use crate::report::{Calibration, write::store};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    program: Program,
    calibration: Calibration,
}

/// What tells one build from another without reading all of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    path: PathBuf,
    size: u64,
    modified_s: u64,
}

/// The figure of this program on this machine, if it was made.
pub(super) fn recall() -> Option<Calibration> {
    let kept: Kept = serde_json::from_slice(&fs::read(file()?).ok()?).ok()?;
    (kept.program == program()?).then_some(kept.calibration)
}

/// Keeps the figure. Where there is no cache directory, reports go without it.
pub(super) fn keep(calibration: &Calibration) {
    let (Some(file), Some(program)) = (file(), program()) else {
        return;
    };
    let kept = Kept {
        program,
        calibration: calibration.clone(),
    };
    if let Ok(text) = serde_json::to_vec(&kept) {
        let _ = store(&file, &text);
    }
}

fn file() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    cache
        .is_absolute()
        .then(|| cache.join("watertight").join("self-test.json"))
}

fn program() -> Option<Program> {
    let path: PathBuf = std::env::current_exe().ok()?;
    let metadata = fs::metadata(Path::new(&path)).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Program {
        path,
        size: metadata.len(),
        modified_s: modified.as_secs(),
    })
}
