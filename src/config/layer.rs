//! Layers: the file and the flags, each checked by itself, then laid over each other.
//!
//! Owns precedence (flag, file, default) and the defaults. A key that both give is the flag's, as
//! a whole; only variables and headers are joined by name, bindings by tool and role. Suites and
//! probes are one selection.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    config::{
        Baseline, Binding, ConfigFile, Era, InProcess, Limits, Progress, Reach, ReportSpec, Serves,
        Settings, SetupCall, Shard, TargetSpec, Testbed, Verbosity, Witness,
        check::Checker,
        settings::{ONE_TARGET, not_served},
    },
    diag::{Diagnostic, Problems, Source},
    policy::Policy,
    probe::Severity,
};

/// Share of the applicable probes that must have been judged.
pub const DEFAULT_COVERAGE: f64 = 0.9;

/// How long a call may take.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the first answer may take: launchers download packages first.
pub const DEFAULT_STARTUP_TIMEOUT: Duration = Duration::from_secs(120);

/// What one place says: the file, or the flags.
#[derive(Debug, Default)]
pub struct Layer {
    pub(crate) command: Option<Vec<String>>,
    pub(crate) wrapper: Option<Vec<String>>,
    pub(crate) url: Option<String>,
    /// A server inside of this process; no file names one.
    pub(crate) inside: Option<InProcess>,
    /// Values in the command or the address that are not to be shown, and the variables that hold them.
    pub(crate) concealed: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bearer_env: Option<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) pass_env: Option<Vec<String>>,
    pub(crate) cwd: Option<String>,
    pub(crate) roots: Option<Vec<String>>,
    pub(crate) allowed: Option<PathBuf>,
    pub(crate) fixture: Option<PathBuf>,
    pub(crate) maps: BTreeMap<String, String>,
    pub(crate) era: Option<Era>,
    pub(crate) setup: Option<Vec<SetupCall>>,
    pub(crate) allow_destructive: Option<Vec<String>>,
    pub(crate) policy: Option<Policy>,
    pub(crate) suites: Option<Vec<String>>,
    pub(crate) frozen_suite: Option<String>,
    pub(crate) probes: Option<Vec<String>>,
    pub(crate) skip: Option<Vec<String>>,
    pub(crate) probe_dirs: Option<Vec<PathBuf>>,
    pub(crate) reports: Option<Vec<ReportSpec>>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) jobs: Option<usize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) startup_timeout: Option<Duration>,
    pub(crate) seed: Option<u64>,
    pub(crate) shard: Option<Shard>,
    pub(crate) coverage: Option<f64>,
    pub(crate) severity: Option<Severity>,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) testbed: Option<Testbed>,
    pub(crate) layers: Option<bool>,
    pub(crate) witness: Option<Witness>,
    pub(crate) verbosity: Verbosity,
    pub(crate) progress: Progress,
    pub(crate) file: Option<PathBuf>,
    /// What to say when no layer names a target.
    pub(crate) no_target: Option<Diagnostic>,
    pub(crate) found: Vec<Diagnostic>,
}

impl Layer {
    /// Reads and checks a config file; its mistakes are kept until the layers are one.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        let layer = match Source::read(path) {
            Ok(source) => Self::of_source(&source, path.parent().unwrap_or(Path::new(""))),
            Err(unreadable) => Self {
                found: vec![unreadable],
                ..Self::default()
            },
        };
        Self {
            file: Some(path.to_owned()),
            ..layer
        }
    }

    /// Checks the text of a config file whose relative paths are relative to `base`.
    #[must_use]
    pub fn of_source(source: &Source, base: &Path) -> Self {
        match source.parse::<ConfigFile>(source.format()) {
            Ok(file) => Self::of_parsed(&file, source, base),
            Err(problems) => Self {
                found: problems.into_vec(),
                ..Self::default()
            },
        }
    }

    /// Checks what was read from `source`.
    pub(super) fn of_parsed(file: &ConfigFile, source: &Source, base: &Path) -> Self {
        let mut found = Vec::new();
        let check = Checker {
            source,
            base,
            found: &mut found,
        };
        let mut layer = Self::of_config(file, check);
        found.sort_by_key(|one| one.span().map_or(0, |span| span.start));
        layer.found.extend(found);
        layer
    }

    fn of_config(file: &ConfigFile, mut check: Checker<'_>) -> Self {
        let check = &mut check;
        let mut layer = Self {
            suites: file.suites.as_ref().map(|list| check.list(list, "a suite")),
            frozen_suite: file
                .frozen_suite
                .as_ref()
                .map(|at| check.full(at, "a date such as 2026.11")),
            probes: file.probes.as_ref().map(|list| check.list(list, "a probe")),
            skip: file.skip.as_ref().map(|list| check.list(list, "a probe")),
            probe_dirs: file
                .probe_dirs
                .as_ref()
                .map(|list| list.iter().map(|at| check.directory(at)).collect()),
            jobs: file.jobs.as_ref().map(|at| check.jobs(at)),
            timeout: file.timeout.as_ref().map(|at| check.seconds(at, "timeout")),
            startup_timeout: file
                .startup_timeout
                .as_ref()
                .map(|at| check.seconds(at, "startup_timeout")),
            seed: file.seed,
            baseline: file.baseline.as_ref().and_then(|at| check.baseline(at)),
            testbed: file.testbed,
            layers: file.layers,
            witness: file.witness,
            policy: file.policy.as_ref().and_then(|at| check.policy(at)),
            reports: file.report.as_ref().map(|list| check.reports(list)),
            bindings: file
                .binding
                .iter()
                .flatten()
                .map(|binding| check.binding(binding))
                .collect(),
            ..Self::default()
        };
        if let Some(thresholds) = &file.thresholds {
            layer.coverage = thresholds.coverage.as_ref().map(|at| check.coverage(at));
            layer.severity = thresholds.severity;
        }
        let Some(at) = &file.target else {
            return layer;
        };
        let target = &at.value;
        layer.command = target.command.as_ref().map(|list| check.command(list));
        layer.wrapper = target.wrapper.as_ref().map(|list| check.command(list));
        layer.url = target.url.as_ref().map(|at| check.url(at));
        match (&target.command, &target.url) {
            (Some(_), Some(url)) => {
                if let Some(why) = not_served(&url.value) {
                    check.error(url, "config::two-targets", why, "not at this", ONE_TARGET);
                }
            }
            (None, None) => {
                layer.no_target = Some(
                    no_target("the target has neither a command nor a URL")
                        .within(check.source)
                        .label(at.span.clone(), "incomplete"),
                );
            }
            _ => {}
        }
        for (name, at) in target.headers.iter().flatten() {
            layer.headers.push(check.header(name, at));
            if name.eq_ignore_ascii_case("authorization") && target.bearer_env.is_none() {
                check.found.push(
                    Diagnostic::warning("config::secret", "a credential in a committed file")
                        .within(check.source)
                        .label(at.span.clone(), "everybody can read it")
                        .help("name an environment variable with bearer_env instead"),
                );
            }
        }
        if target.command.is_some()
            && target.url.is_none()
            && let Some(at) = target.headers.iter().flatten().map(|(_, at)| at).next()
        {
            check.error(
                at,
                "config::headers",
                "headers without a URL",
                "never sent",
                "headers are for targets that are attached to by URL",
            );
        }
        for (name, at) in target.env.iter().flatten() {
            check.variable(name, at);
            layer.env.insert(name.clone(), check.text(at));
        }
        for at in target.pass_env.iter().flatten().chain(&target.bearer_env) {
            check.variable(&at.value, at);
        }
        let list = |list: &Option<Vec<crate::diag::At<String>>>, check: &mut Checker<'_>, what| {
            list.as_ref().map(|list| check.list(list, what))
        };
        layer.bearer_env = target.bearer_env.as_ref().map(|at| at.value.clone());
        layer.pass_env = list(&target.pass_env, check, "a variable");
        layer.allow_destructive = list(&target.allow_destructive, check, "a tool");
        layer.cwd = target.cwd.as_ref().map(|at| check.path(at));
        layer.roots = target
            .roots
            .as_ref()
            .map(|list| list.iter().map(|at| check.path(at)).collect());
        layer.allowed = target.allowed.as_ref().map(|at| check.directory(at));
        layer.fixture = target.fixture.as_ref().map(|at| check.directory(at));
        for (host, inside) in target.map.iter().flatten() {
            layer.maps.extend(check.map(host, inside));
        }
        layer.era = target.era;
        layer.setup = target
            .setup
            .as_ref()
            .map(|list| list.iter().map(|call| check.setup(call)).collect());
        layer
    }

    /// Lays this layer over another one.
    #[must_use]
    pub fn over(mut self, below: Self) -> Self {
        if self.command.is_none() && self.url.is_none() {
            self.command = below.command;
            self.url = below.url;
            self.concealed = below.concealed;
        }
        // A command from the flags makes the headers of the file pointless.
        if self.url.is_some() {
            for (name, value) in below.headers {
                if !self
                    .headers
                    .iter()
                    .any(|(own, _)| own.eq_ignore_ascii_case(&name))
                {
                    self.headers.push((name, value));
                }
            }
            self.bearer_env = self.bearer_env.or(below.bearer_env);
        }
        for (name, value) in below.env {
            self.env.entry(name).or_insert(value);
        }
        for (host, inside) in below.maps {
            self.maps.entry(host).or_insert(inside);
        }
        for binding in below.bindings {
            let told = self
                .bindings
                .iter()
                .any(|own| own.tool == binding.tool && own.role == binding.role);
            if !told {
                self.bindings.push(binding);
            }
        }
        if self.suites.is_none() && self.probes.is_none() {
            self.suites = below.suites;
            self.probes = below.probes;
        }
        let mut found = below.found;
        found.append(&mut self.found);
        Self {
            frozen_suite: self.frozen_suite.or(below.frozen_suite),
            wrapper: self.wrapper.or(below.wrapper),
            pass_env: self.pass_env.or(below.pass_env),
            cwd: self.cwd.or(below.cwd),
            roots: self.roots.or(below.roots),
            allowed: self.allowed.or(below.allowed),
            fixture: self.fixture.or(below.fixture),
            era: self.era.or(below.era),
            setup: self.setup.or(below.setup),
            allow_destructive: self.allow_destructive.or(below.allow_destructive),
            policy: self.policy.or(below.policy),
            skip: self.skip.or(below.skip),
            probe_dirs: self.probe_dirs.or(below.probe_dirs),
            reports: self.reports.or(below.reports),
            jobs: self.jobs.or(below.jobs),
            timeout: self.timeout.or(below.timeout),
            startup_timeout: self.startup_timeout.or(below.startup_timeout),
            seed: self.seed.or(below.seed),
            coverage: self.coverage.or(below.coverage),
            severity: self.severity.or(below.severity),
            baseline: self.baseline.or(below.baseline),
            testbed: self.testbed.or(below.testbed),
            layers: self.layers.or(below.layers),
            witness: self.witness.or(below.witness),
            file: self.file.or(below.file),
            no_target: self.no_target.or(below.no_target),
            found,
            ..self
        }
    }

    /// Fills in the defaults.
    ///
    /// # Errors
    ///
    /// All mistakes of all layers, or that there is no target.
    pub fn settle(self) -> Result<Settings, Problems> {
        let wrapped = self.wrapper.as_ref().map(Vec::len);
        let mut found = self.found.clone();
        if self.url.is_none()
            && found.is_empty()
            && !(self.headers.is_empty() && self.bearer_env.is_none())
        {
            let told = Diagnostic::error("config::headers", "headers without a URL");
            found.push(told.help("--header and --bearer-env are for targets with a --url"));
        }
        let at = self.url.map(|url| Serves {
            url,
            headers: self.headers,
            bearer_env: self.bearer_env,
        });
        if let (Some(_), Some(at), true) = (&self.command, &at, found.is_empty())
            && let Some(why) = not_served(&at.url)
        {
            found.push(Diagnostic::error("config::two-targets", why).help(ONE_TARGET));
        }
        let (reach, serves) = match (self.command, at) {
            _ if self.inside.is_some() => (self.inside.map(Reach::Inside), None),
            (Some(command), at) => {
                let mut words = self.wrapper.unwrap_or_default();
                words.extend(command);
                (Some(Reach::Command(words)), at)
            }
            (None, Some(at)) => (Some(Reach::from(at)), None),
            (None, None) => (None, None),
        };
        let reach = match (reach, Problems::new(found)) {
            (_, Some(problems)) => return Err(problems),
            (Some(reach), None) => reach,
            (None, None) => {
                let missing = self.no_target.unwrap_or_else(|| match &self.file {
                    Some(file) => no_target(&format!("{} names no target", file.display())),
                    None => no_target("there is no target to probe, and no ./watertight.toml"),
                });
                return Err(missing.into());
            }
        };
        let probes = self.probes.unwrap_or_default();
        let suites = self.suites.unwrap_or_else(|| {
            if probes.is_empty() {
                vec![String::from("core")]
            } else {
                Vec::new()
            }
        });
        let policy = self.policy.unwrap_or_else(Policy::default_policy);
        let mut warnings = self.found;
        warnings.extend(policy.warnings().iter().cloned());
        Ok(Settings {
            target: TargetSpec {
                carries: false,
                wrapped: wrapped.filter(|_| matches!(reach, Reach::Command(_))),
                reach,
                serves,
                concealed: self.concealed,
                env: self.env.into_iter().collect(),
                pass_env: self.pass_env.unwrap_or_default(),
                cwd: self.cwd,
                roots: self.roots.unwrap_or_default(),
                allowed: self.allowed,
                fixture: self.fixture,
                maps: self.maps.into_iter().collect(),
                era: self.era.unwrap_or_default(),
                setup: self.setup.unwrap_or_default(),
                allow_destructive: self.allow_destructive.unwrap_or_default(),
            },
            policy,
            suites,
            frozen_suite: self.frozen_suite,
            probes,
            skip: self.skip.unwrap_or_default(),
            probe_dirs: self.probe_dirs.unwrap_or_default(),
            reports: self.reports.unwrap_or_default(),
            bindings: self.bindings,
            jobs: self.jobs,
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
            startup_timeout: self.startup_timeout.unwrap_or(DEFAULT_STARTUP_TIMEOUT),
            seed: self.seed,
            shard: self.shard,
            thresholds: Limits {
                coverage: self.coverage.unwrap_or(DEFAULT_COVERAGE),
                severity: self.severity.unwrap_or(Severity::Low),
            },
            baseline: self.baseline,
            only: None,
            testbed: self.testbed.unwrap_or_default(),
            layers: self.layers.unwrap_or_default(),
            witness: self.witness,
            verbosity: self.verbosity,
            progress: self.progress,
            config: self.file,
            lock: None,
            warnings,
            notes: Vec::new(),
            rehearsal: false,
        })
    }
}

fn no_target(message: &str) -> Diagnostic {
    Diagnostic::error("config::no-target", message).help(
        "name the server's command: watertight run -- npx -y PACKAGE {allowed}\n\
         or write it into ./watertight.toml:\n\
         [target]\n\
         command = [\"npx\", \"-y\", \"PACKAGE\", \"{allowed}\"]",
    )
}
