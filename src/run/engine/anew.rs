//! Starting a target anew.
//!
//! Owns when that is done between trials, and what is said of it. That a trial needs a process of its own is the
//! business of its fate.

use std::sync::Arc;

use super::{Engine, SILENCE, of};
use crate::{channel::Channel, judge::Control, plan::Trial, run::Event, session::Health};

impl Engine<'_> {
    /// Whether there is any sense in going on. A target that has fallen silent is started anew once;
    /// one that falls silent again is left alone.
    pub(super) async fn goes_on(&mut self) -> bool {
        if self.stopped() {
            return false;
        }
        if self.stage.tally.silent() < self.orders.jobs * SILENCE {
            return true;
        }
        if std::mem::replace(&mut self.roused, true) {
            return false;
        }
        self.stage.tally.forgive();
        self.restart().await
    }

    /// Starts the target anew, once, where tools that were proven do not work though it lives: what it was asked while
    /// they were proven may have led it astray. Whether it did.
    pub(super) async fn renews(&mut self, channels: &[&Arc<Channel>]) -> bool {
        let failed = |channel: &&Arc<Channel>| {
            channel.proof.proven() && matches!(of(&self.controls, channel), Control::Failed(_))
        };
        let astray = channels.iter().any(failed);
        let lives = self.conversation.session().health() == Health::Alive;
        if self.renewed || !astray || !lives {
            return false;
        }
        self.renewed = true;
        self.restart().await
    }

    /// Whether the target has to be started anew before a trial can be repeated. What one trial lost for all that were
    /// in flight with it is lost once: the first that is repeated finds the target again for the others.
    pub(super) async fn is_lost(&mut self, trial: &Trial) -> bool {
        if self.conversation.session().health() != Health::Alive {
            return true;
        }
        let Some(channel) = self.witnessing(trial).cloned() else {
            return false;
        };
        self.control(&[&channel]).await;
        !matches!(of(&self.controls, &channel), Control::Passed(_))
    }

    pub(super) async fn restart(&mut self) -> bool {
        self.controls.clear();
        let spent = self.conversation.is_spent();
        let restarted = self.conversation.restart().await;
        (self.emit)(Event::Restarted {
            why: String::from(match (restarted, spent) {
                (true, _) => "the target had ended, or did not serve any more",
                (false, true) => "the target ended too often to be started again",
                (false, false) => "the target no longer starts",
            }),
        });
        restarted
    }
}
