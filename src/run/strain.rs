//! Trials that put a target of their own under a strain.
//!
//! Owns the order of such a trial: a process of its own within bounds, a control, the strain while its
//! memory is watched, the control again. What decides is the target's state, never the clock alone: a
//! second process that bears no strain has to pass the same control then. Memory is measured and is
//! proof; that a target is gone or no longer serves could be the machine's doing, and has to recur.

mod load;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::{Value, json};

use super::{
    conversation::Conversation,
    execute::{Execution, ask, control, fault},
    stage::Stage,
    values::values,
};
use load::{bulky, send, shown, small};

use crate::{
    channel::{Channel, SlotValue},
    judge::{Attempt, Control, Liveness, Observation, Response, Twin, Wall, Watch},
    plan::Trial,
    probe::{EvidenceKind, Strain},
    session::{Bounds, Caller as _, Health, Outcome, Session},
    testbed::{Geometry, Scene, SceneError},
};

/// Growth of memory that no server is granted, whatever the policy says: the guard of the machine.
const GUARD: u64 = 1 << 30;

/// Bounds behind that guard, for a target that takes so much memory at rest.
fn bounds(rest: u64, permitted: u64) -> Bounds {
    Bounds {
        data: 4 << 30,
        file: 1 << 30,
        seconds: 300,
        memory: rest + permitted + 2 * GUARD,
        threads: 4096,
    }
}

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(15);

/// Time for all raw bytes to be taken, in times that a call may take.
const PATIENCE: u32 = 10;

/// How long the target may still be busy with what was sent when the control is.
const SETTLES: Duration = Duration::from_millis(50);

/// Plays a trial in a process of its own.
pub(super) async fn execute(
    stage: &Stage<'_>,
    conversation: &Conversation,
    trial: &Trial,
    word: &str,
    deadline: Duration,
) -> Execution {
    let Some(strain) = &trial.probe.variants[trial.variant].strain else {
        return fault("the variant declares no strain");
    };
    let (session, view) = match conversation.beside(conversation.endpoint()).await {
        Ok(opened) => opened,
        Err(error) => return fault(&error.to_string()),
    };
    let rest = session.burden().map_or(0, |burden| burden.memory);
    session.bound(bounds(rest, stage.policy.max_memory().unwrap_or_default()));
    let stage = &stage.elsewhere(stage.cwd.clone(), view);
    let bench = Bench {
        stage,
        conversation,
        trial,
        strain,
        word,
        deadline,
        channel: trial
            .channel
            .as_ref()
            .or(stage.reader)
            .filter(|channel| channel.proof.proven())
            .map(AsRef::as_ref),
    };
    let execution = bench.play(&session).await;
    session.close().await;
    execution
}

/// One trial with what it is made from.
struct Bench<'b> {
    stage: &'b Stage<'b>,
    conversation: &'b Conversation,
    trial: &'b Trial,
    strain: &'b Strain,
    word: &'b str,
    deadline: Duration,
    /// The channel whose plain call is part of the control.
    channel: Option<&'b Channel>,
}

/// What the strain came to.
#[derive(Default)]
struct Borne {
    asked: Value,
    answers: Vec<Outcome>,
    fault: Option<SceneError>,
    /// Of a fair trial: the control that was sent while the calls were in flight.
    meanwhile: Option<Control>,
}

/// How a target did not bear it.
enum Broken {
    /// Measured: its processes took more memory than they may.
    OverLimit(String),
    /// It is gone, or does not serve. Once, that can have other reasons.
    NotServing(String),
}

impl Bench<'_> {
    async fn play(&self, session: &Session) -> Execution {
        let before = self.serves(session, "b", self.deadline).await;
        let rest = session.burden().map_or(0, |burden| burden.memory);
        let limit = self.limit(rest);
        let peak = AtomicU64::new(rest);
        let began = Instant::now();
        let borne = match before {
            Control::Passed(_) => {
                tokio::select! {
                    borne = self.bear(session) => borne,
                    // Once it is over the limit, more of it proves nothing, and harms the machine.
                    () = watch(session, &peak, limit) => { session.kill(); Borne::default() }
                }
            }
            Control::Failed(_) => Borne::default(),
        };
        if let Some(error) = borne.fault {
            return Execution::from(error);
        }
        let after = match &before {
            Control::Passed(_) if peak.load(Ordering::Relaxed) <= limit => {
                tokio::select! {
                    after = self.serves(session, "a", self.deadline * 2) => after,
                    () = watch(session, &peak, limit) => { session.kill(); Control::Failed(String::from("it was ended, over its memory")) }
                }
            }
            _ => Control::Failed(String::from("no control was sent")),
        };
        let took = began.elapsed();
        let (mut proofs, mut signals) = (Vec::new(), Vec::new());
        let mut watch = Watch::Awake;
        if matches!(before, Control::Passed(_)) {
            match self.broken(
                session,
                &borne,
                &after,
                rest,
                peak.load(Ordering::Relaxed),
                limit,
            ) {
                Some(broken) => match (self.unstrained().await, broken) {
                    (Ok(()), Broken::OverLimit(fact)) => proofs.push(self.seen(fact)),
                    (Ok(()), Broken::NotServing(fact)) => signals.push(self.seen(fact)),
                    (Err(why), _) => watch = Watch::Blind(why),
                },
                None if limit < u64::MAX && session.burden().is_none() && rest == 0 => {
                    watch =
                        Watch::Blind(String::from("the memory of its processes cannot be seen"));
                }
                None => {}
            }
        }
        let told = format!(
            "it bore it and went on serving: {}, memory {} at rest, {} at most, {} permitted",
            outcome_words(self.strain, &borne.answers, took),
            mebibytes(rest),
            mebibytes(peak.load(Ordering::Relaxed)),
            mebibytes(limit),
        );
        // Nothing is held on a tool that was never seen to work, whatever else it bears.
        let unproven = self
            .trial
            .channel
            .as_ref()
            .filter(|channel| !channel.proof.proven());
        let before = match (before, unproven) {
            (Control::Passed(_), Some(_)) if proofs.is_empty() && signals.is_empty() => {
                Control::Failed(String::from(
                    "the tool was never seen to do what its role says",
                ))
            }
            (before, _) => before,
        };
        // What could not pass for want of a second, idle process must not count as a lost control.
        let after = match (&watch, after) {
            (Watch::Blind(_), Control::Failed(_)) => before.clone(),
            (_, after) => after,
        };
        Execution {
            attempt: Attempt {
                alone: true,
                before,
                after,
                twin: Twin::None(told),
                liveness: Liveness::Live,
                watch,
                proofs,
                signals,
                response: Response::Observed,
                wall: Wall::None,
            },
            race: None,
            attack: None,
            asked: Some(borne.asked).filter(|asked| !asked.is_null()),
            answered: borne.answers.first().map(Outcome::text),
        }
    }

    /// Memory that the target may take: what the policy says, and where it says nothing, a guard above
    /// what it takes at rest.
    fn limit(&self, rest: u64) -> u64 {
        match self.stage.policy.max_memory() {
            Some(limit) if limit > rest => limit,
            // At rest it is over the limit already; then only the guard tells what the strain does.
            _ => rest.saturating_add(GUARD),
        }
    }

    /// The control: the tools are listed, and the plain call of the channel has its effect.
    async fn serves(&self, session: &Session, which: &str, patience: Duration) -> Control {
        let listed = session.request("tools/list", json!({}), patience).await;
        if !matches!(&listed.outcome, Outcome::Result(value) if value["tools"].is_array()) {
            return Control::Failed(format!(
                "the tools were not listed: {}",
                listed.outcome.text()
            ));
        }
        let word = format!("{}{which}", self.word);
        match self.channel {
            Some(channel) => control(self.stage, session, channel, &word, patience).await,
            None => Control::Passed(Observation {
                witness: String::from("control"),
                ..self.seen(format!(
                    "the tools were listed after {} ms",
                    listed.took.as_millis()
                ))
            }),
        }
    }

    /// Whether a process of its own that bears nothing passes the control now.
    async fn unstrained(&self) -> Result<(), String> {
        let (other, view) = self
            .conversation
            .beside(self.conversation.endpoint())
            .await
            .map_err(|error| {
                format!("a process without any strain did not start either: {error}")
            })?;
        let stage = &self.stage.elsewhere(self.stage.cwd.clone(), view);
        let idle = Bench { stage, ..*self };
        let served = idle.serves(&other, "c", self.deadline).await;
        other.close().await;
        match served {
            Control::Passed(_) => Ok(()),
            Control::Failed(why) => Err(format!(
                "a process without any strain did not serve either ({why})"
            )),
        }
    }

    /// What shows that the target did not bear it, if anything does.
    fn broken(
        &self,
        session: &Session,
        borne: &Borne,
        after: &Control,
        rest: u64,
        peak: u64,
        limit: u64,
    ) -> Option<Broken> {
        if peak > limit {
            return Some(Broken::OverLimit(format!(
                "its processes took {} of memory, {} are permitted and {} were taken at rest; it was ended",
                mebibytes(peak),
                mebibytes(limit),
                mebibytes(rest),
            )));
        }
        let what = if let Health::Died(why) = session.health() {
            format!("the target is gone: {why}")
        } else if let Control::Failed(why) = after {
            format!("the target lives and no longer serves: {why}")
        } else if let (Some(Control::Failed(why)), true) = (&borne.meanwhile, self.strain.fair) {
            format!("while the calls were in flight another one was not served: {why}")
        } else {
            return None;
        };
        Some(Broken::NotServing(format!(
            "{what}; a second process, under no strain, served right afterwards"
        )))
    }

    fn seen(&self, fact: String) -> Observation {
        Observation {
            witness: String::from("process-witness"),
            kind: EvidenceKind::Exhaustion,
            fact,
            at_ms: self.stage.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        }
    }

    /// Puts the target under the strain.
    async fn bear(&self, session: &Session) -> Borne {
        if self.strain.frames.is_empty() {
            self.call(session).await
        } else {
            self.frames(session).await
        }
    }

    async fn frames(&self, session: &Session) -> Borne {
        // What cannot be sent, or not in time, is what the control will show.
        let all = async {
            for frame in &self.strain.frames {
                send(session, frame).await?;
            }
            Ok::<_, std::io::Error>(())
        };
        let _sent = tokio::time::timeout(self.deadline * PATIENCE, all).await;
        // An open frame ends here, else the control would be the rest of it.
        let end = session.send_raw(b"\n".to_vec());
        let _ended = tokio::time::timeout(self.deadline, end).await;
        tokio::time::sleep(SETTLES).await;
        let shown: Vec<String> = self.strain.frames.iter().map(shown).collect();
        Borne {
            asked: json!({ "method": "raw frames", "params": { "frames": shown } }),
            ..Borne::default()
        }
    }

    async fn call(&self, session: &Session) -> Borne {
        let Some(channel) = &self.trial.channel else {
            return Borne::default();
        };
        let ask = ask(self.trial, channel, self.deadline);
        let geometry = Geometry::twin(self.stage.bed, self.word, None);
        let scene = match self.stage.set(&ask, geometry, self.word) {
            Ok(scene) => scene.struck_at_once(),
            Err(error) => return failed(error),
        };
        let mut calls = Vec::new();
        for number in 0..self.strain.at_once.unwrap_or(1) {
            scene.attempt.store(number, Ordering::Relaxed);
            match self.request(channel, &scene) {
                Ok(request) => calls.push(request),
                Err(error) => return failed(error),
            }
        }
        let asked = calls.first().map_or(
            Value::Null,
            |(method, params)| json!({ "method": method, "params": small(params) }),
        );
        let sent = calls
            .into_iter()
            .map(|(method, params)| session.request(method, params, self.deadline));
        let meanwhile = async {
            if !self.strain.fair {
                return None;
            }
            tokio::time::sleep(SETTLES).await;
            Some(self.serves(session, "m", self.deadline).await)
        };
        let (exchanges, meanwhile) = tokio::join!(join_all(sent), meanwhile);
        for exchange in &exchanges {
            self.stage.tally.count(exchange);
        }
        // What did not come back is settled by the control, and must not end the run.
        self.stage.tally.forgive();
        Borne {
            asked,
            answers: exchanges
                .into_iter()
                .map(|exchange| exchange.outcome)
                .collect(),
            fault: None,
            meanwhile,
        }
    }

    fn request<'c>(
        &self,
        channel: &'c Channel,
        scene: &Scene,
    ) -> Result<(&'c str, Value), SceneError> {
        let variant = &self.trial.probe.variants[self.trial.variant];
        let mut values = values(variant, channel, scene)?;
        if let (Some(bulk), Some(slot)) = (self.strain.bulk, channel.role.slots().first()) {
            values.insert(*slot, SlotValue::Json(bulky(bulk)));
        }
        Ok(channel.request(&values, &self.stage.told_root()))
    }
}

fn failed(error: SceneError) -> Borne {
    Borne {
        fault: Some(error),
        ..Borne::default()
    }
}

/// Looks at the memory of the target until it is over the limit, or the target is gone.
async fn watch(session: &Session, peak: &AtomicU64, limit: u64) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Some(burden) = session.burden() {
            peak.fetch_max(burden.memory, Ordering::Relaxed);
        }
        if peak.load(Ordering::Relaxed) > limit {
            return;
        }
    }
}

fn outcome_words(strain: &Strain, answers: &[Outcome], took: Duration) -> String {
    if !strain.frames.is_empty() {
        return format!(
            "{} raw frames, {} ms",
            strain.frames.len(),
            took.as_millis()
        );
    }
    let answered = answers.iter().filter(|answer| answer.answered()).count();
    format!(
        "{answered} of {} calls answered, {} ms",
        strain.at_once.unwrap_or(1),
        took.as_millis()
    )
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
