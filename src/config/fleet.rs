//! The format of `fleet.toml`: many servers, each with what `watertight.toml` says of one.
//!
//! Owns the serde types, what must be true of a whole fleet, and how the settings of one server come
//! about: what its entry says lies over the file that it names, and that over the defaults.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        Binding, ConfigFile, Layer, PolicyChoice, ReportFormat, Target, Testbed, Thresholds,
        check::Checker,
    },
    diag::{At, Diagnostic, Problems, Source},
};

/// Servers that are probed at once, unless the file or the user says otherwise.
const JOBS: usize = 2;

/// Where reports go, unless the file or the user says otherwise.
const DIRECTORY: &str = "watertight-fleet";

/// Longer names do not fit into names of files.
const LONGEST_NAME: usize = 100;

/// Names of files that are the fleet's own.
const TAKEN: [&str; 2] = ["fleet", "index"];

/// Many servers, each tested by a run of its own.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetFile {
    /// Servers probed at once; 2 when left out.
    #[schemars(extend("minimum" = 1))]
    pub jobs: Option<At<u32>>,
    /// Where the reports go; `watertight-fleet` beside this file when left out.
    pub directory: Option<At<String>>,
    /// Formats of the report of each server, besides JSON and HTML.
    pub formats: Option<Vec<ReportFormat>>,
    /// What every server has that does not say otherwise.
    pub defaults: Option<FleetEntry>,
    /// The servers.
    pub server: Option<At<Vec<At<FleetEntry>>>>,
}

/// One server of a fleet: the keys of `watertight.toml`, and a name.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetEntry {
    /// Its name in the overview and of its reports: letters, digits, `.`, `_` and `-`. Required of
    /// servers, and not allowed in the defaults.
    pub name: Option<At<String>>,
    /// Path of its own `watertight.toml`. Keys of the entry go before those of the file, and reports
    /// that the file names are not written.
    pub config: Option<At<String>>,
    /// As in `watertight.toml`.
    pub suites: Option<Vec<At<String>>>,
    /// As in `watertight.toml`.
    pub frozen_suite: Option<At<String>>,
    /// As in `watertight.toml`.
    pub probes: Option<Vec<At<String>>>,
    /// As in `watertight.toml`.
    pub skip: Option<Vec<At<String>>>,
    /// As in `watertight.toml`.
    pub probe_dirs: Option<Vec<At<String>>>,
    /// As in `watertight.toml`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub timeout: Option<At<f64>>,
    /// As in `watertight.toml`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub startup_timeout: Option<At<f64>>,
    /// As in `watertight.toml`.
    pub seed: Option<u64>,
    /// As in `watertight.toml`.
    pub policy: Option<At<PolicyChoice>>,
    /// As in `watertight.toml`.
    pub target: Option<At<Target>>,
    /// As in `watertight.toml`.
    pub thresholds: Option<Thresholds>,
    /// As in `watertight.toml`.
    pub testbed: Option<Testbed>,
    /// As in `watertight.toml`.
    pub binding: Option<Vec<Binding>>,
}

/// A fleet without mistakes.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Names of the servers, in order of the file.
    pub servers: Vec<String>,
    /// Servers probed at once.
    pub jobs: usize,
    /// Where the reports go.
    pub directory: PathBuf,
    /// Formats of the report of each server, besides JSON and HTML.
    pub formats: Vec<ReportFormat>,
}

impl Fleet {
    /// Reads and checks a fleet file with the settings of every server.
    ///
    /// # Errors
    /// All mistakes in it and in the files that it names.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let source = Source::read(path)?;
        let file: FleetFile = source.parse(source.format())?;
        let base = path.parent().unwrap_or(Path::new(""));
        let mut found = Vec::new();
        let mut check = Checker {
            source: &source,
            base,
            found: &mut found,
        };
        let fleet = Self {
            jobs: file.jobs.as_ref().map_or(JOBS, |at| check.jobs(at)),
            directory: file
                .directory
                .as_ref()
                .map_or_else(|| base.join(DIRECTORY), |at| PathBuf::from(check.path(at))),
            formats: formats(&file),
            servers: names(&file, &mut check),
        };
        if let Some(name) = file.defaults.iter().find_map(|all| all.name.as_ref()) {
            check.error(
                name,
                "fleet::name",
                "the defaults have no name",
                "of all servers?",
                "names stand in [[server]]",
            );
        }
        // Once, and not again for each server.
        found.extend(defaults(&file, &source, base).found);
        for (entry, name) in entries(&file).iter().zip(&fleet.servers) {
            match layer(&file, &entry.value, &source, base).settle() {
                Ok(_) => {}
                Err(problems) => found.extend(problems.into_vec().into_iter().map(|problem| {
                    // A target that is nowhere has no place in the file.
                    match problem.code() {
                        "config::no-target" => Diagnostic::error(
                            "config::no-target",
                            format!("the server `{name}` has no target"),
                        )
                        .within(&source)
                        .label(entry.span.clone(), "neither a command nor a URL")
                        .help("give it [server.target] with a command or a url, or a `config` that has one"),
                        _ => problem,
                    }
                })),
            }
        }
        found.retain(|problem| !problem.is_warning());
        match Problems::new(found) {
            Some(problems) => Err(problems),
            None => Ok(fleet),
        }
    }
}

impl Layer {
    /// What a fleet file says of one of its servers, checked; and the path of the server's own config
    /// file, if it has one.
    #[must_use]
    pub fn of_fleet(path: &Path, server: &str) -> (Self, Option<PathBuf>) {
        let failed = |found| Self {
            found,
            file: Some(path.to_owned()),
            ..Self::default()
        };
        let source = match Source::read(path) {
            Ok(source) => source,
            Err(unreadable) => return (failed(vec![unreadable]), None),
        };
        let file: FleetFile = match source.parse(source.format()) {
            Ok(file) => file,
            Err(problems) => return (failed(problems.into_vec()), None),
        };
        let base = path.parent().unwrap_or(Path::new(""));
        let named = |entry: &&At<FleetEntry>| {
            let name = entry.value.name.as_ref();
            name.is_some_and(|name| name.value == server)
        };
        let Some(entry) = entries(&file).iter().find(named) else {
            let names: Vec<&str> = entries(&file)
                .iter()
                .filter_map(|entry| Some(entry.value.name.as_ref()?.value.as_str()))
                .collect();
            let told = Diagnostic::error(
                "fleet::unknown",
                format!("{} has no server called `{server}`", path.display()),
            );
            let told = told.help(format!("its servers are {}", names.join(", ")));
            return (failed(vec![told]), None);
        };
        let layer = Self {
            file: Some(path.to_owned()),
            ..layer(&file, &entry.value, &source, base)
        };
        let own = entry.value.config.as_ref();
        (layer, own.map(|own| base.join(&own.value)))
    }
}

fn entries(file: &FleetFile) -> &[At<FleetEntry>] {
    file.server.as_ref().map_or(&[], |list| &list.value)
}

fn formats(file: &FleetFile) -> Vec<ReportFormat> {
    let mut formats = file.formats.clone().unwrap_or_default();
    formats.retain(|format| !matches!(format, ReportFormat::Json | ReportFormat::Html));
    let mut seen = Vec::new();
    formats.retain(|format| {
        let new = !seen.contains(format);
        seen.push(*format);
        new
    });
    formats
}

/// The names of all servers.
fn names(file: &FleetFile, check: &mut Checker<'_>) -> Vec<String> {
    if entries(file).is_empty() {
        let told = Diagnostic::error("fleet::empty", "the fleet has no servers");
        let told = match &file.server {
            Some(list) => told
                .within(check.source)
                .label(list.span.clone(), "nothing in it"),
            None => told.within(check.source),
        };
        check.found.push(told.help(
            "write one:\n[[server]]\nname = \"files\"\n[server.target]\n\
             command = [\"npx\", \"-y\", \"PACKAGE\", \"{allowed}\"]",
        ));
    }
    let mut names: Vec<String> = Vec::new();
    for entry in entries(file) {
        let Some(name) = &entry.value.name else {
            check.error(
                entry,
                "fleet::name",
                "a server has no name",
                "which one is it?",
                "add name = \"...\": its reports are called by it",
            );
            names.push(String::from("without a name"));
            continue;
        };
        let text = &name.value;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(plain) {
            check.error(
                name,
                "fleet::name",
                "the name of a server is the name of its reports",
                "cannot be one",
                format!("use up to {LONGEST_NAME} letters, digits, `.`, `_` and `-`"),
            );
        } else if text.starts_with(['.', '-']) {
            check.error(
                name,
                "fleet::name",
                "a name cannot begin like a hidden file or a flag",
                "the first character",
                "begin it with a letter or a digit",
            );
        } else if TAKEN.iter().any(|taken| text.eq_ignore_ascii_case(taken)) {
            check.error(
                name,
                "fleet::name",
                format!("`{text}` is the name of the overview itself"),
                "taken",
                "give the server another name",
            );
        } else if names.iter().any(|known| known.eq_ignore_ascii_case(text)) {
            check.error(
                name,
                "fleet::twice",
                format!("two servers are called `{text}`"),
                "the second one",
                "give each a name of its own; case makes no difference",
            );
        }
        names.push(text.clone());
    }
    names
}

fn defaults(file: &FleetFile, source: &Source, base: &Path) -> Layer {
    match &file.defaults {
        Some(all) => own(all, source, base).over(of_config(all, source, base)),
        None => Layer::default(),
    }
}

/// The settings of one server; mistakes of the defaults are not its own.
fn layer(file: &FleetFile, entry: &FleetEntry, source: &Source, base: &Path) -> Layer {
    let mut below = defaults(file, source, base);
    below.found.clear();
    let named = of_config(entry, source, base);
    own(entry, source, base).over(named).over(below)
}

/// What the entry says by itself.
fn own(entry: &FleetEntry, source: &Source, base: &Path) -> Layer {
    let entry = entry.clone();
    Layer::of_parsed(
        &ConfigFile {
            suites: entry.suites,
            frozen_suite: entry.frozen_suite,
            probes: entry.probes,
            skip: entry.skip,
            probe_dirs: entry.probe_dirs,
            jobs: None,
            timeout: entry.timeout,
            startup_timeout: entry.startup_timeout,
            seed: entry.seed,
            baseline: None,
            layers: None,
            witness: None,
            policy: entry.policy,
            target: entry.target,
            thresholds: entry.thresholds,
            testbed: entry.testbed,
            report: None,
            binding: entry.binding,
        },
        source,
        base,
    )
}

/// What the file says that the entry names.
fn of_config(entry: &FleetEntry, source: &Source, base: &Path) -> Layer {
    let Some(at) = &entry.config else {
        return Layer::default();
    };
    let path = base.join(&at.value);
    if path.is_file() {
        return Layer::of_file(&path);
    }
    let missing = Diagnostic::error(
        "fleet::config",
        format!("there is no file {}", path.display()),
    );
    Layer {
        found: vec![
            missing
                .within(source)
                .label(at.span.clone(), "named here")
                .help("paths are relative to the fleet file"),
        ],
        ..Layer::default()
    }
}
