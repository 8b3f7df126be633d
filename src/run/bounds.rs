//! Boundaries that a server keeps of its own, where no policy draws them.
//!
//! Owns the experiments: a tool that runs commands or code, and no program of the run in any of the usual ways, bounds
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

/// The ways in which whoever runs everything runs a program. What starts others by its nature, such as `env`, may
/// stand on a list.
const WAYS: [&str; 3] = ["", "sh -c ", "/bin/sh -c "];

/// The same in code. Of other languages the plain way depends on how the code is loaded.
const PYTHON: [&str; 2] = [
    "import os\\nos.system('",
    "import subprocess\\nsubprocess.run('",
];

/// The recipe of channels in which what was written can be read again.
const SELECTS: &str = "sql";

/// The same read from what is no table: who answers it would answer the reading of a change that was made.
const READ: &str = r#"
role = "sql.query"
[variant]
name = "plain"
text = ["SELECT v * ", { "@" = "factor.one" }, " AS answer FROM (SELECT ", { "@" = "factor.two" }, " AS v) AS t"]
"#;

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
            Role::ExecCommand if commands => {
                let ways = WAYS.map(|way| (way, ""));
                lists(stage, session, channel, &ways, deadline).await
            }
            Role::ExecCode if commands && channel.speaks("python") => {
                let ways = PYTHON.map(|way| (way, "')"));
                lists(stage, session, channel, &ways, deadline).await
            }
            Role::SqlQuery if queries && channel.recipe.as_deref() == Some(SELECTS) => {
                does(stage, session, channel, (READ, "read"), deadline).await == Some(true)
                    && does(stage, session, channel, (CHANGE, "change"), deadline).await
                        == Some(false)
            }
            _ => false,
        };
        if refuses {
            bounded.push(channel.name());
        }
    }
    bounded
}

/// Whether a tool that runs commands or code runs no program of ours, in ways that stand around its path.
async fn lists(
    stage: &Stage<'_>,
    session: &Session,
    channel: &Channel,
    ways: &[(&str, &str)],
    deadline: Duration,
) -> bool {
    for (number, (before, after)) in ways.iter().enumerate() {
        let text = format!(
            "role = \"{}\"\n\
             [[plant]]\nname = \"mark\"\nprogram = {{ at = [{{ \"@\" = \"here\" }}, \"/mark\"] }}\n\
             [variant]\nname = \"plain\"\ntext = [\"{before}\", {{ \"@\" = \"mark.path\" }}, \"{after}\"]\n",
            channel.role
        );
        let word = format!("listing{number}");
        if does(stage, session, channel, (&text, &word), deadline).await != Some(false) {
            return false;
        }
    }
    true
}

/// Whether a call starts a program of the run, or brings a product about; nothing where it is not answered.
async fn does(
    stage: &Stage<'_>,
    session: &Session,
    channel: &Channel,
    (text, word): (&str, &str),
    deadline: Duration,
) -> Option<bool> {
    let plain: Plain = toml::from_str(text).ok()?;
    let ask = stage.plain_ask(channel, &plain, deadline);
    let scene = stage.set(&ask, Geometry::twin(stage.bed, word, None), word);
    let played = stage.play(session, &ask, scene.ok()?, Counting::All).await;
    let mut played = played.ok()?;
    let done = |kind| matches!(kind, EvidenceKind::Execution | EvidenceKind::Computed);
    let done = played.proofs.iter().any(|seen| done(seen.kind));
    played.scene.strike();
    (done || played.exchange.outcome.answered()).then_some(done)
}

#[cfg(test)]
mod tests {
    use super::{CHANGE, Plain, READ};

    #[test]
    fn a_change_is_read_again() {
        let plain =
            |text| -> Plain { toml::from_str(text).expect("the words are those of probes") };
        assert!(plain(CHANGE).variant.then_text.is_some());
        assert!(plain(READ).variant.then_text.is_none());
    }
}
