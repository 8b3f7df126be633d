//! The defective ways of finding a repository.

use std::fs;
use std::path::{Path, PathBuf};

use super::joined;
use crate::reference::refusal::Refusal;
use crate::reference::world::World;

/// [`Flaw::RepoUnchecked`](crate::reference::Flaw::RepoUnchecked): the nearest `.git` in a directory or above it.
pub(in crate::reference) fn git_above(world: &World, requested: &str) -> Result<PathBuf, Refusal> {
    let path = joined(world, requested).canonicalize()?;
    path.ancestors()
        .map(|directory| directory.join(".git"))
        .find(|git| git.is_dir())
        .ok_or(Refusal::NotFound)
}

/// [`Flaw::Gitdir`](crate::reference::Flaw::Gitdir): the directory that a `.git` file names, wherever it is.
pub(in crate::reference) fn git_redirected(repository: &Path) -> PathBuf {
    let git = repository.join(".git");
    match fs::read_to_string(&git) {
        Ok(redirect) => {
            let target = redirect.trim();
            repository.join(target.strip_prefix("gitdir:").unwrap_or(target).trim())
        }
        Err(_) => git,
    }
}

/// [`Flaw::Gitdir`](crate::reference::Flaw::Gitdir): the directories of objects that a repository borrows from.
pub(in crate::reference) fn alternates(git: &Path) -> Vec<PathBuf> {
    let objects = git.join("objects");
    fs::read_to_string(objects.join("info/alternates"))
        .unwrap_or_default()
        .lines()
        .map(|line| objects.join(line.trim()))
        .collect()
}
