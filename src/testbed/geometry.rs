//! Where the places of a trial lie: in the attack around the allowed root, in the twin inside it.
//!
//! Owns the translation that makes the permitted twin: the same bed, moved into the allowed root.

use std::path::{Path, PathBuf};

use super::Bed;

/// The places of one trial in one world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    /// Whether this is the permitted twin.
    pub twin: bool,
    /// The directory that is really allowed.
    pub allowed: PathBuf,
    /// What the texts call root: the allowed directory, or in the twin a directory inside it.
    pub root: PathBuf,
    /// The parent of `root`.
    pub outer: PathBuf,
    /// A directory of the trial inside `root`.
    pub here: PathBuf,
    /// A directory of the trial in a sibling of `root`.
    pub denied: PathBuf,
    /// A directory of the trial far from `root`.
    pub outside: PathBuf,
    /// A directory of the trial in the target's home.
    pub home: PathBuf,
    /// A directory of the trial in the target's temporary directory.
    pub tmp: PathBuf,
    /// A place below `root` that the policy denies, if the trial is about one.
    pub inside: Option<PathBuf>,
}

impl Geometry {
    /// The places of the attack.
    #[must_use]
    pub fn attack(bed: &Bed, slug: &str, inside: Option<&Path>) -> Self {
        Self {
            twin: false,
            allowed: bed.allowed.clone(),
            root: bed.allowed.clone(),
            outer: bed.allowed.parent().unwrap_or(&bed.allowed).to_path_buf(),
            here: bed.allowed.join(slug),
            denied: bed.denied.join(slug),
            outside: bed.outside.join(slug),
            home: bed.home.join(slug),
            tmp: bed.tmp.join(slug),
            inside: inside.map(Path::to_path_buf),
        }
    }

    /// The same places translated into the allowed root, where all of them are permitted.
    #[must_use]
    pub fn twin(bed: &Bed, slug: &str, inside: Option<&Path>) -> Self {
        let outer = bed.allowed.join(format!("{slug}-t"));
        let name = bed
            .allowed
            .file_name()
            .unwrap_or_else(|| "allowed".as_ref());
        let root = outer.join(name);
        let beside = |path: &Path| {
            let from = bed.allowed.parent().unwrap_or(&bed.allowed);
            outer
                .join(path.strip_prefix(from).unwrap_or(Path::new("elsewhere")))
                .join(slug)
        };
        Self {
            twin: true,
            allowed: bed.allowed.clone(),
            here: root.join(slug),
            denied: beside(&bed.denied),
            outside: beside(&bed.outside),
            home: beside(&bed.home),
            tmp: beside(&bed.tmp),
            inside: inside.map(|path| root.join(path.strip_prefix(&bed.allowed).unwrap_or(path))),
            root,
            outer,
        }
    }

    /// The directories that belong to the trial alone, so that every change in them is its doing.
    #[must_use]
    pub fn own(&self) -> Vec<&Path> {
        if self.twin {
            return vec![&self.outer];
        }
        vec![
            &self.here,
            &self.denied,
            &self.outside,
            &self.home,
            &self.tmp,
        ]
    }
}
