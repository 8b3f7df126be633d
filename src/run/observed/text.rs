//! What the linter finds in the launch and in the policy of a run.
//!
//! Owns which of its rules belong to which aspect, and what shows that they find something. What the rules look for
//! is the linter's.

use super::Seen;
use crate::{
    config,
    diag::Source,
    lint::{Finding, RULES, lint},
    policy::Policy,
    probe::{Aspect, EvidenceKind, Severity},
};

/// Looks at one aspect of the texts. A server inside of the process that tests it has no launch.
pub(super) fn look(aspect: Aspect, launch: Option<&Source>, policy: &Policy) -> Seen {
    let (source, name) = match (aspect, launch) {
        (Aspect::PolicySecrets | Aspect::PolicyDoors, _) => (policy.source(), "the policy"),
        (_, Some(launch)) => (launch, "the launch"),
        (_, None) => {
            let mut seen = Seen::under(Ok(String::from("the server runs in this process")));
            seen.moot = vec![String::from("it is launched by nobody")];
            return seen;
        }
    };
    let rules = RULES.iter().filter(|rule| belongs(aspect, rule.id)).count();
    let lines = source.text().lines().count();
    let control = match found(aspect, &sample(aspect)).as_deref() {
        Ok([first, ..]) => Ok(format!(
            "{rules} rules read {lines} lines of {name}, and found in a sample that {}",
            first.message
        )),
        Ok([]) => Err(String::from(
            "the rules found nothing in a sample that has it",
        )),
        Err(why) => Err(format!("a sample cannot be linted: {why}")),
    };
    let mut seen = Seen::under(control);
    seen.by = ("linter", EvidenceKind::Finding);
    match found(aspect, source) {
        Ok(found) => {
            let told = |one: &Finding| format!("{name}: {}: {}", one.rule.id, one.message);
            seen.against = found.iter().map(told).collect();
            seen.agreeing = vec![format!("{rules} rules find nothing in {name}")];
        }
        Err(why) => seen.blind = vec![format!("{name} cannot be linted: {why}")],
    }
    seen
}

/// What the rules of an aspect find that counts.
fn found(aspect: Aspect, source: &Source) -> Result<Vec<Finding>, String> {
    let linted = lint(source, &[]).map_err(|problems| problems.to_string())?;
    let counts = |one: &Finding| {
        !one.allowed && one.severity >= Severity::Medium && belongs(aspect, one.rule.id)
    };
    let mut found = linted.findings;
    found.retain(counts);
    Ok(found)
}

fn belongs(aspect: Aspect, rule: &str) -> bool {
    let secret = rule.starts_with("secret.");
    match aspect {
        Aspect::LaunchSecrets | Aspect::PolicySecrets => secret,
        // The policy may stand in a file beside the launch.
        Aspect::PolicyDoors => rule.starts_with("policy."),
        _ => !secret,
    }
}

/// A text in which the rules of an aspect must find something.
fn sample(aspect: Aspect) -> Source {
    let key = format!("{:032x}", fastrand::u128(..));
    let (name, text) = match aspect {
        Aspect::PolicyDoors => (
            "policy.toml",
            String::from("[capabilities.filesystem]\nallowed_paths = [\"/\"]\n"),
        ),
        Aspect::LaunchSecrets | Aspect::PolicySecrets => (
            config::FILE_NAME,
            format!("[target]\ncommand = [\"server\", \"--password\", \"{key}\"]\n"),
        ),
        _ => (
            config::FILE_NAME,
            String::from("[target]\ncommand = [\"server\", \"/\"]\n"),
        ),
    };
    Source::new(name, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each aspect has a control that passes, is held on what is narrow, and breached on its own sample.
    #[test]
    fn what_is_in_a_sample_is_found_and_what_is_not_is_not() {
        let narrow = "[capabilities.filesystem]\nallowed_paths = [\"/srv/notes\"]\ndenied_paths = [\"**/.env\"]\n";
        let narrow = Policy::load(&Source::new("p.toml", narrow)).expect("a policy");
        let plain = Source::new(config::FILE_NAME, "[target]\ncommand = [\"server\"]\n");
        for aspect in [
            Aspect::LaunchSecrets,
            Aspect::LaunchDoors,
            Aspect::PolicySecrets,
            Aspect::PolicyDoors,
        ] {
            let seen = look(aspect, Some(&plain), &narrow);
            assert!(seen.control.is_ok() && seen.against.is_empty(), "{seen:?}");
            assert!(seen.blind.is_empty() && seen.moot.is_empty(), "{seen:?}");
            assert!(
                !found(aspect, &sample(aspect))
                    .expect("it is linted")
                    .is_empty()
            );
        }
        let inside = look(Aspect::LaunchDoors, None, &narrow);
        assert!(!inside.moot.is_empty(), "{inside:?}");
        // What is no policy that the linter knows is not held.
        let strange = Policy::load(&Source::new("Dockerfile", "{}")).expect("an empty policy");
        let seen = look(Aspect::PolicyDoors, Some(&plain), &strange);
        assert!(!seen.blind.is_empty(), "{seen:?}");
    }
}
