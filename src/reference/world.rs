//! What the tools share: the guard, the size limit, and whole-file reading and writing through checked places.
//!
//! Owns the sound path of files from a requested text to bytes and back. Must not know which tool asks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::audit::Audit;
use super::beneath::{EntryKind, NEW_FILE, status_of};
use super::flawed;
use super::guard::{Guard, Place};
use super::net::Net;
use super::refusal::Refusal;
use super::{Flaw, FlawSet, ReferenceError, ReferenceOptions};

/// Most bytes that a call holds in memory where no limit is configured.
pub(super) const CEILING: u64 = 64 << 20;

/// How many staged files are kept, of [`CEILING`] bytes together; the oldest goes first.
const STAGED: usize = 256;

/// Files kept in memory by `stage_file`, by their number.
pub(super) type Staged = BTreeMap<u64, Vec<u8>>;

/// A server's policy and state.
#[derive(Debug)]
pub(super) struct World {
    pub(super) guard: Guard,
    pub(super) options: ReferenceOptions,
    /// The network, if this server has tools for it.
    pub(super) net: Option<Net>,
    /// The audit log, if there is one.
    pub(super) audit: Option<Audit>,
    staged: Mutex<Staged>,
    /// Directories that were added to the allowed ones.
    added: Mutex<Vec<PathBuf>>,
    /// Whose turn it is, with flaws that let calls wait for each other.
    pub(super) turn: Mutex<()>,
    /// Tables that [`Flaw::SqlDisguised`] let somebody make, of one value each.
    pub(super) tables: Mutex<BTreeMap<String, f64>>,
    /// What [`Flaw::ResArgumentsKept`] keeps.
    pub(super) kept: Mutex<Vec<String>>,
}

/// Where [`Flaw::ScopePersists`] keeps a directory.
fn kept_scope() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("HOME")?).join("allowed-directory"))
}

/// Whether a read asks for all of a file or for a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Part,
}

impl World {
    /// Opens the roots and compiles the rules.
    ///
    /// # Errors
    /// Those of [`Guard::new`] and [`Net::new`].
    pub(super) fn new(options: ReferenceOptions) -> Result<Self, ReferenceError> {
        let flaws = &options.flaws;
        let implied = || flaws.of_network().then(Default::default);
        let network = options.network.clone().or_else(implied);
        let kept = match (flaws.has(Flaw::ScopePersists), kept_scope()) {
            (true, Some(path)) => std::fs::read_to_string(path).unwrap_or_default(),
            _ => String::new(),
        };
        let added = kept.lines().map(PathBuf::from).collect();
        Ok(Self {
            guard: Guard::new(&options)?,
            audit: options
                .audit
                .clone()
                .map(|to| Audit::new(to, flaws))
                .transpose()?,
            net: network.map(|of| Net::new(&of, flaws)).transpose()?,
            options,
            staged: Mutex::default(),
            added: Mutex::new(added),
            turn: Mutex::default(),
            tables: Mutex::default(),
            kept: Mutex::default(),
        })
    }

    pub(super) fn flaws(&self) -> &FlawSet {
        &self.options.flaws
    }

    /// Whether the flaw is switched on.
    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaws().has(flaw)
    }

    /// [`Flaw::ScopePersists`]: adds a directory to those of the next start.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn keep(&self, path: &str) -> std::io::Result<()> {
        let kept = kept_scope().ok_or(std::io::ErrorKind::NotFound)?;
        std::fs::write(kept, path)
    }

    /// [`Flaw::ScopeWidens`]: adds a directory to the allowed ones, whatever it is.
    pub(super) fn widen(&self, path: &str) {
        self.added().push(PathBuf::from(path));
    }

    /// Whether a path lies below a directory that was added.
    pub(super) fn widened(&self, requested: &str) -> bool {
        self.added()
            .iter()
            .any(|added| Path::new(requested).starts_with(added))
    }

    fn added(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The staged files, locked.
    pub(super) fn staged(&self) -> MutexGuard<'_, Staged> {
        // Nothing panics while it holds the lock, and the map is whole at any time.
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a file; the number under which it can be shown.
    pub(super) fn stage(&self, bytes: Vec<u8>) -> u64 {
        let mut staged = self.staged();
        let number = staged.last_key_value().map_or(1, |(last, _)| last + 1);
        staged.insert(number, bytes);
        let bytes = |staged: &Staged| staged.values().map(Vec::len).sum::<usize>() as u64;
        while staged.len() > STAGED || (staged.len() > 1 && bytes(&staged) > CEILING) {
            staged.pop_first();
        }
        number
    }

    /// The most bytes that may be read from one file, or come out of one archive.
    pub(super) fn read_limit(&self, extent: Extent) -> u64 {
        let lifted =
            self.has(Flaw::SizeUnlimited) || (extent == Extent::Part && self.has(Flaw::SizeRange));
        match self.options.max_file_size {
            _ if self.has(Flaw::ResReadUnbounded) => u64::MAX,
            Some(limit) if !lifted => limit,
            _ => CEILING,
        }
    }

    /// The most bytes that may come out of compressed data.
    pub(super) fn unpack_limit(&self) -> u64 {
        if self.has(Flaw::ResUnpackUnbounded) {
            u64::MAX
        } else if self.has(Flaw::SizeDecompressed) {
            CEILING
        } else {
            self.read_limit(Extent::Whole)
        }
    }

    /// Refuses content that is longer than the limit.
    pub(super) fn may_write(&self, bytes: &[u8]) -> Result<(), Refusal> {
        match self.options.max_file_size {
            Some(limit) if bytes.len() as u64 > limit && !self.has(Flaw::SizeWriteUnlimited) => {
                Err(Refusal::TooLarge(limit))
            }
            _ => Ok(()),
        }
    }

    /// [`Flaw::AuditLogExposed`]: the audit log, where a path leads to it.
    pub(super) fn exposed_log(&self, requested: &str) -> Option<&Path> {
        let log = self.audit.as_ref()?.path()?;
        let same = Path::new(requested).canonicalize().ok()? == log.canonicalize().ok()?;
        (same && self.has(Flaw::AuditLogExposed)).then_some(log)
    }

    /// Checks, opens and reads a whole file.
    pub(super) fn read(&self, requested: &str) -> Result<Vec<u8>, Refusal> {
        if self.widened(requested) {
            return flawed::read(self, requested);
        }
        self.read_place(&self.guard.existing(requested)?, Extent::Whole)
    }

    /// Opens and reads a checked file.
    pub(super) fn read_place(&self, place: &Place, extent: Extent) -> Result<Vec<u8>, Refusal> {
        self.slurp(self.open_place(place)?, extent)
    }

    /// Opens a checked file that has one name only: another could be outside the roots, or denied.
    pub(super) fn open_place(&self, place: &Place) -> Result<File, Refusal> {
        // Looked at before it is opened: to open a pipe or a device has effects.
        let (directory, name) = place.in_parent().map_err(|_| Refusal::NotAFile)?;
        let status = directory.status(name)?.ok_or(Refusal::NotFound)?;
        if status.kind == EntryKind::Other && self.has(Flaw::ResPipeWaits) {
            return Ok(File::open(place.path())?);
        }
        if status.kind != EntryKind::File && !self.has(Flaw::SizeStat) {
            return Err(Refusal::NotAFile);
        }
        let file = place.open()?;
        let status = status_of(&file)?;
        if status.kind == EntryKind::File && status.shared && !self.has(Flaw::HardLink) {
            return Err(Refusal::HardLink);
        }
        Ok(file)
    }

    /// Reads an open file up to the limit. The limit counts bytes that were read, whatever the status says.
    pub(super) fn slurp(&self, file: File, extent: Extent) -> Result<Vec<u8>, Refusal> {
        let status = status_of(&file)?;
        let limit = self.read_limit(extent);
        if status.kind != EntryKind::File {
            return match status.kind {
                EntryKind::Other if self.has(Flaw::SizeStat) => flawed::drain(file, CEILING),
                _ => Err(Refusal::NotAFile),
            };
        }
        if status.size > limit {
            return Err(Refusal::TooLarge(limit));
        }
        if self.has(Flaw::SizeStat) {
            return flawed::drain(file, CEILING);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(status.size).unwrap_or(0));
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(Refusal::TooLarge(limit));
        }
        Ok(bytes)
    }

    /// Checks a destination and gives it this content.
    pub(super) fn write(&self, requested: &str, bytes: &[u8]) -> Result<(), Refusal> {
        self.write_place(&self.guard.writable(requested)?, bytes)
    }

    /// Gives a checked destination this content. Only files and links are replaced.
    pub(super) fn write_place(&self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        self.may_write(bytes)?;
        let (directory, name) = place.in_parent()?;
        let mode = match directory.status(name)? {
            Some(status) => match status.kind {
                EntryKind::File => status.mode,
                EntryKind::Link => NEW_FILE,
                EntryKind::Directory | EntryKind::Other => return Err(Refusal::NotAFile),
            },
            None => NEW_FILE,
        };
        Ok(directory.replace(name, bytes, mode)?)
    }
}
