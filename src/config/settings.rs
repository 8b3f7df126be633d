//! What a run is told to do, once flags, file and defaults are one.
//!
//! Texts still hold their placeholders; the testbed knows the values.

use std::{fmt, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::io::DuplexStream;

use crate::{
    config::{Baseline, Binding, Era, ReportFormat, SetupCall, Shard, Testbed, Witness},
    diag::Diagnostic,
    policy::{Placeholders, Policy, SINK, occurrences},
    probe::Severity,
};

/// Everything that a run is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server under test.
    pub target: TargetSpec,
    /// The contract under test; placeholders are not replaced yet.
    pub policy: Policy,
    /// Names of suites.
    pub suites: Vec<String>,
    /// The date whose suites and probes are meant; those of the program when none.
    pub frozen_suite: Option<String>,
    /// Ids of probes besides.
    pub probes: Vec<String>,
    /// Ids of probes that are left out, or their beginnings up to a dot.
    pub skip: Vec<String>,
    /// Directories with further probes and suites.
    pub probe_dirs: Vec<PathBuf>,
    /// Reports to write, in order.
    pub reports: Vec<ReportSpec>,
    /// Tools whose use is told.
    pub bindings: Vec<Binding>,
    /// Calls in flight at once; the engine chooses when none.
    pub jobs: Option<usize>,
    /// How long a call may take.
    pub timeout: Duration,
    /// How long the first answer of the target may take.
    pub startup_timeout: Duration,
    /// Seed; a fresh one when none.
    pub seed: Option<u64>,
    /// The one trial to run, and whether it is only rehearsed.
    pub only: Option<(String, bool)>,
    /// The part of the run to do; all of it when none.
    pub shard: Option<Shard>,
    /// What makes the run fail.
    pub thresholds: Limits,
    /// Verdicts that are known.
    pub baseline: Option<Baseline>,
    /// The world that a command runs in.
    pub testbed: Testbed,
    /// Whether it is told who stopped an attack, the server or the sandbox around it.
    pub layers: bool,
    /// A witness besides those of every run.
    pub witness: Option<Witness>,
    /// How much is printed.
    pub verbosity: Verbosity,
    /// How progress is shown.
    pub progress: Progress,
    /// The config file that was read, if any.
    pub config: Option<PathBuf>,
    /// File of tool bindings to use if it is there; none when they are not wanted.
    pub lock: Option<PathBuf>,
    /// What is allowed but probably not meant; shown before the run.
    pub warnings: Vec<Diagnostic>,
    /// What the report says besides, such as why it is not the wanted testbed.
    pub notes: Vec<String>,
    /// Whether trials are planned only: the target is started and asked what it can do.
    pub rehearsal: bool,
}

/// The server under test.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// How it is reached.
    pub reach: Reach,
    /// Where a command serves streamable HTTP, if it does not speak over its standard input and output.
    pub serves: Option<Serves>,
    /// Values in it, and in variables, that are shown as `${NAME}`: each with its name.
    pub concealed: Vec<(String, String)>,
    /// Whether this program is put into the allowed directory, to be the server itself.
    pub carries: bool,
    /// How many words of the command are those of a wrapper, if the user says so.
    pub wrapped: Option<usize>,
    /// Variables that it gets, in order of name. Only for commands.
    pub env: Vec<(String, String)>,
    /// Names of variables of our environment that it gets too. Only for commands.
    pub pass_env: Vec<String>,
    /// Working directory. Only for commands.
    pub cwd: Option<String>,
    /// Roots that are told to the server: paths, or `file:` URIs.
    pub roots: Vec<String>,
    /// An existing directory that takes the place of a new allowed one.
    pub allowed: Option<PathBuf>,
    /// A directory whose content a new allowed one begins with.
    pub fixture: Option<PathBuf>,
    /// Directories of this machine with the path that the target has; empty when it has none.
    pub maps: Vec<(String, String)>,
    /// Which lifecycle is spoken.
    pub era: Era,
    /// Calls made before probing.
    pub setup: Vec<SetupCall>,
    /// Destructive tools that may be called.
    pub allow_destructive: Vec<String>,
}

/// How the target is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Launched; speaks over its standard input and output. Program first, never empty.
    Command(Vec<String>),
    /// Attached to over streamable HTTP.
    Url {
        /// The address, `http` or `https`.
        url: String,
        /// Names and values of headers.
        headers: Vec<(String, String)>,
        /// Environment variable that holds the bearer token.
        bearer_env: Option<String>,
    },
    /// Runs inside of the process that tests it.
    Inside(InProcess),
}

/// Where a launched server is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serves {
    /// The address, `http` or `https`, of this machine.
    pub url: String,
    /// Names and values of headers.
    pub headers: Vec<(String, String)>,
    /// Environment variable that holds the bearer token.
    pub bearer_env: Option<String>,
}

/// What is meant, perhaps.
pub(super) const ONE_TARGET: &str = "keep the one that is meant, or name the address of this machine at which the command serves, with its port";

/// What is wrong with a URL as the one at which a command serves: it must be one of this machine, and its port be told
/// from those of others.
pub(super) fn not_served(url: &str) -> Option<&'static str> {
    let url: Option<http::Uri> = url.parse().ok();
    let host = url.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let address: Option<std::net::IpAddr> = host.parse().ok();
    if host != "localhost" && !address.is_some_and(|address| address.is_loopback()) {
        Some("the target has both a command and the URL of another machine")
    } else if url.as_ref().and_then(http::Uri::port).is_none() {
        Some("the URL at which the command serves names no port")
    } else {
        None
    }
}

impl From<Serves> for Reach {
    fn from(at: Serves) -> Self {
        Self::Url {
            url: at.url,
            headers: at.headers,
            bearer_env: at.bearer_env,
        }
    }
}

/// A server inside of the process that tests it, and the directories that it is given.
#[derive(Clone)]
pub struct InProcess(Arc<Serve>);

/// Serves one conversation over a pipe, in the world of the run.
pub(crate) type Serve = dyn Fn(Placeholders, DuplexStream) -> Served + Send + Sync;

/// What serving comes to.
pub(crate) type Served = Pin<Box<dyn Future<Output = Result<(), String>>>>;

impl InProcess {
    pub(crate) fn new(serve: Arc<Serve>) -> Self {
        Self(serve)
    }

    /// Serves one conversation in a world whose directories are known.
    pub(crate) fn serve(&self, places: &Placeholders, pipe: DuplexStream) -> Served {
        (self.0)(places.clone(), pipe)
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

/// They are the same server.
impl PartialEq for InProcess {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for InProcess {}

/// A report to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSpec {
    /// In which format.
    pub format: ReportFormat,
    /// To which file; none is standard output.
    pub path: Option<String>,
}

/// What makes a run fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Share of the applicable probes that must have been judged, 0 to 1.
    pub coverage: f64,
    /// Least severity of a breach that fails the run.
    pub severity: Severity,
}

/// How much is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// The summary only.
    Quiet,
    /// The report.
    #[default]
    Normal,
    /// Every trial.
    Verbose,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// A bar on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// A bar, also where nobody seems to watch, as long as it is a terminal.
    Bar,
    /// Plain lines.
    Lines,
    /// Not at all.
    None,
}

impl TargetSpec {
    /// A text in which what was taken from variables is not shown.
    #[must_use]
    pub fn conceal(&self, text: &str) -> String {
        // Shorter ones are no secrets, and would be found everywhere.
        const SHORTEST: usize = 4;
        let hidden = self.concealed.iter();
        hidden
            .filter(|(value, _)| value.len() >= SHORTEST)
            .fold(text.to_owned(), |text, (value, name)| {
                text.replace(value.as_str(), &format!("${{{name}}}"))
            })
    }

    /// Whether its launch, or a call before probing, names the sink of the run.
    #[must_use]
    pub fn names_sink(&self) -> bool {
        let names = |text: &String| occurrences(text).any(|(_, name)| name == SINK);
        let in_command = match &self.reach {
            Reach::Command(words) => words.iter().any(names),
            Reach::Url { .. } | Reach::Inside(_) => false,
        };
        let called = |call: &SetupCall| names(&Value::from(call.arguments.clone()).to_string());
        in_command
            || self.env.iter().any(|(_, value)| names(value))
            || self.setup.iter().any(called)
    }

    /// Replaces the placeholders in texts of JSON arguments, such as those of setup calls and
    /// bindings; keys stay.
    ///
    /// # Errors
    ///
    /// When a placeholder has no value in this run.
    pub fn expand_arguments(
        arguments: &Map<String, Value>,
        placeholders: &crate::policy::Placeholders,
    ) -> Result<Map<String, Value>, crate::policy::UnknownPlaceholder> {
        arguments
            .iter()
            .map(|(key, value)| Ok((key.clone(), expand_value(value, placeholders)?)))
            .collect()
    }
}

fn expand_value(
    value: &Value,
    placeholders: &crate::policy::Placeholders,
) -> Result<Value, crate::policy::UnknownPlaceholder> {
    Ok(match value {
        Value::String(text) => Value::String(placeholders.expand(text)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| expand_value(item, placeholders))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => Value::Object(TargetSpec::expand_arguments(map, placeholders)?),
        other => other.clone(),
    })
}
