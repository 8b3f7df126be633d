//! Which process of a tree is the server: told by experiment, not by names.
//!
//! Owns the decision. Launchers, sandboxes and relays stand around the server; most of them hold the
//! same pipes. The server is the one that gets to work whenever a request comes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Read;
use crate::session::Member;

/// What a process is in the tree of a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Between the launched command and the server: a launcher, a sandbox's monitor, a relay.
    #[default]
    Wrapper,
    /// Started by a wrapper, beside the server.
    Helper,
    /// The one that serves.
    Server,
    /// Started by the server.
    Child,
    /// It lost its parent: whoever started it is gone, or wanted that.
    Orphan,
}

impl Part {
    /// Whether a tool call may be done by it, so that a policy is about it.
    #[must_use]
    pub fn judged(self) -> bool {
        matches!(self, Self::Server | Self::Child | Self::Orphan)
    }

    /// In a word or two.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Wrapper => "wrapper",
            Self::Helper => "helper of a wrapper",
            Self::Server => "server",
            Self::Child => "child of the server",
            Self::Orphan => "orphan",
        }
    }
}

/// What a process did, of which nothing can be hidden: time on a processor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work {
    /// Nanoseconds.
    pub nanoseconds: u64,
    /// How often it was given one.
    pub turns: u64,
}

impl Work {
    /// What was done since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            nanoseconds: self.nanoseconds.saturating_sub(before.nanoseconds),
            turns: self.turns.saturating_sub(before.turns),
        }
    }

    /// Whether that may have answered so many requests.
    fn serves(self, requests: u64) -> bool {
        /// To read a line, parse it, and write another takes the fastest server more.
        const LEAST: u64 = 5_000;
        self.turns * 2 >= requests || self.nanoseconds >= requests * LEAST
    }
}

/// What a process did while requests were answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// What it did while the requests were made.
    pub work: Work,
    /// Whether it holds the pipes of the launched command.
    pub holds: bool,
    /// Its namespaces of users, mounts and processes, as far as they can be read.
    pub inside: Vec<String>,
}

/// Tells the parts of all members. `requests` were answered one after the other while the
/// activities were counted.
///
/// # Errors
/// When no process can be told to be the server.
pub fn parts(
    members: &[Member],
    launched: u32,
    own: u32,
    requests: u64,
    activities: &BTreeMap<u32, Activity>,
) -> Read<BTreeMap<u32, Part>> {
    let parents: BTreeMap<u32, u32> = members.iter().map(|one| (one.pid, one.parent)).collect();
    let chain = |pid: u32| {
        let mut chain = vec![pid];
        while let Some(parent) = chain.last().and_then(|last| parents.get(last))
            && parents.contains_key(parent)
            && !chain.contains(parent)
        {
            chain.push(*parent);
        }
        chain
    };
    let busy = |pid: &u32| {
        activities
            .get(pid)
            .is_some_and(|activity| activity.work.serves(requests))
    };
    let deepest = |wanted: &dyn Fn(&u32) -> bool| {
        let fit = parents.keys().filter(|pid| wanted(pid));
        fit.max_by_key(|pid| (chain(**pid).len(), activities.get(pid).map(|one| one.work)))
            .copied()
    };
    let holder = deepest(&|pid| busy(pid) && activities.get(pid).is_some_and(|one| one.holds));
    // A relay hands on to a process that lives somewhere else: in a container.
    let behind = holder.and_then(|holder| {
        deepest(&|pid| {
            busy(pid)
                && chain(*pid).contains(&holder)
                && activities.get(pid).map(|one| &one.inside)
                    != activities.get(&holder).map(|one| &one.inside)
        })
    });
    let server = behind
        .or(holder)
        .or_else(|| deepest(&|pid| busy(pid)))
        .ok_or("no process of the target was seen to work when requests were made: it is not below the launched command, or /proc does not show it")?;
    let around: BTreeSet<u32> = chain(server).into_iter().collect();
    Ok(parents
        .keys()
        .map(|pid| {
            let chain = chain(*pid);
            let top = chain.last().copied().unwrap_or(*pid);
            let part = if *pid == server {
                Part::Server
            } else if around.contains(pid) {
                Part::Wrapper
            } else if chain.contains(&server) {
                Part::Child
            } else if top != launched && parents.get(&top) == Some(&own) {
                Part::Orphan
            } else {
                Part::Helper
            };
            (*pid, part)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 1;

    fn tree(of: &[(u32, u32, u64, bool, &str)]) -> Read<BTreeMap<u32, Part>> {
        let members: Vec<Member> = of
            .iter()
            .map(|(pid, parent, ..)| Member {
                pid: *pid,
                parent: *parent,
                start: 0,
            })
            .collect();
        let activities = of
            .iter()
            .map(|(pid, _, turns, holds, inside)| {
                let inside = vec![(*inside).to_owned()];
                let work = Work {
                    turns: *turns,
                    nanoseconds: 0,
                };
                let holds = *holds;
                (
                    *pid,
                    Activity {
                        work,
                        holds,
                        inside,
                    },
                )
            })
            .collect();
        parts(&members, 10, OWN, 10, &activities)
    }

    fn server(of: &[(u32, u32, u64, bool, &str)]) -> Option<u32> {
        let parts = tree(of).ok()?;
        parts
            .into_iter()
            .find_map(|(pid, part)| (part == Part::Server).then_some(pid))
    }

    #[test]
    fn the_one_that_works_is_the_server() {
        // A launcher that waits, a shell, the server, and its idle child with the same pipes.
        let of = [
            (10, OWN, 1, true, "a"),
            (11, 10, 0, true, "a"),
            (12, 11, 30, true, "a"),
            (13, 12, 0, true, "a"),
        ];
        assert_eq!(server(&of), Some(12));
        let parts = tree(&of).expect("there is one");
        assert_eq!(parts[&10], Part::Wrapper);
        assert_eq!(parts[&13], Part::Child);
    }

    #[test]
    fn a_busy_child_is_no_server_but_one_behind_a_relay_is() {
        let child = [(10, OWN, 20, true, "a"), (11, 10, 90, false, "a")];
        assert_eq!(server(&child), Some(10));
        let contained = [
            (10, OWN, 20, true, "a"),
            (11, 10, 20, true, "a"),
            (12, 11, 20, false, "b"),
        ];
        assert_eq!(server(&contained), Some(12));
    }

    #[test]
    fn orphans_and_helpers_are_told_apart() {
        let parts = tree(&[
            (10, OWN, 0, true, "a"),
            (11, 10, 20, true, "b"),
            (12, 10, 0, false, "a"),
            (13, OWN, 0, false, "a"),
            (14, 13, 0, false, "a"),
        ])
        .expect("there is one");
        assert_eq!(parts[&12], Part::Helper);
        assert_eq!((parts[&13], parts[&14]), (Part::Orphan, Part::Orphan));
    }

    #[test]
    fn where_nobody_works_nobody_is_the_server() {
        assert!(tree(&[(10, OWN, 0, true, "a")]).is_err());
        assert!(tree(&[]).is_err());
    }
}
