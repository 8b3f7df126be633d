//! What the filesystem part of a policy means: which rule decides on a path.
//!
//! Owns precedence. Paths are compared component by component, as they are written: the caller
//! resolves links, `.` and `..` first, or asks about the spelling on purpose. Does no I/O.
//!
//! - A rule for a directory covers everything below it. The longest rule that covers the path
//!   decides; of two equally long ones the denying one.
//! - A pattern stands for every path that it matches, so its length is that of the longest
//!   prefix of the path that it matches.
//! - With an allow-list, a path that no rule covers is denied; without one it is allowed.
//! - `read_only` and `protected_names` deny writing only, and only where reading is allowed. A
//!   name is protected below the outermost allowed directory, not in the path that leads there.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::diag::{At, Source};

/// What is done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Content, names, facts or existence become known.
    Read,
    /// Something is created, changed, moved or removed.
    Write,
}

/// What the policy says of a path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the access is permitted.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: Rule,
}

/// A rule of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What kind of rule.
    pub kind: RuleKind,
    /// The entry as it is written (after [`expand`](crate::policy::Policy::expand): with real
    /// paths), or the key for rules that are no entry.
    pub entry: String,
    /// Where it is written; none when the policy claims nothing, or comes from no file.
    pub location: Option<Location>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// Name of the file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A kind of rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// An entry of `allowed_paths`.
    Allowed,
    /// An entry of `denied_paths`.
    Denied,
    /// There is an allow-list, and the path is not on it.
    NotListed,
    /// There is no allow-list, and no entry concerns the path.
    NoClaim,
    /// `read_only`.
    ReadOnly,
    /// An entry of `protected_names`.
    ProtectedName,
}

/// An entry of a list: what it says, and where that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path or pattern.
    pub text: String,
    /// Where it is written.
    pub location: Option<Location>,
}

/// A denied place that lies below an allowed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedInside<'a> {
    /// The entry of `denied_paths`.
    pub entry: &'a Entry,
    /// The longest allowed path above it; none without an allow-list, and for patterns that may
    /// match below any.
    pub below: Option<&'a str>,
    /// Whether it is a pattern.
    pub pattern: bool,
}

/// The filesystem part of a policy, ready to decide.
#[derive(Debug, Clone)]
pub(super) struct Filesystem {
    pub(super) allowed: Option<Vec<Entry>>,
    /// Where the allow-list stands.
    pub(super) allowed_at: Option<Location>,
    pub(super) denied: Vec<DenyRule>,
    pub(super) max_file_bytes: Option<u64>,
    pub(super) read_only: bool,
    /// Where that stands.
    pub(super) read_only_at: Option<Location>,
    pub(super) protected: Vec<(Entry, GlobMatcher)>,
}

/// An entry of `denied_paths`.
#[derive(Debug, Clone)]
pub(super) struct DenyRule {
    pub(super) entry: Entry,
    /// None for a path.
    pub(super) pattern: Option<GlobMatcher>,
}

impl Location {
    pub(super) fn of<T>(source: &Source, at: &At<T>) -> Option<Self> {
        (!at.span.is_empty()).then(|| {
            let (line, column) = source.position(at.span.start);
            Self {
                file: source.name().to_owned(),
                line,
                column,
            }
        })
    }
}

/// Whether an entry of `denied_paths` is a pattern. Brackets alone do not make one: directories
/// called `[id]` are common in web projects.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Compiles an entry of `denied_paths` that is a pattern. `*` and `?` stay within a component.
pub(super) fn pattern(text: &str) -> Result<GlobMatcher, globset::Error> {
    let anywhere = !text.contains('/');
    glob(&if anywhere {
        format!("**/{text}")
    } else {
        text.to_owned()
    })
}

/// Compiles an entry of `protected_names`: it may match in any directory.
pub(super) fn protected(text: &str) -> Result<GlobMatcher, globset::Error> {
    glob(&format!("**/{text}"))
}

fn glob(text: &str) -> Result<GlobMatcher, globset::Error> {
    let glob = GlobBuilder::new(text)
        .literal_separator(true)
        .backslash_escape(true)
        .build()?;
    Ok(glob.compile_matcher())
}

impl DenyRule {
    /// How much of the path the rule covers, in components.
    fn covers(&self, path: &Path) -> Option<usize> {
        match &self.pattern {
            None => covers(&self.entry, path),
            Some(matcher) => path
                .ancestors()
                .find(|prefix| matcher.is_match(prefix))
                .map(length),
        }
    }
}

fn covers(entry: &Entry, path: &Path) -> Option<usize> {
    path.starts_with(&entry.text)
        .then(|| length(Path::new(&entry.text)))
}

fn length(path: &Path) -> usize {
    path.components().count()
}

impl Filesystem {
    pub(super) fn decide(&self, path: &Path, access: Access) -> Decision {
        // Trailing slashes and empty components are no part of a name.
        let path: PathBuf = path.components().collect();
        let path = path.as_path();
        let decision = self.decide_read(path);
        if access == Access::Read || !decision.allowed {
            return decision;
        }
        let denied = |kind, entry: &str, location: Option<&Location>| Decision {
            allowed: false,
            rule: Rule {
                kind,
                entry: entry.to_owned(),
                location: location.cloned(),
            },
        };
        if self.read_only {
            return denied(RuleKind::ReadOnly, "read_only", self.read_only_at.as_ref());
        }
        let below = self
            .allowed
            .iter()
            .flatten()
            .filter_map(|entry| path.strip_prefix(&entry.text).ok())
            .max_by_key(|rest| length(rest))
            .unwrap_or(path);
        let protecting = self
            .protected
            .iter()
            .find(|(_, glob)| below.ancestors().any(|prefix| glob.is_match(prefix)));
        match protecting {
            Some((entry, _)) => denied(
                RuleKind::ProtectedName,
                &entry.text,
                entry.location.as_ref(),
            ),
            None => decision,
        }
    }

    fn decide_read(&self, path: &Path) -> Decision {
        let allowing = self
            .allowed
            .iter()
            .flatten()
            .filter_map(|entry| Some((covers(entry, path)?, entry)))
            .max_by_key(|(length, _)| *length);
        let denying = self
            .denied
            .iter()
            .filter_map(|rule| Some((rule.covers(path)?, &rule.entry)))
            .max_by_key(|(length, _)| *length);
        let by = |kind, entry: &Entry| Rule {
            kind,
            entry: entry.text.clone(),
            location: entry.location.clone(),
        };
        let (allowed, rule) = match (allowing, denying) {
            (Some((allow, entry)), Some((deny, _))) if allow > deny => {
                (true, by(RuleKind::Allowed, entry))
            }
            (_, Some((_, entry))) => (false, by(RuleKind::Denied, entry)),
            (Some((_, entry)), None) => (true, by(RuleKind::Allowed, entry)),
            (None, None) => {
                let kind = if self.allowed.is_some() {
                    RuleKind::NotListed
                } else {
                    RuleKind::NoClaim
                };
                let rule = Rule {
                    kind,
                    entry: String::from("allowed_paths"),
                    location: self.allowed_at.clone(),
                };
                (self.allowed.is_none(), rule)
            }
        };
        Decision { allowed, rule }
    }

    /// Whether something is outside of the allow-list.
    pub(super) fn confines(&self) -> bool {
        let root = |entry: &Entry| Path::new(&entry.text).parent().is_none();
        self.allowed
            .as_ref()
            .is_some_and(|allowed| !allowed.iter().any(root))
    }

    /// Denied entries that take something away from what is allowed.
    pub(super) fn denied_inside(&self) -> Vec<DeniedInside<'_>> {
        self.denied
            .iter()
            .filter_map(|rule| {
                let pattern = rule.pattern.is_some();
                let below = self
                    .allowed
                    .iter()
                    .flatten()
                    .filter(|allowed| Path::new(&rule.entry.text).starts_with(&allowed.text))
                    .max_by_key(|allowed| length(Path::new(&allowed.text)))
                    .map(|allowed| allowed.text.as_str());
                let inside = match &self.allowed {
                    None => true,
                    Some(allowed) if allowed.is_empty() => false,
                    // A pattern that is not tied to a directory may match below any.
                    Some(_) => {
                        below.is_some()
                            || (pattern
                                && (rule.entry.text.starts_with("**")
                                    || !rule.entry.text.contains('/')))
                    }
                };
                inside.then_some(DeniedInside {
                    entry: &rule.entry,
                    below,
                    pattern,
                })
            })
            .collect()
    }
}
