//! The write witness: what changed on disk between two looks.
//!
//! Owns snapshots of directory trees and their differences. Links are never followed, and nothing
//! outside the given roots is looked at.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    io::Read as _,
    mem::MaybeUninit,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, RawDir, open};
use sha2::{Digest as _, Sha256};

/// Files above this size are compared by metadata alone.
const HASHED: u64 = 1 << 20;

/// What stood in some trees at one moment, sorted by path: compared by its bytes, which is much cheaper than by
/// components.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(Vec<(OsString, Entry)>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kind: fs::FileType,
    inode: u64,
    mode: u32,
    size: u64,
    modified: (i64, i64),
    digest: Option<[u8; 32]>,
    target: Option<PathBuf>,
}

/// How an entry changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It was not there before.
    Created,
    /// Its content, target, mode or kind is another.
    Changed,
    /// It is gone.
    Removed,
}

impl ChangeKind {
    /// As a word in a sentence.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// A difference between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Which entry.
    pub path: PathBuf,
    /// What happened to it.
    pub kind: ChangeKind,
}

impl Snapshot {
    /// Looks at the given trees. A root that is a file is one entry; one that is missing is none.
    #[must_use]
    pub fn take<'p>(roots: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut entries = Vec::new();
        for root in roots {
            let mut waiting = vec![root.to_path_buf()];
            while let Some(path) = waiting.pop() {
                let Some(entry) = Entry::of(&path) else {
                    continue;
                };
                if entry.kind.is_dir() {
                    // What cannot be listed is one entry.
                    let _unlisted = list(&path, &mut waiting);
                }
                entries.push((path.into_os_string(), entry));
            }
        }
        entries.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        entries.dedup_by(|one, other| one.0 == other.0);
        Self(entries)
    }

    /// Only what stands in some of the trees.
    #[must_use]
    pub fn within(self, roots: &[PathBuf]) -> Self {
        let within = |path: &OsStr| roots.iter().any(|root| Path::new(path).starts_with(root));
        let mut entries = self.0;
        entries.retain(|(path, _)| within(path));
        entries.shrink_to_fit();
        Self(entries)
    }

    fn entry(&self, path: &OsStr) -> Option<&Entry> {
        let found = self
            .0
            .binary_search_by(|(known, _)| known.as_os_str().cmp(path));
        found.ok().map(|index| &self.0[index].1)
    }

    /// What is different in `later`. A directory counts as changed only by mode or kind: its
    /// entries speak for themselves.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<Change> {
        let before = self.0.iter().filter_map(|(path, before)| {
            let kind = match later.entry(path) {
                None => ChangeKind::Removed,
                Some(after) if before.differs(after) => ChangeKind::Changed,
                Some(_) => return None,
            };
            Some((path, kind))
        });
        let paths = later.0.iter().map(|(path, _)| path);
        let created = paths.filter(|path| self.entry(path).is_none());
        let mut changes: Vec<Change> = before
            .chain(created.map(|path| (path, ChangeKind::Created)))
            .map(|(path, kind)| Change {
                path: PathBuf::from(path),
                kind,
            })
            .collect();
        changes.sort_unstable();
        changes
    }
}

/// Adds the paths of what stands in a directory. opendir(3) would ask for 32 KiB each time, and this is done twice
/// for every call.
fn list(directory: &Path, paths: &mut Vec<PathBuf>) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = open(directory, flags, Mode::empty())?;
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(open, &mut room);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name => paths.push(directory.join(OsStr::from_bytes(name))),
        }
    }
    Ok(())
}

/// What stands in a file that was `size` bytes long a moment ago. Asks for the size no second time,
/// and most often reads once: this is done for every planted file before and after every call.
fn content(path: &Path, size: u64) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0) + 1];
    let mut length = 0;
    loop {
        match file.read(&mut bytes[length..])? {
            0 => break,
            more => length += more,
        }
        if length == bytes.len() {
            bytes.resize(length * 2, 0);
        } else if length as u64 >= size {
            break;
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

impl Entry {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let regular = metadata.is_file();
        Some(Self {
            kind: metadata.file_type(),
            inode: metadata.ino(),
            mode: metadata.mode(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            digest: (regular && metadata.size() <= HASHED)
                .then(|| content(path, metadata.size()).ok())
                .flatten()
                .map(|bytes| Sha256::digest(bytes).into()),
            target: metadata
                .file_type()
                .is_symlink()
                .then(|| fs::read_link(path).ok())
                .flatten(),
        })
    }

    fn differs(&self, other: &Self) -> bool {
        if self.kind != other.kind || self.mode != other.mode {
            return true;
        }
        if self.kind.is_dir() {
            return false;
        }
        match (&self.digest, &other.digest) {
            (Some(before), Some(after)) => before != after || self.size != other.size,
            _ => {
                self.inode != other.inode
                    || self.size != other.size
                    || self.modified != other.modified
                    || self.target != other.target
            }
        }
    }
}
