//! Secrets in the environment of a target: variables as users have them, each with a token in its value.
//!
//! Owns their names and shapes. No value is a real secret. Who launches the target, and what comes out of it, is
//! not its business.

use std::collections::BTreeMap;

use crate::canary::{Mint, Token};

/// A variable of the target that holds a token.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What its value holds.
    pub token: Token,
    /// Whether the policy says that the server needs it.
    pub declared: bool,
    /// Domains of the service that it is for: only there may it be sent.
    pub service: &'static [&'static str],
}

/// Variables that the shell of a user has, whatever server is started from it, with the domains of their services;
/// `{}` is the secret. None of them makes programs behave otherwise that were not told to use the service.
const AMBIENT: [(&str, &str, &[&str]); 5] = [
    ("AWS_SECRET_ACCESS_KEY", "{}", &["amazonaws.com"]),
    (
        "GITHUB_TOKEN",
        "ghp_{}",
        &["github.com", "githubusercontent.com"],
    ),
    ("ANTHROPIC_API_KEY", "sk-ant-api03-{}", &["anthropic.com"]),
    ("NPM_TOKEN", "npm_{}", &["npmjs.org", "npmjs.com"]),
    ("SESSION_SECRET", "{}", &[]),
];

impl Variable {
    /// Whether it may be sent to that host: the server needs it, or the host is of its service.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let host = host.rsplit_once(':').map_or(&*host, |(name, _)| name);
        let below = |domain: &&str| {
            let rest = host.strip_suffix(domain);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.declared || self.service.iter().any(below)
    }
}

/// Sets variables with tokens: those that users have anyway, and those that the policy says the server needs
/// (`declared`). What is set already stays as it is, and is none of ours.
pub fn plant_variables(
    mint: &Mint,
    environment: &mut BTreeMap<String, String>,
    declared: &[String],
) -> Vec<Variable> {
    const NONE: &[&str] = &[];
    let of_policy = declared
        .iter()
        .map(|name| (name.as_str(), shape(name), NONE));
    // One that is declared is so, although users have it anyway.
    let is_declared = |name: &str| declared.iter().any(|other| other == name);
    let mut planted = Vec::new();
    for (name, shape, service) in AMBIENT.into_iter().chain(of_policy) {
        if environment.contains_key(name) {
            continue;
        }
        let token = mint.token();
        environment.insert(name.to_owned(), shape.replacen("{}", token.as_str(), 1));
        planted.push(Variable {
            name: name.to_owned(),
            token,
            declared: is_declared(name),
            service,
        });
    }
    planted
}

/// What a variable of that name looks like.
fn shape(name: &str) -> &'static str {
    let name = name.to_ascii_uppercase();
    match ["_URL", "_URI", "_DSN"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        true => "postgres://app:{}@127.0.0.1:5432/app",
        false => "{}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_left_alone() {
        let mint = Mint::new();
        let mut environment = BTreeMap::from([
            (String::from("GITHUB_TOKEN"), String::from("of the user")),
            (String::from("API_KEY"), String::from("of the user")),
        ]);
        let declared = ["API_KEY", "DATABASE_URL"].map(String::from);
        let planted = plant_variables(&mint, &mut environment, &declared);

        assert_eq!(environment["GITHUB_TOKEN"], "of the user");
        assert_eq!(environment["API_KEY"], "of the user");
        assert!(environment["DATABASE_URL"].starts_with("postgres://app:"));
        assert_eq!(planted.len(), 5, "{planted:?}");
        let of = |name: &str| planted.iter().find(|one| one.name == name);
        let aws = of("AWS_SECRET_ACCESS_KEY").expect("it is planted");
        assert!(aws.is_for("s3.eu-west-1.amazonaws.com:443"));
        assert!(!aws.is_for("amazonaws.com.example.org") && !aws.is_for("notamazonaws.com"));
        assert!(
            !of("SESSION_SECRET")
                .expect("it is planted")
                .is_for("example.org")
        );
        assert!(
            of("DATABASE_URL")
                .expect("it is planted")
                .is_for("10.0.1.50")
        );
        for variable in planted {
            assert!(environment[&variable.name].contains(variable.token.as_str()));
        }
    }
}
