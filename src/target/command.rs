//! Which file a command names, and whether it is a launcher that fetches the server first.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use crate::session::{OpenError, Unfit};

/// A command as it will be launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Absolute path of the program. Symbolic links are kept: many programs go by their name.
    pub program: PathBuf,
    /// The registry launcher that it is, if any.
    pub launcher: Option<Launcher>,
}

/// A program that fetches a server from a registry, and keeps it in a cache below the real home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// `npx`, or `npm exec`.
    Npm,
    /// `bunx`, or `bun x`.
    Bun,
    /// `pnpm dlx`, or `pnpx`.
    Pnpm,
    /// `yarn dlx`.
    Yarn,
    /// `uvx`, or `uv tool run`, or `uv run`.
    Uv,
    /// `pipx run`.
    Pipx,
    /// `deno run`.
    Deno,
    /// `docker run`, or `podman run`: the server itself runs elsewhere.
    Container,
}

/// Variables by which package managers take what they have fetched before and do not ask a registry, for
/// where none can be reached. Servers were measured to run one at their first call, and to hang in it.
pub const OFFLINE: &[(&str, &str)] = &[
    ("npm_config_offline", "true"),
    ("UV_OFFLINE", "1"),
    ("YARN_ENABLE_OFFLINE_MODE", "1"),
    ("PIP_RETRIES", "0"),
    // It would look for a newer one of itself at each start.
    ("DENO_NO_UPDATE_CHECK", "1"),
];

impl Launcher {
    /// What a user should know of it, as one sentence for a report.
    #[must_use]
    pub fn note(self) -> &'static str {
        match self {
            Launcher::Container => {
                "the container engine runs the server: its files, network and processes are not those of the launched command"
            }
            _ => {
                "the launched command is a package launcher: it shares your package cache, and its start-up time is not the server's"
            }
        }
    }
}

/// Finds the program that `command` names: with a slash in it, relative to `cwd`; else in the
/// directories of `path` (the value of `PATH`), relative ones of which are taken from `cwd` too.
///
/// # Errors
/// [`OpenError::NotFound`] or [`OpenError::NotExecutable`], with the command as given.
pub fn resolve(
    command: &str,
    args: &[String],
    path: Option<&OsStr>,
    cwd: &Path,
) -> Result<Resolved, OpenError> {
    let mut why = None;
    let mut take = |candidate: PathBuf| match executable(&candidate) {
        Ok(found) => found.then_some(candidate),
        Err(reason) => {
            why.get_or_insert(reason);
            None
        }
    };
    let found = if command.contains('/') {
        take(cwd.join(command))
    } else if command.is_empty() {
        None
    } else {
        path.map(std::env::split_paths)
            .into_iter()
            .flatten()
            .find_map(|directory| take(cwd.join(directory).join(command)))
    };
    match (found, why) {
        (Some(program), _) => Ok(Resolved {
            program,
            launcher: launcher(command, args),
        }),
        (None, Some(why)) => Err(OpenError::NotExecutable {
            program: command.into(),
            why,
        }),
        (None, None) => Err(OpenError::NotFound {
            program: command.into(),
        }),
    }
}

/// Whether there is a file, and it may be executed; the reason if it is there but may not.
fn executable(path: &Path) -> Result<bool, Unfit> {
    let Ok(metadata) = std::fs::metadata(path) else {
        return Ok(false);
    };
    if metadata.is_dir() {
        return Err(Unfit::Directory);
    }
    #[cfg(unix)]
    if rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_err() {
        return Err(Unfit::Permission);
    }
    Ok(true)
}

/// The registry launcher that a command line starts, judged by its name and first words.
#[must_use]
pub fn launcher(command: &str, args: &[String]) -> Option<Launcher> {
    let name = Path::new(command).file_stem()?.to_str()?;
    let mut words = args
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'));
    let (first, second) = (words.next(), words.next());
    match (name, first, second) {
        ("npx", ..) | ("npm", Some("exec" | "x"), _) => Some(Launcher::Npm),
        ("bunx", ..) | ("bun", Some("x"), _) => Some(Launcher::Bun),
        ("pnpx", ..) | ("pnpm", Some("dlx"), _) => Some(Launcher::Pnpm),
        ("yarn", Some("dlx"), _) => Some(Launcher::Yarn),
        ("uvx", ..) | ("uv", Some("tool"), Some("run")) | ("uv", Some("run"), _) => {
            Some(Launcher::Uv)
        }
        ("pipx", Some("run"), _) => Some(Launcher::Pipx),
        ("deno", Some("run"), _) => Some(Launcher::Deno),
        ("docker" | "podman" | "nerdctl", Some("run"), _)
        | ("docker" | "podman" | "nerdctl", Some("container"), Some("run")) => {
            Some(Launcher::Container)
        }
        _ => None,
    }
}

/// The program that starts the server as another user, if the command line begins with one.
#[must_use]
pub fn changes_user(words: &[String]) -> Option<&str> {
    /// Flags of those that change more than the user.
    const FLAGS: [&str; 7] = [
        "--reuid",
        "--regid",
        "--ruid",
        "--euid",
        "--init-groups",
        "--clear-groups",
        "--userspec",
    ];
    let (program, args) = words.split_first()?;
    let name = program.rsplit('/').next()?;
    let changes = match name {
        "su" | "sudo" | "runuser" | "doas" | "gosu" | "su-exec" => true,
        "setpriv" | "chroot" => args
            .iter()
            .any(|arg| FLAGS.iter().any(|flag| arg.starts_with(flag))),
        _ => false,
    };
    changes.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn launchers_are_known_by_their_first_words() {
        for (command, line, expected) in [
            ("npx", "-y some-server /tmp", Some(Launcher::Npm)),
            ("/usr/bin/npx", "", Some(Launcher::Npm)),
            ("npm", "install", None),
            ("uv", "tool run x", Some(Launcher::Uv)),
            ("uv", "pip install x", None),
            ("docker", "run -i --rm image", Some(Launcher::Container)),
            ("docker", "ps", None),
            ("python3", "-m server", None),
        ] {
            assert_eq!(launcher(command, &args(line)), expected, "{command} {line}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a directory");
        let bin = directory.path().join("bin");
        std::fs::create_dir(&bin).expect("a directory");
        for (name, mode) in [("runs", 0o755), ("text", 0o644)] {
            std::fs::write(bin.join(name), "#!/bin/sh\n").expect("a file");
            std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(mode))
                .expect("it is ours");
        }
        let cwd = directory.path();
        let found = |command: &str, path: &str| resolve(command, &[], Some(path.as_ref()), cwd);
        for (command, path) in [("./bin/runs", ""), ("runs", "/nowhere:bin")] {
            let program = found(command, path).expect("it is there").program;
            assert!(program.is_absolute());
            assert_eq!(
                program.canonicalize().ok(),
                bin.join("runs").canonicalize().ok()
            );
        }
        assert!(matches!(
            found("./bin/text", ""),
            Err(OpenError::NotExecutable { .. })
        ));
        assert!(matches!(
            found("./bin", ""),
            Err(OpenError::NotExecutable { .. })
        ));
        assert!(matches!(
            found("absent", "bin"),
            Err(OpenError::NotFound { .. })
        ));
        assert!(matches!(found("", "bin"), Err(OpenError::NotFound { .. })));
    }
}
