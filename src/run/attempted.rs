//! What a target attempted of the objects of a call, as the witness of system calls saw it.
//!
//! Owns what is looked for, and whether the witness may be believed: it speaks of an attack only where it saw the
//! permitted twin of it, or the plain call of the same channel where there is no twin.

use std::{
    collections::HashMap,
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{
    liveness::Leads,
    stage::{Ask, Counting, Stage},
    values::{paths, told_paths},
};
use crate::{
    judge::Twin,
    probe::{Claim, EvidenceKind, Role},
    testbed::Scene,
    witness::syscalls::{Attempted, How, Search, Sought, SyscallWitness, Wants, lexical},
};

/// The witness of a run, and which permitted calls it saw.
#[derive(Debug)]
pub(super) struct Attempts<'r> {
    witness: &'r SyscallWitness,
    /// By what was permitted: the plain call of a channel, or the twin of a trial.
    seen: Mutex<HashMap<String, bool>>,
}

/// What is looked for in the calls of a target, from when on.
#[derive(Debug)]
pub(super) struct Looking {
    search: Search,
    mark: u64,
}

impl<'r> Attempts<'r> {
    pub(super) fn of(witness: &'r SyscallWitness) -> Self {
        Self {
            witness,
            seen: Mutex::default(),
        }
    }

    /// Whether a permitted call was seen; nothing when it was not made, or left no trace to look for.
    fn saw(&self, permitted: &str) -> Option<bool> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(permitted).copied()
    }

    /// What a reader should know of the witness: whether it saw any permitted call, and what it cannot have seen.
    pub(super) fn sight(&self) -> (bool, String) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, some) = (seen.len(), seen.values().filter(|seen| **seen).count());
        let told = match (some, all) {
            (0, 0) => String::from("there was no permitted call that it could have seen"),
            (0, all) => format!("it saw none of {all} permitted calls that were served"),
            (some, all) => format!("saw {some} of {all} permitted calls that were served"),
        };
        let hidden = self.witness.hidden();
        let hidden = hidden.map_or_else(String::new, |hidden| format!("; {hidden}"));
        (some > 0, format!("{told}{hidden}"))
    }
}

fn of_channel(ask: &Ask<'_>) -> String {
    format!("{} {}", ask.channel.role, ask.channel.name())
}

fn of_twin(slug: &str) -> String {
    format!("twin {slug}")
}

impl Stage<'_> {
    /// What to look for in a call about files, if calls can tell anything of it.
    pub(super) fn looking(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        counted: &[String],
        attack: bool,
    ) -> Option<Looking> {
        let attempts = self.attempts.as_ref()?;
        let of_files = matches!(
            ask.claim,
            Claim::Outside
                | Claim::DeniedInside
                | Claim::DeniedPattern
                | Claim::ReadOnly
                | Claim::ProtectedNames
        );
        let one_call = ask.technique.is_none()
            && scene.descriptor.is_none()
            && !matches!(ask.channel.role, Role::ScopeWiden | Role::ParamText);
        if !of_files || !one_call {
            return None;
        }
        let leads = Leads::default();
        let objects: Vec<Sought> = self
            .objects(ask, scene, counted, &leads)
            .into_iter()
            .flat_map(|path| {
                // A listing reads the directory and not the file, a search by names too.
                let directory = path.parent().filter(|_| path.is_file());
                let counts = |directory: &&Path| !attack || self.forbids(directory, &leads);
                let directory = directory.filter(counts).map(Path::to_path_buf);
                match ask.channel.role {
                    Role::DirList if path.is_file() => [directory, None],
                    Role::FileSearch => [Some(path), directory],
                    _ => [Some(path), None],
                }
            })
            .flatten()
            .map(|path| self.sought(ask, scene, &path))
            .collect();
        if objects.is_empty() {
            return None;
        }
        let wants = match ask.channel.role {
            Role::FileInfo => Wants::Look,
            role if self.only_writes(role, counted) => Wants::Write,
            // What is put in the place of another is put there, whatever of the other is known.
            role if role.creates() && !ask.evidence.contains(&EvidenceKind::Token) => Wants::Write,
            _ => Wants::Read,
        };
        Some(Looking {
            search: Search {
                objects,
                hosts: Vec::new(),
                wants,
                allowed: self.told_root(),
            },
            mark: attempts.witness.mark(),
        })
    }

    /// What to look for in a call about a host.
    pub(super) fn looking_for_host(&self, host: Option<IpAddr>) -> Option<Looking> {
        let attempts = self.attempts.as_ref()?;
        Some(Looking {
            search: Search {
                objects: Vec::new(),
                hosts: vec![host?.to_canonical()],
                wants: Wants::Reach,
                allowed: self.told_root(),
            },
            mark: attempts.witness.mark(),
        })
    }

    fn sought(&self, ask: &Ask<'_>, scene: &Scene, path: &Path) -> Sought {
        let found = std::fs::symlink_metadata(path).ok();
        let inside = self.view.see(path).inside;
        Sought {
            told: self.told_names(ask, scene),
            absent: inside.is_none(),
            could_be: path.parent().is_some_and(Path::exists),
            id: found.map(|found| (found.dev(), found.ino())),
            inside: inside.unwrap_or_else(|| PathBuf::from(path)),
        }
    }

    /// What the target is told that is to lead to an object, by its own names, and where links on the way of it point.
    fn told_names(&self, ask: &Ask<'_>, scene: &Scene) -> Vec<PathBuf> {
        if !self.view.is_other() {
            return Vec::new();
        }
        let here = self.view.cwd().map(|(inside, _)| inside);
        let root = self.told_root();
        let bases = [
            (&self.bed.allowed, &root),
            (&self.cwd, here.as_ref().unwrap_or(&root)),
        ];
        let told = told_paths(ask.variant, scene);
        let named = paths(ask.variant, scene).into_iter().zip(told);
        let mut names = Vec::new();
        for ((ours, theirs), (ours_from, theirs_from)) in
            named.flat_map(|it| bases.map(|base| (it.clone(), base)))
        {
            let (ours, theirs) = (ours_from.join(ours), theirs_from.join(theirs));
            names.push(lexical(&theirs));
            names.extend(linked(&ours, &theirs));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What came of it, once the call is over. Of a permitted call it is remembered whether it was seen at all.
    pub(super) fn tried(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        looking: Option<Looking>,
        counting: Counting<'_>,
        served: bool,
    ) -> Option<Attempted> {
        let (attempts, looking) = (self.attempts.as_ref()?, looking?);
        let attempted = match attempts.witness.since(looking.mark) {
            Ok(events) => looking.search.judge(&events),
            Err(why) => Attempted::unseen(&why),
        };
        let permitted = match counting {
            Counting::Forbidden => return Some(attempted),
            Counting::Named(_) => of_twin(&scene.slug),
            Counting::All => of_channel(ask),
        };
        if served {
            let mut seen = attempts.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(permitted, attempted.how == How::Succeeded);
        }
        Some(attempted)
    }

    /// What the witness may be believed of an attack.
    pub(super) fn believed(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        twin: &Twin,
        attempted: Attempted,
    ) -> Option<Attempted> {
        let attempts = self.attempts.as_ref()?;
        // What was seen was seen.
        if !matches!(attempted.how, How::NotMade | How::Looked) {
            return Some(attempted);
        }
        // What was not seen may have been done where nothing is seen.
        if let Some(why) = attempts.witness.hidden() {
            return Some(Attempted::unseen(why));
        }
        let twin = match twin {
            Twin::Passed(_) => attempts.saw(&of_twin(&scene.slug)),
            Twin::Rejected(_) | Twin::None(_) => None,
        };
        Some(match twin.or_else(|| attempts.saw(&of_channel(ask))) {
            Some(true) => attempted,
            Some(false) => Attempted::unseen(
                "the witness did not see the permitted call either, though it was served",
            ),
            None => Attempted::unseen("no permitted call shows whether the witness sees"),
        })
    }
}

/// What a path of the target comes to by each link on its way, as those stand on our disk.
fn linked(ours: &Path, theirs: &Path) -> Vec<PathBuf> {
    let ways = ours.ancestors().zip(theirs.ancestors());
    ways.filter_map(|(ours, at)| {
        let target = std::fs::read_link(ours).ok()?;
        let rest = theirs.strip_prefix(at).ok()?;
        Some(lexical(&at.parent()?.join(target).join(rest)))
    })
    .collect()
}
