//! The mounts of a process, and from one table of them to another.
//!
//! Owns proc_pid_mountinfo(5) as far as paths need it. Says where an object of one table may be found
//! by another; whether it is there is for the caller to look.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::testbed::unescaped;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    /// `major:minor` of its file system.
    device: Vec<u8>,
    /// What of the file system is mounted.
    root: PathBuf,
    /// Where.
    point: PathBuf,
    read_only: bool,
}

/// The mounts of a process, in the order in which they cover each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table(Vec<Mount>);

/// Where an object may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) read_only: bool,
}

impl Table {
    /// The mounts of the process whose directory in /proc is given.
    pub(super) fn of(process: &Path) -> io::Result<Self> {
        Ok(Self::parse(&fs::read(process.join("mountinfo"))?))
    }

    fn parse(text: &[u8]) -> Self {
        let lines = text.split(|byte| *byte == b'\n');
        Self(lines.filter_map(mount).collect())
    }

    /// The mount that a path lies on: the innermost, and of several at one point the last.
    fn mount_of(&self, path: &Path) -> Option<&Mount> {
        let holding = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        holding.max_by_key(|mount| mount.point.components().count())
    }

    /// Whether a path lies on a mount that cannot be written.
    pub(super) fn read_only(&self, path: &Path) -> bool {
        self.mount_of(path).is_some_and(|mount| mount.read_only)
    }

    /// Where an object that this table has at `path` may be by another table, the likeliest first.
    pub(super) fn in_other(&self, path: &Path, other: &Self) -> Vec<Candidate> {
        let Some(own) = self.mount_of(path) else {
            return Vec::new();
        };
        let within = join(&own.root, path.strip_prefix(&own.point).unwrap_or(path));
        let alike = other
            .0
            .iter()
            .rev()
            .filter(|mount| mount.device == own.device);
        alike
            .filter_map(|mount| {
                let rest = within.strip_prefix(&mount.root).ok()?;
                let path = join(&mount.point, rest);
                // What covers it may be another mount, with other options.
                let read_only = other.read_only(&path);
                Some(Candidate { path, read_only })
            })
            .collect()
    }
}

/// Joins without a slash at the end.
fn join(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() {
        base.to_path_buf()
    } else {
        base.join(rest)
    }
}

/// `id parent major:minor root point options [tags] - type source super-options`
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let device = fields.next()?.to_vec();
    let path = |field: &[u8]| PathBuf::from(OsStr::from_bytes(&unescaped(field)));
    let (root, point) = (path(fields.next()?), path(fields.next()?));
    let options = fields.next()?;
    let of_system = fields
        .skip_while(|field| *field != b"-")
        .nth(3)
        .unwrap_or_default();
    let forbids = |options: &[u8]| options.split(|byte| *byte == b',').any(|one| one == b"ro");
    Some(Mount {
        device,
        root,
        point,
        read_only: forbids(options) || forbids(of_system),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        30 22 0:30 / /var/tmp/beds rw - tmpfs tmpfs rw\n\
        31 22 0:31 /@home /home rw - btrfs /dev/sdb rw,subvol=/@home\n";

    fn found(path: &str, theirs: &[u8]) -> Vec<(String, bool)> {
        let candidates = Table::parse(OURS).in_other(Path::new(path), &Table::parse(theirs));
        candidates
            .into_iter()
            .map(|one| (one.path.display().to_string(), one.read_only))
            .collect()
    }

    #[test]
    fn a_directory_is_found_where_it_is_mounted() {
        let theirs = b"90 89 0:44 / / rw - tmpfs tmpfs rw\n\
            91 90 8:1 /usr /usr ro - ext4 /dev/sda1 rw\n\
            92 90 0:30 /bed-a/allowed /work rw - tmpfs tmpfs rw\n\
            93 90 0:30 /bed-a/allowed /read\\040only rw - tmpfs tmpfs ro\n\
            94 90 0:31 /@home/me /me rw - btrfs /dev/sdb rw\n";
        assert_eq!(
            found("/var/tmp/beds/bed-a/allowed/x/y", theirs),
            [("/read only/x/y".into(), true), ("/work/x/y".into(), false)]
        );
        assert_eq!(found("/var/tmp/beds/bed-a/allowed", theirs)[1].0, "/work");
        assert_eq!(
            found("/usr/bin/env", theirs),
            [("/usr/bin/env".into(), true)]
        );
        assert_eq!(found("/home/me/key", theirs), [("/me/key".into(), false)]);
        // Beside what is mounted, and a name that only begins alike.
        assert_eq!(found("/var/tmp/beds/bed-a/denied/x", theirs), []);
        assert_eq!(found("/var/tmp/beds/bed-a/allowed2/x", theirs), []);
        assert_eq!(found("/etc/shadow", theirs), []);
    }

    #[test]
    fn the_last_of_stacked_mounts_is_the_one_that_counts() {
        let theirs = b"90 89 8:1 / / ro - ext4 /dev/sda1 rw\n\
            91 90 0:30 / /var/tmp/beds ro - tmpfs tmpfs rw\n\
            92 91 0:30 /bed-a/allowed /var/tmp/beds/bed-a/allowed rw - tmpfs tmpfs rw\n";
        let seen = found("/var/tmp/beds/bed-a/allowed/x", theirs);
        assert_eq!(seen[0], ("/var/tmp/beds/bed-a/allowed/x".into(), false));
        let seen = found("/var/tmp/beds/bed-a/denied/x", theirs);
        assert_eq!(seen, [("/var/tmp/beds/bed-a/denied/x".into(), true)]);
    }

    #[test]
    fn what_is_no_mount_is_passed_over() {
        assert_eq!(Table::parse(b"\ngarbage\n1 2 3\n"), Table::default());
    }
}
