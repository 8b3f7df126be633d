//! Deny rules: absolute paths and globs, matched against canonical paths.
//!
//! Owns how a pattern is read. Must not know roots beyond the one it is told, nor who asks.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::ReferenceError;

/// The compiled rules.
#[derive(Debug)]
pub(super) struct DenyRules {
    /// As written, for the flawed comparison with the text of a request.
    texts: Vec<String>,
    /// Absolute patterns taken literally, as written and resolved; what is below them is denied too.
    paths: Vec<PathBuf>,
    /// Patterns with a separator, matched against the absolute path and the path below the root.
    whole: GlobSet,
    /// Patterns without a separator, matched against names.
    names: GlobSet,
}

impl DenyRules {
    /// Compiles patterns.
    ///
    /// # Errors
    /// [`ReferenceError::Pattern`] for a pattern that is neither an absolute path nor a glob.
    pub(super) fn new(patterns: &[String]) -> Result<Self, ReferenceError> {
        let mut paths = Vec::new();
        let mut whole = GlobSetBuilder::new();
        let mut names = GlobSetBuilder::new();
        for pattern in patterns {
            let absolute = Path::new(pattern).is_absolute();
            if absolute {
                paths.push(PathBuf::from(pattern));
                paths.push(resolved(Path::new(pattern)));
            }
            let glob = GlobBuilder::new(pattern)
                .literal_separator(true)
                .case_insensitive(cfg!(any(windows, target_os = "macos")))
                .build();
            match glob {
                Ok(glob) if pattern.contains('/') => drop(whole.add(glob)),
                Ok(glob) => drop(names.add(glob)),
                // An absolute path may well contain an unpaired bracket.
                Err(_) if absolute => {}
                Err(source) => {
                    return Err(ReferenceError::Pattern {
                        pattern: pattern.clone(),
                        source,
                    });
                }
            }
        }
        let compiled = |set: GlobSetBuilder| {
            set.build().map_err(|source| ReferenceError::Pattern {
                pattern: patterns.join(" "),
                source,
            })
        };
        Ok(Self {
            texts: patterns.to_vec(),
            paths,
            whole: compiled(whole)?,
            names: compiled(names)?,
        })
    }

    /// Whether a rule denies this canonical path or a directory above it.
    pub(super) fn matches(&self, canonical: &Path, root: &Path) -> bool {
        self.paths.iter().any(|path| canonical.starts_with(path))
            || canonical.ancestors().any(|path| {
                // Above and at the root only whole paths count: a rule about names is about what is in the root.
                let below = path.strip_prefix(root).ok();
                self.whole.is_match(path)
                    || below.is_some_and(|below| self.whole.is_match(below))
                    || below
                        .and_then(Path::file_name)
                        .is_some_and(|name| self.names.is_match(name))
            })
    }

    /// A flawed comparison: whether the text is that of a rule.
    pub(super) fn equals(&self, text: &str) -> bool {
        self.texts.iter().any(|rule| rule == text)
    }

    /// A flawed comparison: the text, not resolved, against the rules.
    pub(super) fn matches_text(&self, text: &str) -> bool {
        self.equals(text) || self.whole.is_match(text)
    }
}

/// The path with the links in its existing part resolved, so that a rule holds for what it names, however it is spelt.
fn resolved(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    for at in path.ancestors() {
        if let Ok(mut canonical) = at.canonicalize() {
            canonical.extend(missing.iter().rev());
            return canonical;
        }
        missing.extend(at.file_name());
    }
    path.to_owned()
}
