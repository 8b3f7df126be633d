//! What one tool is good for.
//!
//! Owns what was found out about a tool and which of it stays. Asks the target nothing.

use std::collections::BTreeSet;

use super::{net::NEEDS_NETWORK, score::Candidate, slots::single};
use crate::{
    channel::{Channel, Proof},
    probe::Role,
};

/// What one tool is good for.
#[derive(Default)]
pub(super) struct Found {
    pub(super) channels: Vec<Channel>,
    /// Reasons of candidates that were dropped.
    pub(super) dropped: Vec<(Role, String)>,
    pub(super) skipped: Option<String>,
    /// Parameters that would reach hosts, had the run a network: JSON Pointers.
    pub(super) reaching: Vec<String>,
}

impl Found {
    /// Whether a channel of the same name and role is known.
    pub(super) fn twice(&self, channel: &Channel) -> bool {
        let same = |other: &Channel| other.role == channel.role && other.name() == channel.name();
        self.channels.iter().any(same)
    }

    /// The proven channel that reaches hosts by the parameter in which a candidate wants a file.
    pub(super) fn reached(&self, candidate: &Candidate) -> Option<&Channel> {
        let slots = &candidate.bindings.first()?.slots;
        let shared = |channel: &&Channel| {
            let mut theirs = channel.slots.values().flatten();
            let mut ours = slots.values().flatten();
            theirs.any(|pointer| ours.any(|own| single(own) == single(pointer)))
        };
        self.channels
            .iter()
            .filter(|channel| channel.role.of_network() && channel.proof.proven())
            .filter(|_| !candidate.role.of_network())
            .find(shared)
    }

    /// Notes that a role cannot be tried without a network, once for all such roles.
    pub(super) fn out_of_reach<'p>(
        &mut self,
        role: Role,
        slots: impl Iterator<Item = &'p Vec<String>>,
    ) {
        if self.reaching.is_empty() {
            self.dropped.push((role, String::from(NEEDS_NETWORK)));
        }
        self.reaching.extend(slots.flatten().cloned());
    }

    /// Of roles that all failed only the likeliest are attacked; none, once the tool has shown
    /// what it is for. Bindings that the user gave stay.
    pub(super) fn settle(&mut self, bound: impl Fn(&Channel) -> bool) {
        let rank = |channel: &Channel| match &channel.proof {
            Proof::Proven { .. } => f32::INFINITY,
            Proof::Unproven { .. } => channel.score,
        };
        let best = self.channels.iter().map(rank).fold(0.0, f32::max);
        self.channels
            .retain(|channel| rank(channel) >= best || bound(channel));
        // Two ways of a tool to take the same parameter are one channel.
        let mut known = BTreeSet::new();
        self.channels
            .retain(|channel| known.insert((channel.role, channel.name())));
    }
}
