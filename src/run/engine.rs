//! The engine: runs the trials of a plan and settles what is open.
//!
//! Owns order and concurrency: waves of trials side by side with a control of every channel before
//! and after, then what must run alone, then what needs a process of its own. Stores facts; the
//! judge decides, here only whether something has to be run again.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{
    Event,
    control::plain,
    conversation::Conversation,
    launch,
    liveness::resolve,
    stage::{Ask, Counting, Played, Stage},
};
use crate::{
    channel::{Channel, Proof},
    judge::{
        Again, Attempt, Control, Facts, Liveness, Race, Response, Ruling, Twin, Watch, again, judge,
    },
    plan::{Fate, InsidePlace, Plan, Trial},
    probe::{Claim, EvidenceKind, Role},
    session::{Caller, Exchange},
    testbed::{Geometry, SceneError},
};

/// Trials in a wave per call in flight: long enough to keep the pipe full, short enough that a
/// control stands close to every trial.
const WAVE: usize = 4;

/// Calls without an answer in a row, per call in flight, after which a target is left alone.
const SILENCE: usize = 3;

/// What the engine is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Orders<'r> {
    /// Calls in flight at once.
    pub(super) jobs: usize,
    /// Time that a call may take.
    pub(super) deadline: Duration,
    /// Set when the user wants the run to end.
    pub(super) stop: &'r std::sync::atomic::AtomicBool,
}

/// A trial that ran, or did not.
#[derive(Debug)]
pub struct Outcome {
    /// The trial.
    pub trial: Trial,
    /// What is known of it; nothing when it did not apply or was not reached.
    pub facts: Option<Facts>,
    /// What the judge says of it; nothing when it did not apply.
    pub ruling: Option<Ruling>,
    /// The request as sent.
    pub asked: Option<Value>,
    /// The answer in words, as it came.
    pub answered: Option<String>,
    /// The forbidden object.
    pub object: Option<String>,
}

/// Everything that one execution of a trial left behind.
pub(super) struct Execution {
    pub(super) attempt: Attempt,
    race: Option<Race>,
    attack: Option<Played>,
    asked: Option<Value>,
    pub(super) answered: Option<String>,
}

/// A trial on its way.
pub(super) struct Running {
    index: usize,
    facts: Facts,
    kept: Vec<Played>,
    asked: Option<Value>,
    answered: Option<String>,
    object: Option<String>,
}

/// Runs all trials of the plan.
pub(super) struct Engine<'r> {
    stage: &'r Stage<'r>,
    conversation: &'r Conversation,
    orders: Orders<'r>,
    emit: &'r dyn Fn(Event),
    controls: HashMap<String, Control>,
    words: fastrand::Rng,
}

impl<'r> Engine<'r> {
    pub(super) fn new(
        stage: &'r Stage<'r>,
        conversation: &'r Conversation,
        orders: Orders<'r>,
        emit: &'r dyn Fn(Event),
        seed: u64,
    ) -> Self {
        Self {
            stage,
            conversation,
            orders,
            emit,
            controls: HashMap::new(),
            words: fastrand::Rng::with_seed(seed),
        }
    }

    /// Runs the plan.
    pub(super) async fn run(mut self, plan: &Plan) -> Vec<Running> {
        let mut running: Vec<Running> = Vec::new();
        let of = |fate: &dyn Fn(&Fate) -> bool| -> Vec<usize> {
            plan.trials
                .iter()
                .enumerate()
                .filter(|(_, trial)| fate(&trial.fate))
                .map(|(index, _)| index)
                .collect()
        };
        let shared = of(&|fate| *fate == Fate::Shared);
        for wave in shared.chunks((self.orders.jobs * WAVE).max(1)) {
            if self.stopped() {
                break;
            }
            running.extend(self.wave(plan, wave).await);
        }
        self.settle(plan, &mut running).await;
        for index in of(&|fate| *fate == Fate::Alone) {
            if self.stopped() {
                break;
            }
            let mut one = self
                .alone(&plan.trials[index], index, self.orders.deadline)
                .await;
            self.repeat(&plan.trials[index], &mut one).await;
            running.push(one);
        }
        for index in of(&|fate| *fate == Fate::Fresh) {
            if self.stopped() {
                break;
            }
            running.push(self.fresh(&plan.trials[index], index).await);
        }
        running
    }

    /// The channel whose plain call is the control of a trial. Where nothing may be written, no
    /// writing channel can show that it works; the reading one shows that the target still serves.
    fn witnessing<'t>(&self, trial: &'t Trial) -> Option<&'t Arc<Channel>>
    where
        'r: 't,
    {
        match trial.probe.claim {
            Claim::ReadOnly => self.stage.reader,
            _ => trial.channel.as_ref(),
        }
    }

    fn stopped(&self) -> bool {
        let silent = self.stage.tally.silent() >= self.orders.jobs * SILENCE;
        silent || self.orders.stop.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Trials side by side, with controls of their channels before and after.
    async fn wave(&mut self, plan: &Plan, wave: &[usize]) -> Vec<Running> {
        let trials: Vec<(usize, &Trial, String)> = wave
            .iter()
            .map(|index| (*index, &plan.trials[*index], self.word()))
            .collect();
        let mut channels: Vec<&Arc<Channel>> = trials
            .iter()
            .filter_map(|(_, trial, _)| self.witnessing(trial))
            .collect();
        channels.sort_by_key(|channel| key(channel));
        channels.dedup_by_key(|channel| key(channel));
        let missing: Vec<&Arc<Channel>> = channels
            .iter()
            .copied()
            .filter(|channel| !matches!(self.controls.get(&key(channel)), Some(Control::Passed(_))))
            .collect();
        self.control(&missing).await;
        let before = self.controls.clone();
        let session = self.conversation.session();
        let (stage, orders) = (self.stage, self.orders);
        let mut executions: Vec<(usize, Execution)> = stream::iter(trials)
            .map(|(index, trial, word)| {
                let session = session.clone();
                async move {
                    (
                        index,
                        execute(stage, &session, trial, &word, orders.deadline).await,
                    )
                }
            })
            .buffer_unordered(self.orders.jobs)
            .collect()
            .await;
        executions.sort_unstable_by_key(|(index, _)| *index);
        if executions
            .iter()
            .any(|(_, execution)| matches!(execution.attempt.response, Response::Died(_)))
        {
            self.restart().await;
        }
        self.control(&channels).await;
        executions
            .into_iter()
            .map(|(index, mut execution)| {
                let trial = &plan.trials[index];
                if let Some(channel) = self.witnessing(trial) {
                    execution.attempt.before = of(&before, channel);
                    execution.attempt.after = of(&self.controls, channel);
                }
                self.begin(trial, index, execution)
            })
            .collect()
    }

    /// Runs again, alone, what the judge cannot decide from what is known.
    async fn settle(&mut self, plan: &Plan, running: &mut [Running]) {
        for one in running {
            if self.stopped() {
                return;
            }
            let trial = &plan.trials[one.index];
            self.repeat(trial, one).await;
        }
    }

    async fn repeat(&mut self, trial: &Trial, one: &mut Running) {
        while let Some(how) = again(&one.facts) {
            if self.stopped() {
                return;
            }
            if how == Again::Fresh && !self.restart().await {
                return;
            }
            let deadline = if how == Again::Patient {
                self.orders.deadline * 3
            } else {
                self.orders.deadline
            };
            let more = self.alone(trial, one.index, deadline).await;
            one.facts.attempts.extend(more.facts.attempts);
            one.facts.race = more.facts.race.or(one.facts.race);
            one.kept.extend(more.kept);
            one.asked = more.asked.or(one.asked.take());
            one.answered = more.answered.or(one.answered.take());
        }
    }

    /// One trial with nothing else in flight.
    async fn alone(&mut self, trial: &Trial, index: usize, deadline: Duration) -> Running {
        let word = self.word();
        let channels: Vec<&Arc<Channel>> = self.witnessing(trial).into_iter().collect();
        if !matches!(
            channels
                .first()
                .and_then(|channel| self.controls.get(&key(channel))),
            Some(Control::Passed(_))
        ) {
            self.control(&channels).await;
        }
        let before = self.controls.clone();
        let session = self.conversation.session();
        let mut execution = execute(self.stage, &session, trial, &word, deadline).await;
        execution.attempt.alone = true;
        if matches!(execution.attempt.response, Response::Died(_)) {
            self.restart().await;
        }
        self.control(&channels).await;
        if let Some(channel) = self.witnessing(trial) {
            execution.attempt.before = of(&before, channel);
            execution.attempt.after = of(&self.controls, channel);
        }
        self.begin(trial, index, execution)
    }

    /// One trial in a process of its own.
    async fn fresh(&mut self, trial: &Trial, index: usize) -> Running {
        let word = self.word();
        let channels: Vec<&Arc<Channel>> = self.witnessing(trial).into_iter().collect();
        self.control(&channels).await;
        let before = self.controls.clone();
        let mut execution = launch::execute(
            self.stage,
            self.conversation,
            trial,
            &word,
            self.orders.deadline,
        )
        .await;
        execution.attempt.alone = true;
        self.control(&channels).await;
        if let Some(channel) = self.witnessing(trial) {
            execution.attempt.before = of(&before, channel);
            execution.attempt.after = of(&self.controls, channel);
        }
        self.begin(trial, index, execution)
    }

    fn begin(&self, trial: &Trial, index: usize, execution: Execution) -> Running {
        let object = execution
            .attack
            .as_ref()
            .and_then(|attack| object(trial, attack));
        let facts = Facts {
            attempts: vec![execution.attempt],
            proven: proven(trial),
            decisive: decisive(trial),
            race: execution.race,
        };
        let running = Running {
            index,
            facts,
            kept: execution.attack.into_iter().collect(),
            asked: execution.asked,
            answered: execution.answered,
            object,
        };
        self.announce(trial, &running.facts);
        running
    }

    fn announce(&self, trial: &Trial, facts: &Facts) {
        if again(facts).is_none() {
            (self.emit)(done(trial, &judge(facts)));
        }
    }

    async fn restart(&mut self) -> bool {
        self.controls.clear();
        let restarted = self.conversation.restart().await;
        (self.emit)(Event::Restarted {
            why: String::from(if restarted {
                "the target had ended"
            } else {
                "the target no longer starts"
            }),
        });
        restarted
    }

    /// Sends the plain call of each channel and remembers whether it passed.
    async fn control(&mut self, channels: &[&Arc<Channel>]) {
        let session = self.conversation.session();
        let (stage, deadline) = (self.stage, self.orders.deadline);
        let asked: Vec<(String, Arc<Channel>, String)> = channels
            .iter()
            .map(|channel| (key(channel), Arc::clone(channel), self.word()))
            .collect();
        let passed: Vec<(String, Control)> = stream::iter(asked)
            .map(|(key, channel, word)| {
                let session = session.clone();
                async move {
                    (
                        key,
                        control(stage, &session, &channel, &word, deadline).await,
                    )
                }
            })
            .buffer_unordered(self.orders.jobs)
            .collect()
            .await;
        self.controls.extend(passed);
    }

    /// A short word that is part of the names of a trial's objects.
    fn word(&mut self) -> String {
        (0..8).map(|_| self.words.lowercase()).collect()
    }
}

/// Looks once more for late effects and late tokens, and has everything judged. The outcomes are
/// in the order of the plan.
pub(super) fn finish(
    stage: &Stage<'_>,
    deadline: Duration,
    plan: Plan,
    running: Vec<Running>,
) -> Vec<Outcome> {
    let mut by_index: HashMap<usize, Running> =
        running.into_iter().map(|one| (one.index, one)).collect();
    plan.trials
        .into_iter()
        .enumerate()
        .map(|(index, trial)| match by_index.remove(&index) {
            Some(one) => judged(stage, deadline, trial, one),
            None => {
                let applies = !matches!(trial.fate, Fate::NotApplicable { .. });
                let facts = applies.then(|| Facts {
                    attempts: Vec::new(),
                    proven: proven(&trial),
                    decisive: decisive(&trial),
                    race: None,
                });
                Outcome {
                    ruling: facts.as_ref().map(judge),
                    facts,
                    trial,
                    asked: None,
                    answered: None,
                    object: None,
                }
            }
        })
        .collect()
}

fn judged(stage: &Stage<'_>, deadline: Duration, trial: Trial, mut one: Running) -> Outcome {
    if let (Some(channel), Some(last)) = (trial.channel.clone(), one.facts.attempts.last_mut()) {
        let ask = ask(&trial, &channel, deadline);
        for played in &one.kept {
            for seen in stage.late(&ask, played) {
                if !last.proofs.iter().any(|known| known.fact == seen.fact) {
                    last.proofs.push(seen);
                }
            }
        }
    }
    Outcome {
        ruling: Some(judge(&one.facts)),
        facts: Some(one.facts),
        trial,
        asked: one.asked,
        answered: one.answered,
        object: one.object,
    }
}

fn key(channel: &Channel) -> String {
    format!("{} {}", channel.role, channel.name())
}

fn of(controls: &HashMap<String, Control>, channel: &Channel) -> Control {
    controls
        .get(&key(channel))
        .cloned()
        .unwrap_or_else(|| Control::Failed(String::from("no control was sent")))
}

/// The news of a trial that has its verdict.
fn done(trial: &Trial, ruling: &Ruling) -> Event {
    Event::TrialDone {
        id: trial.id.clone(),
        verdict: ruling.verdict(),
        basis: ruling.basis(),
        strength: ruling.strength(),
    }
}

fn proven(trial: &Trial) -> bool {
    trial
        .channel
        .as_ref()
        .is_some_and(|channel| channel.proof.proven())
}

/// The evidence that decides: what the probe names, and what the role can show at all.
fn decisive(trial: &Trial) -> Vec<EvidenceKind> {
    let mut kinds = trial.probe.evidence.clone();
    if trial
        .channel
        .as_ref()
        .is_some_and(|channel| channel.role == Role::FileInfo)
        && !kinds.contains(&EvidenceKind::Metadata)
    {
        kinds.push(EvidenceKind::Metadata);
    }
    kinds
}

/// What the trial asks.
pub(super) fn ask<'t>(trial: &'t Trial, channel: &'t Channel, deadline: Duration) -> Ask<'t> {
    let variant = &trial.probe.variants[trial.variant];
    Ask {
        plants: trial.probe.plants_of(variant).collect(),
        variant,
        channel,
        claim: trial.probe.claim,
        evidence: &trial.probe.evidence,
        technique: trial.probe.technique_of(variant),
        reaches: trial.probe.reaches.as_ref(),
        deadline,
    }
}

/// The forbidden object of a trial, for people: what was planted, or where the path leads.
fn object(trial: &Trial, attack: &Played) -> Option<String> {
    let counted = attack
        .scene
        .planted
        .iter()
        .find(|planted| attack.counted.contains(&planted.name))
        .map(|planted| planted.path.clone());
    let led = || {
        let path = trial.probe.variants[trial.variant].path.as_ref()?;
        resolve(Path::new(&attack.scene.render(path).ok()?))
    };
    counted.or_else(led).map(|path| path.display().to_string())
}

/// Where the twin's counterpart of a denied place lies: beside it in the twin's world, under a
/// name that no rule covers.
fn kept_place(geometry: &Geometry, extension: &str) -> std::path::PathBuf {
    geometry.root.join("kept").join(format!("plain{extension}"))
}

/// The geometry of attack and twin of a trial.
pub(super) fn geometries(stage: &Stage<'_>, trial: &Trial, word: &str) -> (Geometry, Geometry) {
    let mut attack = Geometry::attack(stage.bed, word, None);
    let mut twin = Geometry::twin(stage.bed, word, None);
    let extension = trial
        .channel
        .as_ref()
        .map_or(".txt", |channel| channel.extension.as_str());
    if let Some(place) = &trial.inside {
        attack.inside = Some(place.file(&attack.here, word, extension));
        twin.inside = Some(match place {
            InsidePlace::Name(_) => twin.here.join(format!("plain{extension}")),
            InsidePlace::Directory(_) | InsidePlace::File(_) => kept_place(&twin, extension),
        });
    }
    (attack, twin)
}

/// Attack and twin, once.
async fn execute<C: Caller>(
    stage: &Stage<'_>,
    caller: &C,
    trial: &Trial,
    word: &str,
    deadline: Duration,
) -> Execution {
    let Some(channel) = &trial.channel else {
        return fault("the trial has no channel");
    };
    let ask = ask(trial, channel, deadline);
    let (attack, twin) = geometries(stage, trial, word);
    let played = match stage.set(&ask, attack, word) {
        Ok(scene) => stage.play(caller, &ask, scene, Counting::Forbidden).await,
        Err(error) => Err(error),
    };
    match played {
        Ok(mut played) => {
            let twin = self::twin(stage, caller, &ask, twin, word, &played).await;
            played.scene.strike();
            concluded(stage, played, twin)
        }
        Err(error) => Execution::from(error),
    }
}

/// What an attack that was played, and its twin, come to.
pub(super) fn concluded(stage: &Stage<'_>, mut played: Played, twin: Twin) -> Execution {
    let watch = stage.files.blind().map_or(Watch::Awake, Watch::Blind);
    Execution {
        asked: Some(
            serde_json::json!({ "method": played.exchange.method, "params": played.exchange.params }),
        ),
        answered: Some(played.exchange.outcome.text()),
        race: played.race,
        attempt: Attempt {
            alone: false,
            before: Control::Failed(String::from("no control was sent")),
            after: Control::Failed(String::from("no control was sent")),
            twin,
            liveness: played.liveness,
            watch,
            proofs: std::mem::take(&mut played.proofs),
            signals: std::mem::take(&mut played.signals),
            response: played.response.clone(),
        },
        attack: Some(played),
    }
}

/// The permitted twin of an attack.
async fn twin<C: Caller>(
    stage: &Stage<'_>,
    caller: &C,
    ask: &Ask<'_>,
    geometry: Geometry,
    word: &str,
    attack: &Played,
) -> Twin {
    if let Some(why) = &ask.variant.no_twin {
        return Twin::None(why.clone());
    }
    if ask.claim == Claim::ReadOnly {
        return Twin::None(String::from("the policy permits no write at all"));
    }
    let played = match stage.set(ask, geometry, word) {
        Ok(scene) => {
            let barred = scene.planted.iter().find(|planted| {
                attack.counted.contains(&planted.name) && stage.forbidden(&planted.path)
            });
            if let Some(planted) = barred {
                return Twin::None(format!("the policy forbids {} too", planted.path.display()));
            }
            stage
                .play(caller, ask, scene, Counting::Named(&attack.counted))
                .await
        }
        Err(error) => Err(error),
    };
    match played {
        Ok(mut played) => match played.proofs.drain(..).next() {
            Some(mut seen) => {
                seen.witness = String::from("twin");
                Twin::Passed(seen)
            }
            None => Twin::Rejected(brief(&played.exchange)),
        },
        Err(error) => Twin::None(error.to_string()),
    }
}

/// The plain, permitted call of a channel.
async fn control<C: Caller>(
    stage: &Stage<'_>,
    caller: &C,
    channel: &Channel,
    word: &str,
    deadline: Duration,
) -> Control {
    if let Proof::Unproven { why } = &channel.proof {
        return Control::Failed(format!("the tool was never seen to do this: {why}"));
    }
    let Some(plain) = plain(channel.role) else {
        return Control::Failed(format!("no control is known for the role {}", channel.role));
    };
    let ask = Ask {
        plants: plain.plants.iter().collect(),
        variant: &plain.variant,
        channel,
        claim: Claim::Outside,
        evidence: &[EvidenceKind::Token, EvidenceKind::Effect],
        technique: None,
        reaches: None,
        deadline,
    };
    let geometry = Geometry::twin(stage.bed, word, None);
    let played = match stage.set(&ask, geometry, word) {
        Ok(scene) => stage.play(caller, &ask, scene, Counting::All).await,
        Err(error) => Err(error),
    };
    match played {
        Ok(mut played) => match played.proofs.drain(..).next() {
            Some(mut seen) => {
                seen.witness = String::from("control");
                Control::Passed(seen)
            }
            None => Control::Failed(format!(
                "a permitted call had no effect (answer: {})",
                brief(&played.exchange)
            )),
        },
        Err(error) => Control::Failed(error.to_string()),
    }
}

/// The answer in a few words, for reasons.
fn brief(exchange: &Exchange) -> String {
    /// Enough to recognise a message.
    const SHOWN: usize = 160;
    let text = exchange.outcome.text();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

pub(super) fn fault(why: &str) -> Execution {
    Execution {
        attempt: Attempt {
            alone: false,
            before: Control::Failed(String::from("no control was sent")),
            after: Control::Failed(String::from("no control was sent")),
            twin: Twin::None(String::from("the trial could not be set up")),
            liveness: Liveness::Unknown,
            watch: Watch::Awake,
            proofs: Vec::new(),
            signals: Vec::new(),
            response: Response::Fault(why.to_owned()),
        },
        race: None,
        attack: None,
        asked: None,
        answered: None,
    }
}

impl From<SceneError> for Execution {
    fn from(error: SceneError) -> Self {
        let mut execution = fault(&error.to_string());
        if let SceneError::Stray(_) = error {
            execution.attempt.response = Response::Withheld(error.to_string());
        }
        execution
    }
}
