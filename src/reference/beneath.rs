//! File operations that stay beneath a directory descriptor, whatever is swapped meanwhile.
//!
//! Owns the system calls. Must not know policies: what may be opened is decided in [`super::guard`], on a
//! canonical path; here that very path is opened, without following any link, so that a component which became a
//! link after the decision is an error instead of a way out.
//!
//! On Linux `openat2(2)` does this in the kernel. Where it is missing (older kernels, seccomp filters, other
//! Unix systems) the path is walked one component at a time with `O_NOFOLLOW`, which is as strict.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

/// Flags that every open here carries: descriptors stay private, and no open waits for a peer or takes a terminal.
const QUIET: OFlags = OFlags::CLOEXEC
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// The bits that a replaced file hands on: not set-user-id and its like.
const PERMISSIONS: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

/// What a new file may be at most; the process's mask takes from it.
pub(super) const NEW_FILE: Mode = Mode::RUSR
    .union(Mode::WUSR)
    .union(Mode::RGRP)
    .union(Mode::ROTH);

/// A directory opened once, whose canonical path is known.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    directory: Directory,
}

impl Root {
    /// Opens `path` as a root.
    ///
    /// # Errors
    /// When the path does not exist, or is not a directory.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let fd = rustix::fs::open(
            &path,
            QUIET | OFlags::RDONLY | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        Ok(Self {
            path,
            directory: Directory(fd),
        })
    }

    /// The canonical path that the root had when it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file at the canonical path `relative` for reading; a link anywhere in it is an error.
    ///
    /// # Errors
    /// Those of `openat2(2)`; `ELOOP` when a component is a link.
    pub(super) fn open_file(&self, relative: &Path) -> io::Result<File> {
        Ok(File::from(
            self.directory.open_at(relative, OFlags::RDONLY)?,
        ))
    }

    /// Opens the directory at the canonical path `relative` (empty: the root itself).
    ///
    /// # Errors
    /// As for [`Root::open_file`].
    pub(super) fn open_directory(&self, relative: &Path) -> io::Result<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        Ok(Directory(self.directory.open_at(relative, flags)?))
    }
}

/// What an entry of a directory is, without following it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Directory,
    Link,
    Other,
}

/// The status of an entry, without following it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) kind: EntryKind,
    /// Bytes.
    pub(super) size: u64,
    /// Whether the file has more than one name.
    pub(super) shared: bool,
    /// Permission bits.
    pub(super) mode: Mode,
}

impl From<Stat> for Status {
    fn from(stat: Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        };
        Self {
            kind,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            shared: stat.st_nlink > 1,
            mode: Mode::from_raw_mode(stat.st_mode) & PERMISSIONS,
        }
    }
}

/// The status of an open file.
///
/// # Errors
/// Those of `fstat(2)`.
pub(super) fn status_of(file: &File) -> io::Result<Status> {
    Ok(rustix::fs::fstat(file)?.into())
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// An open directory: operations on the names in it, none of which follows a link.
#[derive(Debug)]
pub(super) struct Directory(OwnedFd);

impl Directory {
    #[cfg(target_os = "linux")]
    fn open_at(&self, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        use rustix::fs::{ResolveFlags, openat2};
        use rustix::io::Errno;

        let path = if relative.as_os_str().is_empty() {
            Path::new(".")
        } else {
            relative
        };
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.0, path, flags | QUIET, Mode::empty(), resolve) {
            Err(Errno::NOSYS | Errno::PERM) => self.walk_to(relative, flags),
            result => Ok(result?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_at(&self, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        self.walk_to(relative, flags)
    }

    /// Opens `relative` one component at a time, refusing every link and everything that is not a plain name.
    fn walk_to(&self, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let step = |at: &OwnedFd, name: &OsStr, flags: OFlags| {
            rustix::fs::openat(at, name, flags | OFlags::NOFOLLOW | QUIET, Mode::empty())
        };
        let mut at = step(&self.0, OsStr::new("."), OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut components = relative.components().peekable();
        while let Some(component) = components.next() {
            let Component::Normal(name) = component else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let flags = match components.peek() {
                Some(_) => OFlags::RDONLY | OFlags::DIRECTORY,
                None => flags,
            };
            at = step(&at, name, flags)?;
        }
        Ok(at)
    }

    /// The status of `name`; `None` when there is no such entry.
    ///
    /// # Errors
    /// Those of `fstatat(2)` but `ENOENT`.
    pub(super) fn status(&self, name: &OsStr) -> io::Result<Option<Status>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat.into())),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Names and status of the entries, by name; entries that vanish meanwhile are left out.
    ///
    /// # Errors
    /// Those of `getdents(2)`.
    pub(super) fn entries(&self) -> io::Result<Vec<(OsString, Status)>> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(self.0.as_fd())? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if let Some(status) = self.status(name)? {
                entries.push((name.to_owned(), status));
            }
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(entries)
    }

    /// Opens the directory `name` in this one.
    ///
    /// # Errors
    /// Those of `openat2(2)`; `ELOOP` or `ENOTDIR` when it is a link.
    pub(super) fn directory(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        Ok(Self(self.open_at(Path::new(name), flags)?))
    }

    /// Makes the directory `name`.
    ///
    /// # Errors
    /// Those of `mkdirat(2)`; `EEXIST` also for a link.
    pub(super) fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(
            &self.0,
            name,
            Mode::from_raw_mode(0o777),
        )?)
    }

    /// Gives the name `name` to a new file with this content. What had the name is replaced and never written to, so a
    /// link there stays without effect; the file is filled under a random name first, which nobody can plant.
    ///
    /// # Errors
    /// Those of `openat(2)`, `write(2)` and `renameat(2)`; the half-made file is removed.
    pub(super) fn replace(&self, name: &OsStr, content: &[u8], mode: Mode) -> io::Result<()> {
        let temporary = format!(".{:032x}.tmp", fastrand::u128(..));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | QUIET;
        let fd = rustix::fs::openat(&self.0, &temporary, flags, mode)?;
        File::from(fd)
            .write_all(content)
            .and_then(|()| Ok(rustix::fs::renameat(&self.0, &temporary, &self.0, name)?))
            .inspect_err(|_| {
                // The write already failed; that is the error to report.
                let _ = rustix::fs::unlinkat(&self.0, &temporary, AtFlags::empty());
            })
    }

    /// Moves `name` to `new_name` in `destination`; an existing entry there is an error.
    ///
    /// # Errors
    /// Those of `renameat2(2)`; `EEXIST` when the new name is taken.
    pub(super) fn move_to(
        &self,
        name: &OsStr,
        destination: &Self,
        new_name: &OsStr,
    ) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            use rustix::io::Errno;
            match renameat_with(
                &self.0,
                name,
                &destination.0,
                new_name,
                RenameFlags::NOREPLACE,
            ) {
                // File systems without the flag answer so.
                Err(Errno::INVAL | Errno::NOSYS) => {}
                result => return Ok(result?),
            }
        }
        if destination.status(new_name)?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(rustix::fs::renameat(
            &self.0,
            name,
            &destination.0,
            new_name,
        )?)
    }

    /// Removes `name`, which must not be a directory; a link is removed itself.
    ///
    /// # Errors
    /// Those of `unlinkat(2)`.
    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn both_ways_of_opening_refuse_links_and_parents() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("root");
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        std::fs::write(path.join("a/b/file"), "x").unwrap();
        std::fs::write(base.path().join("secret"), "x").unwrap();
        symlink("b", path.join("a/link")).unwrap();
        symlink("b/file", path.join("a/leaf")).unwrap();
        let root = Root::open(&path).unwrap();
        for (relative, opens) in [
            ("a/b/file", true),
            ("", true),
            ("a/link/file", false),
            ("a/leaf", false),
            ("../secret", false),
            ("/etc", false),
            ("a/none", false),
        ] {
            let relative = Path::new(relative);
            let kernel = root.directory.open_at(relative, OFlags::RDONLY);
            let walk = root.directory.walk_to(relative, OFlags::RDONLY);
            assert_eq!(kernel.is_ok(), opens, "{relative:?}");
            assert_eq!(walk.is_ok(), opens, "{relative:?}");
        }
    }

    #[test]
    fn a_move_does_not_replace() {
        let base = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::write(base.path().join(name), name).unwrap();
        }
        let root = Root::open(base.path()).unwrap();
        let directory = &root.directory;
        let moved = directory.move_to(OsStr::new("a"), directory, OsStr::new("b"));
        assert_eq!(moved.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let moved = directory.move_to(OsStr::new("a"), directory, OsStr::new("c"));
        assert!(moved.is_ok() && base.path().join("c").exists());
    }
}
