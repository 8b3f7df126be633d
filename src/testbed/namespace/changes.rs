//! The upper layers, read back: the list of all writes.
//!
//! Owns what an entry of an overlay means. A file that was only opened for writing counts as
//! modified: the overlay copies it then.

use std::{
    fs,
    os::{fd::AsRawFd as _, unix::fs::FileTypeExt as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use super::{Disk, caps, raised, wire::Wire};

/// A write, by whomever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub kind: ChangeKind,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// There is something that the real disk has not.
    Created,
    /// There is another content, or other permissions.
    Modified,
    /// There is nothing any more.
    Removed,
}

pub(super) fn changes(disk: &Disk, wire: &Wire) -> Vec<Change> {
    let mut found = raised(caps::FILES, || entries(disk));
    found.retain(|(path, _)| !disk.is_made(path) && !path.starts_with(&disk.beds));
    let paths = found.iter().map(|(path, _)| path.clone()).collect();
    // Without an answer everything counts as modified.
    let real = wire.look(paths).unwrap_or_default();
    let mut changes: Vec<Change> = found
        .into_iter()
        .enumerate()
        .filter_map(|(index, (path, entry))| {
            let existed = real.get(index).copied().unwrap_or(true);
            let kind = match (entry, existed) {
                (Entry::Whiteout, true) => ChangeKind::Removed,
                // Made and removed again.
                (Entry::Whiteout, false) => return None,
                // A directory that leads to a change.
                (Entry::Directory, true) => return None,
                (Entry::Directory | Entry::Other, false) => ChangeKind::Created,
                (Entry::Other, true) => ChangeKind::Modified,
            };
            Some(Change { path, kind })
        })
        .collect();
    changes.sort();
    changes
}

#[derive(Debug, Clone, Copy)]
enum Entry {
    Whiteout,
    Directory,
    Other,
}

fn entries(disk: &Disk) -> Vec<(PathBuf, Entry)> {
    let uppers = PathBuf::from(format!("/proc/self/fd/{}", disk.uppers.as_raw_fd()));
    let mut found = Vec::new();
    for area in &disk.areas {
        let base = match &area.upper {
            Some(name) => uppers.join(name),
            None => area.at.clone(),
        };
        found.extend(walk(&base, &area.at));
    }
    // What lies in no area lies in the root itself, or in directories that lead to areas.
    found.extend(walk(Path::new("/"), Path::new("/")));
    found
}

/// Everything in a layer, without other file systems mounted in it.
fn walk(base: &Path, at: &Path) -> Vec<(PathBuf, Entry)> {
    WalkDir::new(base)
        .min_depth(1)
        .same_file_system(true)
        .into_iter()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let path = at.join(entry.path().strip_prefix(base).ok()?);
            // A mount on the layer has its own list.
            let found = entry.metadata().ok()?;
            let kind = if found.file_type().is_char_device() && found.rdev() == 0 {
                Entry::Whiteout
            } else if found.is_dir() {
                Entry::Directory
            } else {
                Entry::Other
            };
            Some((path, kind))
        })
        .collect()
}

/// Looks what of the paths is there, without following links.
pub(super) fn look(paths: &[PathBuf]) -> Vec<bool> {
    paths
        .iter()
        .map(|path| fs::symlink_metadata(path).is_ok())
        .collect()
}
