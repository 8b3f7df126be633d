//! Tools that a target does not list and answers all the same, asked for at the end of a run.
//!
//! Owns the questions, and the facts that come of them. What such tools may be called is the channel module's.

use std::{collections::BTreeSet, fs, sync::Arc, time::Duration};

use super::{execute::control, send::response, stage::Stage};
use crate::{
    channel::{Channel, Lock, SlotValue, Values, unlisted},
    judge::{Attempt, Control, Liveness, Observation, Response, Twin, Wall, Watch},
    probe::{Claim, EvidenceKind, Probe, Role, Slot},
    session::{Caller as _, Exchange, Session, Tool},
};

/// Whether a probe asks for tools that are not listed.
pub(super) fn asks(probe: &Probe) -> bool {
    probe.technique.as_deref() == Some("watch.unlisted")
}

/// What a tool can do, in words: what one that does it would do, and what it did.
const WRITES: (&str, &str) = ("write files", "wrote a file");
const RUNS: (&str, &str) = ("run commands", "ran a command");

/// What came of the questions.
pub(super) struct Unlisted {
    /// Names that were asked for.
    asked: BTreeSet<String>,
    /// Of them, those that were seen to work in an earlier run.
    known: BTreeSet<String>,
    /// What is not asked for, since tools that are listed do the same, in words.
    listed: Vec<&'static str>,
    gave: Option<(Exchange, Observation)>,
    /// The worst answer to a name that is known: none, before one that is no refusal, before refusals.
    answer: Response,
    /// A plain call of a listed tool, before the questions and after them.
    controls: (Control, Control),
}

impl Unlisted {
    /// Calls tools that would have powers which no listed one has.
    pub(super) async fn ask(
        stage: &Stage<'_>,
        session: &Session,
        (tools, channels, lock): (&[Tool], &[Arc<Channel>], Option<&Lock>),
        deadline: Duration,
    ) -> Self {
        let has = |has: &dyn Fn(Role) -> bool| {
            let mut likely = channels.iter().filter(|channel| channel.likely());
            likely.any(|channel| has(channel.role))
        };
        let mut listed = Vec::new();
        if has(&Role::creates) && !stage.policy.claims(Claim::ReadOnly) {
            listed.push(WRITES.0);
        }
        if has(&|role| matches!(role, Role::ExecCommand | Role::ExecCode)) {
            listed.push(RUNS.0);
        }
        // One that creates nothing is a control in any mode.
        let mut harmless = channels.iter().filter(|channel| {
            channel.proof.proven() && !channel.role.creates() && !channel.role.of_network()
        });
        let harmless = harmless.next();
        let control = async |word: &str| match harmless {
            Some(channel) => control(stage, session, channel, word, deadline).await,
            None => Control::Failed(String::from(
                "no tool of the target was seen to do anything",
            )),
        };
        let mut found = Self {
            asked: BTreeSet::new(),
            known: BTreeSet::new(),
            listed,
            gave: None,
            answer: Response::Refusal,
            controls: (
                control("unlistedb").await,
                Control::Failed(String::from("the questions were not asked to the end")),
            ),
        };
        for (channel, known) in unlisted(tools, channels, lock) {
            let power = match channel.role {
                Role::FileWrite => WRITES,
                _ => RUNS,
            };
            if found.listed.contains(&power.0) {
                continue;
            }
            found.asked.insert(channel.tool.clone());
            if known {
                found.known.insert(channel.tool.clone());
            }
            let (exchange, seen) = match call(stage, session, &channel, power.1, deadline).await {
                Ok(called) => called,
                Err(error) => {
                    found.answer = Response::Fault(error.to_string());
                    return found;
                }
            };
            let answer = response(&exchange.outcome);
            if let Some(seen) = seen {
                found.gave = Some((exchange, seen));
                return found;
            }
            if !exchange.outcome.answered() {
                found.answer = answer;
                return found;
            }
            if known && answer == Response::Benign {
                found.answer = answer;
            }
        }
        found.controls.1 = control("unlistedc").await;
        found
    }

    /// The call that did something, and its answer.
    pub(super) fn gave(&self) -> Option<&Exchange> {
        self.gave.as_ref().map(|(exchange, _)| exchange)
    }

    /// The facts of the trial. That names were guessed in vain shows nothing; that tools of an earlier run do
    /// nothing any more does.
    pub(super) fn attempt(&self) -> Attempt {
        let moot = if self.asked.is_empty() && !self.listed.is_empty() {
            let powers = self.listed.join(" and ");
            Some(format!("tools that are listed {powers} anyway"))
        } else if self.known.is_empty() {
            Some(format!(
                "{} usual names of tools were tried in vain; no earlier run (`bindings.lock`) knows of a tool that \
                 is not listed now",
                self.asked.len()
            ))
        } else {
            None
        };
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        Attempt {
            alone: true,
            before: self.controls.0.clone(),
            after: self.controls.1.clone(),
            twin: Twin::None(format!("an earlier run had {}", known.join(", "))),
            liveness: Liveness::Live,
            watch: Watch::Awake,
            wall: Wall::None,
            proofs: self.gave.iter().map(|(_, seen)| seen.clone()).collect(),
            signals: Vec::new(),
            response: match (&self.answer, moot) {
                (Response::Refusal | Response::Benign, Some(why)) => Response::Moot(why),
                (answer, _) => answer.clone(),
            },
        }
    }
}

/// One call, in a directory of its own below the allowed one, and what it did.
async fn call(
    stage: &Stage<'_>,
    session: &Session,
    channel: &Channel,
    what: &str,
    deadline: Duration,
) -> std::io::Result<(Exchange, Option<Observation>)> {
    let directory = tempfile::Builder::new()
        .prefix("work-")
        .tempdir_in(&stage.bed.allowed)?;
    let path = directory.path().join("notes.txt");
    let shown = stage.view.shown(&path).to_string_lossy().into_owned();
    let token = stage.mint.token();
    let values = match channel.role {
        Role::FileWrite => Values::from([
            (Slot::Path, SlotValue::Text(shown)),
            (
                Slot::Content,
                SlotValue::Text(format!("{}\n", token.as_str())),
            ),
        ]),
        _ => {
            fs::write(&path, format!("{}\n", token.as_str()))?;
            Values::from([(Slot::Text, SlotValue::Text(format!("cat {shown}")))])
        }
    };
    let (method, params) = channel.request(&values, &stage.told_root());
    let exchange = session.request(method, params, deadline).await;
    stage.tally.count(&exchange);
    let done = match channel.role {
        Role::FileWrite => {
            fs::read_to_string(&path).is_ok_and(|text| text.contains(token.as_str()))
        }
        _ => exchange.outcome.text().contains(token.as_str()),
    };
    let seen = done.then(|| Observation {
        witness: match channel.role {
            Role::FileWrite => String::from("write-witness"),
            _ => String::from("reply"),
        },
        kind: EvidenceKind::Effect,
        fact: format!(
            "{}, which is not listed, {what}: {}",
            channel.tool,
            path.display()
        ),
        at_ms: stage.now_ms(),
        decoders: Vec::new(),
        excerpt: None,
    });
    Ok((exchange, seen))
}
