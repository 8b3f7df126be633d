//! The policy file format, version 1: what a JSON, YAML or TOML policy may say.
//!
//! Owns the serde types and their reference text, from which the published schema is made. What
//! serde cannot state is checked in `check.rs`; what the words mean is in `filesystem.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diag::At;

/// The contract under test: what an MCP server may and may not reach. What is left out is not
/// claimed, and not tested; but where nothing is said of hosts, public ones may be reached only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Address of this schema, for editors.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The server, its network and its patience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// What the server may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// What the server records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// What the server may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Which environment variables the server needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// As whom the server runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// What the server may execute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
}

/// The server, its network and its patience.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Name of the server, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<At<String>>,
    /// Which hosts the server may reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Seconds after which the server gives up on a request of its own; more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub timeout_seconds: Option<At<f64>>,
    /// How often the server repeats a failed request of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<At<u32>>,
}

/// Which hosts the server may reach. The longest prefix wins, deny wins ties.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Addresses, CIDR ranges and host names (`*.example.org` for all below) that may be reached.
    /// A list that is there denies all others; an empty one denies everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<At<String>>>,
    /// Addresses, CIDR ranges and host names that may not be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_hosts: Vec<At<String>>,
    /// Ports of those hosts that may be reached, 1 to 65535. A list that is there denies all others;
    /// questions to a resolver do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_ports: Option<At<Vec<At<u32>>>>,
    /// Address of the only resolver that may be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_override: Option<At<String>>,
}

/// What the server may do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// Which files the server may reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<Files>,
}

/// Which files the server may reach. The longest path wins, deny wins ties.
///
/// Paths are absolute, or begin with `{allowed}`, `{denied}`, `{outside}`, `{home}` or `{tmp}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Files and directories that may be reached, with everything below. A list that is there
    /// denies all others; an empty one denies everything; without it only `denied_paths` counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_paths: Option<At<Vec<At<String>>>>,
    /// Files and directories that may not be reached, with everything below; or patterns with `*`
    /// or `?`, such as `**/.env`. A pattern without a slash is for names in any directory. A
    /// pattern counts as all the paths that it matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_paths: Vec<At<String>>,
    /// Largest file that may be read or written, in MB; more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_file_size_mb: Option<At<f64>>,
    /// Nothing may be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<At<bool>>,
    /// Names, with a directory or `*` where needed, that may be read but not written anywhere:
    /// `.git/hooks`, `.npmrc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protected_names: Vec<At<String>>,
}

/// What the server records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Whether there is an audit log at all.
    pub enabled: bool,
    /// The file that it is written to, or `stderr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_file: Option<At<String>>,
    /// More of them, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_files: Vec<At<String>>,
    /// What is recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<At<AuditEvent>>,
    /// When a new file is begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Rotate>,
    /// Which field of a record says what; what is left out is found by comparing records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
}

/// Names of the fields of a record; a dot leads into an object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// What kind of event it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<At<String>>,
    /// Which tool was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<At<String>>,
    /// What was touched: a path, a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<At<String>>,
    /// Whether it was permitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<At<String>>,
    /// When it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<At<String>>,
}

/// What the server may take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Most memory of all its processes together, in MB; more than 0. What is shared with files on
    /// disk does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_memory_mb: Option<At<f64>>,
}

/// Something that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditEvent {
    /// A file was read or written, or it was refused.
    FileAccess,
    /// A host was contacted, or it was refused.
    NetworkRequest,
    /// A command was run, or it was refused.
    CommandExecution,
    /// A caller could not prove who it is.
    AuthFailure,
}

/// When a new log file is begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// Size at which a new file is begun, in MB; more than 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_size_mb: At<f64>,
    /// How many files are kept; at least 1.
    #[schemars(extend("minimum" = 1))]
    pub max_files: At<u32>,
}

/// Which environment variables the server needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Names of variables that the server needs. No other secret may reach it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<At<String>>,
}

/// As whom the server runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Name of the user that the server runs as, and nothing else does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<At<String>>,
    /// The server may not run as root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_root: Option<At<bool>>,
    /// The server may hold no capability of Linux, nor gain one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_capabilities: Option<At<bool>>,
    /// The server cannot gain powers by executing something (`no_new_privs`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privileges: Option<At<bool>>,
    /// A filter of system calls is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<At<bool>>,
    /// A security module, such as AppArmor or SELinux, confines the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_module: Option<At<bool>>,
    /// Namespaces that the server shares with nobody who is outside of its sandbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_namespaces: Vec<At<Namespace>>,
    /// The root file system of the server is mounted read-only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_root: Option<At<bool>>,
    /// The server inherits no descriptors but the three standard ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_inherited_descriptors: Option<At<bool>>,
    /// What the server may use at most, by limits that the kernel enforces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ProcessLimits>,
    /// Directories, such as where it is installed, that the server cannot write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_only_paths: Vec<At<String>>,
}

/// What the server may use at most. Each limit is one of the process (`RLIMIT_*`) or of its cgroup.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessLimits {
    /// Open files (`RLIMIT_NOFILE`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<At<u64>>,
    /// Processes and threads (`RLIMIT_NPROC`, which does not bind root, or `pids.max`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<At<u64>>,
    /// Memory in MB (`RLIMIT_AS` or `memory.max`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<At<u64>>,
    /// Size of a file that is written, in MB (`RLIMIT_FSIZE`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size_mb: Option<At<u64>>,
    /// Seconds of processor time (`RLIMIT_CPU`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<At<u64>>,
}

/// A namespace of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// User and group ids.
    User,
    /// Mounts.
    Mount,
    /// Processes.
    Pid,
    /// The network.
    Network,
    /// Shared memory and message queues.
    Ipc,
    /// The host name.
    Uts,
    /// The view of control groups.
    Cgroup,
}

impl Namespace {
    /// Its name in `/proc/PID/ns`.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mnt",
            Self::Pid => "pid",
            Self::Network => "net",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
        }
    }
}

/// What the server may execute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// Commands that may be run, by name or absolute path; an empty list forbids all.
    pub allowed_commands: Vec<At<String>>,
}
