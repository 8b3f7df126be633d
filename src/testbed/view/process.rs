//! A process with another root or other mounts than ours.
//!
//! Owns looking through its root directory. What is held open stays what it was when the process ends.

use std::{
    fs,
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, openat, openat2, statat},
    io::Errno,
};

use super::{Mapping, Seen, below, table::Table};

/// More than a command line of the run's own holds.
const MOST: u64 = 1 << 16;

/// Device and inode.
type Id = (u64, u64);

#[derive(Debug)]
pub(super) struct Process {
    root: OwnedFd,
    /// Where its root is, if that can be told by our own paths.
    place: Option<PathBuf>,
    ours: Table,
    theirs: Table,
    cwd: Option<(PathBuf, Id)>,
}

impl Process {
    /// The process, if it sees another disk than we do.
    pub(super) fn open(pid: u32) -> io::Result<Option<Self>> {
        let (own, other) = (
            Path::new("/proc/self"),
            PathBuf::from(format!("/proc/{pid}")),
        );
        let mounts = |process: &Path| fs::metadata(process.join("ns/mnt")).map(|it| it.ino());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, other.join("root"), flags, Mode::empty())?;
        let same_mounts = mounts(own)? == mounts(&other)?;
        let place = fs::read_link(other.join("root"))?;
        if same_mounts && place == fs::read_link(own.join("root"))? {
            return Ok(None);
        }
        // Of a directory of another mount namespace the name is the one that it has there.
        let cwd = fs::read_link(other.join("cwd")).ok();
        let id = fs::metadata(other.join("cwd")).ok();
        Ok(Some(Self {
            root,
            cwd: cwd.zip(id.map(|found| (found.dev(), found.ino()))),
            place: same_mounts.then_some(place),
            ours: Table::of(own)?,
            theirs: Table::of(&other)?,
        }))
    }

    pub(super) fn see(&self, host: &Path) -> Seen {
        let (anchor, rest) = anchored(host);
        let found = id(&anchor).and_then(|id| self.find(&anchor, id));
        Seen {
            mapping: Mapping::Auto,
            read_only: found.as_ref().is_some_and(|(_, read_only)| *read_only),
            inside: found.map(|(path, _)| below(&path, &rest)),
        }
    }

    /// Where the object is that we have at `anchor`, and whether it cannot be written there.
    fn find(&self, anchor: &Path, id: Id) -> Option<(PathBuf, bool)> {
        let mounted = self.ours.in_other(anchor, &self.theirs);
        let mounted = mounted.into_iter().map(|one| (one.path, one.read_only));
        // A root that is no mount is named by no table.
        let rooted = self.place.as_ref().and_then(|place| {
            let path = Path::new("/").join(anchor.strip_prefix(place).ok()?);
            Some((path, self.ours.read_only(anchor)))
        });
        mounted
            .chain(rooted)
            .find(|(path, _)| self.id_of(path) == Some(id))
    }

    /// Whether a path of the process leads to what we have at `object`.
    pub(super) fn reaches(&self, inside: &Path, object: &Path) -> bool {
        let found = self.opened(inside, OFlags::empty());
        found.is_some() && found == id(object)
    }

    /// Whether a word stands in what the process has at a path; nothing where we may not look.
    pub(super) fn tells(&self, inside: &Path, word: &str) -> Option<bool> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = match openat2(&self.root, inside, flags, Mode::empty(), resolve) {
            Ok(file) => fs::File::from(file),
            Err(Errno::NOENT) => return Some(false),
            Err(_) => return None,
        };
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes).ok()?;
        Some(memchr::memmem::find(&bytes, word.as_bytes()).is_some())
    }

    /// What the process has at a path. The last part is not followed if it is a link.
    fn id_of(&self, path: &Path) -> Option<Id> {
        self.opened(path, OFlags::NOFOLLOW)
    }

    fn opened(&self, path: &Path, how: OFlags) -> Option<Id> {
        let flags = OFlags::PATH | OFlags::CLOEXEC | how;
        let found = openat2(
            &self.root,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )
        .ok()?;
        let found = statat(&found, "", AtFlags::EMPTY_PATH).ok()?;
        Some((found.st_dev, found.st_ino))
    }

    pub(super) fn cwd(&self) -> Option<(PathBuf, Option<PathBuf>)> {
        let (inside, real) = self.cwd.as_ref()?;
        let ours = self.theirs.in_other(inside, &self.ours).into_iter();
        let host = ours
            .map(|one| one.path)
            .find(|path| id(path) == Some(*real));
        Some((inside.clone(), host))
    }
}

fn id(path: &Path) -> Option<Id> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// The part of a path that exists, by its real name, and the rest.
fn anchored(path: &Path) -> (PathBuf, PathBuf) {
    let named = |path: &Path| -> Option<PathBuf> {
        fs::symlink_metadata(path).ok()?;
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Some(parent.canonicalize().ok()?.join(name)),
            _ => path.canonicalize().ok(),
        }
    };
    for at in path.ancestors() {
        if let Some(real) = named(at) {
            let rest = path.strip_prefix(at).unwrap_or(Path::new(""));
            return (real, rest.to_path_buf());
        }
    }
    (PathBuf::from("/"), path.to_path_buf())
}
