//! Decoys in the home of a target: what a user's secrets look like, with a canary for each.
//!
//! Owns the files that every run lays. What stands over the real ones of a machine is the namespace testbed's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::canary::{Mint, Token};

/// A place that looks like a secret, with the canary in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoy {
    /// Where it lies inside.
    pub path: PathBuf,
    /// What it holds.
    pub token: Token,
    /// Whether it is there because of the policy; else it stands for a real secret.
    pub of_policy: bool,
}

/// Files of a home that hold secrets and that no program reads unless it is told to talk to `example.com`, or
/// to use that very key. `{}` is the secret.
const FILES: [(&str, &str); 5] = [
    (
        ".ssh/id_ed25519",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
    ),
    (".netrc", "machine example.com login user password {}\n"),
    (".git-credentials", "https://user:{}@example.com\n"),
    (
        ".config/gh/hosts.yml",
        "example.com:\n    user: user\n    oauth_token: {}\n",
    ),
    (
        ".cursor/mcp.json",
        "{\"mcpServers\": {\"notes\": {\"command\": \"notes\", \"env\": {\"API_KEY\": \"{}\"}}}}\n",
    ),
];

/// Lays decoys in a home that is the run's own. What is there already stays; what cannot be made is left out.
pub fn lay_decoys(mint: &Mint, home: &Path) -> Vec<Decoy> {
    FILES
        .iter()
        .filter_map(|(name, text)| {
            let path = home.join(name);
            if path.exists() {
                return None;
            }
            let token = mint.token();
            fs::create_dir_all(path.parent()?).ok()?;
            fs::write(&path, text.replacen("{}", token.as_str(), 1)).ok()?;
            Some(Decoy {
                path,
                token,
                of_policy: false,
            })
        })
        .collect()
}
