//! Findings in policies and in `watertight.toml`.

use std::path::Path;

use super::{
    finding::{Finder, Place},
    launch,
    wide::{covers_metadata, wide_path, wide_range},
};
use crate::{
    config::{ConfigFile, PolicyChoice},
    diag::{At, Problems},
    policy::{Access, PLACEHOLDERS, Placeholders, Policy},
    probe::Severity,
};

/// Checks a policy that has no mistakes.
pub(super) fn check(finder: &mut Finder<'_>, policy: &Policy) {
    let document = policy.document();
    let files = document
        .capabilities
        .as_ref()
        .and_then(|capabilities| capabilities.filesystem.as_ref());
    if let Some(files) = files {
        let allowed = files
            .allowed_paths
            .as_ref()
            .map(|list| list.value.as_slice());
        for at in allowed.unwrap_or_default() {
            finder.wide_policy(at.span.clone(), wide_path(&at.value), "is allowed");
        }
        if allowed.is_none() && files.denied_paths.is_empty() {
            let span = word(finder, "filesystem");
            finder.add(
                "policy.allow-all",
                span,
                "neither allows nor denies",
                "every file may be reached",
            );
        }
        env_file(finder, policy, allowed.unwrap_or_default());
    }
    let network = document
        .server
        .as_ref()
        .and_then(|server| server.network.as_ref());
    if let Some(network) = network {
        for at in network.allowed_hosts.iter().flatten() {
            hosts(finder, at, &network.denied_hosts);
        }
        if network.allowed_hosts.is_none() && network.denied_hosts.is_empty() {
            let span = word(finder, "network");
            finder.add(
                "policy.allow-all",
                span,
                "neither allows nor denies",
                "every host may be reached",
            );
        }
    }
    for at in document
        .execution
        .iter()
        .flat_map(|execution| &execution.allowed_commands)
    {
        if at.value == "*" {
            finder.add(
                "policy.allow-all",
                at.span.clone(),
                "any command",
                "every command may be run",
            );
        }
    }
}

fn hosts(finder: &mut Finder<'_>, at: &At<String>, denied: &[At<String>]) {
    if let Some(what) = wide_range(&at.value) {
        let message = format!("{what} may be reached");
        finder.add(
            "policy.wide-network",
            at.span.clone(),
            "wider than anybody means",
            message,
        );
    } else if covers_metadata(&at.value) && !denied.iter().any(|deny| covers_metadata(&deny.value))
    {
        finder.add(
            "policy.metadata-host",
            at.span.clone(),
            "holds the metadata service",
            "the metadata service of a cloud may be reached",
        );
    }
}

/// `.env` in an allowed directory. Which rule decides is asked of the policy itself.
fn env_file(finder: &mut Finder<'_>, policy: &Policy, allowed: &[At<String>]) {
    let mut places = Placeholders::new();
    for (name, _) in PLACEHOLDERS {
        places = places.with(name, format!("/watertight/{name}"));
    }
    let Ok(policy) = policy.expand(&places) else {
        return;
    };
    let open = allowed.iter().find(|at| {
        places.expand(&at.value).is_ok_and(|root| {
            policy
                .decide(&Path::new(&root).join(".env"), Access::Read)
                .allowed
        })
    });
    let Some(at) = open else {
        return;
    };
    // Somebody who denies `.env` in one place has thought of it.
    let thought_of = policy
        .denied_inside()
        .iter()
        .any(|denied| denied.entry.text.contains(".env"))
        || policy
            .document()
            .capabilities
            .iter()
            .flat_map(|capabilities| &capabilities.filesystem)
            .flat_map(|files| &files.denied_paths)
            .any(|denied| denied.value.contains(".env"));
    let finding = finder.add(
        "policy.env-file",
        at.span.clone(),
        "`.env` in it may be read",
        "`.env` is not denied in an allowed directory",
    );
    if thought_of {
        finding.severity = Severity::Low;
    }
}

/// Checks a config file, and the policy in it.
///
/// # Errors
///
/// The policy in it has mistakes.
pub(super) fn check_config(finder: &mut Finder<'_>, file: &ConfigFile) -> Result<(), Problems> {
    if let Some(at) = &file.policy
        && let PolicyChoice::Inline(document) = &at.value
    {
        check(finder, &Policy::new((**document).clone(), finder.source)?);
    }
    let Some(target) = file.target.as_ref().map(|at| &at.value) else {
        return Ok(());
    };
    for (name, value) in target.env.iter().chain(&target.headers).flatten() {
        finder.secrets(Place::File, Some(name), value);
    }
    if let Some(url) = &target.url {
        finder.secrets(Place::File, None, url);
        finder.in_clear(url, Severity::Medium);
    }
    if let Some(words) = &target.command {
        launch::check(finder, &words.value);
    }
    for at in target
        .roots
        .iter()
        .flatten()
        .chain(&target.allowed)
        .chain(&target.cwd)
    {
        let wide = wide_path(at.value.trim_start_matches("file://"));
        finder.wide_launch(at.span.clone(), wide);
    }
    Ok(())
}

/// The first place of a key in the text, for tables that have no place of their own.
fn word(finder: &Finder<'_>, key: &str) -> std::ops::Range<usize> {
    let start = finder.source.text().find(key).unwrap_or_default();
    start..start + key.len()
}
