//! What a target gets to see of our environment: a list, and nothing else.
//!
//! Most servers inherit everything, and leak it through `/proc/self/environ` or their exec tools.
//! A secret of the user must not be in a place where a breach would put it into a report.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::Launcher;

/// Variables of ours that every target gets, because programs fail or misprint without them and
/// they hold no secrets: where programs are, and which characters to print. `TERM` is not among
/// them: a server has no terminal and must not colour its output.
const KEPT: [&str; 7] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LANGUAGE",
    "TZ",
    "SystemRoot",
];

/// Directories of the testbed that stand in for the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base<'a> {
    /// `HOME` of the target.
    pub home: &'a Path,
    /// `TMPDIR` of the target.
    pub tmp: &'a Path,
}

/// The environment of a target and how it came about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// All of it.
    pub variables: BTreeMap<String, String>,
    /// Names asked for by `pass_env` that our environment does not have.
    pub missing: Vec<String>,
    /// Names left out because their value is not UTF-8.
    pub unreadable: Vec<String>,
    /// Names set so that a launcher finds the user's caches, and a shim its program.
    pub caches: Vec<String>,
}

/// Composes the environment of a target from ours (`own`): the kept list; home and temporary
/// directory of the testbed; the caches that `launcher` needs, and what shims in `PATH` need; what the user passes on by name
/// (`pass`); what the user sets (`set`). Later ones win.
#[must_use]
pub fn environment(
    own: &BTreeMap<OsString, OsString>,
    base: Base<'_>,
    launcher: Option<Launcher>,
    pass: &[String],
    set: &BTreeMap<String, String>,
) -> Environment {
    let mut made = Environment::default();
    let mut variables = BTreeMap::new();
    let mut copy = |name: &str, variables: &mut BTreeMap<String, String>| -> bool {
        let Some(value) = own.get(std::ffi::OsStr::new(name)) else {
            return false;
        };
        match value.to_str() {
            Some(value) => {
                variables.insert(name.to_owned(), value.to_owned());
            }
            None => made.unreadable.push(name.to_owned()),
        }
        true
    };
    for name in KEPT {
        copy(name, &mut variables);
    }
    for (name, directory) in [("HOME", base.home), ("TMPDIR", base.tmp)] {
        variables.insert(name.to_owned(), directory.display().to_string());
    }
    let mut missing = Vec::new();
    for name in pass {
        if !copy(name, &mut variables) {
            missing.push(name.clone());
        }
    }
    made.missing = missing;
    let fetched = launcher.map(|launcher| caches(own, launcher));
    for (name, directory) in fetched.into_iter().flatten().chain(shims(own)) {
        if let Some(directory) = directory.to_str() {
            variables
                .entry(name.to_owned())
                .or_insert_with(|| directory.to_owned());
            made.caches.push(name.to_owned());
        }
    }
    variables.extend(set.clone());
    made.variables = variables;
    made
}

/// Variables that say how to reach a registry, and where it is. A launcher gets them to fetch a server with, which
/// is not the start that is tested: they may hold tokens.
pub const FETCHING: [&str; 22] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "npm_config_registry",
    "NPM_CONFIG_REGISTRY",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "PIP_INDEX_URL",
    "PIP_CERT",
    "DENO_CERT",
];

/// Makes the directories where a launcher keeps what it fetches, as it would itself at its first start: else each
/// run would have one of its own, and nothing that was fetched before it. What cannot be made is left out.
pub fn make_caches(own: &BTreeMap<OsString, OsString>, launcher: Launcher) {
    for (_, directory) in places(own, launcher) {
        let _unwritable = std::fs::create_dir_all(directory);
    }
}

/// Where a launcher keeps what it has fetched. With a scrubbed `HOME` it would find none of it and
/// fetch everything again, or fail without a network: each is therefore named by its own
/// variable, at the place the user has set, or at the usual one below the real home if that
/// exists. Configuration files (`.npmrc`, `pip.conf`) hold tokens and are not named.
fn caches(own: &BTreeMap<OsString, OsString>, launcher: Launcher) -> Vec<(&'static str, PathBuf)> {
    let set = |name: &str| {
        own.get(std::ffi::OsStr::new(name))
            .is_some_and(|value| !value.is_empty())
    };
    places(own, launcher)
        .into_iter()
        .filter(|(name, directory)| set(name) || directory.is_dir())
        .collect()
}

/// The variable of each cache of a launcher, with the place that the user has set, or the usual one.
fn places(own: &BTreeMap<OsString, OsString>, launcher: Launcher) -> Vec<(&'static str, PathBuf)> {
    let var = |name: &str| {
        own.get(std::ffi::OsStr::new(name))
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = var("HOME").or_else(|| var("USERPROFILE"));
    let below = |path: &str| home.as_ref().map(|home| home.join(path));
    let xdg = |variable: &str, usual: &str, path: &str| {
        var(variable)
            .or_else(|| below(usual))
            .map(|base| base.join(path))
    };
    let cache = |path: &str| xdg("XDG_CACHE_HOME", ".cache", path);
    let data = |path: &str| xdg("XDG_DATA_HOME", ".local/share", path);
    // (variable, the usual place)
    let wanted: Vec<(&'static str, Option<PathBuf>)> = match launcher {
        Launcher::Npm => vec![("npm_config_cache", below(".npm"))],
        Launcher::Bun => vec![("BUN_INSTALL_CACHE_DIR", below(".bun/install/cache"))],
        Launcher::Pnpm => vec![
            ("npm_config_cache", below(".npm")),
            ("npm_config_store_dir", data("pnpm/store")),
        ],
        Launcher::Yarn => vec![("YARN_GLOBAL_FOLDER", below(".yarn/berry"))],
        Launcher::Uv => vec![
            ("UV_CACHE_DIR", cache("uv")),
            ("UV_TOOL_DIR", data("uv/tools")),
            ("UV_PYTHON_INSTALL_DIR", data("uv/python")),
        ],
        // Where there is a uv, pipx has that fetch and run.
        Launcher::Pipx => vec![
            ("PIPX_HOME", data("pipx")),
            ("PIP_CACHE_DIR", cache("pip")),
            ("UV_CACHE_DIR", cache("uv")),
            ("UV_PYTHON_INSTALL_DIR", data("uv/python")),
        ],
        Launcher::Deno => vec![("DENO_DIR", cache("deno"))],
        // Engines keep images with their daemon; rootless podman below the real home.
        Launcher::Container => vec![
            ("DOCKER_CONFIG", below(".docker")),
            ("XDG_RUNTIME_DIR", var("XDG_RUNTIME_DIR")),
        ],
    };
    wanted
        .into_iter()
        .filter_map(|(name, usual)| {
            let directory = var(name).or(usual)?;
            Some((name, directory))
        })
        .collect()
}

/// Version managers put shims into `PATH`; a shim looks for the real program below the home, which
/// the target does not have. Only those whose shims are in `PATH` are named.
fn shims(own: &BTreeMap<OsString, OsString>) -> Vec<(&'static str, PathBuf)> {
    let var = |name: &str| own.get(std::ffi::OsStr::new(name));
    let Some(home) = var("HOME").map(PathBuf::from) else {
        return Vec::new();
    };
    let path: Vec<PathBuf> = var("PATH")
        .map(std::env::split_paths)
        .into_iter()
        .flatten()
        .collect();
    // (variable, the usual place, where its shims are)
    [
        ("PYENV_ROOT", ".pyenv", ".pyenv/shims"),
        ("VOLTA_HOME", ".volta", ".volta/bin"),
        ("ASDF_DATA_DIR", ".asdf", ".asdf/shims"),
        (
            "MISE_DATA_DIR",
            ".local/share/mise",
            ".local/share/mise/shims",
        ),
        ("RUSTUP_HOME", ".rustup", ".cargo/bin"),
    ]
    .into_iter()
    .filter_map(|(name, usual, shims)| {
        let set = var(name).map(PathBuf::from);
        let in_path = path.iter().any(|directory| {
            *directory == home.join(shims)
                || set.as_ref().is_some_and(|set| directory.starts_with(set))
        });
        let place = set.unwrap_or_else(|| home.join(usual));
        (in_path && place.is_dir()).then_some((name, place))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn base() -> Base<'static> {
        Base {
            home: Path::new("/bed/home"),
            tmp: Path::new("/bed/tmp"),
        }
    }

    #[test]
    fn only_the_list_and_what_was_named_gets_through() {
        let own = own(&[
            ("PATH", "/bin"),
            ("LANG", "C.UTF-8"),
            ("TERM", "xterm"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("API_KEY", "needed"),
            ("HOME", "/home/user"),
        ]);
        let made = environment(
            &own,
            base(),
            None,
            &["API_KEY".into(), "ABSENT".into()],
            &BTreeMap::from([("MODE".into(), "test".into())]),
        );
        let expected = [
            ("API_KEY", "needed"),
            ("HOME", "/bed/home"),
            ("LANG", "C.UTF-8"),
            ("MODE", "test"),
            ("PATH", "/bin"),
            ("TMPDIR", "/bed/tmp"),
        ];
        let found: Vec<_> = made
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(made.missing, ["ABSENT"]);
    }

    #[test]
    fn a_launcher_gets_its_caches_where_they_are() {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(home.path().join(".npm")).expect("a directory");
        let root = home.path().display().to_string();
        let npm = |pairs: &[(&str, &str)], set: &[(&str, &str)]| {
            let set = set
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect();
            let made = environment(&own(pairs), base(), Some(Launcher::Npm), &[], &set);
            made.variables.get("npm_config_cache").cloned()
        };
        let usual = home.path().join(".npm").display().to_string();
        assert_eq!(npm(&[("HOME", &root)], &[]), Some(usual));
        assert_eq!(npm(&[("HOME", "/nonexistent")], &[]), None);
        assert_eq!(
            npm(&[("HOME", &root), ("npm_config_cache", "/cache")], &[]),
            Some("/cache".into())
        );
        assert_eq!(
            npm(&[("HOME", &root)], &[("npm_config_cache", "/mine")]),
            Some("/mine".into())
        );
        // What pipx has fetched is with uv, where there is one.
        std::fs::create_dir_all(home.path().join(".cache/uv")).expect("a directory");
        let pipx = environment(
            &own(&[("HOME", &root)]),
            base(),
            Some(Launcher::Pipx),
            &[],
            &BTreeMap::new(),
        );
        assert_eq!(pipx.caches, ["UV_CACHE_DIR"]);
        std::fs::create_dir_all(home.path().join(".volta/bin")).expect("a directory");
        let path = home.path().join(".volta/bin").display().to_string();
        let shim = environment(
            &own(&[("HOME", &root), ("PATH", &path)]),
            base(),
            None,
            &[],
            &BTreeMap::new(),
        );
        assert_eq!(shim.caches, ["VOLTA_HOME"]);
        let none = environment(
            &own(&[("HOME", &root)]),
            base(),
            None,
            &[],
            &BTreeMap::new(),
        );
        assert_eq!(none.caches, [""; 0]);
    }
}
