//! Whose testbed a directory is: a lock tells one in use from one that a killed run left behind.
//!
//! Owns the names of testbeds on disk, their lock file, and the removal of directories that resist
//! it. A lock of flock(2) ends with the process that holds it, however it ends, and is not passed on
//! to the target (the descriptor is closed on exec). Knows nothing of what lies in a testbed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::{fs::OFlags, process::geteuid};

/// How names of testbeds begin.
pub(super) const PREFIX: &str = "bed-";

/// The file in a testbed that its owner holds locked. A directory without it is no testbed of ours,
/// whatever its name is.
const LOCK: &str = ".watertight.lock";

/// Locks a fresh testbed for this process. `None` when another run has just swept it away: from the
/// moment the file is there until it is locked, the directory looks abandoned.
pub(super) fn claim(base: &Path) -> io::Result<Option<File>> {
    let path = base.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        // Some network file systems have no locks; nobody can sweep there either.
        Err(TryLockError::Error(_)) => return Ok(Some(file)),
    }
    let mine = file.metadata()?.ino();
    let still = fs::symlink_metadata(&path).is_ok_and(|found| found.ino() == mine);
    Ok(still.then_some(file))
}

/// Removes the testbeds in `parent` whose owner is gone: killed by `SIGKILL`, or with its machine.
/// What cannot be removed stays; nothing that is not ours is touched.
pub(super) fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let named = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        if !named {
            continue;
        }
        let path = entry.path();
        // The lock is held until the directory is gone, so that two sweepers do not meet.
        if let Some(_lock) = abandoned(&path) {
            scrap(&path);
        }
    }
}

/// The lock of a testbed of ours that nobody holds.
fn abandoned(base: &Path) -> Option<File> {
    let ours = |found: &fs::Metadata| found.uid() == geteuid().as_raw();
    let directory = fs::symlink_metadata(base).ok()?;
    if !directory.is_dir() || !ours(&directory) {
        return None;
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(base.join(LOCK))
        .ok()?;
    let found = file.metadata().ok()?;
    (found.is_file() && ours(&found) && file.try_lock().is_ok()).then_some(file)
}

/// Removes a testbed with everything in it, also what a target made unreadable. Links are removed,
/// never followed. Returns whether nothing is left.
pub(super) fn scrap(base: &Path) -> bool {
    // The lock goes last: what is left of an interrupted removal can still be recognised.
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        if entry.file_name() != LOCK {
            remove(&entry.path());
        }
    }
    remove(base);
    fs::symlink_metadata(base).is_err()
}

pub(super) fn remove(path: &Path) {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
    if removed.is_err() {
        unlock(path);
        // Whoever wants to know looks whether it is gone.
        let _ = fs::remove_dir_all(path);
    }
}

/// Gives the owner back all rights on the directories from `top` down.
fn unlock(top: &Path) {
    let mut waiting = vec![top.to_path_buf()];
    while let Some(path) = waiting.pop() {
        if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            continue;
        }
        // One directory that resists is no reason to leave the others.
        let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&path).into_iter().flatten().flatten();
        waiting.extend(entries.map(|entry| entry.path()));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn made(parent: &Path, name: &str) -> std::path::PathBuf {
        let path = parent.join(name);
        fs::create_dir_all(path.join("far/outside")).expect("the directory is ours");
        path
    }

    #[test]
    fn only_testbeds_without_an_owner_are_swept() {
        let parent = tempfile::tempdir().expect("a directory");
        let used = made(parent.path(), "bed-used");
        let lock = claim(&used).expect("it can be locked").expect("it is new");
        let left = made(parent.path(), "bed-left");
        drop(claim(&left).expect("it can be locked"));
        let strange = made(parent.path(), "bed-strange");
        let other = made(parent.path(), "other");
        drop(claim(&other).expect("it can be locked"));
        let linked = parent.path().join("bed-linked");
        symlink(&other, &linked).expect("the directory is ours");

        // A child that a test beside is launching right now holds all locks until it has become its program.
        let swept = |path: &Path| {
            (0..200).any(|_| {
                sweep(parent.path());
                std::thread::sleep(std::time::Duration::from_millis(10));
                !path.exists()
            })
        };
        assert!(swept(&left), "its owner is gone");
        assert!(used.join("far/outside").exists(), "its owner lives");
        assert!(strange.exists(), "it has no lock file, so it is not ours");
        assert!(other.exists(), "its name is not that of a testbed");

        drop(lock);
        assert!(swept(&used), "its owner is gone now");
    }

    #[test]
    fn directories_that_resist_are_removed() {
        let parent = tempfile::tempdir().expect("a directory");
        let base = made(parent.path(), "bed-closed");
        let deep = base.join("far/outside/deep/deeper");
        fs::create_dir_all(&deep).expect("the directory is ours");
        fs::write(deep.join("file"), "text").expect("the directory is ours");
        for closed in [&deep, &base.join("far/outside/deep"), &base.join("far")] {
            fs::set_permissions(closed, fs::Permissions::from_mode(0o000)).expect("it is ours");
        }
        assert!(scrap(&base));
    }

    #[test]
    fn a_removal_does_not_follow_links() {
        let parent = tempfile::tempdir().expect("a directory");
        let elsewhere = made(parent.path(), "elsewhere");
        let base = made(parent.path(), "bed-linking");
        symlink(&elsewhere, base.join("far/link")).expect("the directory is ours");
        symlink(&elsewhere, base.join("link")).expect("the directory is ours");
        assert!(scrap(&base));
        assert!(elsewhere.join("far/outside").exists());
    }
}
