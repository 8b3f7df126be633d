//! Sending: once, many times while a technique acts, or in turns to compare the answers.
//!
//! Owns what is sent and when, and what is not: a call that could touch what is not the run's own.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use futures::{StreamExt as _, stream};

use super::{
    stage::{Ask, Stage},
    values::values,
};
use crate::{
    channel::{PathForm, SlotValue},
    judge::{Observation, Race, Response},
    probe::{EvidenceKind, Role, Slot},
    session::{Caller, Exchange, Outcome},
    technique::Act,
    testbed::{Scene, SceneError},
    witness::syscalls::lexical,
};

impl Stage<'_> {
    /// A relative path of a writing call that a target would take from its working directory, and
    /// that would then touch what is not the run's own.
    pub(super) fn stray(&self, ask: &Ask<'_>, named: &[String]) -> Option<PathBuf> {
        let own =
            |path: &Path| path.starts_with(self.bed.base()) || path.starts_with(&self.bed.allowed);
        let rooted = matches!(
            ask.channel.form,
            PathForm::Relative
                | PathForm::Stem
                | PathForm::RelativeGlob
                | PathForm::Rooted
                | PathForm::SplitRelative
        );
        // A disk that forgets has nothing of the user's to lose.
        if !ask.channel.role.creates() || rooted || self.wire.is_some() {
            return None;
        }
        named
            .iter()
            .map(Path::new)
            .filter(|path| path.is_relative())
            .map(|path| lexical(&self.cwd.join(path)))
            .find(|path| !own(path))
    }

    pub(super) async fn send<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
        act: Option<Box<dyn Act>>,
        counted: &[String],
        twin: bool,
    ) -> Result<(Exchange, Option<Race>), SceneError> {
        let Some(act) = act else {
            let exchange = self.once(caller, ask, scene).await?;
            // What a tool refused to widen proves nothing by what could be read anyway.
            let refused = ask.channel.role == Role::ScopeWiden && exchange.outcome.is_error();
            if exchange.outcome.answered() && !(refused && twin) {
                self.then_read(caller, ask, scene).await?;
                if let Some(exchange) = self.then_text(caller, ask, scene).await? {
                    return Ok((exchange, None));
                }
            }
            return Ok((exchange, None));
        };
        /// Calls of a race that are in flight at once: enough to meet both states often, few
        /// enough that a slow server is not the one that is raced.
        const IN_FLIGHT: usize = 4;
        let tries = act.tries();
        if tries == 1 {
            return Ok((self.once(caller, ask, scene).await?, None));
        }
        let mut race = Race {
            tries: 0,
            permitted: 0,
            refused: 0,
        };
        let mut last = None;
        for round in 0..tries.div_ceil(IN_FLIGHT as u32) {
            let calls = (0..IN_FLIGHT as u32).map(|call| {
                scene.attempt.store(
                    round * IN_FLIGHT as u32 + call,
                    std::sync::atomic::Ordering::Relaxed,
                );
                (act.forbidden_now(), values(ask.variant, ask.channel, scene))
            });
            let calls: Vec<_> = calls.collect();
            let mut answers = stream::iter(calls)
                .map(|(state, values)| async move {
                    let (method, params) = ask.channel.request(&values?, &self.told_root());
                    Ok::<_, SceneError>((state, caller.request(method, params, ask.deadline).await))
                })
                .buffered(IN_FLIGHT);
            while let Some(answer) = answers.next().await {
                let (state, exchange) = answer?;
                self.tally.count(&exchange);
                race.tries += 1;
                match state {
                    Some(true) => race.refused += 1,
                    Some(false) | None => race.permitted += 1,
                }
                if state.is_none() {
                    race.refused += 1;
                }
                last = Some(exchange);
            }
            let won = !self.tokens(ask, scene, counted).is_empty();
            let lost = last
                .as_ref()
                .is_some_and(|exchange| !exchange.outcome.answered());
            if won || lost {
                break;
            }
        }
        last.map(|exchange| (exchange, Some(race)))
            .ok_or(SceneError::Unresolved {
                symbol: String::from("technique"),
                why: "it makes no call",
            })
    }

    /// Sends the same call with the plant `secret` present and away, in turns. Answers that tell
    /// the two apart every time tell whether the file exists.
    pub(super) async fn differ<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
    ) -> Result<(Exchange, Option<Observation>), SceneError> {
        /// Turns: an answer that varies by itself is not mistaken for one that tells.
        const TURNS: usize = 4;
        let path = scene
            .planted("secret")
            .map(|planted| planted.path.clone())
            .ok_or(SceneError::Unresolved {
                symbol: String::from("secret"),
                why: "nothing of that name is planted",
            })?;
        let away = path.with_extension("away");
        let moved = |from: &Path, to: &Path| {
            std::fs::rename(from, to).map_err(|source| SceneError::Plant {
                plant: String::from("secret"),
                path: from.to_path_buf(),
                source,
            })
        };
        let (mut present, mut absent) = (BTreeSet::new(), BTreeSet::new());
        let mut last = self.once(caller, ask, scene).await?;
        for _ in 0..TURNS {
            moved(&path, &away)?;
            let missing = self.once(caller, ask, scene).await;
            moved(&away, &path)?;
            absent.insert(missing?.outcome.text());
            last = self.once(caller, ask, scene).await?;
            present.insert(last.outcome.text());
        }
        let tells =
            present.len() == 1 && absent.len() == 1 && present != absent && last.outcome.answered();
        let observation = tells.then(|| Observation {
            witness: String::from("reply"),
            kind: EvidenceKind::Metadata,
            fact: format!("the answer tells whether {} exists: it was another one each time the file was away", path.display()),
            at_ms: self.now_ms(),
            decoders: Vec::new(),
            excerpt: absent.first().cloned(),
        });
        Ok((last, observation))
    }

    /// The second call of a variant that asks its channel twice.
    async fn then_text<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
    ) -> Result<Option<Exchange>, SceneError> {
        let Some(then) = &ask.variant.then_text else {
            return Ok(None);
        };
        let mut values = values(ask.variant, ask.channel, scene)?;
        values.insert(Slot::Text, SlotValue::Text(scene.tell(then)?));
        let (method, params) = ask.channel.request(&values, &self.told_root());
        let exchange = caller.request(method, params, self.patience(ask)).await;
        self.tally.count(&exchange);
        Ok(Some(exchange))
    }

    pub(super) async fn once<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: &Scene,
    ) -> Result<Exchange, SceneError> {
        let values = values(ask.variant, ask.channel, scene)?;
        let (method, params) = ask.channel.request(&values, &self.told_root());
        let sent = params.to_string();
        if let Some(planted) = scene
            .planted
            .iter()
            .find(|planted| sent.contains(planted.token.as_str()))
        {
            return Err(SceneError::Unverified {
                plant: planted.name.clone(),
                path: planted.path.clone(),
                found: String::from("its token would have been sent to the target"),
            });
        }
        let exchange = caller.request(method, params, self.patience(ask)).await;
        self.tally.count(&exchange);
        let Some((method, params)) = ask.channel.follow(&exchange.outcome) else {
            return Ok(exchange);
        };
        // What was taken in comes out of another tool. Whether it may be taken in at all is said by
        // the first answer, which stays the answer of the trial unless the target is lost meanwhile.
        let fetched = caller.request(method, params, ask.deadline).await;
        self.tally.count(&fetched);
        Ok(if fetched.outcome.answered() {
            exchange
        } else {
            Exchange {
                outcome: fetched.outcome,
                ..exchange
            }
        })
    }
}

/// What an outcome is, for the judge.
pub(super) fn response(outcome: &Outcome) -> Response {
    match outcome {
        Outcome::Timeout => Response::Timeout,
        Outcome::Died(why) => Response::Died(why.clone()),
        Outcome::SendFailed(why) => {
            Response::Fault(format!("the request could not be sent: {why}"))
        }
        _ if outcome.is_error() => Response::Refusal,
        _ => Response::Benign,
    }
}
