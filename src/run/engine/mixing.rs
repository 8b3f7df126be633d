//! Whether a target keeps apart what is asked of it at once.
//!
//! Owns the experiment. A tool that writes every code to the same file, or works on what was opened last, does for
//! one call what another asked: its answer would be held against the wrong trial.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt as _, stream};

use super::{Engine, control, key};
use crate::{channel::Channel, judge::Control, plan::Plan};

/// Plain calls of a channel that are made at once, where the user permits so many.
const AT_ONCE: usize = 6;

impl Engine<'_> {
    /// The channels of trials whose plain call has its effect alone, but not always among others like it: by key, with
    /// the tool. Asked of those only that could share something: what executes, and what takes two calls.
    pub(super) async fn mixing(
        &mut self,
        plan: &Plan,
        trials: &[usize],
    ) -> BTreeMap<String, String> {
        let at_once = AT_ONCE.min(self.orders.jobs);
        let mut suspects: BTreeMap<String, (Arc<Channel>, usize)> = BTreeMap::new();
        let channels = trials
            .iter()
            .filter_map(|index| self.witnessing(&plan.trials[*index]))
            .filter(|channel| channel.proof.proven())
            .filter(|channel| channel.role.executes() || channel.then.is_some());
        for channel in channels {
            let suspect = suspects.entry(key(channel));
            suspect.or_insert_with(|| (Arc::clone(channel), 0)).1 += 1;
        }
        // One trial has no other beside it.
        suspects.retain(|_, (_, trials)| *trials > 1 && at_once > 1);
        let mut mixing = BTreeMap::new();
        for (key, (channel, _)) in suspects {
            if self.stopped() || self.all_pass(&channel, at_once).await {
                continue;
            }
            if self.all_pass(&channel, 1).await {
                mixing.insert(key, channel.tool.clone());
            }
        }
        mixing
    }

    /// Whether so many plain calls of a channel, made at once, all have their effect.
    async fn all_pass(&mut self, channel: &Channel, count: usize) -> bool {
        let session = self.conversation.session();
        let (stage, deadline) = (self.stage, self.orders.deadline);
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        let session = &session;
        let passed = stream::iter(&words)
            .map(|word| async move { control(stage, session, channel, word, deadline).await })
            .buffer_unordered(count)
            .collect::<Vec<Control>>()
            .await;
        passed
            .iter()
            .all(|control| matches!(control, Control::Passed(_)))
    }
}
