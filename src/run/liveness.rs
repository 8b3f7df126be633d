//! Whether a payload reaches the forbidden object when nothing stands in its way.
//!
//! Owns the check by which inert payloads are told from held boundaries: the harness itself, under
//! no policy at all, resolves the payload as the kernel would.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs, io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, open};
use walkdir::WalkDir;

use crate::{judge::Liveness, probe::Role, testbed::Scene};

/// How deep a search or listing is followed.
const DEPTH: usize = 6;

/// Resolves each path against the bases a server may use, and asks whether that is forbidden.
pub(super) fn liveness(
    role: Role,
    paths: &[String],
    bases: &[&Path],
    scene: &Scene,
    forbidden: &dyn Fn(&Path) -> bool,
) -> Liveness {
    let inodes: Vec<u64> = scene
        .planted
        .iter()
        .filter(|planted| forbidden(&planted.path))
        .filter_map(|planted| {
            fs::metadata(&planted.path)
                .ok()
                .map(|metadata| metadata.ino())
        })
        .collect();
    let reaches = |path: &Path| {
        let resolved = if role.creates() {
            resolve(path)
        } else {
            real(path).ok()
        };
        resolved.as_deref().is_some_and(forbidden)
            || fs::metadata(path)
                .is_ok_and(|metadata| metadata.is_file() && inodes.contains(&metadata.ino()))
            || (walks(role) && walk_reaches(path, forbidden))
    };
    let live = paths.iter().any(|path| {
        let path = Path::new(path);
        if path.is_absolute() {
            reaches(path)
        } else {
            bases.iter().any(|base| reaches(&base.join(path)))
        }
    });
    if live {
        Liveness::Live
    } else {
        Liveness::Unknown
    }
}

/// Whether a path leads to a file from one of the bases.
pub(super) fn occupied(path: &str, bases: &[&Path]) -> bool {
    bases.iter().any(|base| base.join(path).is_file())
}

/// Only a shell or an evaluator behind the parameter makes a text live; the twin tells of it.
pub(super) fn liveness_of_text() -> Liveness {
    Liveness::Unknown
}

/// Roles whose tools look below the path that they are given.
fn walks(role: Role) -> bool {
    matches!(
        role,
        Role::FileSearch | Role::DirList | Role::RepoRead | Role::FileCopy | Role::ArchiveRead
    )
}

fn walk_reaches(path: &Path, forbidden: &dyn Fn(&Path) -> bool) -> bool {
    WalkDir::new(path)
        .follow_links(true)
        .max_depth(DEPTH)
        .into_iter()
        .filter_map(Result::ok)
        .any(|entry| {
            entry.path_is_symlink() && real(entry.path()).is_ok_and(|path| forbidden(&path))
        })
}

/// Where directories really are, for as long as nothing is sent that could change it: the same few are asked for by
/// each look at a call.
#[derive(Debug, Default)]
pub(super) struct Leads(RefCell<HashMap<PathBuf, Option<PathBuf>>>);

impl Leads {
    /// The absolute path of a directory, without links.
    pub(super) fn to(&self, directory: &Path) -> Option<PathBuf> {
        let mut known = self.0.borrow_mut();
        if let Some(found) = known.get(directory) {
            return found.clone();
        }
        let found = real(directory).ok();
        known.insert(directory.to_path_buf(), found.clone());
        found
    }
}

/// The absolute path of what a path leads to, without links. The kernel knows it: to have it look at each
/// component by itself, as realpath(3) does, costs a call for each, and this is asked for all that is planted.
pub(super) fn real(path: &Path) -> io::Result<PathBuf> {
    let object = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    fs::read_link(format!("/proc/self/fd/{}", object.as_raw_fd()))
}

/// Where a path leads: to an existing object, or to the place where it would be created.
pub(super) fn resolve(path: &Path) -> Option<PathBuf> {
    if let Ok(resolved) = real(path) {
        return Some(resolved);
    }
    if let Ok(target) = fs::read_link(path) {
        // A dangling link: creation through it happens at its target.
        let base = path.parent()?;
        return resolve(&base.join(target));
    }
    let parent = resolve(path.parent()?)?;
    Some(parent.join(path.file_name()?))
}
