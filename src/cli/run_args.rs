//! Flags of `run`, which `demo` takes too: one for each key of `watertight.toml`.
//!
//! Owns their names and help texts, and how a flag is read. Checks and precedence are those of
//! the config module.

mod reader;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    cli::run_args::reader::Reader,
    config::{Era, FILE_NAME, Layer, PolicyChoice, Progress, Settings, Verbosity},
    diag::{Diagnostic, Problems, word_of},
    probe::Severity,
};

/// Flags of `run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Program and arguments of the server; `{allowed}` is its directory
    #[arg(last = true, value_name = "COMMAND", help_heading = "Target")]
    pub command: Vec<String>,

    /// Attach to a running server instead (streamable HTTP)
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Target",
        conflicts_with = "command"
    )]
    pub url: Option<String>,

    /// Send a header with each request; repeatable
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Target")]
    pub header: Vec<String>,

    /// Send the bearer token that this variable holds
    #[arg(long, value_name = "VARIABLE", help_heading = "Target")]
    pub bearer_env: Option<String>,

    /// Share this existing directory with the server
    #[arg(long, value_name = "DIR", help_heading = "Target")]
    pub allowed: Option<String>,

    /// Set a variable for the server; repeatable
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Target")]
    pub env: Vec<String>,

    /// Pass a variable of yours on to the server; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub pass_env: Vec<String>,

    /// Run the server in this directory
    #[arg(long, value_name = "DIR", help_heading = "Target")]
    pub cwd: Option<String>,

    /// Tell the server this root; repeatable
    #[arg(long, value_name = "PATH", help_heading = "Target")]
    pub roots: Vec<String>,

    /// Protocol lifecycle: auto, handshake or stateless
    #[arg(long, value_name = "ERA", help_heading = "Target", value_parser = word_of_flag::<Era>)]
    pub era: Option<Era>,

    /// Call a tool before probing; repeatable
    #[arg(long, value_name = "TOOL=JSON", help_heading = "Target")]
    pub setup: Vec<String>,

    /// Tell how a tool is used; repeatable
    #[arg(
        long,
        value_name = "TOOL:ROLE=POINTER",
        help_heading = "Target",
        long_help = "Tell how a tool is used; repeatable\n\n\
            TOOL:ROLE=POINTER[,SLOT=POINTER]..., such as read:file.read=/path or \
            put:file.write=/path,content=/text; or the whole binding as JSON."
    )]
    pub bind: Vec<String>,

    /// Let this destructive tool be called; repeatable
    #[arg(long, value_name = "TOOL", help_heading = "Target")]
    pub allow_destructive: Vec<String>,

    /// Policy file: JSON, YAML or TOML
    #[arg(long, value_name = "FILE", help_heading = "What is tested")]
    pub policy: Option<String>,

    /// Run this suite; repeatable [default: core]
    #[arg(long, value_name = "NAME", help_heading = "What is tested")]
    pub suite: Vec<String>,

    /// Run this probe; repeatable
    #[arg(long, value_name = "ID", help_heading = "What is tested")]
    pub probe: Vec<String>,

    /// Leave this probe or boundary out; repeatable
    #[arg(long, value_name = "ID", help_heading = "What is tested")]
    pub skip: Vec<String>,

    /// Load probes and suites of your own; repeatable
    #[arg(long, value_name = "DIR", help_heading = "What is tested")]
    pub probes: Vec<String>,

    /// Least share of probes that must be judged, 0 to 1
    #[arg(long, value_name = "SHARE", help_heading = "What is tested")]
    pub min_coverage: Option<f64>,

    /// Least severity that fails: low, medium, high, critical
    #[arg(
        long,
        value_name = "SEVERITY",
        help_heading = "What is tested",
        value_parser = word_of_flag::<Severity>
    )]
    pub min_severity: Option<Severity>,

    /// Calls in flight at once
    #[arg(long, short, value_name = "N", help_heading = "How it runs")]
    pub jobs: Option<u32>,

    /// Seconds that a call may take [default: 10]
    #[arg(long, value_name = "SECONDS", help_heading = "How it runs")]
    pub timeout: Option<f64>,

    /// Seconds until the first answer [default: 120]
    #[arg(long, value_name = "SECONDS", help_heading = "How it runs")]
    pub startup_timeout: Option<f64>,

    /// Repeat the order and tokens of a run
    #[arg(long, value_name = "N", help_heading = "How it runs")]
    pub seed: Option<u64>,

    /// Read this instead of ./watertight.toml
    #[arg(long, value_name = "FILE", help_heading = "How it runs")]
    pub config: Option<PathBuf>,

    /// Write a report, text or json; repeatable
    #[arg(long, value_name = "FORMAT=PATH", help_heading = "Output")]
    pub report: Vec<String>,

    /// Print the summary only
    #[arg(long, short, help_heading = "Output", conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print every trial
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,

    /// Show progress: auto, bar, lines or none
    #[arg(
        long,
        value_name = "WHEN",
        help_heading = "Output",
        value_parser = word_of_flag::<Progress>
    )]
    pub progress: Option<Progress>,
}

/// A flag that is one of a few words.
fn word_of_flag<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    word_of(text)
}

impl RunArgs {
    /// Lays the flags over the config file: the one given by `--config`, else `watertight.toml`
    /// in `here` if there is one.
    ///
    /// # Errors
    ///
    /// All mistakes in flags and file, or that there is no target.
    pub fn settle(&self, here: &Path) -> Result<Settings, Problems> {
        let present = here.join(FILE_NAME);
        let file = match &self.config {
            Some(file) => Layer::of_file(file),
            None if present.is_file() => Layer::of_file(&present),
            None => Layer::default(),
        };
        self.layer().over(file).settle()
    }

    /// The same for a subcommand that brings its own target: a config file counts only when it is
    /// given by `--config`, and its target is not used.
    ///
    /// # Errors
    ///
    /// As [`settle`](Self::settle); or that a target was given.
    pub fn settle_with(&self, command: Vec<String>) -> Result<Settings, Problems> {
        if !self.command.is_empty() || self.url.is_some() {
            return Err(Diagnostic::error(
                "config::own-target",
                "this subcommand brings its own target",
            )
            .help("probe a target of yours with `watertight run`")
            .into());
        }
        let mut flags = self.layer();
        flags.command = Some(command);
        let file = self.config.as_deref().map(Layer::of_file);
        flags.over(file.unwrap_or_default()).settle()
    }

    /// What the flags say, checked.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        let mut found = Vec::new();
        let mut read = Reader::new(&mut found);
        if !self.command.is_empty() {
            layer.command = Some(read.command(&self.command));
        }
        layer.url = read.one("--url", self.url.as_ref(), |check, at| check.url(&at));
        for text in &self.header {
            layer.headers.extend(read.header(text));
        }
        layer.bearer_env = read.one("--bearer-env", self.bearer_env.as_ref(), |check, at| {
            check.variable(&at.value, &at);
            at.value
        });
        layer.allowed = read.one("--allowed", self.allowed.as_ref(), |check, at| {
            check.directory(&at)
        });
        for text in &self.env {
            layer.env.extend(read.variable(text));
        }
        layer.pass_env = read.many("--pass-env", &self.pass_env, |check, at| {
            check.variable(&at.value, &at);
            at.value
        });
        layer.cwd = read.one("--cwd", self.cwd.as_ref(), |check, at| check.path(&at));
        layer.roots = read.many("--roots", &self.roots, |check, at| check.path(&at));
        layer.era = self.era;
        layer.setup = (!self.setup.is_empty()).then(|| {
            self.setup
                .iter()
                .filter_map(|text| read.setup(text))
                .collect()
        });
        layer.bindings = self
            .bind
            .iter()
            .filter_map(|text| read.binding(text))
            .collect();
        layer.allow_destructive = read.many(
            "--allow-destructive",
            &self.allow_destructive,
            |check, at| check.full(&at, "the tool"),
        );
        layer.policy = read
            .one("--policy", self.policy.as_ref(), |check, at| {
                check.policy(&at.with(PolicyChoice::Path(at.value.clone())))
            })
            .flatten();
        layer.suites = read.many("--suite", &self.suite, |check, at| {
            check.full(&at, "a suite")
        });
        layer.probes = read.many("--probe", &self.probe, |check, at| {
            check.full(&at, "a probe")
        });
        layer.skip = read.many("--skip", &self.skip, |check, at| check.full(&at, "a probe"));
        layer.probe_dirs = read.many("--probes", &self.probes, |check, at| check.directory(&at));
        layer.coverage = read.number("--min-coverage", self.min_coverage, |check, at| {
            check.coverage(&at)
        });
        layer.severity = self.min_severity;
        layer.jobs = read.number("--jobs", self.jobs, |check, at| check.jobs(&at));
        layer.timeout = read.number("--timeout", self.timeout, |check, at| {
            check.seconds(&at, "--timeout")
        });
        layer.startup_timeout =
            read.number("--startup-timeout", self.startup_timeout, |check, at| {
                check.seconds(&at, "--startup-timeout")
            });
        layer.seed = self.seed;
        layer.reports = read.reports(&self.report);
        layer.verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        layer.progress = self.progress.unwrap_or_default();
        layer.found = found;
        layer
    }
}
