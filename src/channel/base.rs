//! Parameters that a tool joins to the base URL of an API, as a part of the path.
//!
//! Owns which parameters are tried, and what stands around the caller's part in the requests that come of it. Names
//! are not asked: an id, a city or a path may each be joined, and the request alone shows it.

use std::sync::atomic::Ordering;

use super::{
    found::Found,
    guess::may_steer,
    prove::{Lab, unproven},
    reach::place_values,
    score::{Candidate, destructive, forms},
    slots::{Binding, single},
};
use crate::{
    channel::{Arrival, Channel, Joined, Net, Proof, RESOURCES_READ},
    probe::{Role, Slot},
    session::{Caller, Tool},
};

/// Below what any name that fits is worth.
const SCORE: f32 = 0.30;
/// Text parameters of a tool that are tried.
const PARAMETERS: usize = 6;

impl<C: Caller> Lab<'_, C> {
    /// Tries the text parameters of a tool that nothing drives yet, where the target is told that its API is here.
    pub(super) async fn joined(&self, order: usize, tool: &Tool, found: &mut Found) {
        let here = self.ground.net.is_some_and(Net::has_base);
        let other = tool.name == RESOURCES_READ || tool.is_prompt();
        if !here || other || found.skipped.is_some() {
            return;
        }
        let Some(form) = forms(tool).into_iter().next() else {
            return;
        };
        let known = |channel: &Channel| channel.proof.proven() || channel.score >= 1.0;
        let driven: Vec<String> = found
            .channels
            .iter()
            .filter(|channel| known(channel))
            .flat_map(|channel| channel.slots.values().flatten())
            .map(|pointer| single(pointer))
            .collect();
        let mut why = None;
        let leaves = form.leaves.iter().filter(|leaf| {
            may_steer(leaf) && !leaf.in_array() && !driven.contains(&single(&leaf.pointer))
        });
        for leaf in leaves.take(PARAMETERS) {
            if self.hangs(order) || self.gone.load(Ordering::Relaxed) {
                return;
            }
            let candidate = Candidate {
                role: Role::ApiPath,
                score: SCORE,
                form: form.clone(),
                bindings: vec![Binding {
                    slots: [(Slot::Ident, vec![single(&leaf.pointer)])].into(),
                }],
                choice: None,
            };
            let mut channel = self.prove(order, tool, &candidate, false).await;
            match &channel.proof {
                Proof::Proven { .. } => {
                    channel.destructive = destructive(tool).is_some();
                    found.channels.push(channel);
                }
                Proof::Unproven { why: reason } => {
                    why.get_or_insert_with(|| reason.clone());
                }
            }
        }
        if let (Some(why), true) = (why, found.channels.is_empty()) {
            found.dropped.push((Role::ApiPath, why));
        }
    }

    /// The proven channel with what stands around the caller's part of the path. A path that is another in each
    /// request, or none before the caller's part that is the same, leaves nothing to be left.
    pub(super) async fn around(&self, mut channel: Channel) -> Channel {
        let (first, second) = (self.once(&channel).await, self.once(&channel).await);
        match (first, second) {
            (Some(first), Some(second)) if first.before == second.before => {
                let same = first.after == second.after;
                channel.joined = Some(Joined {
                    after: if same { first.after } else { String::new() },
                    ..first
                });
            }
            _ => {
                channel.proof =
                    unproven("what it puts before the part of the path is another in each request")
            }
        }
        channel
    }

    /// One more request, cut at the caller's part.
    async fn once(&self, channel: &Channel) -> Option<Joined> {
        let net = self.ground.net?;
        let place = net.place(&(self.ground.mint)(), Arrival::Joined);
        self.send(channel, &place_values(channel, &place)).await;
        let sent = net.joined(&place)?;
        let at = sent.to_ascii_lowercase().find(&place.nonce)?;
        let directory = sent[..at].rfind('/')? + 1;
        Some(Joined {
            before: sent[..directory].to_owned(),
            after: sent[at + place.nonce.len()..].to_owned(),
        })
    }
}
