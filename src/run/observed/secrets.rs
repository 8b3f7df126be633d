//! What a policy makes of the secrets that processes are given.
//!
//! Owns the comparison of variables and command lines. No value is told: names are, and how a secret begins.

use super::process::Finding::{self, Against, Agrees, Blind, Moot};
use crate::{
    lint::{argument_secrets, variable_secret},
    policy::Policy,
    witness::process::{Posture, Postures, Read},
};

/// Judges what was read of a process.
fn read<T>(what: &Read<T>, judge: impl FnOnce(&T) -> Finding) -> Finding {
    match what {
        Ok(what) => judge(what),
        Err(why) => Blind(why.clone()),
    }
}

/// What it comes to that there are some, or none.
fn found(some: &[String], against: &str, agrees: String) -> Finding {
    match some.is_empty() {
        true => Agrees(agrees),
        false => Against(format!("{against}: {}", some.join(", "))),
    }
}

/// Of the secrets that its launcher has, those that reach a process. Where nothing stands between the two,
/// nothing could keep them back.
pub(super) fn inherited(one: &Posture, all: &Postures) -> Finding {
    read(&one.variables, |variables| {
        if all.lent.is_empty() {
            return Blind(String::from(
                "no secret could be put into the environment of its launcher",
            ));
        }
        let reached: Vec<String> = all
            .lent
            .iter()
            .filter(|(_, value)| variables.values().any(|own| own.contains(*value)))
            .map(|(name, _)| name.clone())
            .collect();
        if !reached.is_empty() && apart(one, all).is_none() {
            return Moot(String::from(
                "has the environment of its launcher, with nothing between them: what it is given is for that one to say",
            ));
        }
        let how = apart(one, all).unwrap_or_default();
        found(
            &reached,
            &format!(
                "has {how}, and was yet given secrets of its launcher's that it does not need"
            ),
            format!(
                "was started with {} variables, none of the {} secrets of its launcher's among them",
                variables.len(),
                all.lent.len()
            ),
        )
    })
}

/// What keeps a process apart from its launcher, in words: a user, or namespaces of its own. Nothing where that
/// cannot be seen.
fn apart(one: &Posture, all: &Postures) -> Option<String> {
    let user = |posture: &Posture| Some(posture.status.as_ref().ok()?.users[1]);
    if user(one)? != user(&all.own)? {
        return Some(String::from("a user of its own"));
    }
    let (theirs, ours) = (
        one.namespaces.as_ref().ok()?,
        all.own.namespaces.as_ref().ok()?,
    );
    let own: Vec<&str> = theirs
        .iter()
        .filter(|(kind, id)| ours.get(*kind).is_some_and(|ours| ours != *id))
        .map(|(kind, _)| kind.as_str())
        .collect();
    (!own.is_empty()).then(|| format!("namespaces of its own ({})", own.join(", ")))
}

/// Secrets in the environment of a process that come from elsewhere, and that it does not need.
pub(super) fn others(one: &Posture, all: &Postures, policy: &Policy) -> Finding {
    read(&one.variables, |variables| {
        let needed = policy.needed_variables();
        let excess: Vec<String> = variables
            .iter()
            .filter(|(name, value)| {
                !needed.contains(name) && !all.lent.values().any(|lent| value.contains(lent))
            })
            .filter_map(|(name, value)| Some(format!("{name} ({})", variable_secret(name, value)?)))
            .collect();
        found(
            &excess,
            "was given secrets that the policy does not say it needs",
            format!(
                "was started with {} variables, and no other secret than the policy says that it needs",
                variables.len()
            ),
        )
    })
}

/// Secrets on the command line of a process.
pub(super) fn command_line(one: &Posture) -> Finding {
    read(&one.arguments, |words| {
        let told = argument_secrets(words).into_iter().map(|(told, _)| told);
        found(
            &told.collect::<Vec<String>>(),
            "shows to every user of the machine",
            format!(
                "has no secret among the {} words of its command line",
                words.len()
            ),
        )
    })
}
