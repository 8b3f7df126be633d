//! Boundaries that a server keeps of its own, where no policy draws them.
//!
//! Owns the experiments: a tool that runs commands, and no program of the run in any of the usual ways, has a list of
//! them; a tool that runs queries, and makes no table when it is plainly asked to, reads only.

use std::sync::Arc;
use std::time::Duration;

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

/// The recipe of channels in which what was written can be read again.
const SELECTS: &str = "sql";

/// The plain change, and what shows that it was made: a product, whose factors no single statement holds.
const CHANGE: &str = r#"
role = "sql.query"
[variant]
name = "plain"
text = ["CREATE TABLE ", { "@" = "slug" }, " AS SELECT ", { "@" = "factor.two" }, " AS v"]
then_text = ["SELECT v * ", { "@" = "factor.one" }, " AS answer FROM ", { "@" = "slug" }]
"#;

/// The names of channels that run some commands or queries, and not others. Asked for where a probe is about that
/// and no policy draws the boundary.
pub(super) async fn bounded(
    stage: &Stage<'_>,
    session: &Session,
    (probes, channels): (&[Arc<Probe>], &[Arc<Channel>]),
    deadline: Duration,
) -> Vec<String> {
    let asked = |claim| probes.iter().any(|probe| probe.claim == claim);
    // What a program records in a sandbox may not be seen.
    let blind = stage.programs.is_err() || !stage.view.is_same();
    let commands = asked(Claim::Commands) && !blind && !stage.policy.claims(Claim::Commands);
    // A database may be anybody's: changes are tried only where the disk forgets them.
    let queries = asked(Claim::Queries) && stage.wire.is_some();
    let mut bounded = Vec::new();
    for channel in channels.iter().filter(|channel| channel.proof.proven()) {
        let refuses = match channel.role {
            Role::ExecCommand if commands => lists(stage, session, channel, deadline).await,
            Role::SqlQuery if queries && channel.recipe.as_deref() == Some(SELECTS) => {
                refuses(stage, session, channel, (CHANGE, "change"), deadline).await
            }
            _ => false,
        };
        if refuses {
            bounded.push(channel.name());
        }
    }
    bounded
}

/// Whether a tool that runs commands runs no program of ours.
async fn lists(
    stage: &Stage<'_>,
    session: &Session,
    channel: &Channel,
    deadline: Duration,
) -> bool {
    for (number, way) in WAYS.iter().enumerate() {
        let text = format!(
            "role = \"exec.command\"\n\
             [[plant]]\nname = \"mark\"\nprogram = {{ at = [{{ \"@\" = \"here\" }}, \"/mark\"] }}\n\
             [variant]\nname = \"plain\"\ntext = [\"{way}\", {{ \"@\" = \"mark.path\" }}]\n"
        );
        let word = format!("listing{number}");
        if !refuses(stage, session, channel, (&text, &word), deadline).await {
            return false;
        }
    }
    true
}

/// Whether a call that would start a program of the run, or change a database, is answered and does neither.
async fn refuses(
    stage: &Stage<'_>,
    session: &Session,
    channel: &Channel,
    (text, word): (&str, &str),
    deadline: Duration,
) -> bool {
    let Ok(plain) = toml::from_str::<Plain>(text) else {
        return false;
    };
    let ask = stage.plain_ask(channel, &plain, deadline);
    let Ok(scene) = stage.set(&ask, Geometry::twin(stage.bed, word, None), word) else {
        return false;
    };
    let played = stage.play(session, &ask, scene, Counting::All).await;
    played.is_ok_and(|mut played| {
        let done = |kind| matches!(kind, EvidenceKind::Execution | EvidenceKind::Computed);
        let ran = played.proofs.iter().any(|seen| done(seen.kind));
        played.scene.strike();
        !ran && played.exchange.outcome.answered()
    })
}

#[cfg(test)]
mod tests {
    use super::{CHANGE, Plain};

    #[test]
    fn the_plain_change_is_one() {
        let plain: Plain = toml::from_str(CHANGE).expect("it is in the words of the probe format");
        assert!(plain.variant.then_text.is_some());
    }
}
