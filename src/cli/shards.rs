//! What makes the parts of one run known to each other.
//!
//! Owns which settings the parts must have in common. Digests of them go into reports that are
//! published, so that nothing is in them which may be secret and short enough to be guessed.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    config::{Reach, Settings},
    probe::{Probe, digest_of_probes},
    report::ShardReport,
    run::Ran,
};

/// The seed of a run. One in parts that is given none has the same in all of them.
pub(super) fn seed(settings: &Settings) -> u64 {
    match (settings.seed, settings.shard) {
        (Some(seed), _) => seed,
        (None, Some(_)) => 0,
        // Reports are read by programs that know no larger whole numbers (RFC 8259, section 6).
        (None, None) => fastrand::u64(..1 << 53),
    }
}

/// What the report of a part says of it; none of a whole run.
pub(super) fn part(settings: &Settings, probes: &[Arc<Probe>], ran: &Ran) -> Option<ShardReport> {
    let (shard, whole) = settings.shard.zip(ran.whole.as_ref())?;
    Some(ShardReport {
        number: shard.number(),
        of: shard.of(),
        planned: whole.planned,
        plan: whole.digest.clone(),
        target: digest(&target(settings)),
        policy: digest(&json!(settings.policy.document())),
        probes: digest_of_probes(probes.iter().map(|probe| &**probe)),
        settings: digest(&json!({
            "timeout": settings.timeout.as_millis(),
            "setup": settings.target.setup,
            "bindings": settings.bindings,
            "allow_destructive": settings.target.allow_destructive,
        })),
    })
}

fn target(settings: &Settings) -> Value {
    let target = &settings.target;
    let reach = match &target.reach {
        Reach::Command(words) => {
            // What was taken from variables may be secret.
            let words: Vec<String> = words.iter().map(|word| target.conceal(word)).collect();
            json!({ "command": words })
        }
        Reach::Inside(_) => json!("in-process"),
        Reach::Url {
            url,
            headers,
            bearer_env,
        } => {
            let headers: Vec<&String> = headers.iter().map(|(name, _)| name).collect();
            json!({ "url": target.conceal(url), "headers": headers, "bearer_env": bearer_env })
        }
    };
    let variables: Vec<&String> = target.env.iter().map(|(name, _)| name).collect();
    json!({
        "reach": reach,
        "serves": target.serves.as_ref().map(|at| target.conceal(&at.url)),
        "env": variables,
        "pass_env": target.pass_env,
        "cwd": target.cwd,
        "roots": target.roots,
        "allowed": target.allowed,
        "fixture": target.fixture,
        "era": target.era,
    })
}

fn digest(value: &Value) -> String {
    HEXLOWER.encode(&Sha256::digest(value.to_string()))
}
