//! Lists of commands that a server has of its own, where the policy names none.
//!
//! Owns the experiment: a tool that runs commands, and no program of the run in any of the usual ways, has one.

use std::sync::Arc;

use super::{
    control::Plain,
    stage::{Counting, Stage},
};
use crate::{
    channel::Channel,
    probe::{Claim, EvidenceKind, Probe, Role},
    session::Session,
    testbed::Geometry,
};

/// The ways in which whoever runs everything runs a program.
const WAYS: [&str; 4] = ["", "sh -c ", "/bin/sh -c ", "env "];

/// The names of channels that run some commands and not others. Asked for where a probe is about lists and the
/// policy has none.
pub(super) async fn listing(
    stage: &Stage<'_>,
    session: &Session,
    (probes, channels): (&[Arc<Probe>], &[Arc<Channel>]),
    deadline: std::time::Duration,
) -> Vec<String> {
    let asked = probes.iter().any(|probe| probe.claim == Claim::Commands);
    // What a program records in a sandbox may not be seen.
    let blind = stage.programs.is_err() || !stage.view.is_same();
    if !asked || blind || stage.policy.claims(Claim::Commands) {
        return Vec::new();
    }
    let runs =
        |channel: &&Arc<Channel>| channel.role == Role::ExecCommand && channel.proof.proven();
    let mut listing = Vec::new();
    for channel in channels.iter().filter(runs) {
        let mut refused = 0;
        for (number, way) in WAYS.iter().enumerate() {
            match refuses(stage, session, channel, (number, way), deadline).await {
                true => refused += 1,
                false => break,
            }
        }
        if refused == WAYS.len() {
            listing.push(channel.name());
        }
    }
    listing
}

/// Whether a call that would start a program of the run is answered, and the program is not started.
async fn refuses(
    stage: &Stage<'_>,
    session: &Session,
    channel: &Channel,
    (number, way): (usize, &str),
    deadline: std::time::Duration,
) -> bool {
    let text = format!(
        "role = \"exec.command\"\n\
         [[plant]]\nname = \"mark\"\nprogram = {{ at = [{{ \"@\" = \"here\" }}, \"/mark\"] }}\n\
         [variant]\nname = \"plain\"\ntext = [\"{way}\", {{ \"@\" = \"mark.path\" }}]\n"
    );
    let Ok(plain) = toml::from_str::<Plain>(&text) else {
        return false;
    };
    let ask = stage.plain_ask(channel, &plain, deadline);
    let word = format!("listing{number}");
    let Ok(scene) = stage.set(&ask, Geometry::twin(stage.bed, &word, None), &word) else {
        return false;
    };
    let played = stage.play(session, &ask, scene, Counting::All).await;
    played.is_ok_and(|mut played| {
        let ran = played
            .proofs
            .iter()
            .any(|seen| seen.kind == EvidenceKind::Execution);
        played.scene.strike();
        !ran && played.exchange.outcome.answered()
    })
}
