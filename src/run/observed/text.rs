//! What the linter finds in the launch and in the policy of a run.
//!
//! Owns which of its rules belong to which aspect. What the rules look for is the linter's.

use super::Seen;
use crate::{
    diag::Source,
    lint::{Finding, RULES, lint},
    policy::Policy,
    probe::{Aspect, EvidenceKind, Severity},
};

/// Looks at one aspect of the texts.
pub(super) fn look(aspect: Aspect, launch: &Source, policy: &Policy) -> Seen {
    let (source, name) = match aspect {
        Aspect::PolicySecrets | Aspect::PolicyDoors => (policy.source(), "the policy"),
        _ => (launch, "the launch"),
    };
    let belongs = |rule: &str| {
        let secret = rule.starts_with("secret.");
        match aspect {
            Aspect::LaunchSecrets | Aspect::PolicySecrets => secret,
            // The policy may stand in a file beside the launch.
            Aspect::PolicyDoors => rule.starts_with("policy."),
            _ => !secret,
        }
    };
    let linted = match lint(source, &[]) {
        Ok(linted) => linted,
        Err(problems) => return Seen::under(Err(format!("{name} cannot be linted: {problems}"))),
    };
    let rules = RULES.iter().filter(|rule| belongs(rule.id)).count();
    let lines = source.text().lines().count();
    let mut seen = Seen::under(Ok(format!("{rules} rules read {name}, {lines} lines")));
    seen.by = ("linter", EvidenceKind::Finding);
    let counts =
        |one: &&Finding| !one.allowed && one.severity >= Severity::Medium && belongs(one.rule.id);
    seen.against = linted
        .findings
        .iter()
        .filter(counts)
        .map(|one| format!("{name}: {}: {}", one.rule.id, one.message))
        .collect();
    seen.agreeing = vec![format!("{rules} rules find nothing in {name}")];
    seen
}
