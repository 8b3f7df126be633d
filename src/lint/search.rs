//! Which files of a directory are linted when the directory is named.
//!
//! Owns the names. A file that is named itself is recognised by its content instead.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// How far below the directory it is searched.
pub const DEPTH: usize = 3;

/// Names that are looked for, for people.
pub const NAMES: &str = ".mcp.json, mcp.json, mcp_config.json, claude_desktop_config.json, \
    watertight.toml, policy.{json,yaml,yml,toml}, Dockerfile, Containerfile";

/// Known files up to [`DEPTH`] levels below a directory, sorted. Links are not followed;
/// directories of packages, of builds and of version control are not entered.
#[must_use]
pub fn known_files(directory: &Path) -> Vec<PathBuf> {
    const CLOSED: [&str; 6] = ["node_modules", ".git", "target", ".venv", "venv", "vendor"];
    let name = |entry: &walkdir::DirEntry| entry.file_name().to_string_lossy().into_owned();
    WalkDir::new(directory)
        .max_depth(DEPTH)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| {
            entry.depth() == 0
                || !entry.file_type().is_dir()
                || !CLOSED.contains(&name(entry).as_str())
        })
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file() && known(&name(entry)))
        .map(walkdir::DirEntry::into_path)
        .collect()
}

fn known(name: &str) -> bool {
    matches!(
        name,
        ".mcp.json"
            | "mcp.json"
            | "mcp_config.json"
            | "claude_desktop_config.json"
            | "watertight.toml"
            | "policy.json"
            | "policy.yaml"
            | "policy.yml"
            | "policy.toml"
    ) || is_dockerfile_name(name)
}

/// Whether a file is a Dockerfile by its name.
pub(super) fn is_dockerfile_name(name: &str) -> bool {
    let stem = |word: &str| name == word || name.starts_with(&format!("{word}."));
    stem("Dockerfile")
        || stem("Containerfile")
        || name.ends_with(".Dockerfile")
        || name.ends_with(".dockerfile")
}
