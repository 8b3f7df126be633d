//! Pinned third-party servers for tests: reads `tests/servers/<name>/`, installs on demand, says how to launch.
//!
//! Owns the installs below `target/servers/` and the rule for machines without a tool: the test is ignored with
//! its reason, and fails where `CI` is set. Must not know any probe, verdict or session.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Completion, Failed, Trial};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// One directory below this is one server.
const RECIPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers");

const NPM_LOCK: &str = "package-lock.json";
const PIP_LOCK: &str = "requirements.txt";

/// A server that is installed and ready to be launched.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    /// Name of its directory below `tests/servers/`.
    pub(crate) name: String,
    /// Absolute path of the program to start: an interpreter, or the server itself.
    pub(crate) program: PathBuf,
    /// Arguments; `{allowed}`, `{command}` and `{port}` are still to be filled (see [`Installed::argv`]).
    pub(crate) args: Vec<String>,
    /// Variables that this server needs, placeholders as in `args`.
    pub(crate) env: BTreeMap<String, String>,
    /// Some of the tools that it must offer; empty when it is not an MCP server on stdio.
    pub(crate) tools: Vec<String>,
    /// The tool that reads a text file, if it has one.
    pub(crate) read: Option<String>,
    /// The directory of the install.
    pub(crate) home: PathBuf,
}

impl Installed {
    /// Program and arguments with every placeholder of `fill` (`("{allowed}", "/tmp/a")`) replaced.
    pub(crate) fn argv(&self, fill: &[(&str, &str)]) -> Vec<String> {
        std::iter::once(self.program.display().to_string())
            .chain(self.args.iter().map(|arg| filled(arg, fill)))
            .collect()
    }

    /// The variables of the recipe with every placeholder of `fill` replaced.
    pub(crate) fn variables(&self, fill: &[(&str, &str)]) -> BTreeMap<String, String> {
        let fill_value = |(name, value): (&String, &String)| (name.clone(), filled(value, fill));
        self.env.iter().map(fill_value).collect()
    }
}

fn filled(text: &str, fill: &[(&str, &str)]) -> String {
    fill.iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Why a server cannot be had on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    /// The tool that is absent or that failed, such as `npm`.
    pub(crate) what: String,
    /// What happened, in words for the test's output.
    pub(crate) reason: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)
    }
}

/// `tests/servers/<name>/server.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    tools: Vec<String>,
    read: Option<String>,
    /// Programs that the server starts.
    #[serde(default)]
    needs: Vec<String>,
    install: Source,
}

/// Where the server comes from, and what is started of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Source {
    /// `package-lock.json` beside the recipe; `script` is run by node.
    Npm { script: PathBuf },
    /// `requirements.txt` (exact versions, hashes) beside the recipe; `module` is run by `python -m`, or its
    /// `function` is called where it cannot be.
    Pip {
        module: String,
        function: Option<String>,
    },
    /// The release's own `Cargo.lock`; `binary` is what it installs.
    Cargo {
        package: String,
        version: String,
        binary: String,
    },
}

/// Every server below `tests/servers/`, sorted by name.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(RECIPES)
        .expect("tests/servers is part of the repository")
        .filter_map(|entry| {
            let entry = entry.expect("tests/servers can be listed");
            let is_server = entry.path().join("server.toml").is_file();
            is_server.then(|| entry.file_name().to_string_lossy().into_owned())
        })
        .collect();
    names.sort();
    names
}

/// Every lock file below `tests/servers/`.
pub(crate) fn locks() -> Vec<PathBuf> {
    let candidates = names().into_iter().flat_map(|name| {
        let directory = Path::new(RECIPES).join(name);
        [NPM_LOCK, PIP_LOCK].map(|lock| directory.join(lock))
    });
    candidates.filter(|path| path.is_file()).collect()
}

/// A trial over real servers: installs all that it `needs`, then runs `body` with them in that order.
///
/// Where one cannot be installed the trial is ignored with the reason; where `CI` is set it fails instead, so that
/// a broken lock file cannot pass for a green run.
pub(crate) fn trial<F>(name: &str, needs: &[&str], body: F) -> Trial
where
    F: FnOnce(&[Installed]) -> Result<(), Failed> + Send + 'static,
{
    let needs: Vec<String> = needs.iter().map(|&need| need.to_owned()).collect();
    Trial::ignorable_test(name, move || {
        match needs
            .iter()
            .map(|need| install(need))
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(installed) => body(&installed).map(|()| Completion::Completed),
            Err(missing) if on_ci() => Err(missing.to_string().into()),
            Err(missing) => Ok(Completion::ignored_with(missing)),
        }
    })
}

pub(crate) fn on_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Installs `name` unless an earlier run did, and says how to launch it.
///
/// An install is keyed by the recipe and its lock file, appears by one rename, and is guarded by a file lock:
/// parallel tests and processes share it and never see half of one.
///
/// # Errors
///
/// [`Missing`] when an installer is not on this machine, or fails (no network, no disk space).
///
/// # Panics
///
/// When the recipe itself is wrong: that is a fault of the repository, not of the machine.
pub(crate) fn install(name: &str) -> Result<Installed, Missing> {
    let directory = Path::new(RECIPES).join(name);
    let path = directory.join("server.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let recipe: Recipe =
        toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));

    for program in &recipe.needs {
        // Not all of them know what any of them is asked.
        if let Err(error) = Command::new(program).arg("--help").output() {
            return Err(Missing {
                what: program.clone(),
                reason: error.to_string(),
            });
        }
    }
    let runtime = recipe.install.runtime()?;
    let home = store().join(format!(
        "{name}-{}",
        recipe.install.digest(&directory, &text, &runtime)
    ));
    in_store(name, &home, |staging| {
        recipe.install.fill(&directory, staging, &runtime)
    })?;

    let (program, mut args) = recipe.install.launch(&home, &runtime);
    args.extend(recipe.args);
    Ok(Installed {
        name: name.to_owned(),
        program,
        args,
        env: recipe.env,
        tools: recipe.tools,
        read: recipe.read,
        home,
    })
}

/// `target/servers`, wherever the target directory is.
fn store() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).join("servers")
}

/// Runs `fill` on a staging directory and renames that to `home`, unless `home` is there already.
fn in_store(
    name: &str,
    home: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Missing>,
) -> Result<(), Missing> {
    let disk = |e: io::Error| Missing {
        what: store().display().to_string(),
        reason: e.to_string(),
    };
    fs::create_dir_all(store()).map_err(disk)?;
    let guard = File::create(store().join(format!("{name}.lock"))).map_err(disk)?;
    guard.lock().map_err(disk)?;
    if home.is_dir() {
        return Ok(());
    }
    let staging = tempfile::Builder::new()
        .prefix(".installing-")
        .tempdir_in(store())
        .map_err(disk)?;
    fill(staging.path())?;
    fs::rename(staging.keep(), home).map_err(disk)
}

impl Source {
    /// Absolute path of the interpreter or installer, found by asking it.
    fn runtime(&self) -> Result<PathBuf, Missing> {
        match self {
            Self::Npm { .. } => {
                run("npm", Command::new(NPM).arg("--version"))?;
                run(
                    "node",
                    Command::new("node").args(["-p", "process.execPath"]),
                )
            }
            Self::Pip { .. } => run(
                "python",
                Command::new(PYTHON).args(["-c", "import pip, venv, sys; print(sys.executable)"]),
            ),
            Self::Cargo { .. } => {
                let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                run("cargo", Command::new(&cargo).arg("--version"))?;
                return Ok(cargo.into());
            }
        }
        .map(PathBuf::from)
    }

    /// What must be equal for an install to be used again.
    fn digest(&self, directory: &Path, recipe: &str, runtime: &Path) -> String {
        let mut hash = Sha256::new();
        hash.update(recipe);
        let lock = match self {
            Self::Npm { .. } => Some(NPM_LOCK),
            Self::Pip { .. } => Some(PIP_LOCK),
            Self::Cargo { .. } => None,
        };
        if let Some(lock) = lock {
            let path = directory.join(lock);
            hash.update(fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
        }
        if let Self::Pip { .. } = self {
            // A virtual environment is bound to the interpreter that made it.
            hash.update(runtime.as_os_str().as_encoded_bytes());
        }
        data_encoding::HEXLOWER.encode(&hash.finalize()[..6])
    }

    fn fill(&self, directory: &Path, staging: &Path, runtime: &Path) -> Result<(), Missing> {
        match self {
            Self::Npm { .. } => {
                for file in ["package.json", NPM_LOCK] {
                    let copied = fs::copy(directory.join(file), staging.join(file));
                    copied.unwrap_or_else(|e| panic!("{}: {e}", directory.join(file).display()));
                }
                run(
                    "npm",
                    Command::new(NPM).current_dir(staging).args([
                        "ci",
                        "--ignore-scripts",
                        "--no-audit",
                        "--no-fund",
                        "--loglevel=error",
                    ]),
                )
            }
            Self::Pip { .. } => {
                run(
                    "python",
                    Command::new(runtime)
                        .args(["-m", "venv", "--without-pip"])
                        .arg(staging),
                )?;
                run(
                    "pip",
                    Command::new(runtime)
                        .args([
                            "-m",
                            "pip",
                            "--quiet",
                            "--disable-pip-version-check",
                            "--python",
                        ])
                        .arg(staging.join(VENV_PYTHON))
                        // Wheels only: building a source distribution runs code that no hash names.
                        .args([
                            "install",
                            "--no-deps",
                            "--require-hashes",
                            "--only-binary=:all:",
                            "-r",
                        ])
                        .arg(directory.join(PIP_LOCK)),
                )
            }
            Self::Cargo {
                package, version, ..
            } => {
                // Inside the staging directory, not in the temporary one, which may be a small memory disk.
                let build = staging.join("build");
                let built = run(
                    "cargo",
                    Command::new(runtime)
                        .args(["install", "--quiet", "--locked", "--debug", "--no-track"])
                        .args([package, "--version", &format!("={version}"), "--root"])
                        .arg(staging)
                        .arg("--target-dir")
                        .arg(&build)
                        .env("CARGO_PROFILE_DEV_DEBUG", "false")
                        .env_remove("RUSTFLAGS")
                        .env_remove("CARGO_ENCODED_RUSTFLAGS")
                        .env_remove("CARGO_BUILD_TARGET"),
                );
                // Half a gigabyte that nothing reads again; a leftover costs space and nothing else.
                let _ = fs::remove_dir_all(&build);
                built
            }
        }
        .map(drop)
    }

    fn launch(&self, home: &Path, runtime: &Path) -> (PathBuf, Vec<String>) {
        match self {
            Self::Npm { script } => (
                runtime.to_owned(),
                vec![home.join(script).display().to_string()],
            ),
            // The console script names the staging directory in its first line; the module does not.
            // Isolated, or it would import whatever lies in the working directory.
            Self::Pip { module, function } => {
                let start = match function {
                    None => ["-I".to_owned(), "-m".to_owned(), module.clone()],
                    Some(function) => {
                        let call = format!("import {module}; {module}.{function}()");
                        ["-I".to_owned(), "-c".to_owned(), call]
                    }
                };
                (home.join(VENV_PYTHON), start.to_vec())
            }
            Self::Cargo { binary, .. } => (
                home.join("bin")
                    .join(format!("{binary}{}", std::env::consts::EXE_SUFFIX)),
                Vec::new(),
            ),
        }
    }
}

const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };
const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };
const VENV_PYTHON: &str = if cfg!(windows) {
    "Scripts/python.exe"
} else {
    "bin/python"
};

/// Runs to the end and returns what was printed, trimmed; `what` names the tool in [`Missing`].
fn run(what: &str, command: &mut Command) -> Result<String, Missing> {
    let missing = |reason: String| Missing {
        what: what.to_owned(),
        reason,
    };
    let output = command.output().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => missing("not on PATH".to_owned()),
        _ => missing(e.to_string()),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    // npm and cargo say what went wrong first and how to get help last; pip says it last.
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let said = match lines.as_slice() {
        [first, second, third, .., last] => vec![*first, second, third, last],
        few => few.to_vec(),
    };
    Err(missing(format!("{}: {}", output.status, said.join(" | "))))
}
