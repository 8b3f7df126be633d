//! Trials that need a process of their own, launched otherwise.
//!
//! Owns what such a launch changes: the working directory, the allowed directory in the command
//! line, an inherited descriptor. The controls of these trials are the twin in a second process
//! launched likewise, and the channel's controls in the process of the run.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    conversation::Conversation,
    execute::{Execution, ask, concluded, fault, geometries},
    net::before_launch,
    stage::{Ask, Counting, Played, Stage},
};
use crate::{
    judge::{Liveness, Response, Twin},
    plan::Trial,
    probe::{AllowedArgument, Launch, Platform, Role},
    session::{Endpoint, Launch as Launched},
    technique,
    testbed::{Geometry, Scene, SceneError},
};

/// Plays a trial in a process of its own.
pub(super) async fn execute(
    stage: &Stage<'_>,
    conversation: &Conversation,
    trial: &Trial,
    word: &str,
    deadline: Duration,
) -> Execution {
    let Some(channel) = &trial.channel else {
        return fault("the trial has no channel");
    };
    let ask = ask(trial, channel, deadline);
    let changes = trial.probe.launch_of(ask.variant);
    let (attack, permitted) = geometries(stage, trial, word);
    let played = match stage.set(&ask, attack, word) {
        Ok(scene) => {
            in_process(
                stage,
                conversation,
                &ask,
                changes,
                scene,
                Counting::Forbidden,
            )
            .await
        }
        Err(error) => Err(error.into()),
    };
    let mut played = match played {
        Ok(Some(played)) => played,
        Ok(None) => return refused_to_start(changes),
        Err(Failure::Scene(error)) => return error.into(),
        Err(Failure::Start(why)) => return fault(&why),
    };
    if ask.channel.role == Role::ScopeWiden
        && let Err(error) = stage.afterwards(conversation, &ask, &mut played).await
    {
        return error.into();
    }
    // Without an allowed directory nothing is permitted, so there is no twin.
    let twin = if changes.is_some_and(|changes| changes.allowed.is_some()) {
        Twin::None(String::from(
            "without an allowed directory nothing is permitted",
        ))
    } else if let Some(why) = &ask.variant.no_twin {
        Twin::None(why.clone())
    } else if ask.channel.role == Role::ParamText {
        let session = conversation.session();
        let twin = stage.text_twin(&session, &ask, word).await;
        twin.unwrap_or_else(|error| Twin::None(error.to_string()))
    } else {
        permitted_in_process(
            stage,
            conversation,
            &ask,
            changes,
            permitted,
            word,
            &played.counted,
        )
        .await
    };
    played.scene.strike();
    concluded(played, twin)
}

/// Why nothing came of a process.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Scene(#[from] SceneError),
    #[error("{0}")]
    Start(String),
}

async fn permitted_in_process(
    stage: &Stage<'_>,
    conversation: &Conversation,
    ask: &Ask<'_>,
    changes: Option<&Launch>,
    geometry: Geometry,
    word: &str,
    counted: &[String],
) -> Twin {
    let scene = match stage.set(ask, geometry, word) {
        Ok(scene) => scene,
        Err(error) => return Twin::None(error.to_string()),
    };
    match in_process(
        stage,
        conversation,
        ask,
        changes,
        scene,
        Counting::Named(counted),
    )
    .await
    {
        Ok(Some(mut played)) => match played.proofs.drain(..).next() {
            Some(mut seen) => {
                seen.witness = String::from("twin");
                Twin::Passed(seen)
            }
            None => Twin::Rejected(played.exchange.outcome.text()),
        },
        Ok(None) => Twin::Rejected(String::from("the target did not start")),
        Err(failure) => Twin::None(failure.to_string()),
    }
}

/// One call in a process launched with the changes. `None` when the target refuses to start so.
async fn in_process(
    stage: &Stage<'_>,
    conversation: &Conversation,
    ask: &Ask<'_>,
    changes: Option<&Launch>,
    mut scene: Scene,
    counting: Counting<'_>,
) -> Result<Option<Played>, Failure> {
    let mut endpoint = conversation.endpoint().clone();
    let Endpoint::Stdio(launch) = &mut endpoint else {
        let why = "the target is not launched by the harness";
        return Err(Failure::Start(String::from(why)));
    };
    let mut cwd = stage.cwd.clone();
    if let Some(text) = changes.and_then(|changes| changes.cwd.as_ref()) {
        cwd = PathBuf::from(scene.render(text)?);
        move_to(launch, &cwd);
    }
    for (name, text) in changes.iter().flat_map(|changes| &changes.env) {
        let value = before_launch(stage.wire, &scene, text)?;
        launch.env.insert(name.clone(), value);
    }
    let allowed = changes.and_then(|changes| changes.allowed);
    if let Some(how) = allowed {
        replace_allowed(launch, conversation.server_at(), stage, how);
    }
    // A descriptor is open exactly while the process is launched.
    let act = match ask.technique {
        Some(name) => {
            technique::begin(name, &mut scene).map_err(|error| Failure::Start(error.to_string()))?
        }
        None => None,
    };
    let session = conversation.beside(&endpoint).await;
    drop(act);
    let (session, view) = match session {
        Ok(opened) => opened,
        Err(_) if allowed.is_some() => return Ok(None),
        Err(error) => return Err(Failure::Start(error.to_string())),
    };
    let plain = Ask {
        technique: None,
        ..ask.clone()
    };
    if let Some((_, Some(host))) = view.cwd() {
        cwd = host;
    }
    let stage = stage.elsewhere(cwd, view);
    let played = stage.play(&session, &plain, scene, counting).await;
    session.close().await;
    Ok(Some(played?))
}

/// Has a target start in another directory. What its command line names by its way from the old one is named as a
/// whole: `python server.py` is to find its program.
fn move_to(launch: &mut Launched, cwd: &Path) {
    let from = std::mem::replace(&mut launch.cwd, cwd.to_path_buf());
    let named = |word: &str| {
        let path = Path::new(word);
        let relative = path.is_relative() && !word.is_empty() && word != "." && word != "..";
        let whole = from.join(path);
        (relative && whole.is_file()).then(|| whole.to_string_lossy().into_owned())
    };
    for word in &mut launch.args {
        if let Some(whole) = named(word) {
            *word = whole;
        }
    }
}

/// Whether a word of a command line names a directory: by itself, or behind the name of an option.
pub(super) fn names(word: &str, directory: &str) -> bool {
    word.rsplit(['=', ':', ',']).any(|part| {
        let rest = part.strip_prefix(directory);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether a target can be launched once more while it runs; if not, why.
pub(super) fn again(endpoint: &Endpoint) -> Result<(), &'static str> {
    match endpoint {
        Endpoint::Stdio(launch) if launch.serves.is_none() => Ok(()),
        Endpoint::Stdio(_) => Err("the target serves at an address that it cannot have twice"),
        Endpoint::Http(_) | Endpoint::Inside(_) => Err("the target is not launched by the harness"),
    }
}

/// Whether a target is launched and then serves HTTP.
pub(super) fn serves(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Stdio(launch) if launch.serves.is_some())
}

/// The platform on which targets are launched.
pub(super) fn platform() -> Platform {
    if cfg!(target_os = "macos") {
        Platform::Macos
    } else if cfg!(windows) {
        Platform::Windows
    } else {
        Platform::Linux
    }
}

/// Whether a target is started inside of a directory.
pub(super) fn starts_in(endpoint: &Endpoint, directory: &Path) -> bool {
    matches!(endpoint, Endpoint::Stdio(launch) if launch.cwd.starts_with(directory))
}

/// Changes the allowed directory in the words that are the server's own, not those of what wraps it.
fn replace_allowed(launch: &mut Launched, from: usize, stage: &Stage<'_>, how: AllowedArgument) {
    let host = stage.bed.allowed.to_string_lossy().into_owned();
    let told = stage.told_root().to_string_lossy().into_owned();
    let put = |text: &str| {
        let Some(name) = [&host, &told].into_iter().find(|name| names(text, name)) else {
            return text.to_owned();
        };
        match how {
            AllowedArgument::Removed | AllowedArgument::Empty => text.replace(name, ""),
            AllowedArgument::Missing => text.replace(name, &format!("{name}/no/such/directory")),
        }
    };
    let mut own = launch.args.split_off(from.min(launch.args.len()));
    if how == AllowedArgument::Removed {
        own.retain(|argument| *argument != host && *argument != told);
    }
    launch.args.extend(own.iter().map(|argument| put(argument)));
    for value in launch.env.values_mut() {
        *value = put(value);
    }
}

/// A target that does not start without an allowed directory keeps its boundary.
fn refused_to_start(changes: Option<&Launch>) -> Execution {
    let mut execution = fault("");
    execution.attempt.response = Response::Refusal;
    execution.attempt.liveness = Liveness::Live;
    execution.attempt.twin = Twin::None(String::from(
        "the target refused to start in this configuration",
    ));
    execution.answered = Some(format!(
        "the target refused to start with the allowed directory {}",
        match changes.and_then(|changes| changes.allowed) {
            Some(AllowedArgument::Removed) => "left out",
            Some(AllowedArgument::Empty) => "empty",
            Some(AllowedArgument::Missing) => "missing",
            None => "as it was",
        }
    ));
    execution
}
