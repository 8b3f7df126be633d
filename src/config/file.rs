//! The format of `watertight.toml`, the file that a project commits.
//!
//! Owns the serde types and their reference text, from which the published schema is made. What
//! serde cannot state is checked in `check.rs`. Relative paths are relative to the file, and
//! `{allowed}`, `{denied}`, `{outside}`, `{home}`, `{tmp}` and `{sink}` may stand in every text.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

use crate::{
    diag::At,
    policy::Document,
    probe::{Role, Severity, Slot},
};

/// How a project tests its MCP server. Every key is also a flag of `watertight run`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Suites to run; `core` when neither suites nor probes are named.
    pub suites: Option<Vec<At<String>>>,
    /// Take suites and probes as they were at this date, such as `2026.11`.
    pub frozen_suite: Option<At<String>>,
    /// Probes to run besides, by id.
    pub probes: Option<Vec<At<String>>>,
    /// Probes to leave out, by id or by the beginning of ids up to a dot.
    pub skip: Option<Vec<At<String>>>,
    /// Directories with probes and suites of your own.
    pub probe_dirs: Option<Vec<At<String>>>,
    /// Calls in flight at once.
    #[schemars(extend("minimum" = 1))]
    pub jobs: Option<At<u32>>,
    /// Seconds that a call may take.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub timeout: Option<At<f64>>,
    /// Seconds until the first answer of the target.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub startup_timeout: Option<At<f64>>,
    /// Seed of the names that trials give their objects; tokens are random in every run.
    pub seed: Option<u64>,
    /// The contract under test: path of a policy file, or the policy itself.
    pub policy: Option<At<PolicyChoice>>,
    /// The server under test.
    pub target: Option<At<Target>>,
    /// What makes a run fail.
    pub thresholds: Option<Thresholds>,
    /// File of verdicts that are known, and therefore do not fail the run.
    pub baseline: Option<At<String>>,
    /// The world that the command runs in; `auto` when it is left out.
    pub testbed: Option<Testbed>,
    /// Whether to tell who stopped an attack, the server or the sandbox around it: runs three times more.
    pub layers: Option<bool>,
    /// A witness besides those of every run.
    pub witness: Option<Witness>,
    /// Reports to write.
    pub report: Option<Vec<Report>>,
    /// Tools whose use is told instead of found out.
    pub binding: Option<Vec<Binding>>,
}

/// The server under test: a command to launch or a URL to attach to.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Program and arguments.
    pub command: Option<At<Vec<At<String>>>>,
    /// Program and arguments of a sandbox that the command is run by: stands before it. What stands before a
    /// `--` in the command counts as such too.
    pub wrapper: Option<At<Vec<At<String>>>>,
    /// Address of a running server that speaks streamable HTTP; beside a command, where that serves it.
    pub url: Option<At<String>>,
    /// Headers sent with each request to the URL.
    pub headers: Option<BTreeMap<String, At<String>>>,
    /// Environment variable that holds the bearer token for the URL.
    pub bearer_env: Option<At<String>>,
    /// Variables that the command gets; it gets no others but a few that every program needs.
    pub env: Option<BTreeMap<String, At<String>>>,
    /// Variables of your own environment that the command gets too.
    pub pass_env: Option<Vec<At<String>>>,
    /// Working directory of the command.
    pub cwd: Option<At<String>>,
    /// Roots that are told to the server.
    pub roots: Option<Vec<At<String>>>,
    /// An existing directory that the server is allowed to reach, shared with it: planted into
    /// instead of a new one. For servers that are attached to.
    pub allowed: Option<At<String>>,
    /// A directory whose content is copied into the allowed directory before the server starts: a repository, a
    /// database, a configuration that it cannot start without.
    pub fixture: Option<At<String>>,
    /// Where the server has directories of this machine, by their path here: its own path, or empty for
    /// "not there". Found out by itself where the server's process can be looked at.
    pub map: Option<BTreeMap<String, At<String>>>,
    /// Which lifecycle of the protocol is spoken.
    pub era: Option<Era>,
    /// Calls made before probing, in order, such as "open this workspace".
    pub setup: Option<Vec<SetupCall>>,
    /// Destructive tools that may be called, by name.
    pub allow_destructive: Option<Vec<At<String>>>,
}

/// Which lifecycle of the protocol is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Era {
    /// Found out by asking.
    #[default]
    Auto,
    /// With `initialize`, up to protocol version 2025-11-25.
    Handshake,
    /// Without, from protocol version 2026-07-28.
    Stateless,
}

/// The world that a launched target runs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Testbed {
    /// Namespaces where the machine allows them, else the host, and the report says why.
    #[default]
    Auto,
    /// Directories on the real disk, the real network.
    Host,
    /// Namespaces of its own: a disk that forgets, a network that leads nowhere.
    Namespace,
}

/// A witness that a run has only if it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// Sees system calls, and so what the server attempts and what the kernel refuses. The server is traced for
    /// that, calls are made one by one, and nothing is said of its process.
    Syscalls,
}

/// A call made before probing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupCall {
    /// The tool.
    pub tool: At<String>,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// What makes a run fail.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Share of the applicable probes that must have been judged, 0 to 1; below, the run is
    /// inconclusive. 0.9 unless told.
    #[schemars(extend("minimum" = 0, "maximum" = 1))]
    pub coverage: Option<At<f64>>,
    /// Breaches below this severity are reported but do not fail the run.
    pub severity: Option<Severity>,
}

/// A report to write.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// In which format.
    pub format: ReportFormat,
    /// To which file; `-` is standard output.
    pub path: At<String>,
}

/// A format of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReportFormat {
    /// What the terminal shows, as plain text.
    Text,
    /// The canonical form.
    Json,
    /// One page for a browser.
    Html,
    /// JUnit XML, for the test views of CI systems.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// For the summary page of a CI job.
    Markdown,
    /// JSON Lines: the events of the run, written while it goes on.
    Jsonl,
    /// An unsigned in-toto statement with a test result.
    InToto,
    /// OSCAL assessment results.
    Oscal,
}

/// A tool whose use is told instead of found out. It is still proven before it is relied on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The tool.
    pub tool: At<String>,
    /// What it does.
    pub role: At<Role>,
    /// Where each value goes: JSON Pointers into the arguments (RFC 6901). A pointer that ends in
    /// `/-` is for a list of such values.
    pub slots: At<BTreeMap<Slot, At<Vec<At<String>>>>>,
    /// All other arguments, sent with each call.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// How the tool wants paths spelled; found out when left out.
    pub form: Option<PathForm>,
    /// What the tool wants before each path, for one that takes URIs of its own.
    pub uri: Option<UriForm>,
    /// How the tool wants hosts spelled.
    #[serde(default)]
    pub net: NetForm,
    /// Extension with its dot of files that the tool accepts; `.txt` when left out.
    pub extension: Option<At<String>>,
}

/// How a tool wants paths spelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathForm {
    /// `/srv/allowed/a.txt`
    #[default]
    Absolute,
    /// `a.txt`, relative to the allowed directory.
    Relative,
    /// `a` for `a.txt`: relative, and the tool adds the extension.
    Stem,
    /// `/a.txt`, where `/` is the allowed directory.
    Rooted,
    /// `file:///srv/allowed/a.txt`
    Uri,
    /// Absolute directory in the first pointer of the slot, file name in the second.
    Split,
    /// The same with the directory relative to the allowed one; also "project and file".
    SplitRelative,
    /// `/srv/allowed/notes/*`: a pattern of what is in a directory.
    Glob,
    /// `notes/*`, relative to the allowed directory.
    RelativeGlob,
}

/// How a tool spells paths as URIs of its own scheme.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UriForm {
    /// What stands before each path, such as `notes://`.
    pub prefix: String,
    /// Whether slashes and other signs of the path are percent-encoded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escaped: bool,
}

/// How a tool wants URLs and ports spelled. One that takes `host:port` in one argument has the same
/// pointer in both slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetForm {
    /// `http://host/path`; the port as a number.
    #[default]
    Whole,
    /// `https://host/path`: of what takes no other scheme.
    Secure,
    /// `host/path`: the URL without its scheme.
    Bare,
    /// `host`: nothing of the URL but host and port.
    Host,
    /// `host` in the first pointer of the slot, `/path` in the second.
    Split,
    /// `http://host` in the first pointer of the slot, `/path` in the second.
    SplitBase,
    /// The port as a text.
    TextPort,
    /// `/path`: the part of a path that is joined to the base of an API begins with a slash.
    Rooted,
}

/// A policy by path, or the policy itself.
#[derive(Debug, Clone)]
pub enum PolicyChoice {
    /// Path of a policy file.
    Path(String),
    /// The policy itself.
    Inline(Box<Document>),
}

impl<'de> Deserialize<'de> for PolicyChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChoiceVisitor;

        impl<'de> Visitor<'de> for ChoiceVisitor {
            type Value = PolicyChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a policy file, or a table with the policy")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<PolicyChoice, E> {
                Ok(PolicyChoice::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PolicyChoice, A::Error> {
                let document = Document::deserialize(MapAccessDeserializer::new(map))?;
                Ok(PolicyChoice::Inline(Box::new(document)))
            }
        }

        deserializer.deserialize_any(ChoiceVisitor)
    }
}

impl JsonSchema for PolicyChoice {
    fn schema_name() -> Cow<'static, str> {
        "PolicyChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let document = generator.subschema_for::<Document>();
        json_schema!({
            "description": "Path of a policy file, or the policy itself.",
            "anyOf": [{ "type": "string" }, document]
        })
    }
}
