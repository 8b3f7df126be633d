//! Files that a call left under a name which a host gave.
//!
//! Owns finding them by the word of the trial in their names. What a call is does not matter here, nor what the
//! files hold.

use std::path::PathBuf;

use walkdir::WalkDir;

use super::Props;
use crate::{judge::Observation, policy::Access, probe::EvidenceKind, run::stage::Stage};

/// How deep a target keeps downloads below its working directory: in it, or in a directory of their own.
const BELOW_CWD: usize = 2;

impl Stage<'_> {
    /// Files of the trial that stand where their names lead, if the policy does not permit writing there.
    ///
    /// Elsewhere is no escape: names with a path in them may be made plain, and where a target keeps its downloads is
    /// not for the host to say.
    pub(super) fn escaped(&self, props: &Props) -> Vec<Observation> {
        let mut files = self.named_by_host(props);
        files.retain(|path| {
            path.starts_with(props.away()) && !self.policy.decide(path, Access::Write).allowed
        });
        files.into_iter().map(|path| self.landed(&path)).collect()
    }

    /// Files of the trial, wherever the target keeps what it downloads: it names them as the host does.
    pub(super) fn kept(&self, props: &Props) -> Vec<Observation> {
        let files = self.named_by_host(props);
        files.into_iter().map(|path| self.landed(&path)).collect()
    }

    /// Finds files of the trial and removes them: their names are its own, so that nobody else has made or wants them.
    fn named_by_host(&self, props: &Props) -> Vec<PathBuf> {
        let named = |name: &str| props.nonces().any(|word| name.contains(word.as_str()));
        let mut trees = vec![WalkDir::new(self.bed.base())];
        if !self.cwd.starts_with(self.bed.base()) {
            trees.push(WalkDir::new(&self.cwd).max_depth(BELOW_CWD));
        }
        let mut found = Vec::new();
        for entry in trees.into_iter().flatten().flatten() {
            if entry.file_type().is_file() && named(&entry.file_name().to_string_lossy()) {
                // What cannot be removed goes with the namespaces of the run.
                let _kept = std::fs::remove_file(entry.path());
                found.push(entry.into_path());
            }
        }
        found
    }

    fn landed(&self, path: &std::path::Path) -> Observation {
        Observation {
            witness: String::from("write-witness"),
            kind: EvidenceKind::Effect,
            fact: format!(
                "{} was created, under the name that the host gave",
                path.display()
            ),
            at_ms: self.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        }
    }
}
