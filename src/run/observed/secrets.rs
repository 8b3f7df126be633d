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
        if reached.is_empty() {
            return Agrees(format!(
                "was started with {} variables, none of the {} secrets of its launcher's among them",
                variables.len(),
                all.lent.len()
            ));
        }
        match apart(one, all) {
            Err(why) => Blind(why),
            Ok(None) => Moot(String::from(
                "has the environment of its launcher, with nothing between them: what it is given is for that one to say",
            )),
            Ok(Some(how)) => Against(format!(
                "has {how}, and was yet given secrets of its launcher's that it does not need: {}",
                reached.join(", ")
            )),
        }
    })
}

/// What keeps a process apart from its launcher, in words: a user, or namespaces of its own.
fn apart(one: &Posture, all: &Postures) -> Read<Option<String>> {
    let user = |posture: &Posture| posture.status.clone().map(|status| status.users[1]);
    if user(one)? != user(&all.own)? {
        return Ok(Some(String::from("a user of its own")));
    }
    let namespaces = |posture: &Posture| posture.namespaces.clone();
    let (theirs, ours) = (namespaces(one)?, namespaces(&all.own)?);
    let own: Vec<&str> = theirs
        .iter()
        .filter(|(kind, id)| ours.get(*kind).is_some_and(|ours| ours != *id))
        .map(|(kind, _)| kind.as_str())
        .collect();
    Ok((!own.is_empty()).then(|| format!("namespaces of its own ({})", own.join(", "))))
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::witness::process::Status;

    fn posture(user: Read<u32>, namespace: &str, secret: Option<&str>) -> Posture {
        let variables = secret.map(|value| (String::from("GITHUB_TOKEN"), value.to_owned()));
        Posture {
            status: user.map(|user| Status {
                users: [user; 4],
                ..Status::default()
            }),
            namespaces: Ok([(String::from("mnt"), namespace.to_owned())].into()),
            variables: Ok(variables.into_iter().collect()),
            ..Posture::unread()
        }
    }

    fn seen(one: &Posture) -> Finding {
        let all = Postures {
            lent: [(String::from("GITHUB_TOKEN"), String::from("ghp_word"))].into(),
            ..Postures::around(posture(Ok(0), "ours", None))
        };
        inherited(one, &all)
    }

    /// Only where something stands between the two could it have kept the secret back.
    #[test]
    fn what_is_inherited_counts_where_something_stands_between() {
        let with = Some("ghp_word");
        assert!(matches!(seen(&posture(Ok(0), "ours", with)), Moot(_)));
        assert!(matches!(seen(&posture(Ok(0), "theirs", with)), Against(_)));
        assert!(matches!(seen(&posture(Ok(7), "ours", with)), Against(_)));
        let unread = posture(Err(String::from("hidden")), "theirs", with);
        assert!(matches!(seen(&unread), Blind(_)));
        assert!(matches!(seen(&posture(Ok(0), "theirs", None)), Agrees(_)));
        let mut written_over = posture(Ok(0), "theirs", None);
        written_over.variables = Err(String::from("no environment"));
        assert!(matches!(seen(&written_over), Blind(_)));
    }
}
