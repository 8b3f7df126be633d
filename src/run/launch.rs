//! Trials that need a process of their own, launched otherwise.
//!
//! Owns what such a launch changes: the working directory, the allowed directory in the command
//! line, an inherited descriptor. The controls of these trials are the twin in a second process
//! launched likewise, and the channel's controls in the process of the run.

use std::{path::PathBuf, time::Duration};

use super::{
    conversation::Conversation,
    execute::{Execution, ask, concluded, fault, geometries},
    net::before_launch,
    stage::{Ask, Counting, Stage},
};
use crate::{
    judge::{Liveness, Response, Twin},
    plan::Trial,
    probe::{AllowedArgument, Launch},
    session::Endpoint,
    technique,
    testbed::{Geometry, Scene},
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
    let played = match set(stage, &ask, attack, word) {
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
        Err(why) => Err(why),
    };
    let mut played = match played {
        Ok(Some(played)) => played,
        Ok(None) => return refused_to_start(changes),
        Err(why) => return fault(&why),
    };
    // Without an allowed directory nothing is permitted, so there is no twin.
    let twin = if changes.is_some_and(|changes| changes.allowed.is_some()) {
        Twin::None(String::from(
            "without an allowed directory nothing is permitted",
        ))
    } else if let Some(why) = &ask.variant.no_twin {
        Twin::None(why.clone())
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

fn set(stage: &Stage<'_>, ask: &Ask<'_>, geometry: Geometry, word: &str) -> Result<Scene, String> {
    stage
        .set(ask, geometry, word)
        .map_err(|error| error.to_string())
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
    let scene = match set(stage, ask, geometry, word) {
        Ok(scene) => scene,
        Err(why) => return Twin::None(why),
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
        Err(why) => Twin::None(why),
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
) -> Result<Option<super::stage::Played>, String> {
    let mut endpoint = conversation.endpoint().clone();
    let Endpoint::Stdio(launch) = &mut endpoint else {
        return Err(String::from("the target is not launched by the harness"));
    };
    let mut cwd = stage.cwd.clone();
    if let Some(text) = changes.and_then(|changes| changes.cwd.as_ref()) {
        cwd = PathBuf::from(scene.render(text).map_err(|error| error.to_string())?);
        launch.cwd.clone_from(&cwd);
    }
    for (name, text) in changes.iter().flat_map(|changes| &changes.env) {
        let value = before_launch(stage.wire, &scene, text).map_err(|error| error.to_string())?;
        launch.env.insert(name.clone(), value);
    }
    let allowed = changes.and_then(|changes| changes.allowed);
    if let Some(how) = allowed {
        replace_allowed(launch, &stage.bed.allowed.to_string_lossy(), how);
    }
    // A descriptor is open exactly while the process is launched.
    let act = match ask.technique {
        Some(name) => technique::begin(name, &mut scene).map_err(|error| error.to_string())?,
        None => None,
    };
    let session = conversation.beside(&endpoint).await;
    drop(act);
    let session = match session {
        Ok(session) => session,
        Err(_) if allowed.is_some() => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let plain = Ask {
        technique: None,
        ..ask.clone()
    };
    let stage = stage.elsewhere(cwd);
    let played = stage
        .play(&session, &plain, scene, counting)
        .await
        .map_err(|error| error.to_string());
    session.close().await;
    played.map(Some)
}

fn replace_allowed(launch: &mut crate::session::Launch, allowed: &str, how: AllowedArgument) {
    let put = |text: &str| match how {
        AllowedArgument::Removed | AllowedArgument::Empty => text.replace(allowed, ""),
        AllowedArgument::Missing => text.replace(allowed, &format!("{allowed}/no/such/directory")),
    };
    if how == AllowedArgument::Removed {
        launch.args.retain(|argument| argument != allowed);
    }
    for argument in launch
        .args
        .iter_mut()
        .filter(|argument| argument.contains(allowed))
    {
        *argument = put(argument);
    }
    for value in launch
        .env
        .values_mut()
        .filter(|value| value.contains(allowed))
    {
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
