//! The directories that scenes make, and may share.
//!
//! Owns who made which directory: several scenes plant in the same sibling of the root, and the last one
//! removes it. What stands in them is the scene's business.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Directories that scenes of this process created and that may still stand, compared by bytes, which
/// is much cheaper than by components.
fn made() -> MutexGuard<'static, BTreeSet<OsString>> {
    static MADE: Mutex<BTreeSet<OsString>> = Mutex::new(BTreeSet::new());
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates a directory and its missing parents. Returns which of them scenes created, outermost first:
/// what another scene created it may leave to this one.
pub(super) fn create(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut made = made();
    make(path, &mut made)?;
    let mut used: Vec<PathBuf> = path
        .ancestors()
        .filter(|path| made.contains(path.as_os_str()))
        .map(Path::to_path_buf)
        .collect();
    used.reverse();
    Ok(used)
}

/// Tries before it looks: most often the directory is the one that is missing.
fn make(path: &Path, made: &mut BTreeSet<OsString>) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if matches!(path.components().next_back(), Some(Component::ParentDir)) {
                fs::create_dir_all(path)?;
            } else {
                make(path.parent().ok_or(error)?, made)?;
                match fs::create_dir(path) {
                    // A target made it meanwhile.
                    Err(_) if path.is_dir() => {}
                    other => other?,
                }
            }
        }
        // It stands already, and who made it is known, or it is no scene's.
        Err(_) if path.is_dir() => return Ok(()),
        other => other?,
    }
    made.insert(path.as_os_str().to_owned());
    Ok(())
}

/// Forgets the directories of a testbed that is about to go.
pub(in crate::testbed) fn forget(base: &Path) {
    made().retain(|path| !Path::new(path).starts_with(base));
}

/// Removes a file or link, a directory of the trial with all that is in it, or a directory that
/// nothing else uses any more.
pub(super) fn remove(path: &Path, slug: &str) {
    let mut made = made();
    let own = path.components().any(|part| part.as_os_str() == slug);
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() && own => {
            let _ = fs::remove_dir_all(path);
        }
        Ok(metadata) if metadata.is_dir() => {
            let _ = fs::remove_dir(path);
        }
        Ok(_) => {
            let _ = fs::remove_file(path);
        }
        Err(_) => {}
    }
    if fs::symlink_metadata(path).is_err() {
        made.remove(path.as_os_str());
        // In the order of bytes, what is below a directory follows its name with a slash.
        let below = path.join("").into_os_string();
        let gone: Vec<OsString> = made
            .range(below..)
            .take_while(|known| Path::new(known).starts_with(path))
            .cloned()
            .collect();
        for path in gone {
            made.remove(&path);
        }
    }
}
