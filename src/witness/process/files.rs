//! Whether a process could write below a directory.
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

/// Who wants to write.
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
            if self.may(&metadata) && !read_only(&next) {
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
    fn may(&self, metadata: &fs::Metadata) -> bool {
        /// `CAP_DAC_OVERRIDE`.
        const OVERRIDE: u64 = 1 << 1;
        let effective = self.status.capabilities.get("CapEff").copied();
        if self.powers && effective.unwrap_or(0) & OVERRIDE != 0 {
            return true;
        }
        let (user, group) = (self.status.users[3], self.status.groups[3]);
        let mode = metadata.mode();
        if metadata.uid() == user {
            mode & 0o200 != 0
        } else if metadata.gid() == group || self.status.more_groups.contains(&metadata.gid()) {
            mode & 0o020 != 0
        } else {
            mode & 0o002 != 0
        }
    }
}

fn read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}
