//! The engine: runs the trials of a plan and settles what is open.
//!
//! Owns order and concurrency: waves of trials side by side with a control of every channel before
//! and after, then what must run alone, then what needs a process of its own. Stores facts; the
//! judge decides, and `settle` asks it whether something has to be run again.

mod anew;
mod mixing;
mod settle;

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};

use super::{
    Event,
    conversation::Conversation,
    execute::{Execution, ask, control, execute, object},
    flight::AtMost,
    launch,
    outcome::{Running, decisive, done, proven},
    recorded,
    stage::Stage,
    strain,
};
use crate::{
    channel::Channel,
    judge::{Control, Facts, Response, again, judge},
    plan::{Fate, Plan, Trial},
    probe::{Claim, EvidenceKind},
    session::Health,
};

/// Trials in a wave per call in flight: long enough to keep the pipe full, short enough that a
/// control stands close to every trial.
const WAVE: usize = 16;

/// Trials under way per call in flight.
const UNDER_WAY: usize = 2;

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

/// Runs all trials of the plan.
pub(super) struct Engine<'r> {
    stage: &'r Stage<'r>,
    conversation: &'r Conversation,
    orders: Orders<'r>,
    emit: &'r dyn Fn(Event),
    controls: HashMap<String, Control>,
    /// Whether the target was started anew because it had fallen silent.
    roused: bool,
    /// Whether it was started anew because a tool that was proven did not do what it does.
    renewed: bool,
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
            roused: false,
            renewed: false,
            words: fastrand::Rng::with_seed(seed),
        }
    }

    /// Runs the plan. Notes what people should know of how.
    pub(super) async fn run(mut self, plan: &Plan, notes: &mut Vec<String>) -> Vec<Running> {
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
        let mixing = self.mixing(plan, &shared).await;
        notes.extend(mixing.values().map(|tool| {
            format!("{tool} mixes up calls that are made at once: its trials were made one by one")
        }));
        let mixed = |index: &usize| {
            let channel = self.witnessing(&plan.trials[*index]);
            channel.is_some_and(|channel| mixing.contains_key(&key(channel)))
        };
        let (mixed, shared): (Vec<usize>, Vec<usize>) = shared.into_iter().partition(mixed);
        for wave in shared.chunks((self.orders.jobs * WAVE).max(1)) {
            if !self.goes_on().await {
                break;
            }
            let waved = self.wave(plan, wave, self.orders.deadline).await;
            for one in &waved {
                self.announce(&plan.trials[one.index], &one.facts);
            }
            running.extend(waved);
        }
        self.settle(plan, &mut running).await;
        for fate in [
            Fate::Alone,
            Fate::Fresh,
            Fate::Recorded,
            Fate::Strained,
            Fate::Last,
        ] {
            let apart = if fate == Fate::Alone { &*mixed } else { &[] };
            for index in apart.iter().copied().chain(of(&|other| *other == fate)) {
                if !self.goes_on().await {
                    return running;
                }
                let trial = &plan.trials[index];
                // The clock of a trial must not run for what another has left behind.
                if trial.probe.claim == Claim::TimeLimit && self.is_lost(trial).await {
                    self.restart().await;
                }
                let mut one = self.once(trial, index, self.orders.deadline).await;
                // What a log was found to lack is looked for again when the target has ended.
                if fate != Fate::Recorded {
                    self.repeat(trial, &mut one).await;
                }
                (self.emit)(done(trial, &judge(&one.facts)));
                running.push(one);
            }
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
            // What widens the boundary does nothing that shows but in what is read then.
            _ if trial.fate == Fate::Last => self.stage.reader,
            _ => {
                let channel = trial.channel.as_ref()?;
                Some(channel.base.as_ref().unwrap_or(channel))
            }
        }
    }

    fn stopped(&self) -> bool {
        self.orders.stop.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Trials side by side, with controls of their channels before and after.
    async fn wave(&mut self, plan: &Plan, wave: &[usize], deadline: Duration) -> Vec<Running> {
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
        if self.renews(&missing).await {
            self.control(&channels).await;
        }
        let before = self.controls.clone();
        let session = self.conversation.session();
        let caller = AtMost::new(&session, self.orders.jobs);
        let stage = self.stage;
        // What waits for its turn would be told what the target attempts for another.
        let under_way = if stage.attempts.is_some() {
            1
        } else {
            UNDER_WAY
        };
        let mut executions: Vec<(usize, Execution)> = stream::iter(trials)
            // What has not begun when the run is to end is not begun any more.
            .take_while(|_| std::future::ready(!self.stopped()))
            .map(|(index, trial, word)| {
                let caller = &caller;
                async move { (index, execute(stage, caller, trial, &word, deadline).await) }
            })
            .buffer_unordered(self.orders.jobs * under_way)
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

    /// One trial by itself, as its fate has it.
    async fn once(&mut self, trial: &Trial, index: usize, deadline: Duration) -> Running {
        match trial.fate {
            Fate::Fresh | Fate::Last => self.fresh(trial, index).await,
            Fate::Recorded => self.recorded(trial, index).await,
            Fate::Strained => self.strained(trial, index).await,
            _ => self.alone(trial, index, deadline).await,
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

    /// One trial about the audit log.
    async fn recorded(&mut self, trial: &Trial, index: usize) -> Running {
        let word = self.word();
        let session = self.conversation.session();
        let deadline = self.orders.deadline;
        let (execution, awaited) =
            recorded::execute(self.stage, &session, trial, &word, deadline).await;
        Running {
            awaited,
            ..self.begin(trial, index, execution)
        }
    }

    /// One trial that puts a process of its own under a strain. Its controls are asked of that process.
    async fn strained(&mut self, trial: &Trial, index: usize) -> Running {
        let word = self.word();
        let deadline = self.orders.deadline;
        let execution =
            strain::execute(self.stage, self.conversation, trial, &word, deadline).await;
        self.begin(trial, index, execution)
    }

    fn begin(&self, trial: &Trial, index: usize, mut execution: Execution) -> Running {
        self.strike_late(&mut execution);
        let object = execution
            .attack
            .as_ref()
            .and_then(|attack| object(self.stage, trial, attack));
        let seen = execution
            .attack
            .as_ref()
            .and_then(|attack| attack.sees.first().cloned());
        let attempted = execution.attack.as_mut().and_then(|attack| {
            let channel = trial.channel.as_ref()?;
            let (attempted, twin) = (attack.attempted.take()?, &execution.attempt.twin);
            let ask = ask(trial, channel, self.orders.deadline);
            self.stage.believed(&ask, &attack.scene, twin, attempted)
        });
        let facts = Facts {
            attempts: vec![execution.attempt],
            proven: proven(trial),
            decisive: decisive(trial),
            race: execution.race,
        };
        Running {
            index,
            facts,
            kept: execution
                .attack
                .map(|attack| attack.keep(&self.stage.bed.allowed))
                .into_iter()
                .collect(),
            asked: execution.asked,
            answered: execution.answered,
            object,
            seen,
            attempted,
            awaited: Vec::new(),
        }
    }

    /// Looks once more for programs that were started after the answer, and removes them.
    fn strike_late(&self, execution: &mut Execution) {
        let Some(attack) = execution.attack.as_mut() else {
            return;
        };
        if !attack.scene.has_programs() {
            return;
        }
        let proofs = &mut execution.attempt.proofs;
        if !proofs
            .iter()
            .any(|seen| seen.kind == EvidenceKind::Execution)
        {
            proofs.extend(self.stage.executed(&attack.scene));
        }
        attack.scene.strike();
    }

    /// Tells the verdict of a trial, once there is one that nothing more will change.
    fn announce(&self, trial: &Trial, facts: &Facts) {
        if again(facts).is_none() {
            (self.emit)(done(trial, &judge(facts)));
        }
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
        // A target that refuses a call while another is under way serves each alone, as it did when it was proven.
        let beside = channels.len() > 1;
        let proven = channels.iter().filter(|channel| channel.proof.proven());
        for channel in proven.filter(|_| beside) {
            let failed = matches!(of(&self.controls, channel), Control::Failed(_));
            if failed && session.health() == Health::Alive {
                let word = self.word();
                let passed = control(stage, &session, channel, &word, deadline).await;
                self.controls.insert(key(channel), passed);
            }
        }
    }

    /// A short word that is part of the names of a trial's objects.
    fn word(&mut self) -> String {
        (0..8).map(|_| self.words.lowercase()).collect()
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
