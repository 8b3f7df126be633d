//! The sound check: which paths a request may reach, and as which canonical place beneath which root.
//!
//! Owns roots, deny rules and protected names. Must not know tools. A check yields a [`Place`], the only thing through
//! which sound code touches files; a `Place` is opened beneath its root without following links, so what is opened is
//! what was checked.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::beneath::{Directory, Root};
use super::deny::DenyRules;
use super::refusal::Refusal;
use super::{Flaw, FlawSet, ReferenceError, ReferenceOptions};

/// A checked path: canonical, beneath a root, not denied.
#[derive(Clone, Debug)]
pub(super) struct Place {
    root: Arc<Root>,
    relative: PathBuf,
}

impl Place {
    /// The canonical path.
    pub(super) fn path(&self) -> PathBuf {
        if self.relative.as_os_str().is_empty() {
            self.root.path().to_owned()
        } else {
            self.root.path().join(&self.relative)
        }
    }

    /// The path below the root.
    pub(super) fn relative(&self) -> &Path {
        &self.relative
    }

    /// Opens the file for reading.
    pub(super) fn open(&self) -> io::Result<File> {
        self.root.open_file(&self.relative)
    }

    /// Opens the place as a directory.
    pub(super) fn directory(&self) -> io::Result<Directory> {
        self.root.open_directory(&self.relative)
    }

    /// The last component and the directory that holds it, opened. The root itself has none: it is denied.
    pub(super) fn in_parent(&self) -> Result<(Directory, &OsStr), Refusal> {
        let (Some(parent), Some(name)) = (self.relative.parent(), self.relative.file_name()) else {
            return Err(Refusal::Denied);
        };
        Ok((self.root.open_directory(parent)?, name))
    }
}

/// The policy of a server.
#[derive(Debug)]
pub(super) struct Guard {
    roots: Vec<Arc<Root>>,
    deny: DenyRules,
    protect: Vec<Vec<String>>,
    flaws: FlawSet,
}

impl Guard {
    /// Opens the roots and compiles the rules. Roots that are empty or missing are left out: nothing is allowed there.
    ///
    /// # Errors
    /// [`ReferenceError::Pattern`] when a deny pattern is neither an absolute path nor a glob.
    pub(super) fn new(options: &ReferenceOptions) -> Result<Self, ReferenceError> {
        let mut roots: Vec<_> = options
            .roots
            .iter()
            .filter(|root| !root.as_os_str().is_empty())
            .filter_map(|root| match Root::open(root) {
                Ok(root) => Some(Arc::new(root)),
                Err(error) => {
                    tracing::warn!(root = %root.display(), %error, "root left out");
                    None
                }
            })
            .collect();
        if roots.is_empty() && options.flaws.has(Flaw::EmptyAllowsAll) {
            roots.extend(Root::open(Path::new("/")).ok().map(Arc::new));
        }
        Ok(Self {
            roots,
            deny: DenyRules::new(&options.deny)?,
            protect: options.protect.iter().map(|name| words(name)).collect(),
            flaws: options.flaws.clone(),
        })
    }

    /// The canonical path of the first root, to which relative paths belong.
    pub(super) fn first_root(&self) -> Result<&Path, Refusal> {
        self.roots
            .first()
            .map(|root| root.path())
            .ok_or(Refusal::Denied)
    }

    /// The canonical paths of all roots.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Path> {
        self.roots.iter().map(|root| root.path())
    }

    /// The requested path made absolute; nothing is resolved or cleaned.
    pub(super) fn absolute(&self, requested: &str) -> Result<PathBuf, Refusal> {
        if requested.is_empty() || requested.contains('\0') {
            return Err(Refusal::Denied);
        }
        Ok(self.first_root()?.join(requested))
    }

    /// Checks a path that must exist; links are resolved first, so a link inside the roots is fine.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] only where a listing of permitted directories would show the same.
    pub(super) fn existing(&self, requested: &str) -> Result<Place, Refusal> {
        let path = self.absolute(requested)?;
        match path.canonicalize() {
            Ok(canonical) => self.admit(&canonical, requested),
            Err(_) => Err(self.why_missing(&path, requested)),
        }
    }

    /// Checks a path that is to be created or replaced: its parent is resolved and must exist, its name is taken as it
    /// is, a link by that name is not looked at.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when the parent is missing.
    pub(super) fn fresh(&self, requested: &str) -> Result<Place, Refusal> {
        let path = self.absolute(requested)?;
        // `file_name` is `None` for a path that ends in `..`.
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Refusal::Denied);
        };
        match parent.canonicalize() {
            Ok(canonical) => self.admit(&canonical.join(name), requested),
            Err(_) => Err(self.why_missing(parent, requested)),
        }
    }

    /// As [`Guard::fresh`], and no protected name.
    pub(super) fn writable(&self, requested: &str) -> Result<Place, Refusal> {
        let place = self.fresh(requested)?;
        self.unprotected(&place)?;
        Ok(place)
    }

    /// The checked place `name` below the place `parent`.
    pub(super) fn child(&self, parent: &Place, name: &OsStr) -> Result<Place, Refusal> {
        if Path::new(name).components().ne([Component::Normal(name)]) {
            return Err(Refusal::Denied);
        }
        let path = parent.path().join(name);
        self.admit(&path, &path.to_string_lossy())
    }

    /// Splits a path to be created into the deepest directory that exists, and the plain names below it.
    pub(super) fn deepest(&self, requested: &str) -> Result<(Place, Vec<PathBuf>), Refusal> {
        let path = self.absolute(requested)?;
        let mut missing = Vec::new();
        let mut at = path.as_path();
        let base = loop {
            if let Ok(canonical) = at.canonicalize() {
                break self.admit(&canonical, requested)?;
            }
            // A link that leads nowhere must not be taken for a missing name.
            let (Some(parent), Some(name)) = (at.parent(), at.file_name()) else {
                return Err(Refusal::Denied);
            };
            if is_entry(parent, name) {
                return Err(Refusal::Denied);
            }
            missing.push(PathBuf::from(name));
            at = parent;
        };
        missing.reverse();
        Ok((base, missing))
    }

    /// Refuses protected names, in whatever letter case, and everything below them.
    pub(super) fn unprotected(&self, place: &Place) -> Result<(), Refusal> {
        if self.flaws.has(Flaw::ProtectExact) {
            return Ok(());
        }
        let path = words(&place.relative().to_string_lossy());
        let protected = |name: &Vec<String>| {
            !name.is_empty()
                && path
                    .windows(name.len())
                    .any(|window| window == name.as_slice())
        };
        if self.protect.iter().any(protected) {
            return Err(Refusal::Protected);
        }
        Ok(())
    }

    /// The flawed comparison of [`Flaw::ProtectExact`]: the raw text must end with the name as it was configured.
    pub(super) fn protected_exactly(&self, requested: &str, configured: &[String]) -> bool {
        self.flaws.has(Flaw::ProtectExact)
            && configured.iter().any(|name| requested.ends_with(name))
    }

    /// Whether a deny rule names this absolute path as it is written.
    pub(super) fn denies_text(&self, text: &str) -> bool {
        self.deny.matches_text(text)
    }

    /// The place of a canonical path, if a root holds it and no rule denies it.
    fn admit(&self, canonical: &Path, requested: &str) -> Result<Place, Refusal> {
        let place = self
            .roots
            .iter()
            .find_map(|root| {
                Some(Place {
                    root: root.clone(),
                    relative: canonical.strip_prefix(root.path()).ok()?.to_owned(),
                })
            })
            .ok_or(Refusal::Denied)?;
        let denied = if self.flaws.has(Flaw::DenyIgnored) {
            false
        } else if self.flaws.has(Flaw::DenyLiteral) {
            self.deny.equals(requested)
        } else {
            self.deny.matches(canonical, place.root.path())
        };
        if denied {
            return Err(Refusal::Denied);
        }
        Ok(place)
    }

    /// Why a path does not resolve, without telling whether anything exists outside the roots: "not found" is answered
    /// only when the deepest part that exists is a permitted place, and no link but a permitted one was on the way.
    fn why_missing(&self, path: &Path, requested: &str) -> Refusal {
        if self.flaws.has(Flaw::ExistenceTold) {
            return Refusal::NotFound;
        }
        let mut missing = Vec::new();
        let mut at = path;
        loop {
            if let Ok(canonical) = at.canonicalize() {
                let mut candidate = canonical;
                candidate.extend(missing.iter().rev());
                return match self.admit(&candidate, requested) {
                    Ok(_) => Refusal::NotFound,
                    Err(refusal) => refusal,
                };
            }
            let Some(parent) = at.parent() else {
                return Refusal::Denied;
            };
            match at.file_name() {
                // A link that leads nowhere, or to where one may not look.
                Some(name) if is_entry(parent, name) => return Refusal::Denied,
                Some(name) => missing.push(name),
                // Behind a missing name the kernel looks at nothing more, so neither does this.
                None => missing.clear(),
            }
            at = parent;
        }
    }
}

/// Whether the directory has an entry by that name, be it a dangling link. Joined anew, because a trailing slash in the
/// path would follow the link.
fn is_entry(parent: &Path, name: &OsStr) -> bool {
    parent.join(name).symlink_metadata().is_ok()
}

/// The components of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    name.split(['/', '\\'])
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}
