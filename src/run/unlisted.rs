//! Tools that a target does not list and answers all the same, asked for at the end of a run.
//!
//! Owns the questions, and the facts that come of them. What such tools may be called is the channel module's.

use std::{fs, sync::Arc, time::Duration};

use super::{send::response, stage::Stage};
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

/// What came of the questions.
#[derive(Default)]
pub(super) struct Unlisted {
    /// Names that were asked for.
    asked: Vec<String>,
    /// Of them, those that an earlier run had.
    known: Vec<String>,
    /// What is not asked for, since tools that are listed do the same, in words.
    listed: Vec<&'static str>,
    gave: Option<(Exchange, Observation)>,
    /// Why a call was not answered, where one was not.
    lost: Option<Response>,
}

impl Unlisted {
    /// Calls tools that would have powers which no listed one has.
    pub(super) async fn ask(
        stage: &Stage<'_>,
        session: &Session,
        (tools, channels, lock): (&[Tool], &[Arc<Channel>], Option<&Lock>),
        deadline: Duration,
    ) -> Self {
        let mut found = Self::default();
        let own: Vec<Channel> = channels
            .iter()
            .map(|channel| Channel::clone(channel))
            .collect();
        let writes = own
            .iter()
            .any(|channel| channel.role.creates() && channel.likely());
        let runs = |channel: &Channel| matches!(channel.role, Role::ExecCommand | Role::ExecCode);
        let runs = own.iter().any(|channel| runs(channel) && channel.likely());
        if writes && !stage.policy.claims(Claim::ReadOnly) {
            found.listed.push("write files");
        }
        if runs {
            found.listed.push("run commands");
        }
        let of_earlier = |channel: &Channel| {
            let mut entries = lock.into_iter().flat_map(|lock| &lock.entries);
            entries.any(|entry| entry.channel.tool == channel.tool)
        };
        for channel in unlisted(tools, &own, lock) {
            let (word, what) = match channel.role {
                Role::FileWrite => ("write files", "wrote a file"),
                _ => ("run commands", "ran a command"),
            };
            if found.listed.contains(&word) {
                continue;
            }
            for (names, counts) in [
                (&mut found.asked, true),
                (&mut found.known, of_earlier(&channel)),
            ] {
                if counts && !names.contains(&channel.tool) {
                    names.push(channel.tool.clone());
                }
            }
            match call(stage, session, &channel, what, deadline).await {
                Ok((exchange, None)) if !exchange.outcome.answered() => {
                    found.lost = Some(response(&exchange.outcome));
                    break;
                }
                Ok((exchange, Some(seen))) => {
                    found.gave = Some((exchange, seen));
                    break;
                }
                Ok((_, None)) => {}
                Err(error) => {
                    found.lost = Some(Response::Fault(error.to_string()));
                    break;
                }
            }
        }
        found
    }

    /// The call that did something, and its answer.
    pub(super) fn gave(&self) -> Option<&Exchange> {
        self.gave.as_ref().map(|(exchange, _)| exchange)
    }

    /// The facts of the trial. That names were guessed in vain shows nothing; that tools of an earlier run are
    /// refused does.
    pub(super) fn attempt(&self, now_ms: u64, proven: usize) -> Attempt {
        let passed = |fact: String| {
            Control::Passed(Observation {
                witness: String::from("control"),
                kind: EvidenceKind::Effect,
                fact,
                at_ms: now_ms,
                decoders: Vec::new(),
                excerpt: None,
            })
        };
        let moot = if self.asked.is_empty() && !self.listed.is_empty() {
            Some(format!(
                "tools that are listed {} anyway",
                self.listed.join(" and ")
            ))
        } else if self.known.is_empty() {
            Some(format!(
                "{} usual names of tools were tried in vain; no earlier run (`bindings.lock`) knows of a tool \
                 that is not listed now",
                self.asked.len()
            ))
        } else {
            None
        };
        Attempt {
            alone: true,
            before: match proven {
                0 => Control::Failed(String::from(
                    "no tool of the target was seen to do anything",
                )),
                _ => passed(format!(
                    "{proven} ways to call the listed tools were seen to work"
                )),
            },
            after: passed(format!(
                "{} names of tools were asked for",
                self.asked.len()
            )),
            twin: Twin::None(format!("an earlier run had {}", self.known.join(", "))),
            liveness: Liveness::Live,
            watch: Watch::Awake,
            wall: Wall::None,
            proofs: self.gave.iter().map(|(_, seen)| seen.clone()).collect(),
            signals: Vec::new(),
            response: match (&self.lost, moot) {
                (Some(lost), _) => lost.clone(),
                (None, Some(why)) => Response::Withheld(why),
                (None, None) => Response::Refusal,
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
