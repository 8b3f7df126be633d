//! What a process may do with a file, and whether it could write below a directory.
//!
//! Owns the reckoning by owner, group and mode, as access(2) reckons for a user, and by read-only
//! mounts. Access lists are not looked at. Nothing is written.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::{Read, Status};

/// Files that are looked at below one path: a large installation has some tens of thousands.
const MOST: usize = 200_000;

/// What may be done, as a bit of a mode for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Read = 0o4,
    Write = 0o2,
    /// Execute a file, or go through a directory.
    Enter = 0o1,
}

/// Whose a file is, and who may do what with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owned {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) mode: u32,
}

impl From<&fs::Metadata> for Owned {
    fn from(metadata: &fs::Metadata) -> Self {
        Self {
            user: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode(),
        }
    }
}

/// Who wants to.
pub(super) struct Writer<'s> {
    pub(super) status: &'s Status,
    /// Whether its capabilities count for files of ours.
    pub(super) powers: bool,
}

impl Writer<'_> {
    /// The first of `path` and all below it that can be written, seen through `root`, the root
    /// directory of the process.
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) fn writable(&self, root: &Path, path: &Path) -> Read<Option<PathBuf>> {
        let told = |path: &Path, error: io::Error| {
            format!("{} cannot be looked at: {error}", path.display())
        };
        let seen = root.join(path.strip_prefix("/").unwrap_or(path));
        let mut queue = vec![seen.clone()];
        let mut looked = 0;
        while let Some(next) = queue.pop() {
            looked += 1;
            if looked > MOST {
                return Err(format!(
                    "{} holds more than {MOST} files: name the directories that matter",
                    path.display()
                ));
            }
            let metadata = fs::symlink_metadata(&next).map_err(|error| told(path, error))?;
            // A link has no mode; what it leads to is named by itself if it matters.
            if metadata.is_symlink() {
                continue;
            }
            if self.may(Owned::from(&metadata), Wish::Write) && !read_only(&next) {
                let inside = next.strip_prefix(&seen).unwrap_or(Path::new(""));
                return Ok(Some(path.join(inside)));
            }
            if metadata.is_dir() {
                let entries = fs::read_dir(&next).map_err(|error| told(&next, error))?;
                queue.extend(entries.flatten().map(|entry| entry.path()));
            }
        }
        Ok(None)
    }

    /// By the effective ids, as the kernel decides.
    pub(super) fn may(&self, file: Owned, wish: Wish) -> bool {
        /// `CAP_DAC_OVERRIDE`.
        const OVERRIDE: u64 = 1 << 1;
        let effective = self.status.capabilities.get("CapEff").copied();
        let powerful = self.powers && effective.unwrap_or(0) & OVERRIDE != 0;
        let directory = file.mode & 0o170_000 == 0o040_000;
        // A file that nobody may execute is executed by nobody.
        if powerful && (wish != Wish::Enter || directory || file.mode & 0o111 != 0) {
            return true;
        }
        let (user, group) = (self.status.users[3], self.status.groups[3]);
        let bit = wish as u32;
        if file.user == user {
            file.mode & (bit << 6) != 0
        } else if file.group == group || self.status.more_groups.contains(&file.group) {
            file.mode & (bit << 3) != 0
        } else {
            file.mode & bit != 0
        }
    }
}

fn read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}
