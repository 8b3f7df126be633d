//! The plan: which trials a run holds. A pure function of what was declared and discovered.
//!
//! Owns trial ids and the decision that something is not applicable, which is made here and (for
//! inert payloads) by the judge, and nowhere else. Every selected probe appears in the plan.

mod observed;
mod only;
mod part;
mod spots;
mod unclaimed;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use only::alike;
pub use part::digest_of;
use spots::{Spot, spots, suits};

use crate::{
    channel::Channel,
    config,
    judge::Basis,
    policy::{Hosts, Named, Policy},
    probe::{Claim, Launch, Platform, Probe, Role, Slot, Variant},
};

/// The trials of a run, in order of id.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Every trial, those included that do not apply.
    pub trials: Vec<Trial>,
}

impl Plan {
    /// How many trials run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.trials
            .iter()
            .filter(|trial| !matches!(trial.fate, Fate::NotApplicable { .. }))
            .count()
    }
}

/// One probe variant on one channel.
#[derive(Debug, Clone)]
pub struct Trial {
    /// `<probe>/<variant>@<tool>:<parameter>`, then `=<role>` unless it is the first role that the
    /// variant asks for, then `~<n>` for the later ones of several denied places. It depends on
    /// nothing else, so it stays the same when tools or probes are added.
    pub id: String,
    /// The probe.
    pub probe: Arc<Probe>,
    /// Index of the variant in the probe.
    pub variant: usize,
    /// The channel through which the question is asked.
    pub channel: Option<Arc<Channel>>,
    /// A place below the allowed directory that the policy denies, if the trial is about one.
    pub inside: Option<InsidePlace>,
    /// The denied address that the trial is about, if it is about one.
    pub host: Option<IpAddr>,
    /// The rule on names that it is about, if it is about one.
    pub named: Option<Named>,
    /// Whether it runs, and how.
    pub fate: Fate,
}

/// Whether and how a trial runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Beside others that touch other objects.
    Shared,
    /// With nothing else in flight: its objects are shared, or its timing matters.
    Alone,
    /// In a process of its own, launched otherwise.
    Fresh,
    /// In a process of its own, after all others: what it changes may outlast the process.
    Last,
    /// In a process of its own, which is put under a strain.
    Strained,
    /// With nothing else in flight, and a look at the audit log.
    Recorded,
    /// Without a call of its own: the whole run is watched.
    Watched,
    /// Nothing is sent: the target is looked at from outside.
    Observed,
    /// Not at all.
    NotApplicable {
        /// The rule.
        basis: Basis,
        /// In one sentence.
        reason: String,
    },
}

/// A place inside the allowed directory that the policy denies or protects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsidePlace {
    /// A directory: trials plant files of their own in it.
    Directory(PathBuf),
    /// One file: trials about it take turns.
    File(PathBuf),
    /// A name or pattern that is denied wherever it occurs; made concrete in the trial's own directory.
    Name(String),
}

impl InsidePlace {
    /// The file that a trial plants or writes there.
    #[must_use]
    pub fn file(&self, here: &Path, slug: &str, extension: &str) -> PathBuf {
        match self {
            Self::Directory(path) => path.join(format!("{slug}{extension}")),
            Self::File(path) => path.clone(),
            Self::Name(name) => here.join(name),
        }
    }
}

/// What the plan is made from, besides probes and channels.
#[derive(Debug, Clone, Copy)]
pub struct Terrain<'a> {
    /// The policy, with placeholders expanded.
    pub policy: &'a Policy,
    /// The directory that the target may use.
    pub allowed: &'a Path,
    /// Whether the target can be launched once more, in another way; if not, why.
    pub relaunch: Result<(), &'a str>,
    /// Whether it is launched at all.
    pub launched: bool,
    /// Whether it then serves HTTP.
    pub serves: bool,
    /// Whether the command line names the allowed directory.
    pub allowed_is_argument: bool,
    /// Whether the target is started inside of it.
    pub allowed_is_cwd: bool,
    /// The platform of the target.
    pub platform: Platform,
    /// The hosts with which the policy is tested. Without a network of the run's own there are none,
    /// and the reason stands here.
    pub hosts: Result<&'a Hosts, &'a str>,
    /// Names of channels that were seen to run some commands or queries and refuse others: where no policy is on
    /// them, the boundary is the server's own.
    pub bounded: &'a [String],
    /// Whether the launch names the run's own sink as the base of an API.
    pub sink: bool,
    /// Whether the target is started by a tracer, which shows in what the kernel tells of a process.
    pub traced: bool,
}

impl Terrain<'_> {
    /// Whether somebody makes a claim, of this channel or of any: the policy, or the server itself.
    fn claims(&self, claim: Claim, channel: Option<&Channel>) -> bool {
        let own = |channel: &Channel| self.bounded.contains(&channel.name());
        let found = claim.of_the_server() && channel.map_or(!self.bounded.is_empty(), own);
        found || (self.policy.claims(claim) && (claim != Claim::Base || self.sink))
    }
}

/// Why nothing is said of processes in such a run.
const TRACED: &str = "the syscall witness traces the target, and so changes what the kernel tells of its process \
     (no_new_privs, seccomp, parent): run it without --witness";

/// Makes the plan.
#[must_use]
pub fn plan(probes: &[Arc<Probe>], channels: &[Arc<Channel>], terrain: &Terrain<'_>) -> Plan {
    let mut trials = Vec::new();
    for probe in probes {
        let before = trials.len();
        let spots = spots(probe.claim, terrain);
        match (unclaimed(probe, &spots, terrain), terrain.hosts) {
            (Some(reason), _) => trials.push(whole(probe, Basis::NoClaim, reason)),
            (None, _) if terrain.traced && probe.claim.of_process() => {
                trials.push(whole(probe, Basis::Platform, TRACED.to_owned()));
            }
            (None, Err(why)) if probe.of_network() => {
                trials.push(whole(probe, Basis::Platform, why.to_owned()));
            }
            (None, _) => {
                for index in 0..probe.variants.len() {
                    expand(probe, index, channels, &spots, terrain, &mut trials);
                }
            }
        }
        if trials.len() == before {
            trials.push(whole(probe, Basis::NoChannel, lacking(probe, channels)));
        }
    }
    trials.sort_by(|one, other| one.id.cmp(&other.id));
    Plan { trials }
}

/// A trial that stands for a whole probe which does not apply.
fn whole(probe: &Arc<Probe>, basis: Basis, reason: String) -> Trial {
    Trial {
        id: format!("{}/-", probe.id),
        probe: Arc::clone(probe),
        variant: 0,
        channel: None,
        inside: None,
        host: None,
        named: None,
        fate: Fate::NotApplicable { basis, reason },
    }
}

fn expand(
    probe: &Arc<Probe>,
    index: usize,
    channels: &[Arc<Channel>],
    spots: &[Spot],
    terrain: &Terrain<'_>,
    trials: &mut Vec<Trial>,
) {
    let variant = &probe.variants[index];
    let platforms = probe.platforms_of(variant);
    if !platforms.is_empty() && !platforms.contains(&terrain.platform) {
        let names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
        let mut trial = whole(
            probe,
            Basis::Platform,
            format!("exists on {} only", names.join(" and ")),
        );
        trial.id = format!("{}/{}", probe.id, variant.name);
        trial.variant = index;
        trials.push(trial);
        return;
    }
    if let Some(target) = variant.target
        && terrain.policy.network().permits(target)
    {
        let mut trial = whole(
            probe,
            Basis::NoClaim,
            format!("the policy does not deny {target}"),
        );
        trial.id = format!("{}/{}", probe.id, variant.name);
        trial.variant = index;
        trials.push(trial);
        return;
    }
    if probe.watches() {
        let mut trial = whole(probe, Basis::NotRun, String::new());
        trial.id = format!("{}/{}@-", probe.id, variant.name);
        trial.variant = index;
        trial.fate = observed::watched(probe, terrain);
        trial.host = variant.target.or(spots.first().and_then(|spot| spot.host));
        trials.push(trial);
        return;
    }
    if variant.aspect.is_some() {
        trials.push(observed::observed(probe, index, terrain));
        return;
    }
    let roles = probe.roles_of(variant);
    if roles.is_empty() {
        let mut trial = whole(probe, Basis::NoClaim, String::new());
        trial.id = format!("{}/{}", probe.id, variant.name);
        trial.variant = index;
        trial.fate = fate(probe, variant, None, terrain);
        trials.push(trial);
        return;
    }
    for channel in channels
        .iter()
        .filter(|channel| {
            !probe.claim.of_the_server() || terrain.claims(probe.claim, Some(channel))
        })
        .filter(|channel| fits(variant, channel, roles, terrain.policy))
    {
        let network = terrain.policy.network();
        let spots = spots.iter().enumerate();
        for (number, spot) in spots.filter(|(_, it)| suits(probe.claim, variant, it, network)) {
            let suffix = if number == 0 {
                String::new()
            } else {
                format!("~{number}")
            };
            trials.push(Trial {
                id: format!(
                    "{}/{}@{}{suffix}",
                    probe.id,
                    variant.name,
                    name(channel, roles)
                ),
                probe: Arc::clone(probe),
                variant: index,
                channel: Some(Arc::clone(channel)),
                fate: fate(probe, variant, spot.inside.as_ref(), terrain),
                inside: spot.inside.clone(),
                host: variant.target.or(spot.host),
                named: spot.named.clone(),
            });
        }
    }
}

/// Why no tool could be asked: none has the role, or none that has it takes what is asked with.
fn lacking(probe: &Probe, channels: &[Arc<Channel>]) -> String {
    let roles: Vec<String> = probe.roles.iter().map(ToString::to_string).collect();
    let roles = roles.join(" or ");
    let variants = probe.variants.iter();
    let slots: BTreeSet<Slot> = variants.flat_map(Variant::fills).collect();
    let offered = channels
        .iter()
        .any(|channel| probe.roles.contains(&channel.role));
    if slots.is_empty() || !offered {
        return format!("no tool of the target was found in the role {roles}");
    }
    let slots: Vec<String> = slots.into_iter().map(config::word).collect();
    format!(
        "no tool of the target in the role {roles} takes what is asked with: {}",
        slots.join(" or ")
    )
}

/// The channel in an id. One parameter of a tool may have several roles.
fn name(channel: &Channel, roles: &[Role]) -> String {
    if roles.first() == Some(&channel.role) {
        channel.name()
    } else {
        format!("{}={}", channel.name(), channel.role)
    }
}

/// Whether the channel has what the variant fills.
fn fits(variant: &Variant, channel: &Channel, roles: &[Role], policy: &Policy) -> bool {
    let speaks = variant
        .language
        .as_ref()
        .is_none_or(|it| channel.speaks(it));
    let unlisted = !policy.claims(Claim::Commands);
    let command = variant.command.as_ref();
    let runs = unlisted || command.is_none_or(|it| policy.runs(it));
    // Of those who can do without one only what takes a pattern is asked with one.
    let takes = channel.slots.contains_key(&Slot::Pattern)
        || !channel.role.optional_slots().contains(&Slot::Pattern);
    let beside = variant.neighbour.is_none() || channel.neighbour().is_some();
    roles.contains(&channel.role)
        && (speaks && beside)
        && (takes || variant.pattern.is_none())
        && runs
        && variant
            .needs()
            .all(|slot| channel.slots.contains_key(&slot))
}

fn fate(
    probe: &Probe,
    variant: &Variant,
    inside: Option<&InsidePlace>,
    terrain: &Terrain<'_>,
) -> Fate {
    if variant.audit.is_some() {
        return Fate::Recorded;
    }
    if variant.strain.is_some() {
        return match terrain.relaunch {
            Ok(()) => Fate::Strained,
            Err(why) => Fate::NotApplicable {
                basis: Basis::Platform,
                reason: format!("{why}, so that nothing of it may be broken"),
            },
        };
    }
    if probe.claim == Claim::Variables && !terrain.launched {
        return observed::watched(probe, terrain);
    }
    let technique = probe.technique_of(variant);
    let widens = probe.roles_of(variant).contains(&Role::ScopeWiden);
    let fresh = widens || probe.launch_of(variant).is_some() || technique == Some("fd.inherit");
    if let (true, Err(why)) = (fresh, terrain.relaunch) {
        return Fate::NotApplicable {
            basis: Basis::Platform,
            reason: format!("{why}, so it cannot be launched otherwise"),
        };
    }
    if let Some(Launch {
        allowed: Some(_), ..
    }) = probe.launch_of(variant)
        && !terrain.allowed_is_argument
    {
        return Fate::NotApplicable {
            basis: Basis::Platform,
            reason: String::from(
                "the command line does not hold {allowed}, so there is no allow-list to leave out",
            ),
        };
    }
    if let Some(Launch { cwd: Some(_), .. }) = probe.launch_of(variant)
        && terrain.allowed_is_cwd
        && !terrain.allowed_is_argument
    {
        return Fate::NotApplicable {
            basis: Basis::Platform,
            reason: String::from(
                "nothing but its working directory tells the target where it may go, so that another one is another policy",
            ),
        };
    }
    // A name that the policy gives, or the whole world knows, is not the trial's own.
    let policy_names = terrain.hosts.is_ok_and(|hosts| hosts.named.is_some());
    let mut records = probe
        .plants_of(variant)
        .filter_map(|plant| plant.record.as_ref());
    let named = records.any(|record| policy_names || record.called.is_some());
    // Connections without a word of their own are known by their port, of which a policy may list few.
    let by_port = terrain.policy.network().ports.is_some()
        && probe.roles_of(variant).contains(&Role::NetConnect);
    if widens {
        Fate::Last
    } else if fresh {
        Fate::Fresh
    } else if named
        || by_port
        || technique.is_some()
        || probe.claim == Claim::Queries
        // Of a server that serves calls one by one, the clock would run while it serves another.
        || probe.claim == Claim::TimeLimit
        || matches!(inside, Some(InsidePlace::File(_)))
    {
        Fate::Alone
    } else {
        Fate::Shared
    }
}

/// Why the policy forbids nothing that the probe asks about, if so.
fn unclaimed(probe: &Probe, spots: &[Spot], terrain: &Terrain<'_>) -> Option<String> {
    if terrain.claims(probe.claim, None) {
        if probe.claim.of_network() {
            let nowhere = terrain.hosts.is_ok() && spots.is_empty();
            return nowhere
                .then(|| String::from("no address is denied that a trial could be about"));
        }
        return spots.is_empty().then(|| {
            format!(
                "nothing that the policy denies or protects can stand in {}, where the trials are",
                terrain.allowed.display()
            )
        });
    }
    Some(String::from(unclaimed::words(probe.claim)))
}
