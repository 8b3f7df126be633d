//! Command lines that start a container: which walls they take down.
//!
//! Owns the reading of the flags of `docker run` and its like, as far as they matter here.

use super::{
    finding::{Finder, short},
    wide::{Wide, engine_socket, holds_credentials, wide_path},
};
use crate::{diag::At, probe::Severity};

/// Flags of `docker run` without a value.
const SWITCHES: [&str; 14] = [
    "--rm",
    "--init",
    "--interactive",
    "--tty",
    "--detach",
    "--privileged",
    "--read-only",
    "--publish-all",
    "--no-healthcheck",
    "--oom-kill-disable",
    "--sig-proxy",
    "--quiet",
    "--help",
    "--disable-content-trust",
];

/// Checks the arguments of a container engine's `run`.
pub(super) fn check(finder: &mut Finder<'_>, args: &[At<String>]) {
    let mut rest = args.iter().skip_while(|at| at.value != "run").skip(1);
    while let Some(at) = rest.next() {
        let word = at.value.as_str();
        if !word.starts_with('-') {
            image(finder, at);
            return;
        }
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (
                flag,
                Some(At {
                    value: value.to_owned(),
                    span: at.span.clone(),
                }),
            ),
            None if SWITCHES.contains(&word) => (word, None),
            // `-it`, `-i`, `-d`: letters without a value; `-v`, `-e`, `-p`, ... take one.
            None if word.chars().skip(1).all(|c| "itdqP".contains(c)) => (word, None),
            None => (word, rest.next().cloned()),
        };
        option(finder, flag, at, value.as_ref());
    }
}

fn option(finder: &mut Finder<'_>, flag: &str, at: &At<String>, value: Option<&At<String>>) {
    let text = value.map(|value| value.value.as_str()).unwrap_or_default();
    let place = value.map_or_else(|| at.span.clone(), |value| value.span.clone());
    match flag {
        "--privileged" if text != "false" => {
            finder.add(
                "container.privileged",
                at.span.clone(),
                "no wall is left",
                "the container is privileged",
            );
        }
        "--network" | "--net" if text == "host" => {
            finder.add(
                "container.host-network",
                place,
                "the network of the host",
                "the container shares the host's network",
            );
        }
        "-v" | "--volume" => mount(finder, text.split(':').next().unwrap_or_default(), &place),
        "--mount" => {
            let from = text.split(',').find_map(|part| {
                part.strip_prefix("source=")
                    .or_else(|| part.strip_prefix("src="))
            });
            mount(finder, from.unwrap_or_default(), &place);
        }
        "--pid" | "--ipc" | "--uts" | "--userns" | "--cgroupns" if text == "host" => {
            let message = format!(
                "the container shares the host's {} namespace",
                flag.trim_start_matches('-')
            );
            finder.add("container.weakened", place, "a wall less", message);
        }
        "--cap-add"
            if [
                "ALL",
                "SYS_ADMIN",
                "SYS_PTRACE",
                "SYS_MODULE",
                "DAC_READ_SEARCH",
                "NET_ADMIN",
            ]
            .contains(&text.to_uppercase().trim_start_matches("CAP_")) =>
        {
            let message = format!("the container is given the capability {text}");
            finder.add("container.weakened", place, "opens the host", message);
        }
        "--security-opt"
            if text.ends_with("unconfined")
                || text.ends_with("disable")
                || text == "no-new-privileges=false" =>
        {
            let message = format!("the container runs with `{text}`");
            finder.add("container.weakened", place, "switched off", message);
        }
        "--user" | "-u" if ["root", "0"].contains(&text.split(':').next().unwrap_or_default()) => {
            finder.add(
                "container.root-user",
                place,
                "root",
                "the container runs as root",
            );
        }
        _ => {}
    }
}

/// A directory or a socket of the host inside of a container.
fn mount(finder: &mut Finder<'_>, from: &str, place: &std::ops::Range<usize>) {
    if engine_socket(from) {
        finder.add(
            "container.docker-socket",
            place.clone(),
            "root on the host",
            "the container is given the socket of the container engine",
        );
    } else if let Some(wide) = wide_path(from) {
        let message = format!("the container is given {}", wide.what());
        let finding = finder.add(
            "container.host-mount",
            place.clone(),
            "far more than it needs",
            message,
        );
        if wide == Wide::System {
            finding.severity = Severity::Medium;
        }
    } else if holds_credentials(from) {
        finder
            .add(
                "container.host-mount",
                place.clone(),
                "holds credentials",
                "the container is given a directory of credentials",
            )
            .severity = Severity::Medium;
    }
}

/// An image, in a command line or after `FROM`.
pub(super) fn image(finder: &mut Finder<'_>, at: &At<String>) {
    let name = at.value.as_str();
    if name.contains(['$', '<', '{']) || name.contains('@') || name == "scratch" {
        return;
    }
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = last.split_once(':').map(|(_, tag)| tag);
    if matches!(tag, None | Some("latest" | "")) {
        let message = format!(
            "the image `{}` is taken in whatever version there is",
            short(name)
        );
        finder.add("launch.unpinned", at.span.clone(), "no version", message);
    }
}
