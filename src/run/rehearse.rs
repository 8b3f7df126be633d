//! A trial up to the moment of its attack: the scene stands, the request is made, nothing is sent.
//!
//! Owns that both are left to the user, who sends the request by hand.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    execute::{ask, geometries, object},
    stage::{Counting, Stage},
};
use crate::{
    plan::Plan,
    session::{Caller, Exchange, Outcome},
};

/// A trial that waits for its request to be sent.
#[derive(Debug)]
pub(super) struct Rehearsed {
    /// The request: method and parameters.
    pub(super) asked: Value,
    /// The forbidden object.
    pub(super) object: Option<String>,
}

/// Takes a request and sends nothing.
#[derive(Debug, Default)]
struct Recorder(Mutex<Option<Value>>);

impl Caller for Recorder {
    async fn request(&self, method: &str, params: Value, _deadline: Duration) -> Exchange {
        // Of a race all requests are alike; the first stands for them.
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| json!({ "method": method, "params": params.clone() }));
        Exchange {
            number: 0,
            id: String::new(),
            method: method.to_owned(),
            params,
            outcome: Outcome::Timeout,
            raw: Arc::from([]),
            took: Duration::ZERO,
        }
    }
}

/// Sets the scene of the first trial of a plan and makes its request. Nothing when it cannot be set.
pub(super) async fn rehearse(
    stage: &Stage<'_>,
    plan: &Plan,
    seed: u64,
    deadline: Duration,
) -> Option<Rehearsed> {
    let trial = plan.trials.first()?;
    let channel = trial.channel.as_ref()?;
    let mut words = fastrand::Rng::with_seed(seed);
    let word: String = (0..8).map(|_| words.lowercase()).collect();
    let ask = ask(trial, channel, deadline);
    let (attack, _) = geometries(stage, trial, &word);
    let scene = stage.set(&ask, attack, &word).ok()?;
    let recorder = Recorder::default();
    let played = stage
        .play(&recorder, &ask, scene, Counting::Forbidden)
        .await
        .ok()?;
    let object = object(stage, trial, &played);
    // Dropped, it would be removed.
    std::mem::forget(played.scene);
    let asked = recorder
        .0
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)?;
    Some(Rehearsed { asked, object })
}
