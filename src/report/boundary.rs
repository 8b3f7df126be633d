//! The boundaries that the catalogue knows, their order and their names for people.
//!
//! Owns words only: which probes a boundary has is the catalogue's business, and a probe directory
//! of the user's own may bring boundaries that are not listed here.

/// Boundary ids in catalogue order, each with its name for people.
const BOUNDARIES: &[(&str, &str)] = &[
    ("fs.read", "reading files"),
    ("fs.write", "writing files"),
    ("fs.size", "file size limits"),
    ("net.egress", "outgoing connections"),
    ("dns", "name resolution"),
    ("time", "timeouts and retries"),
    ("env", "environment, secrets"),
    ("proc", "process privileges"),
    ("exec", "running commands"),
    ("sql", "database queries"),
    ("res", "resource limits"),
    ("audit", "audit log"),
    ("http", "HTTP transport"),
    ("surface", "protocol surface"),
    ("config", "launch and policy"),
    ("state", "state and sessions"),
    ("drift", "tool descriptions"),
];

/// Name of a boundary for people; an unknown id is its own name.
#[must_use]
pub fn boundary_title(id: &str) -> &str {
    BOUNDARIES
        .iter()
        .find(|(known, _)| *known == id)
        .map_or(id, |(_, title)| title)
}

/// Sort key: catalogue order first, then unknown boundaries by name.
#[must_use]
pub fn boundary_order(id: &str) -> (usize, &str) {
    let rank = BOUNDARIES.iter().position(|(known, _)| *known == id);
    (rank.unwrap_or(BOUNDARIES.len()), id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_boundaries_come_first_and_have_names() {
        let mut ids = ["zzz", "drift", "fs.write", "abc", "fs.read"];
        ids.sort_by_key(|id| boundary_order(id));
        assert_eq!(ids, ["fs.read", "fs.write", "drift", "abc", "zzz"]);
        assert_eq!(boundary_title("fs.write"), "writing files");
        assert_eq!(boundary_title("abc"), "abc");
    }
}
