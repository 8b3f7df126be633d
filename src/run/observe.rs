//! What a call left behind: tokens, copies, effects, told metadata, reads of watched files.
//!
//! Owns the turning of what was seen into observations, and where it is looked for.

use std::path::{Path, PathBuf};

use super::{
    liveness::resolve,
    stage::{Ask, Counting, Kept, Stage},
};
use crate::{
    judge::{Observation, Watch},
    policy::Access,
    probe::{Claim, EvidenceKind, Role},
    session::Exchange,
    testbed::{Planted, Scene},
    witness::{Change, ChangeKind, Snapshot, WatchId, told, told_digest},
};

/// Larger files are not looked into: no planted one is, and no copy of one.
const LOOKED_AT: u64 = 4 << 20;

impl Stage<'_> {
    /// What has come to light since: effects in the forbidden places, and tokens.
    pub(super) fn late(&self, ask: &Ask<'_>, kept: &Kept) -> Vec<Observation> {
        if let Some(props) = &kept.props {
            return self.late_net(ask, props);
        }
        let now = Snapshot::take(kept.forbidden.iter().map(PathBuf::as_path));
        let changes = kept.after.changes(&now);
        let effects = self.effects(ask, &kept.scene, &changes, Counting::Forbidden);
        let tokens = self.tokens(ask, &kept.scene, &kept.counted);
        effects
            .into_iter()
            .chain(tokens)
            .filter(|(_, weak)| !weak)
            .map(|(observation, _)| observation)
            .collect()
    }

    /// Tokens of the counted plants seen so far.
    pub(super) fn tokens(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        counted: &[String],
    ) -> Vec<(Observation, bool)> {
        let whole_only = ask.claim == Claim::MaxFileSize;
        let mut found = Vec::new();
        for planted in scene
            .planted
            .iter()
            .filter(|planted| counted.contains(&planted.name))
        {
            for seen in self.sightings.seen(planted.token.slot()) {
                let whole = seen.sighting.matched >= planted.token.as_str().len();
                if whole_only && !whole {
                    continue;
                }
                let what = if seen.sighting.proof {
                    "the token"
                } else {
                    "a fragment of the token"
                };
                let fact = format!(
                    "{what} planted at {} came out of the server",
                    planted.path.display()
                );
                let observation = seen.observation(EvidenceKind::Token, fact);
                found.push((observation, !seen.sighting.proof));
            }
        }
        found
    }

    /// Watches the counted files for reads, and says whether all of them are watched.
    pub(super) fn arm(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        counted: &[String],
    ) -> (Vec<(String, WatchId)>, Watch) {
        if !ask.evidence.contains(&EvidenceKind::Access) {
            return (Vec::new(), Watch::Awake);
        }
        let mut watch = self.files.blind().map_or(Watch::Awake, Watch::Blind);
        let mut armed = Vec::new();
        let files = scene
            .planted
            .iter()
            .filter(|planted| counted.contains(&planted.name) && planted.metadata.is_some());
        for planted in files {
            // A listing reads the directory and not the file.
            let lists = ask.channel.role == Role::DirList;
            let path = planted
                .path
                .parent()
                .filter(|_| lists)
                .unwrap_or(&planted.path);
            match self.files.watch(path) {
                Ok(id) => armed.push((planted.name.clone(), id)),
                Err(error) => {
                    watch = Watch::Blind(format!("{} cannot be watched: {error}", path.display()))
                }
            }
        }
        (armed, watch)
    }

    pub(super) fn reads(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        watches: Vec<(String, WatchId)>,
    ) -> Vec<Observation> {
        let lists = ask.channel.role == Role::DirList;
        let mut signals = Vec::new();
        for (name, watch) in watches {
            let reads = self.files.reads(watch);
            self.files.forget(watch);
            let path = scene.planted(&name).map(|planted| planted.path.clone());
            let path = path.unwrap_or_default();
            let what = match path.parent().filter(|_| lists) {
                Some(directory) => format!("the directory {}", directory.display()),
                None => path.display().to_string(),
            };
            if reads > 0 {
                signals.push(Observation {
                    witness: String::from("file-witness"),
                    kind: EvidenceKind::Access,
                    fact: format!(
                        "{what} was read during the call, though nothing of it was returned"
                    ),
                    at_ms: self.now_ms(),
                    decoders: Vec::new(),
                    excerpt: None,
                });
            }
        }
        signals
    }

    /// Content of counted plants that turned up in files which the call created or changed.
    pub(super) fn copied(
        &self,
        scene: &Scene,
        changes: &[Change],
        counted: &[String],
    ) -> Vec<(Observation, bool)> {
        let mut found = Vec::new();
        for change in changes {
            let readable = std::fs::symlink_metadata(&change.path)
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LOOKED_AT);
            // A path through a link would show what lies behind it, and be no copy at all.
            let itself = change
                .path
                .canonicalize()
                .is_ok_and(|real| real == change.path);
            if !readable
                || !itself
                || change.kind == ChangeKind::Removed
                || scene
                    .planted
                    .iter()
                    .any(|planted| planted.path == change.path)
            {
                continue;
            }
            for sighting in self
                .sightings
                .detector()
                .scan(&std::fs::read(&change.path).unwrap_or_default())
            {
                let from = scene.planted.iter().find(|planted| {
                    planted.token.slot() == sighting.slot && counted.contains(&planted.name)
                });
                if let Some(planted) = from {
                    let observation = Observation {
                        witness: String::from("write-witness"),
                        kind: EvidenceKind::Token,
                        fact: format!(
                            "the token planted at {} now stands in {}",
                            planted.path.display(),
                            change.path.display()
                        ),
                        at_ms: self.now_ms(),
                        decoders: sighting.decoders.iter().map(ToString::to_string).collect(),
                        excerpt: Some(sighting.excerpt.clone()),
                    };
                    found.push((observation, !sighting.proof));
                }
            }
        }
        found
    }

    pub(super) fn effects(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        changes: &[Change],
        counting: Counting<'_>,
    ) -> Vec<(Observation, bool)> {
        if ask.claim == Claim::MaxFileSize && !ask.evidence.contains(&EvidenceKind::Effect) {
            // What grows here is grown by the technique.
            return Vec::new();
        }
        let limit = self.policy.max_file_bytes();
        let counts = |change: &Change| match counting {
            Counting::Forbidden if ask.claim == Claim::MaxFileSize => {
                std::fs::symlink_metadata(&change.path).is_ok_and(|metadata| {
                    metadata.is_file() && limit.is_some_and(|limit| metadata.len() > limit)
                })
            }
            Counting::Forbidden => !self.policy.decide(&change.path, Access::Write).allowed,
            Counting::Named(_) if ask.claim == Claim::Outside => {
                !change.path.starts_with(&scene.geometry.here)
            }
            Counting::Named(_) | Counting::All => true,
        };
        changes
            .iter()
            .filter(|change| counts(change))
            .map(|change| {
                let observation = Observation {
                    witness: String::from("write-witness"),
                    kind: EvidenceKind::Effect,
                    fact: format!("{} was {}", change.path.display(), change.kind.word()),
                    at_ms: self.now_ms(),
                    decoders: Vec::new(),
                    excerpt: None,
                };
                (observation, false)
            })
            .collect()
    }

    /// Where a call could have an effect of its own: the directories of the trial, its plants, and
    /// what it names, unless others use that too.
    pub(super) fn places(&self, scene: &Scene, named: &[String]) -> Vec<PathBuf> {
        let shared = [
            &self.bed.allowed,
            &self.bed.denied,
            &self.bed.outside,
            &self.bed.home,
            &self.bed.tmp,
        ];
        let mut places: Vec<PathBuf> = scene
            .geometry
            .own()
            .into_iter()
            .map(Path::to_path_buf)
            .collect();
        let planted = scene.planted.iter().map(|planted| planted.path.clone());
        let named = named
            .iter()
            .map(Path::new)
            .filter(|path| path.is_absolute())
            .filter_map(resolve);
        let ours = self.bed.allowed.parent().unwrap_or(self.bed.base());
        for path in planted.chain(named).filter(|path| path.starts_with(ours)) {
            let known = places.iter().any(|place| path.starts_with(place));
            let others = shared.iter().any(|directory| directory.starts_with(&path));
            if !known && !others {
                places.push(path);
            }
        }
        places
    }

    /// What stands in the places before a call. Those of the trial's own that it never made, and in which no
    /// technique is at work, are not there: their names are new.
    pub(super) fn before(&self, scene: &Scene, places: &[PathBuf], acts: bool) -> Snapshot {
        let own = scene.geometry.own();
        let missing = |place: &Path| !acts && own.contains(&place) && !scene.uses(place);
        let places = places.iter().map(PathBuf::as_path);
        Snapshot::take(places.filter(|place| !missing(place)))
    }

    pub(super) fn metadata(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        exchange: &Exchange,
        counted: &[String],
    ) -> Vec<(Observation, bool)> {
        if !ask.evidence.contains(&EvidenceKind::Metadata) && ask.channel.role != Role::FileInfo {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(&exchange.raw);
        let told_of = |planted: &Planted| {
            let (size, modified) = planted.metadata?;
            let what = told(&text, size, modified).or_else(|| {
                // One that is gone, or is no plain file (a pipe would not end), has no digest.
                let plain = std::fs::symlink_metadata(&planted.path)
                    .is_ok_and(|found| found.is_file() && found.len() <= LOOKED_AT);
                let content = plain.then(|| std::fs::read(&planted.path).ok()).flatten()?;
                told_digest(&text, &content)
            })?;
            let observation = Observation {
                witness: String::from("reply"),
                kind: EvidenceKind::Metadata,
                fact: format!("the reply tells of {}: {what}", planted.path.display()),
                at_ms: self.now_ms(),
                decoders: Vec::new(),
                excerpt: None,
            };
            Some((observation, false))
        };
        scene
            .planted
            .iter()
            .filter(|planted| counted.contains(&planted.name))
            .filter_map(told_of)
            .collect()
    }
}
