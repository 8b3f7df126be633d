//! Flags of `run`, which `demo` takes too: one for each key of `watertight.toml`.
//!
//! Owns their names and help texts, and how a flag is read. Checks and precedence are those of
//! the config module.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Map, Value};

use crate::{
    config::{
        Binding, Checker, Era, FILE_NAME, Layer, PolicyChoice, Progress, Report, ReportFormat,
        ReportSpec, Settings, SetupCall, Verbosity,
    },
    diag::{At, Diagnostic, Format, Problems, Source, word_of},
    probe::{Role, Severity, Slot},
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
        let mut read = Reader { found: &mut found };
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

/// Reads flags. Each flag is a text of its own, in which mistakes are underlined.
struct Reader<'a> {
    found: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn at<T>(
        &mut self,
        flag: &str,
        text: &str,
        read: impl FnOnce(&mut Checker<'_>, At<String>) -> T,
    ) -> T {
        let mut check = Checker {
            source: &Source::new(flag, text),
            base: Path::new(""),
            found: self.found,
        };
        let at = At {
            value: text.to_owned(),
            span: 0..text.len(),
        };
        read(&mut check, at)
    }

    fn one<T>(
        &mut self,
        flag: &str,
        text: Option<&String>,
        read: impl FnOnce(&mut Checker<'_>, At<String>) -> T,
    ) -> Option<T> {
        text.map(|text| self.at(flag, text, read))
    }

    fn many<T>(
        &mut self,
        flag: &str,
        texts: &[String],
        read: impl Fn(&mut Checker<'_>, At<String>) -> T,
    ) -> Option<Vec<T>> {
        let all: Vec<T> = texts
            .iter()
            .map(|text| self.at(flag, text, &read))
            .collect();
        (!all.is_empty()).then_some(all)
    }

    fn number<N: ToString, T>(
        &mut self,
        flag: &str,
        number: Option<N>,
        read: impl FnOnce(&mut Checker<'_>, At<N>) -> T,
    ) -> Option<T> {
        number.map(|number| {
            let text = number.to_string();
            self.at(flag, &text, |check, at| read(check, at.with(number)))
        })
    }

    fn command(&mut self, words: &[String]) -> Vec<String> {
        let mut start = 0;
        let words_at = words.iter().map(|word| {
            let span = start..start + word.len();
            start = span.end + 1;
            At {
                value: word.clone(),
                span,
            }
        });
        let words_at = words_at.collect();
        self.at("COMMAND", &words.join(" "), |check, all| {
            check.command(&all.with(words_at))
        })
    }

    /// A flag without a shape that can be read.
    fn shapeless(&mut self, flag: &str, text: &str, why: &str, help: &str) {
        self.at(flag, text, |check, at| {
            check.error(
                &at,
                "config::flag",
                format!("{flag} cannot be read"),
                why,
                help,
            );
        });
    }

    fn header(&mut self, text: &str) -> Option<(String, String)> {
        let Some((name, value)) = text.split_once(':') else {
            self.shapeless("--header", text, "no colon", "write \"NAME: VALUE\"");
            return None;
        };
        self.at("--header", text, |check, at| {
            let value = at.with(value.trim().to_owned());
            Some(check.header(name.trim(), &value))
        })
    }

    fn variable(&mut self, text: &str) -> Option<(String, String)> {
        let Some((name, value)) = text.split_once('=') else {
            let help = format!("write {text}=VALUE, or --pass-env {text} to pass yours on");
            self.shapeless("--env", text, "no value", &help);
            return None;
        };
        self.at("--env", text, |check, at| {
            let value = at.with(value.to_owned());
            check.variable(name, &value);
            Some((name.to_owned(), check.text(&value)))
        })
    }

    fn setup(&mut self, text: &str) -> Option<SetupCall> {
        let (tool, arguments) = text.split_once('=').unwrap_or((text, "{}"));
        let source = Source::new("--setup", arguments);
        let arguments = match source.parse::<Map<String, Value>>(Format::Json) {
            Ok(arguments) => arguments,
            Err(problems) => {
                self.found.extend(problems.into_vec());
                return None;
            }
        };
        self.at("--setup", text, |check, at| {
            Some(check.setup(&SetupCall {
                tool: at.with(tool.to_owned()),
                arguments,
            }))
        })
    }

    fn binding(&mut self, text: &str) -> Option<Binding> {
        let source = Source::new("--bind", text);
        let binding = if text.trim_start().starts_with('{') {
            match source.parse::<Binding>(Format::Json) {
                Ok(binding) => binding,
                Err(problems) => {
                    self.found.extend(problems.into_vec());
                    return None;
                }
            }
        } else {
            match binding_of(text) {
                Ok(binding) => binding,
                Err(why) => {
                    let help = "write TOOL:ROLE=POINTER[,SLOT=POINTER]..., such as \
                        put:file.write=/path,content=/text";
                    self.shapeless("--bind", text, &why, help);
                    return None;
                }
            }
        };
        self.at("--bind", text, |check, _| Some(check.binding(&binding)))
    }

    fn reports(&mut self, texts: &[String]) -> Option<Vec<ReportSpec>> {
        let mut specs = Vec::with_capacity(texts.len());
        for text in texts {
            let shape = text
                .split_once('=')
                .ok_or_else(|| String::from("no `=`"))
                .and_then(|(format, path)| Ok((word_of::<ReportFormat>(format)?, path)));
            match shape {
                Ok((format, path)) => {
                    let spec = self.at("--report", text, |check, _| {
                        let path = At {
                            value: path.to_owned(),
                            span: text.len() - path.len()..text.len(),
                        };
                        check.report(&Report { format, path }, &specs)
                    });
                    specs.push(spec);
                }
                Err(why) => {
                    let help = "write FORMAT=PATH, such as json=report.json or text=-";
                    self.shapeless("--report", text, &why, help);
                }
            }
        }
        (!texts.is_empty()).then_some(specs)
    }
}

/// `TOOL:ROLE=POINTER[,SLOT=POINTER]...`; every part keeps its place in the text.
fn binding_of(text: &str) -> Result<Binding, String> {
    let (head, slots) = text.split_once('=').ok_or("no `=` after the role")?;
    let (tool, role_word) = head
        .rsplit_once(':')
        .ok_or("no `:` between tool and role")?;
    let role: Role = word_of(role_word)?;
    let place = |part: &str| {
        let start = part.as_ptr().addr() - text.as_ptr().addr();
        start..start + part.len()
    };
    let mut by_slot: BTreeMap<Slot, At<Vec<At<String>>>> = BTreeMap::new();
    for (index, part) in slots.split(',').enumerate() {
        let (slot, pointer) = match part.split_once('=') {
            Some((slot, pointer)) if !slot.starts_with('/') => (word_of(slot)?, pointer),
            _ if index == 0 => (role.slots()[0], part),
            _ => return Err(format!("`{part}` names no slot")),
        };
        let pointer = At {
            value: pointer.to_owned(),
            span: place(pointer),
        };
        by_slot
            .entry(slot)
            .or_insert_with(|| At {
                value: Vec::new(),
                span: place(part),
            })
            .value
            .push(pointer);
    }
    Ok(Binding {
        tool: At {
            value: tool.to_owned(),
            span: place(tool),
        },
        role: At {
            value: role,
            span: place(role_word),
        },
        slots: At {
            value: by_slot,
            span: place(slots),
        },
        arguments: Map::new(),
        form: None,
        extension: None,
    })
}
