//! The host testbed: one private directory tree per run.
//!
//! Owns the F0 layout (allowed, forbidden sibling, far outside, home, temporary) and its removal.
//! It lies outside `/tmp`, `$TMPDIR`, `$HOME` and the working directory where it can, because
//! servers were measured to allow those silently.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FallocateFlags, fallocate};
use walkdir::WalkDir;

use super::{Litter, namespace::Bottle, owner, scene};

/// Bytes that must be free where a testbed is made: what the plants of a run were measured to need,
/// with room for what a target writes. Without it every plant would fail on its own, one by one.
const ROOM: u64 = 8 << 20;

/// Why there is no testbed.
#[derive(Debug, thiserror::Error)]
pub enum BedError {
    /// No directory could be made.
    #[error("no testbed can be made:{}\nfix: free some space there, or set TMPDIR to a directory that can be written", reasons(.tried))]
    Create {
        /// Where it was tried, and what the system said.
        tried: Vec<(PathBuf, io::Error)>,
    },
    /// The shared directory of an attached target cannot be used.
    #[error("{} cannot be the allowed directory: {why}\nfix: give a directory to --allowed whose parent can be written; forbidden siblings are planted there", .path.display())]
    Shared {
        /// As given.
        path: PathBuf,
        /// In words.
        why: String,
    },
}

fn reasons(tried: &[(PathBuf, io::Error)]) -> String {
    tried.iter().fold(String::new(), |mut text, (path, why)| {
        let _infallible = write!(text, "\n  {}: {why}", path.display());
        text
    })
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
    base: PathBuf,
    /// Where the places of trials that are over wait for removal: beside the base, so that no target finds
    /// them on its way from one place to another. None around a shared directory.
    aside: Option<(PathBuf, File)>,
    /// What calls make in a shared directory.
    litter: Option<Arc<Litter>>,
    /// Says that the testbed is in use, as long as it is open.
    _lock: File,
}

impl Bed {
    /// Makes the directories of a run: in `/var/tmp`, else in the directory for temporary files
    /// that `TMPDIR` names. Testbeds that killed runs left there are removed first.
    ///
    /// # Errors
    /// When neither can be written, or has room for a testbed.
    pub fn create() -> Result<Self, BedError> {
        let mut tried = Vec::new();
        for parent in parents() {
            owner::sweep(&parent);
            match lay_out(&parent, None) {
                Ok(bed) => return Ok(bed),
                Err(error) => tried.push((parent, error)),
            }
        }
        Err(BedError::Create { tried })
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
        // In a bottle there is a directory for it beside the allowed one.
        let parent = Bottle::around().map_or(parent, Bottle::beds).to_path_buf();
        owner::sweep(&parent);
        lay_out(&parent, Some(allowed)).map_err(|error| {
            refuse(&format!(
                "no forbidden siblings can be planted in {} ({error})",
                parent.display()
            ))
        })
    }

    /// Makes a testbed in a directory of the user's, who looks after it.
    ///
    /// # Errors
    /// What the system said.
    pub fn create_in(parent: &Path) -> io::Result<Self> {
        lay_out(parent, None)
    }

    /// Copies what is in a directory into the allowed one: directories, files with their modes, and symbolic links
    /// as they are.
    ///
    /// # Errors
    /// What the system said, with the path; also for anything else that is in it, such as a named pipe.
    pub fn furnish(&self, from: &Path) -> io::Result<()> {
        for entry in WalkDir::new(from).min_depth(1) {
            let entry = entry?;
            let path = entry.path();
            let told = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            let rest = path.strip_prefix(from).unwrap_or(path);
            let to = self.allowed.join(rest);
            let kind = entry.file_type();
            if kind.is_dir() {
                fs::create_dir(&to).map_err(told)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(path).map_err(told)?;
                symlink(target, &to).map_err(told)?;
            } else if kind.is_file() {
                fs::copy(path, &to).map_err(told)?;
            } else {
                return Err(told(io::Error::other("it is no file, directory or link")));
            }
        }
        Ok(())
    }

    /// The directory that holds all the others, or for a shared allowed directory all the forbidden ones.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Where the places of trials that are over are moved to instead of being removed one by one. None
    /// around a shared directory, which may lie on another file system than its parent.
    #[must_use]
    pub fn aside(&self) -> Option<&Path> {
        self.aside.as_ref().map(|(path, _)| path.as_path())
    }

    /// Hears what is sent, of a shared allowed directory, so that what is made of it there can be removed.
    #[must_use]
    pub fn litter(&self) -> Option<Arc<Litter>> {
        self.litter.clone()
    }

    /// Removes everything. Returns whether nothing of it is left.
    #[must_use = "what is left of a testbed must be told"]
    pub fn remove(self) -> bool {
        self.scrap()
    }

    fn scrap(&self) -> bool {
        scene::forget(&self.base);
        let clean = self.litter.as_ref().is_none_or(|litter| litter.clear());
        let clean = owner::scrap(&self.base) && clean;
        self.aside().is_none_or(owner::scrap) && clean
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.scrap();
    }
}

/// Makes a testbed in `parent`, around a shared allowed directory or with one of its own. Nothing
/// is left of one that could not be completed.
fn lay_out(parent: &Path, shared: Option<PathBuf>) -> io::Result<Bed> {
    let (base, lock) = fresh(parent)?;
    let mut bed = Bed {
        allowed: shared.clone().unwrap_or_else(|| base.join("allowed")),
        denied: base.join("denied"),
        outside: base.join("far/outside"),
        home: base.join("home"),
        tmp: base.join("tmp"),
        base,
        aside: None,
        litter: None,
        _lock: lock,
    };
    room(&bed.base)?;
    // The permissions of the testbed must not be what stops a target that runs as another user:
    // then we would have held the boundary, not the target.
    fs::set_permissions(&bed.base, fs::Permissions::from_mode(0o755))?;
    for directory in [&bed.denied, &bed.outside, &bed.home, &bed.tmp] {
        fs::create_dir_all(directory)?;
    }
    if shared.is_some() {
        bed.litter = Some(Arc::new(Litter::look(&bed.allowed)?));
    } else {
        fs::create_dir(&bed.allowed)?;
        bed.aside = Some(fresh(parent)?);
    }
    Ok(bed)
}

/// A new directory under a name of its own, locked.
fn fresh(parent: &Path) -> io::Result<(PathBuf, File)> {
    /// Another run can be faster only while it sweeps, and sweeps once.
    const TRIES: usize = 16;
    for _ in 0..TRIES {
        // Small letters only: a path with capitals looks like base 64 to whoever looks for that in answers.
        let word: String = (0..6).map(|_| fastrand::lowercase()).collect();
        let made = tempfile::Builder::new()
            .prefix(&format!("{}{word}", owner::PREFIX))
            .rand_bytes(0)
            .tempdir_in(parent);
        let made = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        };
        match owner::claim(made.path()) {
            Ok(Some(lock)) => return Ok((made.keep(), lock)),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Whether there is room for what will be planted. File systems that cannot say so are believed.
fn room(base: &Path) -> io::Result<()> {
    let file = tempfile::tempfile_in(base)?;
    match fallocate(&file, FallocateFlags::empty(), 0, ROOM) {
        Err(error) if matches!(error, rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
            Err(io::Error::new(
                error.kind(),
                format!("{error}; it needs {} MiB", ROOM >> 20),
            ))
        }
        _ => Ok(()),
    }
}

/// Where a testbed may be made, best first: not below the home or the working directory.
fn parents() -> Vec<PathBuf> {
    if let Some(bottle) = Bottle::around() {
        return vec![bottle.beds().to_path_buf()];
    }
    let avoid: Vec<PathBuf> = [
        std::env::var_os("HOME").map(PathBuf::from),
        std::env::current_dir().ok(),
    ]
    .into_iter()
    .flatten()
    .filter(|path| path.parent().is_some())
    .collect();
    let mut parents: Vec<PathBuf> = [PathBuf::from("/var/tmp"), std::env::temp_dir()]
        .into_iter()
        // One that does not exist is kept, so that the message names it.
        .map(|parent| parent.canonicalize().unwrap_or(parent))
        .collect();
    parents.dedup();
    parents.sort_by_key(|parent| avoid.iter().any(|path| parent.starts_with(path)));
    parents
}
