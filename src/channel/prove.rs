//! The steering test: whether a channel does what it is believed to do.
//!
//! Owns the experiment and the order in which path forms and file types are tried. An answer's
//! words never prove anything; they only hint at what to try next.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join;
use tokio::sync::Semaphore;

use super::{
    attempts::{Attempt, attempts, hint},
    bench::{Bench, Site},
    discover::{Ground, ProofStep},
    evidence::Evidence,
    fill::{draft, plant_side_file},
    recipe::recipe_of,
    repair::{ROUNDS, repair},
    score::Candidate,
    slots::{Binding, parts},
    taught::Lesson,
};
use crate::{
    channel::{BIND, Channel, PathForm, Proof, UriForm, Values},
    probe::Role,
    session::{Caller, Exchange, Outcome, Tool},
};

/// First calls that a likely candidate is worth, and an unlikely one.
const LIKELY_TRIES: usize = 16;
const UNLIKELY_TRIES: usize = 5;
/// The same for one whose parameters are guesses.
const GUESSED_TRIES: usize = 8;
/// The same for one that runs commands: which of them is permitted may be any.
const COMMAND_TRIES: usize = 48;
/// The same for files in a parameter that is known to take URLs: by URI and by path.
const REACHED_TRIES: usize = 2;

/// One target and the ground on which experiments with it are made.
pub(super) struct Lab<'a, C> {
    pub(super) caller: &'a C,
    pub(super) ground: &'a Ground<'a>,
    pub(super) flights: Semaphore,
    pub(super) calls: AtomicUsize,
    pub(super) log: Mutex<Vec<(usize, ProofStep)>>,
    /// What worked for the first channel: tried first for all others.
    pub(super) learned: Mutex<Option<Learned>>,
    pub(super) gone: AtomicBool,
    /// Tools, by their order, of which a call was not answered in time.
    pub(super) hung: Mutex<BTreeSet<usize>>,
    /// What tools, by their order, told of their arguments.
    pub(super) lessons: Mutex<BTreeMap<usize, Lesson>>,
    /// Whether one call is made at a time.
    pub(super) lone: AtomicBool,
    /// Side files that are ours to remove.
    pub(super) side: Mutex<BTreeSet<String>>,
}

/// How the first channel wanted paths.
pub(super) type Learned = (PathForm, Option<UriForm>);

/// How a steering test ended.
pub(super) enum Steered {
    /// Two inputs, two evidences.
    Proven(Vec<String>),
    /// Not even the first input gave its evidence.
    Silent { answer: String, hung: bool },
    /// Evidence came where it must not: the binding is wrong.
    Refuted(String),
}

impl<C: Caller> Lab<'_, C> {
    /// Tries all likely ways to drive the role; the channel comes back proven, or with the reason
    /// why not. `reached` tells that a main parameter of it is known to take URLs.
    pub(super) async fn prove(
        &self,
        order: usize,
        tool: &Tool,
        candidate: &Candidate,
        reached: bool,
    ) -> Channel {
        let Some(first) = candidate.bindings.first() else {
            let mut channel = draft(tool, candidate, &Binding::default());
            channel.proof = unproven("no parameter fits");
            return channel;
        };
        let guessed = candidate.form.leaves.iter().all(|leaf| leaf.guessed);
        let tries = if reached {
            REACHED_TRIES
        } else if candidate.role == Role::ExecCommand && candidate.score >= BIND {
            COMMAND_TRIES
        } else if candidate.score >= BIND {
            if guessed { GUESSED_TRIES } else { LIKELY_TRIES }
        } else {
            UNLIKELY_TRIES
        };
        let mut drafts: Vec<Channel> = candidate
            .bindings
            .iter()
            .map(|binding| draft(tool, candidate, binding))
            .collect();
        let mut fallback = draft(tool, candidate, first);
        let mut why: Option<String> = None;
        let mut queue = attempts(tool, candidate, self.learned(), self.ground.uris);
        let mut rounds = ROUNDS;
        let mut tried: Vec<Attempt> = Vec::new();
        let mut hangs = 0;
        while tried.len() < tries && !queue.is_empty() && !self.gone.load(Ordering::Relaxed) {
            let attempt = queue.remove(0);
            let answer = loop {
                let mut channel = attempt.apply(&drafts[attempt.binding]);
                if channel.runs_in_a_place() {
                    channel.slots.extend(parts(channel.role, &candidate.form));
                }
                match self.steer(order, &channel, attempt.bare).await {
                    Steered::Proven(steps) => {
                        self.learn(&channel);
                        let mut slots = parts(channel.role, &candidate.form);
                        slots.extend(channel.slots);
                        let channel = Channel {
                            proof: Proof::Proven { steps },
                            slots,
                            ..channel
                        };
                        let form = Some(&candidate.form);
                        return self.over(order, channel, form, attempt.bare).await;
                    }
                    Steered::Refuted(reason) => {
                        return Channel {
                            proof: unproven(&reason),
                            ..channel
                        };
                    }
                    Steered::Silent { answer, hung } => {
                        if hung {
                            hangs += 1;
                            self.hung
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .insert(order);
                        }
                        self.keep_lesson(order, &candidate.form, &answer);
                        let mended = (rounds > 0)
                            .then(|| repair(&mut drafts[attempt.binding], &candidate.form, &answer))
                            .flatten();
                        let Some(change) = mended else { break answer };
                        rounds -= 1;
                        self.note(order, &channel, format!("repaired: {change}"), false);
                    }
                }
            };
            if tried.is_empty() {
                fallback = attempt.apply(&drafts[attempt.binding]);
            }
            tried.push(attempt);
            hint(&answer, &tried, &mut queue);
            why.get_or_insert(answer);
            if hangs > 1 {
                break;
            }
        }
        let why = why.unwrap_or_else(|| String::from("the target was gone before it was tried"));
        fallback.proof = unproven(&format!(
            "no evidence came in {} tries; first answer: {why}",
            tried.len()
        ));
        fallback
    }

    /// Tries once more, with nothing else in flight, what was not proven: some targets refuse a call while another is
    /// under way.
    pub(super) async fn alone(&self, order: usize, channels: &mut [Channel]) {
        self.lone.store(true, Ordering::Relaxed);
        for channel in channels {
            let lost = self.hangs(order) || self.gone.load(Ordering::Relaxed);
            if lost || channel.proof.proven() {
                continue;
            }
            let again = self.prove_as_is(order, channel).await;
            if again.proof.proven() {
                *channel = again;
            }
        }
    }

    /// Proves a channel exactly as it is given.
    pub(super) async fn prove_as_is(&self, order: usize, given: &Channel) -> Channel {
        let mut channel = given.clone();
        channel.proof = match self.steer(order, &channel, given.bare).await {
            Steered::Proven(steps) => {
                self.learn(&channel);
                Proof::Proven { steps }
            }
            Steered::Refuted(why) => unproven(&why),
            Steered::Silent { answer, .. } => {
                unproven(&format!("the given binding gave no evidence: {answer}"))
            }
        };
        match channel.proof {
            Proof::Proven { .. } => self.over(order, channel, None, given.bare).await,
            Proof::Unproven { .. } => channel,
        }
    }

    /// Whether a call of a tool was not answered in time.
    pub(super) fn hangs(&self, order: usize) -> bool {
        let hung = self.hung.lock().unwrap_or_else(PoisonError::into_inner);
        hung.contains(&order)
    }

    /// What worked for the first channel.
    pub(super) fn learned(&self) -> Option<Learned> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.clone()
    }

    fn learn(&self, channel: &Channel) {
        if channel.role.of_network() {
            return;
        }
        self.learned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| (channel.form, channel.uri.clone()));
    }

    /// Two inputs must give their own evidence, and one that names nothing neither.
    pub(super) async fn steer(&self, order: usize, channel: &Channel, bare: bool) -> Steered {
        match plant_side_file(self.ground.root, channel) {
            Ok(planted) => {
                let mut side = self.side.lock().unwrap_or_else(PoisonError::into_inner);
                side.extend(planted);
            }
            Err(why) => return Steered::Refuted(why),
        }
        let site = self.site(channel, bare);
        let bench = match Bench::set_up(channel.role, &site) {
            Ok(bench) => bench,
            Err(error) => {
                return Steered::Refuted(format!("cannot plant what the proof needs: {error}"));
            }
        };
        let [one, two] = &bench.cases;
        if one.evidence.already_there() || two.evidence.already_there() {
            return Steered::Refuted(String::from("the evidence was there before the call"));
        }
        let first = self.send(channel, &one.values).await;
        let shown = self.shown(&one.evidence, &first).await;
        let said = excerpt(&first);
        self.note(
            order,
            channel,
            format!(
                "{} -> {said}",
                spelled(channel, &one.values, self.ground.told)
            ),
            shown,
        );
        if !shown {
            return Steered::Silent {
                answer: first.outcome.text(),
                hung: matches!(first.outcome, Outcome::Timeout),
            };
        }
        if two.evidence.partly(&first) {
            return Steered::Refuted(String::from(
                "the evidence of the second input came with the first: the argument does not steer",
            ));
        }
        let in_reply = one.evidence.in_reply();
        let absent = async {
            match &bench.missing {
                Some((values, _)) => Some(self.send(channel, values).await),
                None => None,
            }
        };
        // Effects are told apart by what the disk holds after each call, replies by themselves.
        let (second, absent) = if in_reply && !self.lone.load(Ordering::Relaxed) {
            join(self.send(channel, &two.values), absent).await
        } else {
            (self.send(channel, &two.values).await, absent.await)
        };
        if !self.shown(&two.evidence, &second).await {
            return Steered::Refuted(format!(
                "the first input gave its evidence, the second did not: {}",
                excerpt(&second)
            ));
        }
        if one.evidence.told(&second) {
            return Steered::Refuted(String::from(
                "the evidence of the first input came with the second: the argument does not steer",
            ));
        }
        let mut steps = vec![
            self.step(channel, &one.values, &one.evidence, &first),
            self.step(channel, &two.values, &two.evidence, &second),
        ];
        if let (Some((values, forbidden)), Some(exchange)) = (&bench.missing, &absent) {
            let leaked = one.evidence.told(exchange) || two.evidence.told(exchange);
            let failed = exchange.outcome.is_error();
            let there = |it: &Evidence<'_>| it.partly(exchange) && !(failed && it.empty());
            if leaked || forbidden.as_ref().is_some_and(there) {
                return Steered::Refuted(String::from(
                    "an input that names nothing brought the evidence of another",
                ));
            }
            steps.push(format!(
                "{} -> neither",
                spelled(channel, values, self.ground.told)
            ));
        }
        Steered::Proven(steps)
    }

    /// Where and how a channel is tried.
    pub(super) fn site<'c>(&'c self, channel: &'c Channel, bare: bool) -> Site<'c> {
        Site {
            root: self.ground.root,
            told: self.ground.told,
            mint: self.ground.mint,
            extension: &channel.extension,
            form: channel.form,
            net: self.ground.net,
            net_form: channel.net,
            recipe: recipe_of(channel.role, channel.recipe.as_deref()),
            bare,
        }
    }

    /// Whether the evidence is there; where it comes on another way than the reply, it may be a
    /// moment behind.
    async fn shown(&self, evidence: &Evidence<'_>, exchange: &Exchange) -> bool {
        const LOOKS: usize = 10;
        const PAUSE: Duration = Duration::from_millis(20);
        for _ in 0..LOOKS {
            if evidence.shown(exchange) {
                return true;
            }
            if !evidence.may_be_late() {
                return false;
            }
            tokio::time::sleep(PAUSE).await;
        }
        evidence.shown(exchange)
    }

    /// Drives the channel once: of a chain the answer of the second call counts, if there is one.
    pub(super) async fn send(&self, channel: &Channel, values: &Values) -> Exchange {
        let (method, params) = channel.request(values, self.ground.told);
        let first = self.ask(method, params).await;
        match channel.follow(&first.outcome) {
            Some((method, params)) => self.ask(method, params).await,
            None => first,
        }
    }

    /// One request.
    pub(super) async fn ask(&self, method: &str, params: serde_json::Value) -> Exchange {
        // The semaphore is never closed; without a permit the call is only made at once.
        let _permit = self.flights.acquire().await;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let exchange = self
            .caller
            .request(method, params, self.ground.deadline)
            .await;
        if matches!(exchange.outcome, Outcome::Died(_)) {
            self.gone.store(true, Ordering::Relaxed);
        }
        exchange
    }

    fn step(
        &self,
        channel: &Channel,
        values: &Values,
        evidence: &Evidence<'_>,
        exchange: &Exchange,
    ) -> String {
        let seen = match &channel.then {
            Some(then) if evidence.in_reply() => format!("its own evidence from {}", then.tool),
            _ => evidence.seen(exchange),
        };
        format!("{} -> {seen}", spelled(channel, values, self.ground.told))
    }

    pub(super) fn note(&self, order: usize, channel: &Channel, what: String, shown: bool) {
        let step = ProofStep {
            tool: channel.tool.clone(),
            role: channel.role,
            what,
            evidence: shown,
        };
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((order, step));
    }
}

pub(super) fn unproven(why: &str) -> Proof {
    Proof::Unproven {
        why: clean(why, 300),
    }
}

/// Bounded and on one line: the text is the target's.
fn clean(text: &str, limit: usize) -> String {
    let flat: String = text
        .chars()
        .take(limit)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let words: Vec<&str> = flat.split_whitespace().collect();
    let mut text_out = words.join(" ");
    if text.chars().nth(limit).is_some() {
        text_out.push('…');
    }
    text_out
}

pub(super) fn excerpt(exchange: &Exchange) -> String {
    clean(&exchange.outcome.text(), 160)
}

pub(super) fn spelled(channel: &Channel, values: &Values, root: &Path) -> String {
    let arguments = serde_json::Value::Object(channel.arguments(values, root));
    clean(&format!("{} {arguments}", channel.tool), 240)
}
