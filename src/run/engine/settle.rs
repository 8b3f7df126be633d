//! What is run again, because one attempt did not settle it.
//!
//! Owns the order of that: what only needs time side by side, the rest alone. Whether something has to be run again
//! is the judge's to say.

use std::time::Duration;

use super::Engine;
use crate::{
    judge::{Again, again},
    plan::{Fate, Plan, Trial},
    run::outcome::Running,
};

impl Engine<'_> {
    /// Runs again what the judge cannot decide from what is known: side by side what only has to be given more
    /// time, the rest alone.
    pub(super) async fn settle(&mut self, plan: &Plan, running: &mut [Running]) {
        self.wait(plan, running).await;
        for one in running {
            if !self.goes_on().await {
                return;
            }
            let trial = &plan.trials[one.index];
            if again(&one.facts).is_some() {
                self.repeat(trial, one).await;
                self.announce(trial, &one.facts);
            }
        }
    }

    /// Gives more time to what was not answered. Whatever hangs once hangs again, each for as long.
    async fn wait(&mut self, plan: &Plan, running: &mut [Running]) {
        let late: Vec<usize> = running
            .iter()
            .filter(|one| again(&one.facts) == Some(Again::Patient))
            .map(|one| one.index)
            .collect();
        if late.len() < 2 || !self.goes_on().await {
            return;
        }
        for more in self.wave(plan, &late, self.patience()).await {
            let one = running.iter_mut().find(|one| one.index == more.index);
            if let Some(one) = one {
                join(one, more);
                self.announce(&plan.trials[one.index], &one.facts);
            }
        }
    }

    /// How long a call may take of which it is known that it takes long.
    fn patience(&self) -> Duration {
        self.orders.deadline * 3
    }

    pub(super) async fn repeat(&mut self, trial: &Trial, one: &mut Running) {
        while let Some(how) = again(&one.facts) {
            if self.stopped() {
                return;
            }
            // Each strained trial has a process of its own anyway.
            let has_own = matches!(trial.fate, Fate::Strained | Fate::Last);
            let fresh = how == Again::Fresh && !has_own;
            if fresh && self.is_lost(trial).await && !self.restart().await {
                return;
            }
            let deadline = if how == Again::Patient {
                self.patience()
            } else {
                self.orders.deadline
            };
            let more = self.once(trial, one.index, deadline).await;
            join(one, more);
        }
    }
}

/// Adds what came of running a trial again.
fn join(one: &mut Running, more: Running) {
    one.facts.attempts.extend(more.facts.attempts);
    one.facts.race = more.facts.race.or(one.facts.race);
    one.kept.extend(more.kept);
    one.asked = more.asked.or(one.asked.take());
    one.answered = more.answered.or(one.answered.take());
    one.attempted = more.attempted.or(one.attempted.take());
}
