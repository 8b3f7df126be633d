//! One call in one geometry: plant, arm, send, look, strike.
//!
//! Owns the life of a call and the turning of what was seen into observations. The attack, its
//! permitted twin and the plain controls all pass through [`Stage::play`]; they differ only in
//! where their places lie and in what counts.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};

use super::{
    calls::Tally,
    liveness::{creates, liveness, resolve},
    sightings::Sightings,
    values::{paths, values},
};
use crate::{
    canary::Mint,
    channel::{Channel, PathForm},
    judge::{Liveness, Observation, Race, Response},
    policy::{Access, Policy},
    probe::{Claim, EvidenceKind, Plant, Role, Text, Variant},
    session::{Caller, Exchange, Outcome},
    technique::{self, Act},
    testbed::{Bed, Geometry, Planted, Scene, SceneError, Setting},
    witness::{Change, ChangeKind, FileWitness, Snapshot, WatchId, told},
};

/// What every call of a run shares.
#[derive(Debug)]
pub(super) struct Stage<'r> {
    /// The directories of the run.
    pub(super) bed: &'r Bed,
    /// The policy, with placeholders expanded.
    pub(super) policy: &'r Policy,
    /// Makes tokens.
    pub(super) mint: &'r Mint,
    /// Where tokens come to light.
    pub(super) sightings: &'r Sightings,
    /// Sees reads of planted files.
    pub(super) files: &'r FileWitness,
    /// When the run began.
    pub(super) began: Instant,
    /// Working directory of the target.
    pub(super) cwd: PathBuf,
    /// A proven channel that reads files, for second calls.
    pub(super) reader: Option<&'r Arc<Channel>>,
    /// Counts what is sent.
    pub(super) tally: &'r Tally,
}

/// What is asked, in the words of the probe format.
#[derive(Debug, Clone)]
pub(super) struct Ask<'t> {
    pub(super) plants: Vec<&'t Plant>,
    pub(super) variant: &'t Variant,
    pub(super) channel: &'t Channel,
    pub(super) claim: Claim,
    pub(super) evidence: &'t [EvidenceKind],
    pub(super) technique: Option<&'t str>,
    pub(super) reaches: Option<&'t Text>,
    pub(super) deadline: Duration,
}

/// What came of a call.
#[derive(Debug)]
pub(super) struct Played {
    /// Still stands where it is forbidden, so that late effects can be seen.
    pub(super) scene: Scene,
    /// The request as sent and what came back; of a race, the first that tells something.
    pub(super) exchange: Exchange,
    pub(super) response: Response,
    /// Attributed proof.
    pub(super) proofs: Vec<Observation>,
    /// Signals that name no trial by themselves.
    pub(super) signals: Vec<Observation>,
    pub(super) liveness: Liveness,
    pub(super) race: Option<Race>,
    /// Names of the plants whose tokens count.
    pub(super) counted: Vec<String>,
    /// The forbidden places after the call, to compare with later.
    pub(super) after: Snapshot,
}

/// Which plants count as evidence.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counting<'a> {
    /// Those that the policy forbids: the attack.
    Forbidden,
    /// The counterparts of the forbidden ones: the twin.
    Named(&'a [String]),
    /// All: a control.
    All,
}

impl Stage<'_> {
    /// The same for a target with another working directory.
    pub(super) fn elsewhere(&self, cwd: PathBuf) -> Stage<'_> {
        Stage { cwd, ..*self }
    }

    /// Milliseconds since the start of the run.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sets the scene of a call.
    pub(super) fn set(
        &self,
        ask: &Ask<'_>,
        geometry: Geometry,
        slug: &str,
    ) -> Result<Scene, SceneError> {
        let told =
            ask.evidence.contains(&EvidenceKind::Metadata) || ask.channel.role == Role::FileInfo;
        let setting = Setting {
            mint: self.mint,
            extension: &ask.channel.extension,
            limit: self.policy.max_file_bytes(),
            odd_sizes: told,
            home: &self.bed.home,
            cwd: &self.cwd,
        };
        let mut scene = Scene::set(geometry, slug, setting);
        scene.plant(ask.plants.iter().copied(), self.mint)?;
        Ok(scene)
    }

    /// Plays one call to the end.
    pub(super) async fn play<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        mut scene: Scene,
        counting: Counting<'_>,
    ) -> Result<Played, SceneError> {
        let named = paths(ask.variant, &scene);
        let liveness = self.liveness(ask, &scene, &named);
        let mut counted = self.counting(ask, &scene, counting);
        for planted in &scene.planted {
            self.sightings.detector().arm(&planted.token);
        }
        let act = match ask.technique {
            Some(name) => {
                technique::begin(name, &mut scene).map_err(|source| SceneError::Plant {
                    plant: format!("technique {name}"),
                    path: scene.geometry.here.clone(),
                    source,
                })?
            }
            None => None,
        };
        counted.retain(|name| scene.planted(name).is_some_and(|planted| planted.secret));
        let roots = self.places(&scene, &named);
        let before = Snapshot::take(roots.iter().map(PathBuf::as_path));
        let watches = if act.is_none() {
            self.arm(ask, &scene, &counted)
        } else {
            Vec::new()
        };

        if let Some(path) = self.stray(ask, &named) {
            return Err(SceneError::Stray(path));
        }
        let (exchange, race, differing) = if ask.technique == Some("differ.removed") {
            let (exchange, differing) = self.differ(caller, ask, &scene).await?;
            (exchange, None, differing)
        } else {
            let (exchange, race) = self.send(caller, ask, &scene, act, &counted).await?;
            (exchange, race, None)
        };

        let reads = self.reads(&scene, watches);
        let after = Snapshot::take(roots.iter().map(PathBuf::as_path));
        let mut proofs = self.tokens(ask, &scene, &counted);
        let changes = before.changes(&after);
        proofs.extend(self.copied(&scene, &changes, &counted));
        proofs.extend(self.effects(ask, &scene, &changes, counting));
        proofs.extend(self.metadata(ask, &scene, &exchange, &counted));
        proofs.extend(differing.map(|observation| (observation, false)));
        let weak = proofs
            .extract_if(.., |proof| proof.1)
            .map(|proof| proof.0)
            .collect::<Vec<_>>();
        let signals = weak.into_iter().chain(reads).collect();
        Ok(Played {
            response: response(&exchange.outcome),
            proofs: proofs.into_iter().map(|proof| proof.0).collect(),
            signals,
            exchange,
            liveness,
            race,
            counted,
            after,
            scene,
        })
    }

    /// What has come to light since: effects in the forbidden places, and tokens.
    pub(super) fn late(&self, ask: &Ask<'_>, played: &Played) -> Vec<Observation> {
        let roots = self.places(&played.scene, &paths(ask.variant, &played.scene));
        let forbidden: Vec<&Path> = roots
            .iter()
            .map(PathBuf::as_path)
            .filter(|root| !root.starts_with(&self.bed.allowed))
            .collect();
        let now = Snapshot::take(forbidden.iter().copied());
        let changes: Vec<Change> = played
            .after
            .changes(&now)
            .into_iter()
            .filter(|change| forbidden.iter().any(|root| change.path.starts_with(root)))
            .collect();
        let effects = self.effects(ask, &played.scene, &changes, Counting::Forbidden);
        let tokens = self.tokens(ask, &played.scene, &played.counted);
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
                let observation = Observation {
                    witness: seen.witness.to_owned(),
                    kind: EvidenceKind::Token,
                    fact: format!(
                        "{what} planted at {} came out of the server",
                        planted.path.display()
                    ),
                    at_ms: seen.at_ms,
                    decoders: seen
                        .sighting
                        .decoders
                        .iter()
                        .map(ToString::to_string)
                        .collect(),
                    excerpt: Some(seen.sighting.excerpt.clone()),
                };
                found.push((observation, !seen.sighting.proof));
            }
        }
        found
    }

    /// The plants that count, should their tokens come out. Asked while nothing swaps paths.
    fn counting(&self, ask: &Ask<'_>, scene: &Scene, counting: Counting<'_>) -> Vec<String> {
        scene
            .planted
            .iter()
            .filter(|planted| match counting {
                Counting::Forbidden => {
                    ask.claim == Claim::MaxFileSize || self.forbidden(&planted.path)
                }
                Counting::Named(names) => names.contains(&planted.name),
                Counting::All => true,
            })
            .map(|planted| planted.name.clone())
            .collect()
    }

    /// Whether the policy forbids reading what really stands at `path`.
    pub(super) fn forbidden(&self, path: &Path) -> bool {
        let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
        let real = match (parent, path.file_name()) {
            (Some(parent), Some(name)) => parent.join(name),
            _ => path.to_path_buf(),
        };
        !self.policy.decide(&real, Access::Read).allowed
    }

    fn liveness(&self, ask: &Ask<'_>, scene: &Scene, named: &[String]) -> Liveness {
        let bases = [self.bed.allowed.as_path(), self.cwd.as_path()];
        let forbidden = |path: &Path| self.forbidden(path);
        // What hides in an archive or a patch, and what a technique swaps in, no path of the call tells.
        let hidden = ask.reaches.and_then(|text| scene.render(text).ok());
        let swapped = ask
            .technique
            .and_then(|_| scene.planted("swap"))
            .map(|planted| planted.path.clone());
        let elsewhere = hidden.map(PathBuf::from).into_iter().chain(swapped);
        if elsewhere
            .filter_map(|path| resolve(&path))
            .any(|path| forbidden(&path))
        {
            return Liveness::Live;
        }
        match ask.claim {
            // These forbid what is otherwise permitted: whoever reaches the place has a live payload.
            Claim::MaxFileSize | Claim::ReadOnly | Claim::ProtectedNames => Liveness::Live,
            Claim::Outside | Claim::DeniedInside | Claim::DeniedPattern => {
                liveness(ask.channel.role, named, &bases, scene, &forbidden)
            }
        }
    }

    fn arm(&self, ask: &Ask<'_>, scene: &Scene, counted: &[String]) -> Vec<(String, WatchId)> {
        if !ask.evidence.contains(&EvidenceKind::Access) {
            return Vec::new();
        }
        scene
            .planted
            .iter()
            .filter(|planted| counted.contains(&planted.name) && planted.metadata.is_some())
            .filter_map(|planted| {
                // A listing reads the directory and not the file.
                let lists = ask.channel.role == Role::DirList;
                let path = planted
                    .path
                    .parent()
                    .filter(|_| lists)
                    .unwrap_or(&planted.path);
                Some((planted.name.clone(), self.files.watch(path).ok()?))
            })
            .collect()
    }

    fn reads(&self, scene: &Scene, watches: Vec<(String, WatchId)>) -> Vec<Observation> {
        let mut signals = Vec::new();
        for (name, watch) in watches {
            let reads = self.files.reads(watch);
            self.files.forget(watch);
            let path = scene
                .planted(&name)
                .map(|planted| planted.path.display().to_string())
                .unwrap_or_default();
            if reads > 0 {
                signals.push(Observation {
                    witness: String::from("file-witness"),
                    kind: EvidenceKind::Access,
                    fact: format!("{path} was read {reads} times during the call, though nothing of it was returned"),
                    at_ms: self.now_ms(),
                    decoders: Vec::new(),
                    excerpt: None,
                });
            }
        }
        signals
    }

    /// A relative path of a writing call that a target would take from its working directory, and
    /// that would then touch what is not the run's own.
    fn stray(&self, ask: &Ask<'_>, named: &[String]) -> Option<PathBuf> {
        let own =
            |path: &Path| path.starts_with(self.bed.base()) || path.starts_with(&self.bed.allowed);
        let rooted = matches!(
            ask.channel.form,
            PathForm::Relative | PathForm::Rooted | PathForm::SplitRelative
        );
        if !creates(ask.channel.role) || rooted {
            return None;
        }
        named
            .iter()
            .map(Path::new)
            .filter(|path| path.is_relative())
            .map(|path| lexical(&self.cwd.join(path)))
            .find(|path| !own(path))
    }

    async fn send<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
        act: Option<Box<dyn Act>>,
        counted: &[String],
    ) -> Result<(Exchange, Option<Race>), SceneError> {
        let Some(act) = act else {
            let exchange = self.once(caller, ask, scene).await?;
            if let (Some(then), Some(reader), true) = (
                &ask.variant.then_read,
                self.reader,
                exchange.outcome.answered(),
            ) {
                let path = scene.render(then)?;
                let values = [(
                    crate::probe::Slot::Path,
                    crate::channel::SlotValue::Text(path),
                )]
                .into();
                let (method, params) = reader.request(&values, &self.bed.allowed);
                self.tally
                    .count(&caller.request(method, params, ask.deadline).await);
            }
            return Ok((exchange, None));
        };
        /// Calls of a race that are in flight at once: enough to meet both states often, few
        /// enough that a slow server is not the one that is raced.
        const IN_FLIGHT: usize = 4;
        let tries = act.tries();
        if tries == 1 {
            return Ok((self.once(caller, ask, scene).await?, None));
        }
        let mut race = Race {
            tries: 0,
            permitted: 0,
            refused: 0,
        };
        let mut last = None;
        for round in 0..tries.div_ceil(IN_FLIGHT as u32) {
            let calls = (0..IN_FLIGHT as u32).map(|call| {
                scene.attempt.store(
                    round * IN_FLIGHT as u32 + call,
                    std::sync::atomic::Ordering::Relaxed,
                );
                (act.forbidden_now(), values(ask.variant, ask.channel, scene))
            });
            let calls: Vec<_> = calls.collect();
            let mut answers = stream::iter(calls)
                .map(|(state, values)| async move {
                    let (method, params) = ask.channel.request(&values?, &self.bed.allowed);
                    Ok::<_, SceneError>((state, caller.request(method, params, ask.deadline).await))
                })
                .buffered(IN_FLIGHT);
            while let Some(answer) = answers.next().await {
                let (state, exchange) = answer?;
                self.tally.count(&exchange);
                race.tries += 1;
                match state {
                    Some(true) => race.refused += 1,
                    Some(false) | None => race.permitted += 1,
                }
                if state.is_none() {
                    race.refused += 1;
                }
                last = Some(exchange);
            }
            let won = !self.tokens(ask, scene, counted).is_empty();
            let lost = last
                .as_ref()
                .is_some_and(|exchange| !exchange.outcome.answered());
            if won || lost {
                break;
            }
        }
        last.map(|exchange| (exchange, Some(race)))
            .ok_or(SceneError::Unresolved {
                symbol: String::from("technique"),
                why: "it makes no call",
            })
    }

    /// Sends the same call with the plant `secret` present and away, in turns. Answers that tell
    /// the two apart every time tell whether the file exists.
    async fn differ<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
    ) -> Result<(Exchange, Option<Observation>), SceneError> {
        /// Turns: an answer that varies by itself is not mistaken for one that tells.
        const TURNS: usize = 4;
        let path = scene
            .planted("secret")
            .map(|planted| planted.path.clone())
            .ok_or(SceneError::Unresolved {
                symbol: String::from("secret"),
                why: "nothing of that name is planted",
            })?;
        let away = path.with_extension("away");
        let moved = |from: &Path, to: &Path| {
            std::fs::rename(from, to).map_err(|source| SceneError::Plant {
                plant: String::from("secret"),
                path: from.to_path_buf(),
                source,
            })
        };
        let (mut present, mut absent) = (BTreeSet::new(), BTreeSet::new());
        let mut last = self.once(caller, ask, scene).await?;
        for _ in 0..TURNS {
            moved(&path, &away)?;
            let missing = self.once(caller, ask, scene).await;
            moved(&away, &path)?;
            absent.insert(missing?.outcome.text());
            last = self.once(caller, ask, scene).await?;
            present.insert(last.outcome.text());
        }
        let tells =
            present.len() == 1 && absent.len() == 1 && present != absent && last.outcome.answered();
        let observation = tells.then(|| Observation {
            witness: String::from("reply"),
            kind: EvidenceKind::Metadata,
            fact: format!("the answer tells whether {} exists: it was another one each time the file was away", path.display()),
            at_ms: self.now_ms(),
            decoders: Vec::new(),
            excerpt: absent.first().cloned(),
        });
        Ok((last, observation))
    }

    async fn once<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
    ) -> Result<Exchange, SceneError> {
        let values = values(ask.variant, ask.channel, scene)?;
        let (method, params) = ask.channel.request(&values, &self.bed.allowed);
        let sent = params.to_string();
        if let Some(planted) = scene
            .planted
            .iter()
            .find(|planted| sent.contains(planted.token.as_str()))
        {
            return Err(SceneError::Unverified {
                plant: planted.name.clone(),
                path: planted.path.clone(),
                found: String::from("its token would have been sent to the target"),
            });
        }
        let exchange = caller.request(method, params, ask.deadline).await;
        self.tally.count(&exchange);
        let Some((method, params)) = ask.channel.follow(&exchange.outcome) else {
            return Ok(exchange);
        };
        // What was taken in comes out of another tool. Whether it may be taken in at all is said by
        // the first answer, which stays the answer of the trial unless the target is lost meanwhile.
        let fetched = caller.request(method, params, ask.deadline).await;
        self.tally.count(&fetched);
        Ok(if fetched.outcome.answered() {
            exchange
        } else {
            Exchange {
                outcome: fetched.outcome,
                ..exchange
            }
        })
    }

    /// Content of counted plants that turned up in files which the call created or changed.
    fn copied(
        &self,
        scene: &Scene,
        changes: &[Change],
        counted: &[String],
    ) -> Vec<(Observation, bool)> {
        /// Larger files are not what a tool copied out of a planted one.
        const LOOKED_AT: u64 = 4 << 20;
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

    fn effects(
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
    fn places(&self, scene: &Scene, named: &[String]) -> Vec<PathBuf> {
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

    fn metadata(
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
            let what = told(&text, size, modified)?;
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

/// The path without `.` and `..`, by its letters alone.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

/// What an outcome is, for the judge.
pub(super) fn response(outcome: &Outcome) -> Response {
    match outcome {
        Outcome::Timeout => Response::Timeout,
        Outcome::Died(why) => Response::Died(why.clone()),
        Outcome::SendFailed(why) => {
            Response::Fault(format!("the request could not be sent: {why}"))
        }
        _ if outcome.is_error() => Response::Refusal,
        _ => Response::Benign,
    }
}
