//! Looking up paths as a process sees them.
//!
//! Owns the walk below another root directory: absolute links lead where they lead for the process, and a
//! directory that it may not go through ends the way.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{
    AtFlags, Mode, OFlags, ResolveFlags, Stat, StatVfsMountFlags, StatxFlags, fstat, fstatvfs,
    openat2, readlinkat, statx,
};

use super::{
    Read,
    files::{Owned, Wish, Writer},
    read,
};

/// As many links as the kernel follows.
const LINKS: usize = 40;

/// The root directory of a process.
pub(super) struct Root(OwnedFd);

/// What stands at a path.
pub(super) struct Found {
    object: OwnedFd,
    pub(super) stat: Stat,
    /// Without links.
    pub(super) path: PathBuf,
    /// Whether the process may go through all directories on the way.
    pub(super) within_reach: bool,
}

impl Root {
    /// That of a process.
    pub(super) fn of(pid: u32) -> Read<Self> {
        Self::at(&read::place(pid, "root")).map_err(|error| read::told(pid, "root", &error))
    }

    /// A directory as the root.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// The directory itself: device and number.
    pub(super) fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = fstat(&self.0)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    fn open(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.0, path, flags, Mode::empty(), resolve)?)
    }

    /// What stands at a path, following links; nothing where nothing stands.
    pub(super) fn find(&self, path: &Path, who: &Writer<'_>) -> io::Result<Option<Found>> {
        match self.walk(path, who) {
            Ok(found) => Ok(Some(found)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn walk(&self, path: &Path, who: &Writer<'_>) -> io::Result<Found> {
        let mut ahead = parts(path);
        let mut found = Found {
            object: self.open(Path::new("/"))?,
            stat: fstat(&self.0)?,
            path: PathBuf::from("/"),
            within_reach: true,
        };
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            found.within_reach &= who.may(owned(&found.stat), Wish::Enter);
            if part == ".." {
                found.path.pop();
                found.object = self.open(&found.path)?;
                found.stat = fstat(&found.object)?;
                continue;
            }
            let here = found.path.join(&part);
            let object = self.open(&here)?;
            let stat = fstat(&object)?;
            if is(&stat, 0o120_000) {
                links += 1;
                if links > LINKS {
                    return Err(io::Error::from(rustix::io::Errno::LOOP));
                }
                let target = readlinkat(&object, "", Vec::new())?.into_bytes();
                let target = PathBuf::from(OsString::from_vec(target));
                if target.is_absolute() {
                    found.path = PathBuf::from("/");
                    found.object = self.open(&found.path)?;
                    found.stat = fstat(&found.object)?;
                }
                ahead.extend(parts(&target));
                continue;
            }
            (found.path, found.object, found.stat) = (here, object, stat);
        }
        Ok(found)
    }
}

/// The components of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        _ => None,
    });
    named.rev().map(OsStr::to_os_string).collect()
}

fn owned(stat: &Stat) -> Owned {
    Owned {
        user: stat.st_uid,
        group: stat.st_gid,
        mode: stat.st_mode,
    }
}

fn is(stat: &Stat, kind: u32) -> bool {
    stat.st_mode & 0o170_000 == kind
}

impl Found {
    pub(super) fn socket(&self) -> bool {
        is(&self.stat, 0o140_000)
    }

    pub(super) fn block_device(&self) -> bool {
        is(&self.stat, 0o060_000)
    }

    /// Whether the process may, as far as modes and mounts say.
    pub(super) fn permits(&self, who: &Writer<'_>, wish: Wish) -> io::Result<bool> {
        Ok(self.within_reach
            && who.may(owned(&self.stat), wish)
            && (wish != Wish::Write || !self.read_only()?))
    }

    fn read_only(&self) -> io::Result<bool> {
        // A socket is connected to and a device is opened whatever its mount says of writing.
        let passive = self.socket() || self.block_device();
        let flags = fstatvfs(&self.object)?.f_flag;
        Ok(!passive && flags.contains(StatVfsMountFlags::RDONLY))
    }

    /// Whether it is seen through the mount of that number.
    pub(super) fn on(&self, mount: u64) -> io::Result<bool> {
        let found = statx(&self.object, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
        Ok(found.stx_mnt_id == mount)
    }

    /// The names in a directory.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let listed = std::fs::read_dir(self.magic())?;
        Ok(listed.flatten().map(|entry| entry.file_name()).collect())
    }

    /// Opens it for reading, under the flags of its mount.
    pub(super) fn opened(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(File::from(rustix::fs::open(
            self.magic(),
            flags,
            Mode::empty(),
        )?))
    }

    /// The link of `/proc` that leads to it.
    fn magic(&self) -> PathBuf {
        use std::os::fd::AsRawFd as _;
        PathBuf::from(format!("/proc/self/fd/{}", self.object.as_raw_fd()))
    }
}

#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::{
        fs,
        os::unix::fs::{self as unix, MetadataExt as _, PermissionsExt as _},
    };

    use super::*;
    use crate::witness::process::Status;

    #[test]
    fn links_lead_where_they_lead_for_the_process() {
        let bed = tempfile::tempdir().unwrap();
        let at = |path: &str| bed.path().join(path);
        fs::create_dir_all(at("run/inner")).unwrap();
        fs::create_dir(at("var")).unwrap();
        fs::write(at("run/inner/file"), "x").unwrap();
        unix::symlink("/run", at("var/run")).unwrap();
        unix::symlink("../../run/./inner", at("run/inner/again")).unwrap();
        unix::symlink("round", at("round")).unwrap();
        let own = fs::metadata(bed.path()).unwrap();
        let status = Status {
            users: [own.uid(); 4],
            groups: [own.gid(); 4],
            ..Status::default()
        };
        let who = Writer {
            status: &status,
            powers: false,
        };
        let root = Root::at(bed.path()).unwrap();
        let find = |path: &str| root.find(Path::new(path), &who);
        for path in [
            "/var/run/inner/file",
            "/var/run/inner/again/file",
            "/../../run/inner/file",
        ] {
            let found = find(path).unwrap().unwrap();
            assert_eq!(found.path, Path::new("/run/inner/file"), "{path}");
            assert!(found.permits(&who, Wish::Write).unwrap());
        }
        // What is there for us only.
        assert!(find("/etc/passwd").unwrap().is_none());
        assert!(find("/run/inner/file/below").unwrap().is_none());
        assert!(find("/round").is_err());
        let other = Status {
            users: [own.uid() + 1; 4],
            groups: [own.gid() + 1; 4],
            ..Status::default()
        };
        let other = Writer {
            status: &other,
            powers: false,
        };
        let shut = fs::Permissions::from_mode(0o700);
        fs::set_permissions(at("run"), shut).unwrap();
        let found = root.find(Path::new("/run/inner/file"), &other);
        assert!(!found.unwrap().unwrap().within_reach);
    }
}
