//! How the target sees the disk: which path of ours is which of its own.
//!
//! A sandbox shows a server some directories, often under other names. Owns the translation of paths and
//! what it rests on: the mounts of the process that serves, verified by device and inode through its root
//! directory; else what the user says; else nothing, and then it is assumed that paths are the same.
//! Knows nothing of processes but their number.

#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod table;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
use {network::apart, process::Process};

/// What the translation of a path rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mapping {
    /// On the mounts of the process that serves, verified by device and inode.
    Auto,
    /// On what the user says (`--map`).
    Spec,
    /// On nothing: the process cannot be looked at, and nobody said anything.
    Assumed,
}

/// A path as the target has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What that rests on.
    pub mapping: Mapping,
    /// Its path; nothing when the target has no path to it.
    pub inside: Option<PathBuf>,
    /// Whether it lies where the target cannot write.
    pub read_only: bool,
}

/// What the user says of a directory and all below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where we have it.
    pub host: PathBuf,
    /// Where the target has it; nothing when it has it not.
    pub inside: Option<PathBuf>,
}

/// How the target sees the disk. Clones share what is known of the process.
#[derive(Debug, Clone)]
pub struct View {
    rules: Arc<[Rule]>,
    around: Arc<RwLock<Around>>,
    /// Why nothing leaves its network by itself, if so.
    apart: Arc<RwLock<Option<String>>>,
}

#[derive(Debug)]
enum Around {
    /// Its root and its mounts are ours.
    Same,
    /// It has others.
    #[cfg(target_os = "linux")]
    Other(Process),
    /// It cannot be looked at, and why.
    Nobody(String),
}

impl View {
    /// A view of a target that nothing is known of but what the user says.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        let why = String::from("the process of the server is not known");
        Self {
            rules: rules.into(),
            around: Arc::new(RwLock::new(Around::Nobody(why))),
            apart: Arc::default(),
        }
    }

    /// A view of a target that sees all as we do.
    #[must_use]
    pub fn same() -> Self {
        Self {
            rules: Arc::new([]),
            around: Arc::new(RwLock::new(Around::Same)),
            apart: Arc::default(),
        }
    }

    /// The same rules for another process of the target.
    #[must_use]
    pub fn beside(&self, serving: Result<u32, String>) -> Self {
        let view = Self {
            rules: Arc::clone(&self.rules),
            around: Arc::new(RwLock::new(Around::Same)),
            apart: Arc::default(),
        };
        view.attach(serving);
        view
    }

    /// Looks at the process that serves from now on, or remembers why it is not known.
    pub fn attach(&self, serving: Result<u32, String>) {
        let apart = serving.as_ref().ok().and_then(|pid| apart(*pid));
        *self.apart.write().unwrap_or_else(PoisonError::into_inner) = apart;
        let around = serving
            .and_then(|pid| look(pid).map_err(|error| format!("process {pid}: {error}")))
            .unwrap_or_else(Around::Nobody);
        *self.around.write().unwrap_or_else(PoisonError::into_inner) = around;
    }

    /// Whether the target sees all as we do.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.rules.is_empty() && self.with(|around| matches!(around, Around::Same))
    }

    /// Whether the target is known to have a root or mounts of its own: a sandbox is around it.
    #[must_use]
    pub fn is_other(&self) -> bool {
        !self.with(|around| matches!(around, Around::Same | Around::Nobody(_)))
    }

    /// Why nothing leaves the target's network but what a sandbox passes on, if so.
    #[must_use]
    pub fn apart(&self) -> Option<String> {
        let apart = self.apart.read().unwrap_or_else(PoisonError::into_inner);
        apart.clone()
    }

    /// Why the process of the target cannot be looked at, if so.
    #[must_use]
    pub fn unseen(&self) -> Option<String> {
        self.with(|around| match around {
            Around::Nobody(why) => Some(why.clone()),
            _ => None,
        })
    }

    /// A path of ours as the target has it. What does not exist yet is where its directory is.
    #[must_use]
    pub fn see(&self, host: &Path) -> Seen {
        let told = self
            .rules
            .iter()
            .filter(|rule| host.starts_with(&rule.host))
            .max_by_key(|rule| rule.host.components().count());
        if let Some(rule) = told {
            let rest = host.strip_prefix(&rule.host).unwrap_or(Path::new(""));
            return Seen {
                mapping: Mapping::Spec,
                inside: rule.inside.as_ref().map(|inside| below(inside, rest)),
                read_only: false,
            };
        }
        self.with(|around| match around {
            Around::Same => as_it_is(Mapping::Auto, host),
            Around::Nobody(_) => as_it_is(Mapping::Assumed, host),
            #[cfg(target_os = "linux")]
            Around::Other(process) => process.see(host),
        })
    }

    /// What the target is told for a path of ours: its own path, or ours where it has none.
    #[must_use]
    pub fn shown(&self, host: &Path) -> PathBuf {
        if self.is_same() {
            return host.to_path_buf();
        }
        self.see(host).inside.unwrap_or_else(|| host.to_path_buf())
    }

    /// Whether a path of the target leads to an object of ours, links and all.
    #[must_use]
    pub fn reaches(&self, inside: &Path, object: &Path) -> bool {
        self.with(|around| match around {
            #[cfg(target_os = "linux")]
            Around::Other(process) => process.reaches(inside, object),
            _ => false,
        })
    }

    /// Whether the target, whoever it is, would find a word in a file at a path of its own; nothing where it sees what
    /// we see, or cannot be looked at.
    #[must_use]
    pub fn tells(&self, inside: &Path, word: &str) -> Option<bool> {
        self.with(|around| match around {
            #[cfg(target_os = "linux")]
            Around::Other(process) => process.tells(inside, word),
            _ => None,
        })
    }

    /// The working directory of the process that serves: as it has it, and as we have it if we do.
    #[must_use]
    pub fn cwd(&self) -> Option<(PathBuf, Option<PathBuf>)> {
        self.with(|around| match around {
            #[cfg(target_os = "linux")]
            Around::Other(process) => process.cwd(),
            _ => None,
        })
    }

    fn with<T>(&self, look: impl FnOnce(&Around) -> T) -> T {
        look(&self.around.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn as_it_is(mapping: Mapping, host: &Path) -> Seen {
    Seen {
        mapping,
        inside: Some(host.to_path_buf()),
        read_only: false,
    }
}

/// Joins without a slash at the end.
fn below(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() {
        base.to_path_buf()
    } else {
        base.join(rest)
    }
}

#[cfg(not(target_os = "linux"))]
fn apart(_pid: u32) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn look(pid: u32) -> std::io::Result<Around> {
    Ok(Process::open(pid)?.map_or(Around::Same, Around::Other))
}

/// Where there are no mount namespaces, all see the same.
#[cfg(not(target_os = "linux"))]
fn look(_pid: u32) -> std::io::Result<Around> {
    Ok(Around::Same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_counts_and_what_no_rule_names_is_assumed() {
        let rule = |host: &str, inside: Option<&str>| Rule {
            host: host.into(),
            inside: inside.map(PathBuf::from),
        };
        let view = View::new(vec![
            rule("/", None),
            rule("/srv/shared", Some("/data")),
            rule("/srv/shared/private", None),
        ]);
        let inside = |path: &str| view.see(Path::new(path)).inside;
        assert_eq!(inside("/srv/shared/a"), Some("/data/a".into()));
        assert_eq!(inside("/srv/shared"), Some("/data".into()));
        assert_eq!(inside("/srv/shared/private/a"), None);
        assert_eq!(inside("/srv/shared2/a"), None);
        assert_eq!(view.shown(Path::new("/etc/x")), Path::new("/etc/x"));
        assert_eq!(view.see(Path::new("/etc/x")).mapping, Mapping::Spec);
        let none = View::new(Vec::new());
        assert_eq!(none.see(Path::new("/a")).mapping, Mapping::Assumed);
        assert!(none.unseen().is_some() && !none.is_same());
        none.attach(Ok(std::process::id()));
        assert!(none.is_same());
        assert_eq!(none.see(Path::new("/a")).mapping, Mapping::Auto);
    }
}
