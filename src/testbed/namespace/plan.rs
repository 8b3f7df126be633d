//! What a run wants of its bottle.
//!
//! Owns where the paths of a policy really lie, asked while the real disk is still there.

use std::path::{Component, Path, PathBuf};

/// What a run wants of its bottle. All paths are absolute.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The working directory.
    pub cwd: PathBuf,
    /// The user's home; real secrets lie there.
    pub home: Option<PathBuf>,
    /// Directories that the policy allows.
    pub allowed: Vec<PathBuf>,
    /// Files and directories that the policy denies.
    pub denied: Vec<PathBuf>,
    /// Where testbeds are made.
    pub beds: PathBuf,
    /// Whether the target is to make namespaces of its own, as sandboxes do.
    pub nests: bool,
}

impl Wanted {
    /// The same with all links resolved, as far as there is something.
    pub(super) fn settled(&self) -> Self {
        let all = |paths: &[PathBuf]| paths.iter().map(|path| settled(path)).collect();
        Self {
            cwd: settled(&self.cwd),
            home: self.home.as_deref().map(settled),
            allowed: all(&self.allowed),
            denied: all(&self.denied),
            beds: settled(&self.beds),
            nests: self.nests,
        }
    }
}

/// Resolves the links of the part that exists; the rest is taken as written.
fn settled(path: &Path) -> PathBuf {
    let plain = plain(path);
    for (up, known) in plain.ancestors().enumerate() {
        if let Ok(real) = known.canonicalize() {
            let rest: PathBuf = plain
                .components()
                .skip(plain.components().count() - up)
                .collect();
            return real.join(rest).components().collect();
        }
    }
    plain
}

/// Without `.` and `..`.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::Normal(name) => plain.push(name),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_what_exists_are_resolved() {
        let place = tempfile::tempdir().expect("a directory");
        let real = place.path().canonicalize().expect("it is there");
        std::fs::create_dir(real.join("a")).expect("the directory is ours");
        std::os::unix::fs::symlink("a", real.join("l")).expect("the directory is ours");
        assert_eq!(settled(&real.join("l/x/../y/z")), real.join("a/y/z"));
        assert_eq!(settled(&real.join("l")), real.join("a"));
        assert_eq!(plain(Path::new("/a/./b/../../../c")), Path::new("/c"));
    }
}
