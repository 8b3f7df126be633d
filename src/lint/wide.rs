//! Paths and hosts that are wider than anybody means.

use std::{net::IpAddr, ops::Range};

use ipnet::IpNet;

use super::Finder;
use crate::probe::Severity;

/// How wide a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wide {
    /// A directory of the system.
    System,
    /// A home directory, or all of them.
    Home,
    /// The whole disk.
    Root,
}

impl Wide {
    /// With its article.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::System => "a directory of the system",
            Self::Home => "a home directory",
            Self::Root => "the whole disk",
        }
    }
}

impl Finder<'_> {
    /// A directory that a policy opens, and that is wider than anybody means.
    pub(super) fn wide_policy(&mut self, span: Range<usize>, wide: Option<Wide>, done: &str) {
        let Some(wide) = wide else { return };
        let message = format!("{} {done}", wide.what());
        let finding = self.add(
            "policy.wide-path",
            span,
            "wider than anybody means",
            message,
        );
        if wide == Wide::System {
            finding.severity = Severity::Medium;
        }
    }

    /// A directory that a server is launched on, and that is wider than it needs.
    pub(super) fn wide_launch(&mut self, span: Range<usize>, wide: Option<Wide>) {
        let Some(wide) = wide else { return };
        let message = format!("the server is given {}", wide.what());
        self.add("launch.wide-path", span, "far more than it needs", message);
    }
}

/// How wide a directory is that is named by a path, a variable or a placeholder.
pub(super) fn wide_path(path: &str) -> Option<Wide> {
    let slashed = path.trim().replace('\\', "/");
    let bare = slashed.trim_end_matches('/');
    if bare.is_empty() {
        return slashed.starts_with('/').then_some(Wide::Root);
    }
    let lower = bare.to_lowercase();
    let homes = [
        "~",
        "$home",
        "${home}",
        "${env:home}",
        "${userhome}",
        "${userprofile}",
        "${env:userprofile}",
        "%userprofile%",
        "%homepath%",
        "{home}",
        "/root",
        "/home",
        "/users",
        "/var/root",
        "c:/users",
    ];
    if ["c:", "/*", "/**", "/."].contains(&lower.as_str()) {
        return Some(Wide::Root);
    }
    if homes.contains(&lower.as_str()) {
        return Some(Wide::Home);
    }
    let below = ["/home/", "/users/", "c:/users/"];
    if below.iter().any(|parent| {
        lower
            .strip_prefix(parent)
            .is_some_and(|name| !name.contains('/'))
    }) {
        return Some(Wide::Home);
    }
    [
        "/etc", "/proc", "/sys", "/dev", "/var", "/run", "/var/run", "/usr", "/boot", "/lib",
        "/bin", "/sbin",
    ]
    .contains(&lower.as_str())
    .then_some(Wide::System)
}

/// Directories below a home that hold credentials.
pub(super) fn holds_credentials(path: &str) -> bool {
    let slashed = path.trim().replace('\\', "/");
    [
        ".ssh",
        ".aws",
        ".gnupg",
        ".kube",
        ".docker",
        ".azure",
        ".config/gcloud",
        ".netrc",
    ]
    .iter()
    .any(|name| slashed.trim_end_matches('/').ends_with(&format!("/{name}")))
}

/// Whether a path is that of a container engine's socket.
pub(super) fn engine_socket(path: &str) -> bool {
    ["docker.sock", "podman.sock", "containerd.sock", "crio.sock"]
        .iter()
        .any(|name| path.trim().ends_with(name))
}

/// How many addresses a range leaves open, as text; none when it is of a usual size. Private
/// networks as a whole (10.0.0.0/8) are usual in policies, larger ranges are not.
pub(super) fn wide_range(text: &str) -> Option<&'static str> {
    if text == "*" || text == "*.*" {
        return Some("every host");
    }
    let range: IpNet = text.parse().ok()?;
    match (range.prefix_len(), range) {
        (0, _) => Some("every address"),
        (..=7, IpNet::V4(_)) | (..=15, IpNet::V6(_)) => Some("a large part of all addresses"),
        _ => None,
    }
}

/// Whether a host or a range covers the metadata service of a cloud.
pub(super) fn covers_metadata(text: &str) -> bool {
    const SERVICES: [&str; 3] = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200"];
    let name = text.trim_end_matches('.').to_lowercase();
    if name == "metadata.google.internal" {
        return true;
    }
    SERVICES
        .iter()
        .filter_map(|address| address.parse::<IpAddr>().ok())
        .any(
            |service| match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
                (Ok(range), _) => range.contains(&service),
                (_, Ok(address)) => address == service,
                _ => false,
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_narrow() {
        for (path, expected) in [
            ("/", Some(Wide::Root)),
            ("//", Some(Wide::Root)),
            ("C:\\", Some(Wide::Root)),
            ("~", Some(Wide::Home)),
            ("${HOME}/", Some(Wide::Home)),
            ("{home}", Some(Wide::Home)),
            ("/home/someone/", Some(Wide::Home)),
            ("C:\\Users\\someone", Some(Wide::Home)),
            ("/etc", Some(Wide::System)),
            ("/home/someone/project", None),
            ("/workspace", None),
            ("{allowed}", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(wide_path(path), expected, "{path}");
        }
        assert!(wide_range("0.0.0.0/0").is_some() && wide_range("::/0").is_some());
        assert!(wide_range("128.0.0.0/1").is_some() && wide_range("10.0.0.0/8").is_none());
        assert!(covers_metadata("169.254.0.0/16") && !covers_metadata("10.0.0.0/8"));
    }
}
