//! Trials of tools that may move the server's own boundary.
//!
//! Owns what shows that something was widened: what a channel that reads files gives then, and gave not before; in the
//! process that was asked, or in the next one. What such tools are called is the channel module's.

use super::{
    conversation::Conversation,
    stage::{Ask, Played, Stage},
};
use crate::{
    judge::Response,
    session::Caller,
    testbed::{Scene, SceneError},
};

impl Stage<'_> {
    /// The second call of a variant that has one, through a channel that reads files.
    pub(super) async fn then_read<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
    ) -> Result<(), SceneError> {
        let (Some(then), Some(reader)) = (&ask.variant.then_read, self.reader) else {
            return Ok(());
        };
        let Some(values) = reader.reading(&scene.tell(then)?) else {
            return Ok(());
        };
        let (method, params) = reader.request(&values, &self.told_root());
        let exchange = caller.request(method, params, ask.deadline).await;
        self.tally.count(&exchange);
        Ok(())
    }

    /// Makes sure that what is read after the call could not be read before it.
    pub(super) async fn closed<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
        counted: &[String],
    ) -> Result<(), SceneError> {
        let moot = |why: &str| Err(SceneError::Moot(String::from(why)));
        if self.reader.is_none() {
            return moot("no tool was proven to read files, by which anything widened would show");
        }
        self.then_read(caller, ask, scene).await?;
        match self.tokens(ask, scene, counted).is_empty() {
            true => Ok(()),
            false => moot("the forbidden file is read already, before anything is widened"),
        }
    }

    /// Looks in a new process for what was not widened in the one that was asked: a setting may be read at the
    /// start only. What took the directory, and let nothing more be read, says nothing of the boundary.
    pub(super) async fn afterwards(
        &self,
        conversation: &Conversation,
        ask: &Ask<'_>,
        played: &mut Played,
    ) -> Result<(), SceneError> {
        if !played.proofs.is_empty() {
            return Ok(());
        }
        if let Ok((session, _)) = conversation.beside(conversation.endpoint()).await {
            let read = self.then_read(&session, ask, &played.scene).await;
            session.close().await;
            read?;
        }
        let tokens = self.tokens(ask, &played.scene, &played.counted);
        let proofs = tokens.into_iter().filter(|(_, weak)| !weak);
        played.proofs.extend(proofs.map(|(mut seen, _)| {
            seen.fact.push_str(", in the process that was started next");
            seen
        }));
        if played.proofs.is_empty() && played.response == Response::Benign {
            let why =
                "the tool took the forbidden directory, and nothing more could be read for it";
            played.response = Response::Moot(String::from(why));
        }
        Ok(())
    }
}
