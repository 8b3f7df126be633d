//! The steering test: whether a channel does what it is believed to do.
//!
//! Owns the experiment and the order in which path forms and file types are tried. An answer's
//! words never prove anything; they only hint at what to try next.

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures::future::join;
use tokio::sync::Semaphore;

use super::{
    bench::{Bench, Site},
    discover::{Ground, ProofStep},
    evidence::Evidence,
    fill::{SIDE_FILE, draft, needs_side_file},
    repair::{ROUNDS, repair},
    score::{BIND, Binding, Candidate},
    words::{EXTENSIONS, words},
};
use crate::{
    channel::{Channel, PathForm, PatternForm, Proof, Values},
    probe::Role,
    session::{Caller, Exchange, Outcome, Tool},
};

/// First calls that a likely candidate is worth, and an unlikely one.
const LIKELY_TRIES: usize = 16;
const UNLIKELY_TRIES: usize = 5;
/// The same for one whose parameters are guesses.
const GUESSED_TRIES: usize = 8;

/// One target and the ground on which experiments with it are made.
pub(super) struct Lab<'a, C> {
    pub(super) caller: &'a C,
    pub(super) ground: &'a Ground<'a>,
    pub(super) flights: Semaphore,
    pub(super) calls: AtomicUsize,
    pub(super) log: Mutex<Vec<(usize, ProofStep)>>,
    /// The form that worked for the first channel: tried first for all others.
    pub(super) learned: Mutex<Option<PathForm>>,
    pub(super) gone: AtomicBool,
}

/// How a steering test ended.
enum Steered {
    /// Two inputs, two evidences.
    Proven(Vec<String>),
    /// Not even the first input gave its evidence.
    Silent { answer: String, hung: bool },
    /// Evidence came where it must not: the binding is wrong.
    Refuted(String),
}

/// One way to ask.
#[derive(Debug, Clone, PartialEq)]
struct Attempt {
    binding: usize,
    form: PathForm,
    extension: &'static str,
    bare: bool,
    pattern: PatternForm,
}

impl<C: Caller> Lab<'_, C> {
    /// Tries all likely ways to drive the role; the channel comes back proven, or with the reason
    /// why not.
    pub(super) async fn prove(&self, order: usize, tool: &Tool, candidate: &Candidate) -> Channel {
        let Some(first) = candidate.bindings.first() else {
            let mut channel = draft(tool, candidate, &Binding::default());
            channel.proof = unproven("no parameter fits");
            return channel;
        };
        let guessed = candidate.form.leaves.iter().all(|leaf| leaf.guessed);
        let tries = if candidate.score >= BIND {
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
        let learned = *self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queue = attempts(tool, candidate, learned);
        let mut rounds = ROUNDS;
        let mut tried: Vec<Attempt> = Vec::new();
        let mut hangs = 0;
        while tried.len() < tries && !queue.is_empty() && !self.gone.load(Ordering::Relaxed) {
            let attempt = queue.remove(0);
            let answer = loop {
                let channel = attempt.apply(&drafts[attempt.binding]);
                match self.steer(order, &channel, attempt.bare).await {
                    Steered::Proven(steps) => {
                        let mut learned =
                            self.learned.lock().unwrap_or_else(PoisonError::into_inner);
                        learned.get_or_insert(channel.form);
                        drop(learned);
                        return Channel {
                            proof: Proof::Proven { steps },
                            ..channel
                        };
                    }
                    Steered::Refuted(reason) => {
                        return Channel {
                            proof: unproven(&reason),
                            ..channel
                        };
                    }
                    Steered::Silent { answer, hung } => {
                        hangs += usize::from(hung);
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

    /// Proves a channel exactly as it is given.
    pub(super) async fn prove_as_is(&self, order: usize, given: &Channel) -> Channel {
        let mut channel = given.clone();
        channel.proof = match self.steer(order, &channel, false).await {
            Steered::Proven(steps) => Proof::Proven { steps },
            Steered::Refuted(why) => unproven(&why),
            Steered::Silent { answer, .. } => {
                unproven(&format!("the given binding gave no evidence: {answer}"))
            }
        };
        channel
    }

    /// Two inputs must give their own evidence, and one that names nothing neither.
    async fn steer(&self, order: usize, channel: &Channel, bare: bool) -> Steered {
        if needs_side_file(channel) {
            let side = self.ground.root.join(SIDE_FILE);
            if !side.exists()
                && let Err(error) = std::fs::write(&side, "a note\n")
            {
                return Steered::Refuted(format!("cannot plant {}: {error}", side.display()));
            }
        }
        let site = Site {
            root: self.ground.root,
            mint: self.ground.mint,
            extension: &channel.extension,
            form: channel.form,
            bare,
        };
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
        let shown = one.evidence.shown(&first);
        let said = excerpt(&first);
        self.note(
            order,
            channel,
            format!(
                "{} -> {said}",
                spelled(channel, &one.values, self.ground.root)
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
        let (second, absent) = if in_reply {
            join(self.send(channel, &two.values), absent).await
        } else {
            (self.send(channel, &two.values).await, absent.await)
        };
        if !two.evidence.shown(&second) {
            return Steered::Refuted(format!(
                "the first input gave its evidence, the second did not: {}",
                excerpt(&second)
            ));
        }
        if in_reply && one.evidence.partly(&second) {
            return Steered::Refuted(String::from(
                "the evidence of the first input came with the second: the argument does not steer",
            ));
        }
        let mut steps = vec![
            step(channel, &one.values, self.ground.root, &one.evidence),
            step(channel, &two.values, self.ground.root, &two.evidence),
        ];
        if let (Some((values, forbidden)), Some(exchange)) = (&bench.missing, &absent) {
            let leaked =
                in_reply && (one.evidence.partly(exchange) || two.evidence.partly(exchange));
            if leaked
                || (!forbidden.is_empty() && Evidence::Disk(forbidden.clone()).shown(exchange))
            {
                return Steered::Refuted(String::from(
                    "an input that names nothing brought the evidence of another",
                ));
            }
            steps.push(format!(
                "{} -> neither",
                spelled(channel, values, self.ground.root)
            ));
        }
        Steered::Proven(steps)
    }

    async fn send(&self, channel: &Channel, values: &Values) -> Exchange {
        // The semaphore is never closed; without a permit the call is only made at once.
        let _permit = self.flights.acquire().await;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (method, params) = channel.request(values, self.ground.root);
        let exchange = self
            .caller
            .request(method, params, self.ground.deadline)
            .await;
        if matches!(exchange.outcome, Outcome::Died(_)) {
            self.gone.store(true, Ordering::Relaxed);
        }
        exchange
    }

    fn note(&self, order: usize, channel: &Channel, what: String, shown: bool) {
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

impl Attempt {
    fn apply(&self, draft: &Channel) -> Channel {
        Channel {
            form: self.form,
            extension: self.extension.to_owned(),
            pattern: self.pattern,
            ..draft.clone()
        }
    }
}

fn unproven(why: &str) -> Proof {
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

fn excerpt(exchange: &Exchange) -> String {
    clean(&exchange.outcome.text(), 160)
}

fn spelled(channel: &Channel, values: &Values, root: &Path) -> String {
    let arguments = serde_json::Value::Object(channel.arguments(values, root));
    clean(&format!("{} {arguments}", channel.tool), 240)
}

fn step(channel: &Channel, values: &Values, root: &Path, evidence: &Evidence) -> String {
    let seen = if evidence.in_reply() {
        "its own evidence in the reply"
    } else {
        "its own effect on the disk"
    };
    format!("{} -> {seen}", spelled(channel, values, root))
}

/// All ways to ask, most likely first.
fn attempts(tool: &Tool, candidate: &Candidate, learned: Option<PathForm>) -> Vec<Attempt> {
    let role = candidate.role;
    let mut queue: Vec<Attempt> = Vec::new();
    let mut add = |attempt: Attempt| {
        if !queue.contains(&attempt) {
            queue.push(attempt);
        }
    };
    let extensions = extensions(tool, role);
    let plain = |binding: usize, form: PathForm| Attempt {
        binding,
        form,
        extension: extensions[0],
        bare: false,
        pattern: PatternForm::Plain,
    };
    let forms = |binding: &Binding| forms(candidate, binding, learned);
    // All forms of the best binding, then the best form of the others, then their other forms.
    let first = forms(&candidate.bindings[0]);
    for form in &first {
        add(plain(0, *form));
    }
    for (index, binding) in candidate.bindings.iter().enumerate().skip(1) {
        add(plain(index, forms(binding)[0]));
    }
    if role == Role::FileSearch {
        for pattern in [PatternForm::Glob, PatternForm::DeepGlob] {
            for form in first.iter().take(2) {
                add(Attempt {
                    pattern,
                    ..plain(0, *form)
                });
            }
        }
    }
    if matches!(role, Role::RepoCreate | Role::ArchiveExtract) {
        add(Attempt {
            bare: true,
            ..plain(0, first[0])
        });
    }
    if takes_bare_names(candidate) {
        add(Attempt {
            bare: true,
            ..plain(0, PathForm::Relative)
        });
    }
    for extension in &extensions[1..] {
        add(Attempt {
            extension,
            ..plain(0, first[0])
        });
    }
    for (index, binding) in candidate.bindings.iter().enumerate().skip(1) {
        for form in forms(binding) {
            add(plain(index, form));
        }
    }
    queue
}

/// The forms in which a binding may want paths, most likely first.
fn forms(candidate: &Candidate, binding: &Binding, learned: Option<PathForm>) -> Vec<PathForm> {
    if binding.split() {
        return vec![PathForm::Split, PathForm::SplitRelative];
    }
    match candidate.role {
        Role::ResourceRead => return vec![PathForm::Uri],
        Role::IdentRead => return vec![PathForm::Relative],
        Role::FilePatch => return vec![PathForm::Relative, PathForm::Absolute],
        _ => {}
    }
    let main = candidate.role.slots()[0];
    let leaf = binding.slots.get(&main).and_then(|pointers| {
        let pointer = pointers.first()?;
        candidate.form.leaves.iter().find(|leaf| {
            leaf.pointer == *pointer || super::score::single(&leaf.pointer) == *pointer
        })
    });
    let (name, about) = leaf.map_or((Vec::new(), String::new()), |leaf| {
        (words(&leaf.name), leaf.description.to_lowercase())
    });
    let by_uri = name
        .iter()
        .any(|word| matches!(word.as_str(), "uri" | "url" | "href"));
    let mentions_uri = by_uri || about.contains("uri") || about.contains("url");
    let mut order = Vec::new();
    if by_uri {
        order.push(PathForm::Uri);
    }
    if about.contains("relative") && !about.contains("absolute") {
        order.push(PathForm::Relative);
    }
    order.extend(learned.filter(|form| !matches!(form, PathForm::Split | PathForm::SplitRelative)));
    order.extend([PathForm::Absolute, PathForm::Relative, PathForm::Rooted]);
    if mentions_uri {
        order.push(PathForm::Uri);
    }
    let mut forms: Vec<PathForm> = Vec::new();
    for form in order {
        if !forms.contains(&form) && (form != PathForm::Uri || mentions_uri) {
            forms.push(form);
        }
    }
    forms
}

/// Whether files directly in the allowed directory are worth a try: some tools take names only.
fn takes_bare_names(candidate: &Candidate) -> bool {
    matches!(
        candidate.role,
        Role::FileRead
            | Role::FileReadMany
            | Role::FileInfo
            | Role::FileWrite
            | Role::FileEdit
            | Role::FileMove
            | Role::FileCopy
            | Role::FileSave
            | Role::ArchiveRead
    )
}

/// Extensions for the files of a role, the likeliest first; never empty.
fn extensions(tool: &Tool, role: Role) -> Vec<&'static str> {
    const OTHERS: &[&str] = &[".md", ".json", ".csv", ".html", ".py", ".xml", ".yaml"];
    match role {
        Role::ArchiveExtract | Role::ArchiveRead => return vec![".zip", ".tar", ".tar.gz"],
        Role::IdentRead => return vec![".md", ".txt", ".json"],
        Role::DirList
        | Role::DirCreate
        | Role::FileSearch
        | Role::RepoRead
        | Role::RepoCreate
        | Role::FileDelete => return vec![".txt"],
        _ => {}
    }
    // Only what looks into files, or makes them, cares for their type.
    let others = match role {
        Role::FileRead | Role::FileReadMany | Role::FileWrite | Role::FileSave => OTHERS,
        _ => &OTHERS[..1],
    };
    let named: Vec<&'static str> = words(&tool.name)
        .iter()
        .filter_map(|word| extension(word))
        .collect();
    let described = words(&tool.description)
        .into_iter()
        .take(40)
        .filter_map(|word| extension(&word))
        .collect::<Vec<_>>();
    let mut found: Vec<&'static str> = Vec::new();
    let unknown_name = named.is_empty();
    for extension in named
        .into_iter()
        .filter(|extension| *extension != ".txt")
        .chain(unknown_name.then_some(".txt"))
        .chain([".txt"])
        .chain(described)
        .chain(others.iter().copied())
    {
        if !found.contains(&extension) {
            found.push(extension);
        }
    }
    found
}

fn extension(word: &str) -> Option<&'static str> {
    EXTENSIONS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, extension)| *extension)
}

/// Takes from an answer which file types the tool wants, and puts those attempts first.
fn hint(answer: &str, tried: &[Attempt], queue: &mut Vec<Attempt>) {
    let Some(attempt) = tried.last().filter(|_| answer.len() <= 2048) else {
        return;
    };
    let named = answer
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '.'))
        .filter_map(|word| word.rsplit_once('.'))
        // `.md` names a type; `a.md` may be the file that was asked for.
        .filter(|(stem, _)| stem.is_empty())
        .filter_map(|(_, ending)| extension(&ending.to_lowercase()));
    let wanted: Vec<Attempt> = named
        .map(|extension| Attempt {
            extension,
            ..attempt.clone()
        })
        .filter(|attempt| !tried.contains(attempt))
        .collect();
    for attempt in wanted.into_iter().rev() {
        queue.retain(|other| *other != attempt);
        queue.insert(0, attempt);
    }
}
