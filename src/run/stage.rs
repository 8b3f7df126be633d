//! One call in one geometry: plant, arm, send, look, strike.
//!
//! Owns the life of a call and the turning of what was seen into observations. The attack, its
//! permitted twin and the plain controls all pass through [`Stage::play`]; they differ only in
//! where their places lie and in what counts.

use std::{
    collections::HashMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;

use super::{
    attempted::Attempts,
    calls::{Step, Tally},
    liveness::{Leads, liveness, occupied, resolve},
    net::{Props, Wire},
    recorded::Ledger,
    send::response,
    sightings::Sightings,
    values::paths,
    variables::Planted,
};
use crate::{
    canary::Mint,
    channel::Channel,
    judge::{Liveness, Observation, Race, Response, Twin, Wall, Watch},
    policy::{Access, Named, Policy},
    probe::{Claim, EvidenceKind, Plant, Role, Text, Variant},
    session::{Caller, Exchange},
    technique,
    testbed::{Bed, Geometry, Scene, SceneError, Seen, Setting, View},
    witness::{FileWitness, ProcessWitness, Snapshot, syscalls::Attempted},
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
    /// Working directory of the target, as we have it.
    pub(super) cwd: PathBuf,
    /// How the target sees the disk.
    pub(super) view: View,
    /// A proven channel that reads files, for second calls.
    pub(super) reader: Option<&'r Arc<Channel>>,
    /// Roles in which a tool of the target is proven.
    pub(super) proven: &'r [Role],
    /// Counts what is sent.
    pub(super) tally: &'r Tally,
    /// Sees command lines.
    pub(super) processes: &'r ProcessWitness,
    /// Whether the program of a trial can be started here.
    pub(super) programs: &'r Result<(), String>,
    /// What plain values of text parameters do, by channel.
    pub(super) twins: &'r Twins,
    /// The audit log, if the policy names one.
    pub(super) ledger: Option<&'r Ledger>,
    /// The run's own network, if it has one.
    pub(super) wire: Option<Wire<'r>>,
    /// Variables of the target that hold secrets.
    pub(super) planted: &'r Planted<'r>,
    /// The witness of system calls, if there is one.
    pub(super) attempts: Option<&'r Attempts<'r>>,
}

/// The twins of text parameters, which all trials on one share.
pub(super) type Twins = Mutex<HashMap<String, Arc<OnceCell<Twin>>>>;

/// What is asked, in the words of the probe format.
#[derive(Debug, Clone)]
pub(super) struct Ask<'t> {
    pub(super) plants: Vec<&'t Plant>,
    pub(super) variant: &'t Variant,
    pub(super) channel: &'t Channel,
    /// What has to stand behind the parameter.
    pub(super) behind: Option<Role>,
    pub(super) claim: Claim,
    pub(super) evidence: &'t [EvidenceKind],
    pub(super) technique: Option<&'t str>,
    pub(super) reaches: Option<&'t Text>,
    pub(super) deadline: Duration,
    /// The denied host that the trial is about.
    pub(super) host: Option<IpAddr>,
    /// The rule on names that it is about.
    pub(super) named: Option<&'t Named>,
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
    /// Whether a file lay where the call would write, before it was made.
    pub(super) occupied: bool,
    /// Where the target has the objects that the call is about.
    pub(super) sees: Vec<(PathBuf, Seen)>,
    /// Whether it has them at all.
    pub(super) wall: Wall,
    pub(super) race: Option<Race>,
    /// Names of the plants whose tokens count.
    pub(super) counted: Vec<String>,
    /// Whether the witness of reads, if one was wanted, could see.
    pub(super) watch: Watch,
    /// Where the call could have an effect of its own.
    pub(super) places: Vec<PathBuf>,
    /// What stood there after the call, to compare with later.
    pub(super) after: Snapshot,
    /// What stands ready on the network, of a trial about hosts.
    pub(super) props: Option<Props>,
    /// What the target attempted of the objects, if system calls are watched.
    pub(super) attempted: Option<Attempted>,
}

/// What an attack leaves to be looked at once more at the end: all that [`Stage::late`] asks for, since it is kept
/// of every attack of the run.
#[derive(Debug)]
pub(super) struct Kept {
    /// Still stands where it is forbidden.
    pub(super) scene: Scene,
    /// Names of the plants whose tokens count.
    pub(super) counted: Vec<String>,
    /// The forbidden places in which the call could have an effect of its own.
    pub(super) forbidden: Vec<PathBuf>,
    /// What stood in them after the call.
    pub(super) after: Snapshot,
    /// What stands ready on the network, of a trial about hosts.
    pub(super) props: Option<Props>,
}

impl Played {
    /// What is looked at once more, where all below `allowed` is permitted.
    pub(super) fn keep(self, allowed: &Path) -> Kept {
        let mut forbidden = self.places;
        forbidden.retain(|place| !place.starts_with(allowed));
        Kept {
            scene: self.scene,
            counted: self.counted,
            after: self.after.within(&forbidden),
            forbidden,
            props: self.props,
        }
    }
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
    pub(super) fn elsewhere(&self, cwd: PathBuf, view: View) -> Stage<'_> {
        Stage { cwd, view, ..*self }
    }

    /// The allowed directory as the target has it.
    pub(super) fn told_root(&self) -> PathBuf {
        self.view.shown(&self.bed.allowed)
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
            tmp: &self.bed.tmp,
            cwd: &self.cwd,
            view: self.view.clone(),
        };
        let mut scene = Scene::set(geometry, slug, setting).left_to(self.bed);
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
        self.tally.begin(match counting {
            Counting::Forbidden => Step::Attack,
            Counting::Named(_) => Step::Twin,
            Counting::All => Step::Control,
        });
        if ask.channel.role == Role::ParamText {
            return self.play_text(caller, ask, scene, counting).await;
        }
        let executes = ask.channel.role.executes();
        if ask.channel.role.of_network() || (executes && ask.claim.of_network()) {
            return self.play_net(caller, ask, scene, counting).await;
        }
        scene.benign = self.sentence(ask, &scene);
        if let Some(text) = &ask.variant.text {
            // Makes the directories that it names: they are no effect of the call.
            scene.render(text)?;
        }
        let named = paths(ask.variant, &scene);
        let leads = Leads::default();
        let liveness = self.liveness(ask, &scene, &named, &leads);
        let destination = ask.variant.path.as_ref();
        let destination = destination.and_then(|path| scene.render(path).ok());
        let occupied = destination.is_some_and(|path| occupied(&path, &self.bases()));
        let mut counted = self.counting(ask, &scene, counting, &leads);
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
        let places = self.places(&scene, &named);
        let (sees, wall) = match counting {
            Counting::Forbidden => self.wall(ask, &scene, &counted, &leads),
            Counting::Named(_) | Counting::All => (Vec::new(), Wall::None),
        };
        let before = self.before(&scene, &places, act.is_some());
        let (watches, watch) = if act.is_none() {
            self.arm(ask, &scene, &counted)
        } else {
            (Vec::new(), Watch::Awake)
        };

        if let Some(path) = self.stray(ask, &named) {
            return Err(SceneError::Stray(path));
        }
        if ask.channel.role == Role::ScopeWiden && matches!(counting, Counting::Forbidden) {
            self.closed(caller, ask, &scene, &counted).await?;
        }
        let twin = matches!(counting, Counting::Named(_));
        let looking = self.looking(
            ask,
            &scene,
            &counted,
            matches!(counting, Counting::Forbidden),
        );
        let (exchange, race, differing) = if ask.technique == Some("differ.removed") {
            let (exchange, differing) = self.differ(caller, ask, &scene).await?;
            (exchange, None, differing)
        } else {
            let (exchange, race) = self.send(caller, ask, &scene, act, &counted, twin).await?;
            (exchange, race, None)
        };

        let reads = self.reads(ask, &scene, watches);
        let after = Snapshot::take(places.iter().map(PathBuf::as_path));
        let watch = match watch {
            Watch::Awake => self.watches_programs(ask),
            blind => blind,
        };
        let mut proofs = self.tokens(ask, &scene, &counted);
        let executed = self.executed(&scene).into_iter();
        let computed = self.computed(ask, &scene, &exchange);
        proofs.extend(executed.chain(computed).map(|seen| (seen, false)));
        let changes = before.changes(&after);
        proofs.extend(self.copied(&scene, &changes, &counted));
        proofs.extend(self.effects(ask, &scene, &changes, counting));
        proofs.extend(self.metadata(ask, &scene, &exchange, &counted));
        proofs.extend(differing.map(|observation| (observation, false)));
        if ask.claim == Claim::TimeLimit && matches!(counting, Counting::Forbidden) {
            let overtime = self.overtime(&exchange);
            proofs.extend(overtime.map(|observation| (observation, false)));
        }
        let weak = proofs
            .extract_if(.., |proof| proof.1)
            .map(|proof| proof.0)
            .collect::<Vec<_>>();
        let signals = weak.into_iter().chain(reads).collect();
        let served = !proofs.is_empty();
        let attempted = self.tried(ask, &scene, looking, counting, served);
        Ok(Played {
            response: response(&exchange.outcome),
            watch,
            proofs: proofs.into_iter().map(|proof| proof.0).collect(),
            signals,
            exchange,
            liveness,
            occupied,
            sees,
            wall,
            race,
            counted,
            places,
            after,
            scene,
            props: None,
            attempted,
        })
    }

    /// The plants that count, should their tokens come out. Asked while nothing swaps paths.
    pub(super) fn counting(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        counting: Counting<'_>,
        leads: &Leads,
    ) -> Vec<String> {
        scene
            .planted
            .iter()
            .filter(|planted| !planted.program)
            .filter(|planted| match counting {
                Counting::Forbidden => {
                    ask.claim == Claim::MaxFileSize || self.forbids(&planted.path, leads)
                }
                Counting::Named(names) => names.contains(&planted.name),
                Counting::All => true,
            })
            .map(|planted| planted.name.clone())
            .collect()
    }

    /// Whether the policy forbids reading what really stands at `path`.
    pub(super) fn forbidden(&self, path: &Path) -> bool {
        self.forbids(path, &Leads::default())
    }

    /// The same, of many paths at one time.
    pub(super) fn forbids(&self, path: &Path, leads: &Leads) -> bool {
        let parent = path.parent().and_then(|parent| leads.to(parent));
        let real = match (parent, path.file_name()) {
            (Some(parent), Some(name)) => parent.join(name),
            _ => path.to_path_buf(),
        };
        !self.policy.decide(&real, Access::Read).allowed
    }

    /// The directories from which a server may take a relative path.
    fn bases(&self) -> [&Path; 2] {
        [self.bed.allowed.as_path(), self.cwd.as_path()]
    }

    fn liveness(&self, ask: &Ask<'_>, scene: &Scene, named: &[String], leads: &Leads) -> Liveness {
        if ask.channel.role == Role::ScopeWiden {
            // Only a tool that takes a permitted directory has been asked anything by a forbidden one.
            return Liveness::Unknown;
        }
        let bases = self.bases();
        let forbidden = |path: &Path| self.forbids(path, leads);
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
            Claim::MaxFileSize | Claim::ReadOnly | Claim::ProtectedNames | Claim::TimeLimit => {
                Liveness::Live
            }
            // The program of the trial was seen to run here; else its witness is blind.
            Claim::Execution | Claim::Commands | Claim::Queries | Claim::Listed => Liveness::Live,
            Claim::Outside | Claim::DeniedInside | Claim::DeniedPattern => {
                liveness(ask.channel.role, named, &bases, scene, &forbidden)
            }
            // Played on the network, where the text that is sent tells it.
            _ => Liveness::Unknown,
        }
    }
}
