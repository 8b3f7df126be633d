//! Where a launcher keeps credentials, and where a mount shows them.
//!
//! Owns the list of places. Whether somebody may read them is told elsewhere; nothing is read.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// What holds credentials, by the end of its path; below a home directory, it is the user's.
const ENDS: [&str; 12] = [
    ".aws",
    ".azure",
    ".config/gcloud",
    ".docker/config.json",
    ".gnupg",
    ".kube",
    ".netrc",
    ".ssh",
    ".aws/credentials",
    ".kube/config",
    "kubernetes.io/serviceaccount",
    "eks.amazonaws.com/serviceaccount",
];

/// Above the last two, which a pod has.
const OF_A_POD: [&str; 2] = ["/var/run/secrets", "/run/secrets"];

/// What lies among them and is no secret.
const PLAIN: [&str; 5] = [
    "authorized_keys",
    "config",
    "known_hosts",
    "known_hosts.old",
    "environment",
];

/// Credentials that a mount at `point` shows, if it shows what the launcher has at `from`: where the launcher has
/// them, and where they are by that mount.
pub(super) fn shown(from: &Path, point: &Path, home: Option<&Path>) -> Vec<(PathBuf, PathBuf)> {
    if ENDS.iter().any(|end| from.ends_with(end)) {
        return vec![(from.to_path_buf(), point.to_path_buf())];
    }
    let above = home.into_iter().chain(OF_A_POD.iter().map(Path::new));
    above
        .flat_map(|above| ENDS.iter().map(move |end| above.join(end)))
        .filter_map(|place| {
            let inside = point.join(place.strip_prefix(from).ok()?);
            Some((place, inside))
        })
        .collect()
}

/// Whether something of what lies in a directory may be a secret.
pub(super) fn secret(names: &[OsString]) -> bool {
    names.iter().any(|name| {
        let name = name.to_string_lossy();
        !PLAIN.contains(&&*name) && !name.ends_with(".pub")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(from: &str, point: &str) -> Vec<String> {
        let found = shown(
            Path::new(from),
            Path::new(point),
            Some(Path::new("/home/me")),
        );
        let told = found.into_iter();
        told.map(|(place, inside)| format!("{} {}", place.display(), inside.display()))
            .collect()
    }

    #[test]
    fn a_mount_shows_them_itself_or_below() {
        assert_eq!(of("/home/you/.aws", "/keys"), ["/home/you/.aws /keys"]);
        let below = of("/home", "/h");
        assert!(
            below.contains(&String::from("/home/me/.ssh /h/me/.ssh")),
            "{below:?}"
        );
        assert_eq!(of("/home/me/work", "/work"), [] as [&str; 0]);
        assert_eq!(of("/usr", "/usr"), [] as [&str; 0]);
        let pod = of("/run/secrets", "/s");
        assert!(pod.contains(&String::from(
            "/run/secrets/kubernetes.io/serviceaccount /s/kubernetes.io/serviceaccount"
        )));
    }

    #[test]
    fn what_everybody_may_know_is_no_secret() {
        let names = |names: &[&str]| names.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(!secret(&names(&[
            "known_hosts",
            "id_ed25519.pub",
            "config"
        ])));
        assert!(secret(&names(&["known_hosts", "id_ed25519"])));
        assert!(!secret(&[]));
    }
}
