//! The host testbed: one private directory tree per run.
//!
//! Owns the F0 layout (allowed, forbidden sibling, far outside, home, temporary) and its removal.
//! It lies outside `/tmp`, `$TMPDIR`, `$HOME` and the working directory where it can, because
//! servers were measured to allow those silently.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Why there is no testbed.
#[derive(Debug, thiserror::Error)]
pub enum BedError {
    /// No directory could be made.
    #[error("cannot create the testbed in {}: {source}\nfree some space there, or set TMPDIR to a directory that can be written", .parent.display())]
    Create {
        /// Where it was tried last.
        parent: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The shared directory of an attached target cannot be used.
    #[error("cannot use {} as the allowed directory: {why}", .path.display())]
    Shared {
        /// As given.
        path: PathBuf,
        /// In words.
        why: String,
    },
}

/// The directories of a run. Dropped, it removes everything that it created.
#[derive(Debug)]
pub struct Bed {
    /// What the target may use.
    pub allowed: PathBuf,
    /// A forbidden sibling of the allowed directory.
    pub denied: PathBuf,
    /// A forbidden directory far from it.
    pub outside: PathBuf,
    /// The target's home.
    pub home: PathBuf,
    /// The target's directory for temporary files.
    pub tmp: PathBuf,
    /// What the run created as a whole.
    base: TempDir,
    /// What stood beside a shared allowed directory before the run.
    before: Option<BTreeSet<OsString>>,
}

impl Bed {
    /// Makes the directories of a run.
    ///
    /// # Errors
    /// When no temporary directory can be written.
    pub fn create() -> Result<Self, BedError> {
        let base = base_directory()?;
        let path = base.path().to_path_buf();
        let bed = Self {
            allowed: path.join("allowed"),
            denied: path.join("denied"),
            outside: path.join("far/outside"),
            home: path.join("home"),
            tmp: path.join("tmp"),
            base,
            before: None,
        };
        for directory in [&bed.allowed, &bed.denied, &bed.outside, &bed.home, &bed.tmp] {
            fs::create_dir_all(directory).map_err(|source| BedError::Create {
                parent: directory.clone(),
                source,
            })?;
        }
        Ok(bed)
    }

    /// Makes the directories of a run around a directory that a running target already shares with
    /// us. Forbidden siblings are planted beside it under names of their own.
    ///
    /// # Errors
    /// When the directory is missing, is no directory, or its parent cannot be written.
    pub fn around(shared: &Path) -> Result<Self, BedError> {
        let refuse = |why: &str| BedError::Shared {
            path: shared.to_path_buf(),
            why: why.to_owned(),
        };
        let allowed = shared
            .canonicalize()
            .map_err(|error| refuse(&error.to_string()))?;
        if !allowed.is_dir() {
            return Err(refuse("it is no directory"));
        }
        let parent = allowed
            .parent()
            .ok_or_else(|| refuse("it has no parent to plant forbidden siblings in"))?;
        let before = names(parent).map_err(|error| refuse(&error.to_string()))?;
        let base = tempfile::Builder::new()
            .prefix("bed-")
            .tempdir_in(parent)
            .map_err(|error| {
                refuse(&format!(
                    "no forbidden sibling can be planted beside it ({error})"
                ))
            })?;
        open_to_all(base.path()).map_err(|source| BedError::Create {
            parent: parent.to_path_buf(),
            source,
        })?;
        let path = base.path().to_path_buf();
        let bed = Self {
            allowed,
            denied: path.join("denied"),
            outside: path.join("far/outside"),
            home: path.join("home"),
            tmp: path.join("tmp"),
            base,
            before: Some(before),
        };
        for directory in [&bed.denied, &bed.outside, &bed.home, &bed.tmp] {
            fs::create_dir_all(directory).map_err(|source| BedError::Create {
                parent: directory.clone(),
                source,
            })?;
        }
        Ok(bed)
    }

    /// The directory that holds all the others, or for a shared allowed directory all the forbidden ones.
    #[must_use]
    pub fn base(&self) -> &Path {
        self.base.path()
    }

    /// Removes everything. Returns whether nothing of it is left.
    pub fn remove(self) -> bool {
        let path = self.base.path().to_path_buf();
        let beside = self.sweep_siblings();
        // A target may have left directories that refuse to be listed.
        if self.base.close().is_err() {
            make_removable(&path);
            let _ = fs::remove_dir_all(&path);
        }
        beside && !path.exists()
    }

    /// Removes the neighbours that continue the name of a shared allowed directory. Trials plant in
    /// them side by side, so no trial can tell whether another still needs one; what a trial planted
    /// there is its own to remove, and one that stood there before, or is not empty, is not ours.
    fn sweep_siblings(&self) -> bool {
        let (Some(before), Some(parent), Some(own)) = (
            &self.before,
            self.allowed.parent(),
            self.allowed.file_name(),
        ) else {
            return true;
        };
        let Ok(now) = names(parent) else {
            return false;
        };
        now.difference(before)
            .filter(|name| name.as_encoded_bytes().starts_with(own.as_encoded_bytes()))
            .all(|name| fs::remove_dir(parent.join(name)).is_ok())
    }
}

/// The names directly in a directory.
fn names(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect()
}

/// Gives the owner back all rights below `path`, so that it can be removed.
fn make_removable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in walkdir::WalkDir::new(path)
        .into_iter()
        .filter_map(Result::ok)
    {
        if entry.file_type().is_dir() {
            let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700));
        }
    }
}

fn base_directory() -> Result<TempDir, BedError> {
    let avoid: Vec<PathBuf> = [
        std::env::var_os("HOME").map(PathBuf::from),
        std::env::current_dir().ok(),
    ]
    .into_iter()
    .flatten()
    .filter(|path| path.parent().is_some())
    .collect();
    let mut last = None;
    for parent in [PathBuf::from("/var/tmp"), std::env::temp_dir()] {
        let Ok(parent) = parent.canonicalize() else {
            continue;
        };
        let inside = avoid.iter().any(|path| parent.starts_with(path));
        if inside && last.is_none() && parent != std::env::temp_dir() {
            continue;
        }
        match tempfile::Builder::new().prefix("bed-").tempdir_in(&parent) {
            Ok(base) => {
                open_to_all(base.path()).map_err(|source| BedError::Create {
                    parent: parent.clone(),
                    source,
                })?;
                return Ok(base);
            }
            Err(source) => last = Some(BedError::Create { parent, source }),
        }
    }
    Err(last.unwrap_or_else(|| BedError::Create {
        parent: std::env::temp_dir(),
        source: io::Error::from(io::ErrorKind::NotFound),
    }))
}

/// The permissions of the testbed must not be what stops a target that runs as another user: then
/// we would have held the boundary, not the target.
fn open_to_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
