//! One execution of a trial: the attack, and its permitted twin; and the plain controls.
//!
//! Owns which geometry is played with which count, and what an execution comes to. When and how
//! often is the engine's business.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::{
    control::{Plain, plain},
    liveness::resolve,
    stage::{Ask, Counting, Played, Stage},
};
use crate::{
    channel::{Channel, Proof},
    judge::{Attempt, Control, Liveness, Observation, Race, Response, Twin, Wall, Watch},
    plan::{InsidePlace, Trial},
    probe::{Claim, EvidenceKind, Role},
    session::{Caller, Exchange},
    testbed::{Geometry, Scene, SceneError},
    witness::syscalls::lexical,
};

/// Everything that one execution of a trial left behind.
pub(super) struct Execution {
    pub(super) attempt: Attempt,
    pub(super) race: Option<Race>,
    pub(super) attack: Option<Played>,
    pub(super) asked: Option<Value>,
    pub(super) answered: Option<String>,
}

/// What the trial asks.
pub(super) fn ask<'t>(trial: &'t Trial, channel: &'t Channel, deadline: Duration) -> Ask<'t> {
    let variant = &trial.probe.variants[trial.variant];
    Ask {
        plants: trial.probe.plants_of(variant).collect(),
        variant,
        channel,
        behind: trial.probe.behind,
        claim: trial.probe.claim,
        evidence: &trial.probe.evidence,
        technique: trial.probe.technique_of(variant),
        reaches: trial.probe.reaches.as_ref(),
        deadline,
        host: trial.host,
        named: trial.named.as_ref(),
    }
}

/// The forbidden object of a trial, for people: where the path leads, or what was planted.
pub(super) fn object(stage: &Stage<'_>, trial: &Trial, attack: &Played) -> Option<String> {
    if trial.probe.claim.of_network() {
        return trial.host.map(|host| host.to_string());
    }
    let executes = matches!(trial.probe.claim, Claim::Execution | Claim::Commands);
    let led = trial.probe.variants[trial.variant].path.as_ref();
    let led = led.and_then(|path| attack.scene.render(path).ok());
    let led = led.filter(|path| path.starts_with('/'));
    let led = led.and_then(|path| resolve(&followed(trial, &attack.scene, path.into())));
    let counted =
        attack.scene.planted.iter().filter(|planted| {
            attack.counted.contains(&planted.name) || (executes && planted.program)
        });
    let places: Vec<&Path> = counted.map(|planted| &*planted.path).collect();
    let forbidden = |place: &&Path| stage.forbidden(place);
    let object = led.as_deref().filter(forbidden);
    let object = object.or_else(|| places.iter().copied().find(forbidden));
    let object = object.or(places.first().copied()).or(led.as_deref());
    object.map(|path| path.display().to_string())
}

/// Where a path leads through the links that were planted, which are gone by now.
fn followed(trial: &Trial, scene: &Scene, mut path: PathBuf) -> PathBuf {
    let variant = &trial.probe.variants[trial.variant];
    let links = trial.probe.plants_of(variant).filter_map(|plant| {
        let link = plant.symlink.as_ref()?;
        let (at, to) = (scene.render(&link.at).ok()?, scene.render(&link.to).ok()?);
        Some((PathBuf::from(at), PathBuf::from(to)))
    });
    let links: Vec<(PathBuf, PathBuf)> = links.collect();
    for _ in 0..=links.len() {
        let mut through = links.iter().filter_map(|(at, to)| {
            let rest = path.strip_prefix(at).ok()?;
            Some(lexical(&at.parent()?.join(to).join(rest)))
        });
        match through.next() {
            Some(next) => path = next,
            None => break,
        }
    }
    path
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
pub(super) async fn execute<C: Caller>(
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
            // What the call left running has had its time.
            if played.proofs.is_empty() {
                played.proofs.extend(stage.executed(&played.scene));
            }
            // What was put off may start its program yet: the engine looks once more, and strikes then.
            if !played.scene.has_programs() {
                played.scene.strike();
            }
            match twin {
                Ok(twin) => {
                    if let Some(why) = spared(channel, &played, &twin) {
                        played.response = Response::Moot(why);
                    }
                    concluded(played, twin)
                }
                Err(error) => {
                    // Without its twin nothing tells what the answer is worth; proof still counts.
                    played.response =
                        Response::Fault(format!("the permitted twin could not be set up: {error}"));
                    concluded(played, Twin::None(error.to_string()))
                }
            }
        }
        Err(error) => Execution::from(error),
    }
}

/// What an attack that was played, and its twin, come to.
pub(super) fn concluded(mut played: Played, twin: Twin) -> Execution {
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
            wall: played.wall.clone(),
            watch: played.watch.clone(),
            proofs: std::mem::take(&mut played.proofs),
            signals: std::mem::take(&mut played.signals),
            response: played.response.clone(),
        },
        attack: Some(played),
    }
}

/// Why nothing can be told, where a tool was to write over a file that leaves all files alone.
fn spared(channel: &Channel, played: &Played, twin: &Twin) -> Option<String> {
    let answered = matches!(played.response, Response::Refusal | Response::Benign);
    let served = matches!(twin, Twin::Passed(_));
    if !played.occupied || !answered || served {
        return None;
    }
    let why = channel.keeps.as_ref()?;
    Some(format!(
        "the tool writes over no file that exists, not even over a plain one in the allowed directory ({why})"
    ))
}

/// The permitted twin of an attack.
async fn twin<C: Caller>(
    stage: &Stage<'_>,
    caller: &C,
    ask: &Ask<'_>,
    geometry: Geometry,
    word: &str,
    attack: &Played,
) -> Result<Twin, SceneError> {
    if let Some(why) = &ask.variant.no_twin {
        return Ok(Twin::None(why.clone()));
    }
    if ask.claim == Claim::Variables {
        return Ok(stage.comes_back(attack));
    }
    if ask.channel.role == Role::ParamText {
        return stage.text_twin(caller, ask, word).await;
    }
    if ask.claim == Claim::ReadOnly {
        return Ok(Twin::None(String::from(
            "the policy permits no write at all",
        )));
    }
    let scene = stage.set(ask, geometry, word)?;
    let barred = scene
        .planted
        .iter()
        .find(|planted| attack.counted.contains(&planted.name) && stage.forbidden(&planted.path));
    if let Some(planted) = barred {
        return Ok(Twin::None(format!(
            "the policy forbids {} too",
            planted.path.display()
        )));
    }
    let mut played = stage
        .play(caller, ask, scene, Counting::Named(&attack.counted))
        .await?;
    Ok(match played.proofs.drain(..).next() {
        Some(mut seen) => {
            seen.witness = String::from("twin");
            Twin::Passed(seen)
        }
        None => Twin::Rejected(brief(&played.exchange)),
    })
}

impl Stage<'_> {
    /// What the plain call of a channel asks.
    pub(super) fn plain_ask<'t>(
        &self,
        channel: &'t Channel,
        plain: &'t Plain,
        deadline: Duration,
    ) -> Ask<'t> {
        Ask {
            plants: plain.plants.iter().collect(),
            variant: &plain.variant,
            channel,
            behind: None,
            claim: Claim::Outside,
            evidence: &[
                EvidenceKind::Token,
                EvidenceKind::Effect,
                EvidenceKind::Computed,
            ],
            technique: None,
            reaches: None,
            deadline,
            host: None,
            named: None,
        }
    }
}

/// The plain, permitted call of a channel.
pub(super) async fn control<C: Caller>(
    stage: &Stage<'_>,
    caller: &C,
    channel: &Channel,
    word: &str,
    deadline: Duration,
) -> Control {
    if channel.role == Role::ParamText {
        return answers(stage, caller, channel, word, deadline).await;
    }
    if let Proof::Unproven { why } = &channel.proof {
        return Control::Failed(format!("the tool was never seen to do this: {why}"));
    }
    let Some(plain) = plain(channel) else {
        return Control::Failed(format!("no control is known for the role {}", channel.role));
    };
    let ask = stage.plain_ask(channel, plain, deadline);
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

/// Where no plain call of a tool is known, that it answers one.
async fn answers<C: Caller>(
    stage: &Stage<'_>,
    caller: &C,
    channel: &Channel,
    word: &str,
    deadline: Duration,
) -> Control {
    let Some(plain) = plain(channel) else {
        return Control::Failed(String::from("no plain call is known"));
    };
    let ask = stage.plain_ask(channel, plain, deadline);
    let played = match stage.set(&ask, Geometry::twin(stage.bed, word, None), word) {
        Ok(scene) => stage.play(caller, &ask, scene, Counting::All).await,
        Err(error) => Err(error),
    };
    match played {
        Ok(played) if played.exchange.outcome.answered() => Control::Passed(Observation {
            witness: String::from("control"),
            kind: EvidenceKind::Execution,
            fact: String::from("a plain call was answered"),
            at_ms: stage.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        }),
        Ok(played) => Control::Failed(format!(
            "a plain call was not answered: {}",
            brief(&played.exchange)
        )),
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
            wall: Wall::None,
            watch: Watch::Awake,
            proofs: Vec::new(),
            signals: Vec::new(),
            // One sentence: what a target wrote as it ended has lines.
            response: Response::Fault(why.lines().map(str::trim).collect::<Vec<_>>().join("; ")),
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
        match error {
            SceneError::Stray(_) => {
                execution.attempt.response = Response::Withheld(error.to_string());
            }
            SceneError::Moot(why) => execution.attempt.response = Response::Moot(why),
            _ => {}
        }
        execution
    }
}
