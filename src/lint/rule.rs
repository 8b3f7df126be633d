//! The rules: what each is called, how bad it is, why, and what to do.
//!
//! Owns the texts. Which rule fires where is said by the modules beside this one.

use crate::probe::Severity;

/// A rule of the linter. Ids are public and never change their meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id, such as `secret.key`.
    pub id: &'static str,
    /// How bad a finding is, unless the finding says otherwise.
    pub severity: Severity,
    /// Number of the weakness in the Common Weakness Enumeration.
    pub cwe: u32,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
}

const fn rule(
    id: &'static str,
    severity: Severity,
    cwe: u32,
    why: &'static str,
    fix: &'static str,
) -> Rule {
    Rule {
        id,
        severity,
        cwe,
        why,
        fix,
    }
}

/// All rules, by id.
pub const RULES: &[Rule] = &[
    rule(
        "container.docker-socket",
        Severity::High,
        250,
        "who may talk to the container engine may start a container with the whole disk in it: the server is root on the host",
        "leave the socket out; give the server what it wants to know by other means",
    ),
    rule(
        "container.host-mount",
        Severity::High,
        668,
        "the container holds the server in, and this mount lets it out again",
        "mount the one directory that the server works on, with :ro where it only reads",
    ),
    rule(
        "container.host-network",
        Severity::Medium,
        668,
        "the server reaches every service that listens on the host's loopback, and the metadata service of a cloud",
        "publish the ports that are needed, or use a network of its own",
    ),
    rule(
        "container.privileged",
        Severity::High,
        250,
        "a privileged container has all capabilities and all devices of the host",
        "remove the flag; add the one capability that is missing with --cap-add",
    ),
    rule(
        "container.root-user",
        Severity::Medium,
        250,
        "the server runs as root in the container: whatever breaks out is root, and whatever is mounted can be changed",
        "end the last stage with `USER` and an unprivileged user; if an entry point drops root itself, allow this rule",
    ),
    rule(
        "container.weakened",
        Severity::Medium,
        693,
        "a protection that container engines set by default is switched off",
        "remove the option, or name in it the least that is needed",
    ),
    rule(
        "launch.pipe-to-shell",
        Severity::High,
        494,
        "whoever answers for that address decides at every start what runs here",
        "install a fixed version, and launch that",
    ),
    rule(
        "launch.remote-add",
        Severity::Low,
        494,
        "what is fetched is not checked: the build takes what the other side sends",
        "give `ADD` a --checksum, or copy a file of your own",
    ),
    rule(
        "launch.unpinned",
        Severity::Low,
        1357,
        "the next start may run other code than the one that was tested",
        "name a version: package@1.2.3, package==1.2.3, image:1.2.3 or image@sha256:...",
    ),
    rule(
        "launch.wide-path",
        Severity::Medium,
        732,
        "a server that is given this directory is given keys, histories and profiles of everything else",
        "name the one directory that it is to work on",
    ),
    rule(
        "lint.comment",
        Severity::Low,
        1286,
        "clients that read `mcpServers` as plain JSON refuse the whole file, and start without their servers",
        "remove comments and trailing commas",
    ),
    rule(
        "lint.unused-allow",
        Severity::Low,
        1164,
        "it allows nothing here, and would hide what comes later",
        "remove it",
    ),
    rule(
        "policy.allow-all",
        Severity::High,
        276,
        "nothing is allowed by name and nothing is denied: all is permitted",
        "list what is needed; a list that is there denies all else",
    ),
    rule(
        "policy.env-file",
        Severity::Medium,
        538,
        "`.env` files hold the secrets of a project, and lie where its code lies",
        "deny them: add `**/.env` to denied_paths",
    ),
    rule(
        "policy.metadata-host",
        Severity::High,
        918,
        "the metadata service of a cloud hands out credentials to whoever asks from inside",
        "deny 169.254.169.254 and fd00:ec2::254, or allow smaller ranges",
    ),
    rule(
        "policy.wide-network",
        Severity::High,
        923,
        "a range of this size allows whatever is inside of the network and whatever is outside of it",
        "name the hosts or the small ranges that are needed",
    ),
    rule(
        "policy.wide-path",
        Severity::High,
        732,
        "this directory holds keys, histories and profiles beside what is meant",
        "allow the one directory that is worked on",
    ),
    rule(
        "secret.argument",
        Severity::High,
        214,
        "arguments are seen by every user of the machine, in ps and in /proc, and by everybody who reads this file",
        "let the server read it from a variable, and write ${NAME} here; revoke this one",
    ),
    rule(
        "secret.entropy",
        Severity::Low,
        798,
        "it has the length and the disorder of a key, though nothing says that it is one",
        "if it is one, write ${NAME} here and revoke it; if not, allow this rule",
    ),
    rule(
        "secret.key",
        Severity::High,
        798,
        "everybody who reads this file, its backups or its history can use it",
        "write a reference such as ${NAME}, and revoke this one: it may have been read already",
    ),
    rule(
        "secret.named",
        Severity::High,
        798,
        "everybody who reads this file, its backups or its history can use it",
        "write a reference such as ${NAME}, and revoke this one: it may have been read already",
    ),
    rule(
        "secret.query",
        Severity::Medium,
        598,
        "queries are kept in the logs of proxies and servers",
        "send it in a header, from a variable",
    ),
    rule(
        "secret.url",
        Severity::High,
        798,
        "passwords in addresses end in logs, error messages and process lists",
        "write a reference for the whole address or the password, and change it",
    ),
    rule(
        "url.plain-http",
        Severity::Medium,
        319,
        "whoever is on the way reads and changes what is sent, tokens included",
        "use https",
    ),
];

/// The rule of an id.
#[must_use]
pub fn rule_of(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}
