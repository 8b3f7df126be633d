//! The mounts of a process, as far as it matters where they come from.
//!
//! Owns proc_pid_mountinfo(5) for that. What is behind a mount is not looked at here.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{Read, read};
use crate::testbed::unescaped;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Its number, by which what is covered by another one is told.
    pub(super) id: u64,
    /// `major:minor` of its file system.
    device: Vec<u8>,
    /// What of the file system is mounted.
    pub(super) root: PathBuf,
    /// Where.
    pub(super) point: PathBuf,
    /// `ext4`, `cgroup2` and so on.
    pub(super) system: String,
}

impl Mount {
    /// Whether another one shows the same directory or file.
    pub(super) fn same(&self, other: &Self) -> bool {
        (&self.device, &self.root) == (&other.device, &other.root)
    }

    /// Where below this mount stands what another one shows.
    pub(super) fn inner<'o>(&self, other: &'o Self) -> Option<&'o Path> {
        let same = self.device == other.device;
        other.root.strip_prefix(&self.root).ok().filter(|_| same)
    }
}

/// All mounts of a process.
///
/// # Errors
/// When they cannot be read.
pub(super) fn mounts(pid: u32) -> Read<Vec<Mount>> {
    let bytes = fs::read(read::place(pid, "mountinfo"))
        .map_err(|error| read::told(pid, "mountinfo", &error))?;
    let found = parse(&bytes);
    match found.is_empty() {
        true => Err(format!("/proc/{pid}/mountinfo tells no mount")),
        false => Ok(found),
    }
}

fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n')
        .filter_map(mount)
        .collect()
}

/// `id parent major:minor root point options [tags] - type source super-options`
fn mount(line: &[u8]) -> Option<Mount> {
    let path = |field: &[u8]| PathBuf::from(OsStr::from_bytes(&unescaped(field)));
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let device = fields.nth(1)?.to_vec();
    let (root, point) = (path(fields.next()?), path(fields.next()?));
    let system = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount {
        id,
        device,
        root,
        point,
        system: String::from_utf8_lossy(system).into_owned(),
    })
}

/// The mount that a path lies on: the innermost, and of several at one point the last.
pub(super) fn holding<'m>(mounts: &'m [Mount], path: &Path) -> Option<&'m Mount> {
    mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_what_they_show() {
        let found = parse(
            b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            91 22 0:30 /docker.sock /x\\040y.sock rw master:1 - tmpfs tmpfs rw\n\
            garbage\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].id, 91);
        assert_eq!(found[1].point, Path::new("/x y.sock"));
        assert_eq!(found[1].root, Path::new("/docker.sock"));
        assert_eq!((&*found[0].system, &*found[1].system), ("ext4", "tmpfs"));
        assert!(!found[0].same(&found[1]));
        let over = holding(&found, Path::new("/x y.sock")).expect("it lies on one");
        assert_eq!(over.id, 91);
        let over = holding(&found, Path::new("/x y.sock2")).expect("it lies on one");
        assert_eq!(over.id, 22);
    }
}
