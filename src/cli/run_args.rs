//! Flags of `run`, which `demo` takes too: one for each key of `watertight.toml`.
//!
//! Owns their names and help texts, and how a flag is read. Checks and precedence are those of
//! the config module.

mod from;
mod launch;
mod reader;

use std::path::Path;

use clap::Args;

pub use launch::LaunchArgs;

use crate::{
    channel::LOCK_FILE,
    cli::run_args::reader::Reader,
    config::{
        FILE_NAME, Fleet, Layer, PolicyChoice, Progress, Settings, Shard, Verbosity, Witness,
    },
    diag::{Diagnostic, Problems, word_of},
    probe::Severity,
};

/// Flags of `run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// The target.
    #[command(flatten)]
    pub launch: LaunchArgs,

    /// Run this suite; repeatable [default: core]
    #[arg(long, value_name = "NAME", help_heading = "What is tested")]
    pub suite: Vec<String>,

    /// Take suites and probes as they were at this date, such as 2026.11
    #[arg(long, value_name = "DATE", help_heading = "What is tested")]
    pub frozen_suite: Option<String>,

    /// Run this probe; repeatable
    #[arg(long, value_name = "ID", help_heading = "What is tested")]
    pub probe: Vec<String>,

    /// Leave this probe or boundary out; repeatable
    #[arg(long, value_name = "ID", help_heading = "What is tested")]
    pub skip: Vec<String>,

    /// Load probes and suites of your own; repeatable
    #[arg(long, value_name = "DIR", help_heading = "What is tested")]
    pub probes: Vec<String>,

    /// Least share of probes that must be judged, 0 to 1 [default: 0.9]
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

    /// Accept the known verdicts in this file
    #[arg(long, value_name = "FILE", help_heading = "What is tested")]
    pub baseline: Option<String>,

    /// Repeat the names of what is planted
    #[arg(long, value_name = "N", help_heading = "How it runs")]
    pub seed: Option<u64>,

    /// Tell who stopped an attack: the server, or the sandbox around it
    #[arg(
        long,
        help_heading = "What is tested",
        long_help = "Tell who stopped an attack: the server, or the sandbox around it\n\n\
            Runs three times more: with a server that permits everything (`watertight stub`) in the same \
            sandbox and without one, and with the server without the sandbox. The sandbox is what stands \
            before `--` in the command, or --wrapper."
    )]
    pub layers: bool,

    /// See what the server attempts and the kernel refuses: syscalls
    #[arg(
        long,
        value_name = "WITNESS",
        help_heading = "What is tested",
        value_parser = word_of_flag::<Witness>,
        long_help = "See what the server attempts and the kernel refuses: syscalls\n\n\
            Traces the server, and tells for each attack that did not succeed whether it was attempted at all, \
            and what the kernel said. Makes calls one by one; the tracer shows in what the kernel tells of the \
            process, so that nothing is said of that."
    )]
    pub witness: Option<Witness>,

    /// Do one part of the run: I/N, auto or auto/N
    #[arg(
        long,
        value_name = "I/N",
        help_heading = "How it runs",
        value_parser = shard_of_flag,
        long_help = "Do one part of the run, for `watertight merge`\n\n\
            2/8 is the second of eight. auto asks the CI job: CI_NODE_INDEX and CI_NODE_TOTAL, or \
            JOB_COMPLETION_INDEX of a Kubernetes Indexed Job with the count behind a slash \
            (auto/8) or in JOB_COMPLETIONS. All parts need the same --seed; without one it is 0."
    )]
    pub shard: Option<Shard>,

    /// Write a report (formats: see render); repeatable
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
pub(super) fn word_of_flag<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    word_of(text)
}

/// A flag that says which part of how many.
pub(super) fn shard_of_flag(text: &str) -> Result<Shard, String> {
    Shard::parse(text, |name| std::env::var(name).ok())
}

/// What is missing where a fleet is given and none of its servers.
fn choose(fleet: &Fleet) -> Problems {
    Diagnostic::error("target::fleet", "the file is a fleet of servers")
        .help(format!(
            "choose one with --server: {}",
            fleet.servers.join(", ")
        ))
        .into()
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
        // With --from it is a server of that file.
        let of_fleet = self.launch.server.as_ref();
        let of_fleet = of_fleet.filter(|_| self.launch.from.is_none());
        if let (None, Some(name)) = (&self.launch.config, of_fleet) {
            let told = Diagnostic::error(
                "target::server",
                format!("no file is given that has a server `{name}`"),
            );
            return Err(told
                .help("give the file of an MCP client with --from, or a fleet file with --config")
                .into());
        }
        let (file, lock) = match (&self.launch.config, of_fleet) {
            (Some(fleet), Some(server)) => {
                let (layer, own) = Layer::of_fleet(fleet, server);
                let own = own.and_then(|own| Some(own.parent()?.join(LOCK_FILE)));
                let lock = self.launch.lock.clone().or(own);
                (layer, lock.filter(|_| !self.launch.no_lock))
            }
            (Some(file), None) => (Layer::of_file(file), self.launch.lock_file(here)),
            (None, _) if present.is_file() => {
                (Layer::of_file(&present), self.launch.lock_file(here))
            }
            (None, _) => (Layer::default(), self.launch.lock_file(here)),
        };
        let settled = self.told().over(file).settle();
        let mut settings = settled.map_err(|problems| match (&self.launch.config, of_fleet) {
            (Some(fleet), None) => Fleet::read(fleet).map_or(problems, |fleet| choose(&fleet)),
            _ => problems,
        })?;
        settings.lock = lock;
        Ok(settings)
    }

    /// Takes the flags alone: a config file counts only when it is given by `--config`.
    ///
    /// # Errors
    ///
    /// As [`settle`](Self::settle).
    pub fn settle_alone(&self) -> Result<Settings, Problems> {
        let file = self.launch.config.as_deref().map(Layer::of_file);
        self.told().over(file.unwrap_or_default()).settle()
    }

    /// What the flags say, with the server of `--from`.
    fn told(&self) -> Layer {
        let flags = self.layer();
        match &self.launch.from {
            Some(path) => {
                let server = from::layer(path, self.launch.server.as_deref(), &flags);
                flags.over(server)
            }
            None => flags,
        }
    }

    /// The same for a subcommand that brings its own target: a config file counts only when it is
    /// given by `--config`, and its target is not used.
    ///
    /// # Errors
    ///
    /// As [`settle`](Self::settle); or that a target was given.
    pub fn settle_with(&self, command: Vec<String>) -> Result<Settings, Problems> {
        let target = &self.launch;
        if !target.command.is_empty() || target.url.is_some() || target.from.is_some() {
            return Err(Diagnostic::error(
                "config::own-target",
                "this subcommand brings its own target",
            )
            .help("probe a target of yours with `watertight run`")
            .into());
        }
        let mut flags = self.layer();
        flags.command = Some(command);
        let file = self.launch.config.as_deref().map(Layer::of_file);
        flags.over(file.unwrap_or_default()).settle()
    }

    /// What the flags say, checked.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        let mut found = Vec::new();
        let mut read = Reader::new(&mut found);
        if !self.launch.command.is_empty() {
            layer.command = Some(read.command(&self.launch.command));
        }
        if let Some(text) = &self.launch.wrapper {
            layer.wrapper = read.wrapper(text);
        }
        layer.url = read.one("--url", self.launch.url.as_ref(), |check, at| {
            check.url(&at)
        });
        for text in &self.launch.header {
            layer.headers.extend(read.header(text));
        }
        layer.bearer_env = read.one(
            "--bearer-env",
            self.launch.bearer_env.as_ref(),
            |check, at| {
                check.variable(&at.value, &at);
                at.value
            },
        );
        layer.allowed = read.one("--allowed", self.launch.allowed.as_ref(), |check, at| {
            check.directory(&at)
        });
        layer.fixture = read.one("--fixture", self.launch.fixture.as_ref(), |check, at| {
            check.directory(&at)
        });
        for text in &self.launch.env {
            layer.env.extend(read.variable(text));
        }
        layer.pass_env = read.many("--pass-env", &self.launch.pass_env, |check, at| {
            check.variable(&at.value, &at);
            at.value
        });
        layer.cwd = read.one("--cwd", self.launch.cwd.as_ref(), |check, at| {
            check.path(&at)
        });
        layer.roots = read.many("--roots", &self.launch.roots, |check, at| check.path(&at));
        for text in &self.launch.map {
            layer.maps.extend(read.map(text));
        }
        layer.era = self.launch.era;
        layer.setup = (!self.launch.setup.is_empty()).then(|| {
            self.launch
                .setup
                .iter()
                .filter_map(|text| read.setup(text))
                .collect()
        });
        layer.bindings = self
            .launch
            .bind
            .iter()
            .filter_map(|text| read.binding(text))
            .collect();
        layer.allow_destructive = read.many(
            "--allow-destructive",
            &self.launch.allow_destructive,
            |check, at| check.full(&at, "the tool"),
        );
        layer.policy = read
            .one("--policy", self.launch.policy.as_ref(), |check, at| {
                check.policy(&at.with(PolicyChoice::Path(at.value.clone())))
            })
            .flatten();
        layer.suites = read.many("--suite", &self.suite, |check, at| {
            check.full(&at, "a suite")
        });
        layer.frozen_suite = read.one("--frozen-suite", self.frozen_suite.as_ref(), |check, at| {
            check.full(&at, "a date such as 2026.11")
        });
        layer.probes = read.many("--probe", &self.probe, |check, at| {
            check.full(&at, "a probe")
        });
        layer.skip = read.many("--skip", &self.skip, |check, at| check.full(&at, "a probe"));
        layer.probe_dirs = read.many("--probes", &self.probes, |check, at| check.directory(&at));
        layer.baseline = read
            .one("--baseline", self.baseline.as_ref(), |check, at| {
                check.baseline(&at)
            })
            .flatten();
        layer.coverage = read.number("--min-coverage", self.min_coverage, |check, at| {
            check.coverage(&at)
        });
        layer.severity = self.min_severity;
        layer.jobs = read.number("--jobs", self.launch.jobs, |check, at| check.jobs(&at));
        layer.timeout = read.number("--timeout", self.launch.timeout, |check, at| {
            check.seconds(&at, "--timeout")
        });
        layer.startup_timeout = read.number(
            "--startup-timeout",
            self.launch.startup_timeout,
            |check, at| check.seconds(&at, "--startup-timeout"),
        );
        layer.seed = self.seed;
        layer.shard = self.shard;
        layer.testbed = self.launch.testbed;
        layer.layers = self.layers.then_some(true);
        layer.witness = self.witness;
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
