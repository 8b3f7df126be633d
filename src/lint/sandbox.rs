//! Findings in the settings of sandbox runtimes: `network.allowedDomains`, `filesystem.allowWrite`
//! and their fellows, at the top of a file or below `sandbox`.

use serde::Deserialize;

use super::{
    finding::Finder,
    wide::{engine_socket, wide_path, wide_range},
};
use crate::{diag::At, probe::Severity};

/// A file that has such settings at its top or below `sandbox`. Other keys are not ours to judge.
#[derive(Debug, Default, Deserialize)]
pub(super) struct File {
    sandbox: Option<At<Settings>>,
    network: Option<At<Network>>,
    filesystem: Option<At<Files>>,
    #[serde(rename = "enableWeakerNestedSandbox")]
    weaker: Option<At<bool>>,
}

#[derive(Debug, Default, Deserialize)]
struct Settings {
    network: Option<At<Network>>,
    filesystem: Option<At<Files>>,
    #[serde(rename = "enableWeakerNestedSandbox")]
    weaker: Option<At<bool>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    #[serde(default)]
    allowed_domains: Vec<At<String>>,
    #[serde(default)]
    allow_unix_sockets: Vec<At<String>>,
    allow_all_unix_sockets: Option<At<bool>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Files {
    #[serde(default)]
    allow_write: Vec<At<String>>,
    deny_read: Option<Vec<At<String>>>,
}

pub(super) fn check(finder: &mut Finder<'_>, file: &File) {
    let below = file.sandbox.as_ref().map(|at| &at.value);
    let networks = [
        file.network.as_ref(),
        below.and_then(|below| below.network.as_ref()),
    ];
    for at in networks.into_iter().flatten() {
        network(finder, &at.value);
    }
    let files = [
        file.filesystem.as_ref(),
        below.and_then(|below| below.filesystem.as_ref()),
    ];
    for at in files.into_iter().flatten() {
        filesystem(finder, at);
    }
    let weaker = [
        file.weaker.as_ref(),
        below.and_then(|below| below.weaker.as_ref()),
    ];
    for at in weaker.into_iter().flatten().filter(|at| at.value) {
        finder.add(
            "container.weakened",
            at.span.clone(),
            "a weaker sandbox",
            "the sandbox is told to be weaker",
        );
    }
}

fn network(finder: &mut Finder<'_>, network: &Network) {
    for at in &network.allowed_domains {
        if let Some(what) = wide_range(&at.value) {
            let message = format!("{what} may be reached");
            finder.add(
                "policy.wide-network",
                at.span.clone(),
                "wider than anybody means",
                message,
            );
        }
    }
    for at in network
        .allow_unix_sockets
        .iter()
        .filter(|at| engine_socket(&at.value))
    {
        finder.add(
            "container.docker-socket",
            at.span.clone(),
            "root on the host",
            "the sandbox is given the socket of the container engine",
        );
    }
    if let Some(at) = network
        .allow_all_unix_sockets
        .as_ref()
        .filter(|at| at.value)
    {
        finder.add(
            "container.weakened",
            at.span.clone(),
            "every socket",
            "the sandbox lets every Unix socket be used",
        );
    }
}

fn filesystem(finder: &mut Finder<'_>, at: &At<Files>) {
    for path in &at.value.allow_write {
        finder.wide_policy(path.span.clone(), wide_path(&path.value), "may be written");
    }
    if at.value.deny_read.as_ref().is_none_or(Vec::is_empty) {
        let span = at.span.start..at.span.start + 1;
        finder
            .add(
                "policy.allow-all",
                span,
                "denies no reading",
                "every file may be read: denyRead names none",
            )
            .severity = Severity::Medium;
    }
}
