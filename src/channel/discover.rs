//! From a tool list to channels.
//!
//! Owns which candidates are tried, in which order and how many at once, and which of them stay.

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use super::{
    account::account,
    fill::needs_side_file,
    found::Found,
    prove::Lab,
    score::{Candidate, candidates, destructive, resource_candidate, resource_tool, writes},
};
use crate::{
    channel::{BIND, Channel, Follow, Net, Proof, RESOURCES_READ, Unbound},
    probe::Role,
    session::{Caller, Tool},
};

/// How many roles of one tool are tried at most.
const ROLES_PER_TOOL: usize = 4;
/// The same for tools that choose what they do by a parameter.
const CHOICES_PER_TOOL: usize = 12;

/// Further choices that are tried in one role.
const ACTIONS_PER_ROLE: usize = 2;

/// Where and how channels may be proven.
pub struct Ground<'a> {
    /// The allowed directory. Each proof plants below it and cleans up after itself.
    pub root: &'a Path,
    /// The same as the target has it: what calls name.
    pub told: &'a Path,
    /// A fresh word `[a-z2-7]{36}` that cannot be guessed. Never sent in an argument, so that
    /// seeing one is proof.
    pub mint: &'a (dyn Fn() -> String + Sync),
    /// Time for one call.
    pub deadline: Duration,
    /// Calls in flight at once, at least 1.
    pub jobs: usize,
    /// Tools that may be called although a verb or annotation calls them destructive.
    pub allow_destructive: &'a [String],
    /// Whether roles that write are left alone.
    pub read_only: bool,
    /// Whether the target announced the capability `resources`.
    pub resources: bool,
    /// The URIs of its resources, and the templates of such, as it lists them.
    pub uris: &'a [String],
    /// Whether the disk forgets whatever is written to it, wherever that is.
    pub forgets: bool,
    /// The network of the run. Without one, roles that reach hosts are not tried.
    pub net: Option<&'a dyn Net>,
}

/// What was found out about a target's tools.
#[derive(Debug)]
pub struct Discovery {
    /// Proven channels, and likely ones whose proof failed, in the order of the tool list.
    pub channels: Vec<Channel>,
    /// Tools and parameters that no channel drives.
    pub unbound: Vec<Unbound>,
    /// How many requests were sent.
    pub calls: usize,
    /// Every experiment, in the order of the tool list.
    pub log: Vec<ProofStep>,
}

impl Discovery {
    /// How many channels were proven.
    #[must_use]
    pub fn proven(&self) -> usize {
        let proven = self.channels.iter().filter(|one| one.proof.proven());
        proven.count()
    }
}

/// One call of an experiment, or one repair.
#[derive(Debug, Clone, PartialEq)]
pub struct ProofStep {
    /// The tool.
    pub tool: String,
    /// The role it was tried for.
    pub role: Role,
    /// What was sent and what came, on one line.
    pub what: String,
    /// Whether the evidence was there.
    pub evidence: bool,
}

/// Finds and proves channels. Bindings in `given` are proven as they are and not searched for;
/// their tools are still tried for other roles.
///
/// Dropping the future stops the search and removes what was planted. [`SIDE_FILE`](super::SIDE_FILE)
/// stays in the allowed directory when a channel counts on it.
pub async fn discover<C: Caller>(
    caller: &C,
    tools: &[Tool],
    given: &[Channel],
    ground: &Ground<'_>,
) -> Discovery {
    let jobs = ground.jobs.max(1);
    let lab = Lab {
        caller,
        ground,
        flights: Semaphore::new(jobs),
        calls: AtomicUsize::new(0),
        log: Mutex::new(Vec::new()),
        learned: Mutex::new(None),
        gone: AtomicBool::new(false),
        hung: Mutex::default(),
        lessons: Mutex::default(),
        lone: AtomicBool::new(jobs == 1),
        side: Mutex::default(),
    };
    let resources = resource_tool();
    let mut all: Vec<&Tool> = tools.iter().collect();
    if ground.resources {
        all.push(&resources);
    }
    // The likeliest reader goes first and alone: the path form that it wants is what all others
    // are asked in first, and that must not depend on which answer is quickest.
    let scout = scout(tools);
    let mut found: Vec<(usize, Found)> = Vec::new();
    if let Some(scout) = scout {
        found.push((scout, lab.tool(scout, all[scout], given).await));
    }
    let lab = &lab;
    let rest = all
        .iter()
        .enumerate()
        .filter(|(order, _)| Some(*order) != scout)
        .map(|(order, tool)| async move { (order, lab.tool(order, tool, given).await) });
    found.extend(
        stream::iter(rest)
            .buffer_unordered(jobs)
            .collect::<Vec<_>>()
            .await,
    );
    found.sort_by_key(|(order, _)| *order);
    lab.chains(&all, &mut found).await;
    let all = &all;
    let guessed = found.iter_mut().map(|(order, one)| async move {
        lab.joined(*order, all[*order], one).await;
        lab.guess(*order, all[*order], one).await;
        lab.taught(*order, all[*order], one).await;
        lab.seconds(*order, all[*order], one).await;
    });
    stream::iter(guessed)
        .buffer_unordered(jobs)
        .collect::<Vec<()>>()
        .await;
    for (order, one) in &mut found {
        lab.alone(*order, &mut one.channels).await;
    }

    let mut unbound: Vec<Unbound> = Vec::new();
    for channel in given {
        if !all.iter().any(|tool| tool.name == channel.tool) {
            unbound.push(Unbound {
                tool: channel.tool.clone(),
                parameter: None,
                why: String::from("bound by hand, but the target has no such tool"),
            });
        }
    }
    let follows: Vec<Follow> = found
        .iter()
        .flat_map(|(_, one)| &one.channels)
        .filter_map(|channel| channel.then.clone())
        .collect();
    let mut channels = Vec::new();
    for (order, one) in found {
        account(all[order], &one, &follows, &mut unbound);
        channels.extend(one.channels);
    }
    let mut idle = std::mem::take(&mut *lab.side.lock().unwrap_or_else(PoisonError::into_inner));
    for needed in channels.iter().filter_map(needs_side_file) {
        idle.remove(&needed);
    }
    for name in idle {
        // The testbed removes what is left with its whole directory.
        let _ = std::fs::remove_file(ground.root.join(name));
    }
    let mut log = std::mem::take(&mut *lab.log.lock().unwrap_or_else(PoisonError::into_inner));
    log.sort_by_key(|(order, _)| *order);
    Discovery {
        channels,
        unbound,
        calls: lab.calls.load(Ordering::Relaxed),
        log: log.into_iter().map(|(_, step)| step).collect(),
    }
}

/// The tool that most likely reads or lists files.
fn scout(tools: &[Tool]) -> Option<usize> {
    tools
        .iter()
        .enumerate()
        .filter(|(_, tool)| destructive(tool).is_none())
        .filter_map(|(order, tool)| {
            let best = candidates(tool)
                .into_iter()
                .filter(|candidate| matches!(candidate.role, Role::FileRead | Role::DirList))
                .map(|candidate| candidate.score)
                .reduce(f32::max)?;
            Some((order, best))
        })
        // The first of the best.
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(order, _)| order)
}

impl<C: Caller> Lab<'_, C> {
    /// Everything that one tool is good for.
    pub(super) async fn tool(&self, order: usize, tool: &Tool, given: &[Channel]) -> Found {
        let mut found = Found::default();
        let allowed = self.ground.allow_destructive.contains(&tool.name);
        let danger = destructive(tool);
        for channel in given.iter().filter(|channel| channel.tool == tool.name) {
            if self.ground.read_only && writes(channel.role) {
                found
                    .dropped
                    .push((channel.role, String::from("nothing may be written")));
                continue;
            }
            if channel.role.of_network() && self.ground.net.is_none() {
                found.out_of_reach(channel.role, channel.slots.values());
                continue;
            }
            if danger.is_some() && !allowed && channel.score < 1.0 {
                // Once allowed, and remembered in a lock, is not allowed now.
                continue;
            }
            let mut channel = self.prove_as_is(order, channel).await;
            channel.destructive = danger.is_some();
            found.channels.push(channel);
        }
        // What the user bound stays as it is; what a lock remembers gives way to better.
        let locked: Vec<Channel> = found
            .channels
            .extract_if(.., |channel| !channel.proof.proven() && channel.score < 1.0)
            .collect();
        if let Some(why) = danger.as_ref().filter(|_| !allowed) {
            found.skipped = Some(format!(
                "skipped as destructive: {why}; name it in --allow-destructive to try it"
            ));
            return found;
        }
        let candidates = if tool.name == RESOURCES_READ {
            vec![resource_candidate()]
        } else {
            // Chains need two tools; they are tried when the others are known.
            let mut candidates = candidates(tool);
            candidates.retain(|candidate| candidate.role != Role::FileStage);
            // What plainly takes URLs seldom takes paths too, and costs the most calls to ask.
            candidates
                .sort_by_key(|candidate| !(candidate.role.of_network() && candidate.score >= BIND));
            candidates
        };
        let by_choice = candidates
            .iter()
            .any(|candidate| candidate.choice.is_some());
        let limit = if by_choice {
            CHOICES_PER_TOOL
        } else {
            ROLES_PER_TOOL
        };
        let mut tried = 0;
        for candidate in &candidates {
            let of_network = candidate.role.of_network();
            if tried == limit && !of_network {
                continue;
            }
            if of_network && self.ground.net.is_none() {
                if let Some(binding) = candidate
                    .bindings
                    .first()
                    .filter(|_| candidate.score >= BIND)
                {
                    found.out_of_reach(candidate.role, binding.slots.values());
                }
                continue;
            }
            if let Some(why) = self.pointless(candidate, &found, allowed) {
                if let Some(why) = why {
                    found.dropped.push((candidate.role, why));
                }
                continue;
            }
            tried += usize::from(!of_network);
            let reached = found.reached(candidate).is_some();
            let mut channel = self.prove(order, tool, candidate, reached).await;
            channel.destructive = danger.is_some();
            if channel.proof.proven() && found.twice(&channel) {
                let chosen = candidate
                    .choice
                    .as_ref()
                    .and_then(|(_, value)| value.as_str());
                channel.action = chosen.map(str::to_owned);
            }
            match &channel.proof {
                // Nothing but the proof says that resources are files, or that a prompt does more
                // with an argument than to repeat it: most do not.
                Proof::Unproven { why }
                    if candidate.score < BIND
                        || candidate.role == Role::ResourceRead
                        || tool.is_prompt() =>
                {
                    found.dropped.push((candidate.role, why.clone()));
                }
                _ => found.channels.push(channel),
            }
        }
        for channel in locked {
            let role = channel.role;
            if !found
                .channels
                .iter()
                .any(|other| other.role == role && other.proof.proven())
            {
                found.channels.retain(|other| other.role != role);
                found.channels.push(channel);
            }
        }
        found.settle(|channel| {
            given
                .iter()
                .any(|one| one.tool == channel.tool && one.role == channel.role)
                && channel.score >= 1.0
        });
        found
    }

    /// Whether a candidate need not be tried, and the reason when it is worth telling.
    fn pointless(
        &self,
        candidate: &Candidate,
        found: &Found,
        allowed: bool,
    ) -> Option<Option<String>> {
        let same = |channel: &&Channel| channel.role == candidate.role;
        let known = found
            .channels
            .iter()
            .filter(same)
            .filter(|channel| channel.proof.proven() || channel.score >= 1.0);
        // What another choice does in the same role has checks of its own.
        let other = |channel: &Channel| {
            let (pointer, value) = candidate.choice.as_ref()?;
            Some(channel.sends(pointer).is_some_and(|sent| sent != *value))
        };
        let known: Vec<bool> = known.map(|channel| other(channel) != Some(true)).collect();
        if known.len() > ACTIONS_PER_ROLE || known.contains(&true) {
            return Some(None);
        }
        if self.ground.read_only && writes(candidate.role) {
            return Some(Some(String::from("nothing may be written")));
        }
        if candidate.role == Role::FileDelete && !allowed {
            return Some(Some(String::from(
                "deletes; name the tool in --allow-destructive to try it",
            )));
        }
        // One that takes URLs may take files by them; that a file tool takes URLs, it must say.
        let proven: Vec<&Channel> = found
            .channels
            .iter()
            .filter(|channel| channel.proof.proven())
            .filter(|channel| !channel.role.of_network())
            .collect();
        if let (Some(reached), Some((pointer, value))) =
            (found.reached(candidate), &candidate.choice)
            && reached.sends(pointer) != Some(value.clone())
        {
            return Some(None);
        }
        // A choice does one thing: `list` that lists directories need not be tried on archives.
        if let Some((pointer, value)) = &candidate.choice
            && proven
                .iter()
                .any(|channel| channel.sends(pointer).as_ref() == Some(value))
        {
            return Some(None);
        }
        // What writes given text makes no output of its own.
        if candidate.role == Role::FileSave
            && proven.iter().any(|channel| channel.role == Role::FileWrite)
        {
            return Some(None);
        }
        // What reads the first of several files may read them all, with a check of the first.
        let several = candidate.role == Role::FileReadMany;
        let known = !proven.is_empty() && !several;
        if known && candidate.score < BIND && candidate.choice.is_none() {
            return Some(None);
        }
        None
    }
}
