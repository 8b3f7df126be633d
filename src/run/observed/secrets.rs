//! What a policy makes of the secrets that processes are given.
//!
//! Owns the comparison of variables and command lines. No value is told: names are.

use super::process::Finding::{self, Against, Agrees, Blind, Moot};
use crate::{
    lint::{argument_secrets, variable_secret},
    policy::Policy,
    witness::process::{Posture, Postures},
};

/// Of the secrets that its launcher has, those that reach a process. Where nothing stands between the two,
/// nothing could keep them back.
pub(super) fn inherited(one: &Posture, all: &Postures) -> Finding {
    let variables = match &one.variables {
        Ok(variables) => variables,
        Err(why) => return Blind(why.clone()),
    };
    let reached: Vec<&str> = all
        .lent
        .iter()
        .filter(|(_, value)| variables.values().any(|own| own.contains(*value)))
        .map(|(name, _)| name.as_str())
        .collect();
    let [.., _] = *reached else {
        return match all.lent.len() {
            0 => Blind(String::from(
                "no secret could be put into the environment of its launcher",
            )),
            lent => Agrees(format!(
                "was started with {} variables, none of the {lent} secrets of its launcher's among them",
                variables.len()
            )),
        };
    };
    let reached = reached.join(", ");
    match apart(one, all) {
        Some(how) => Against(format!(
            "has {how}, and was yet given secrets of its launcher's that it does not need: {reached}"
        )),
        None => Moot(String::from(
            "has the environment of its launcher, with nothing between them: what it is given is for that one to say",
        )),
    }
}

/// What keeps a process apart from its launcher, in words: a user, or namespaces of its own.
fn apart(one: &Posture, all: &Postures) -> Option<String> {
    let user = |posture: &Posture| posture.status.as_ref().ok().map(|status| status.users[1]);
    if user(one) != user(&all.own) {
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
    let variables = match &one.variables {
        Ok(variables) => variables,
        Err(why) => return Blind(why.clone()),
    };
    let needed = policy.needed_variables();
    let excess: Vec<String> = variables
        .iter()
        .filter(|(name, value)| {
            !needed.contains(name) && !all.lent.values().any(|lent| value.contains(lent))
        })
        .filter_map(|(name, value)| Some(format!("{name} ({})", variable_secret(name, value)?)))
        .collect();
    match excess.is_empty() {
        true => Agrees(format!(
            "was started with {} variables, and no other secret than the policy says that it needs",
            variables.len()
        )),
        false => Against(format!(
            "was given secrets that the policy does not say it needs: {}",
            excess.join(", ")
        )),
    }
}

/// Secrets on the command line of a process.
pub(super) fn command_line(one: &Posture) -> Finding {
    let words = match &one.arguments {
        Ok(words) => words,
        Err(why) => return Blind(why.clone()),
    };
    let found: Vec<String> = argument_secrets(words)
        .into_iter()
        .map(|(told, _)| told)
        .collect();
    match found.is_empty() {
        true => Agrees(format!(
            "has no secret among the {} words of its command line",
            words.len()
        )),
        false => Against(format!(
            "shows to every user of the machine: {}",
            found.join("; ")
        )),
    }
}
