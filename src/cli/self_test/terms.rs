//! On which terms the reference target is tested: a policy, and the same as its flags.
//!
//! Owns the choice of terms by claim. Each policy makes the claims that one sound target can keep.

use crate::probe::{Claim, Probe, Role};

/// What is claimed, and the same as flags of the reference target.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) policy: &'static str,
    pub(super) flags: &'static [&'static str],
}

/// Every claim on files that a target which may write can keep.
pub(super) static FILES: Terms = Terms {
    policy: r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]
denied_paths = ["{allowed}/private", "{allowed}/.env", "**/*.pem"]
max_file_size_mb = 1
protected_names = [".mcp.json", ".git/config"]
"#,
    flags: &[
        "--deny",
        "{allowed}/private",
        "--deny",
        "{allowed}/.env",
        "--deny",
        "**/*.pem",
        "--max-file-size",
        "1048576",
        "--protect",
        ".mcp.json",
        "--protect",
        ".git/config",
    ],
};

/// All writing is forbidden.
pub(super) static READ_ONLY: Terms = Terms {
    policy: r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]
read_only = true
"#,
    flags: &["--read-only"],
};

/// Public hosts only, as anybody would expect.
pub(super) static PUBLIC: Terms = Terms {
    policy: r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]
"#,
    flags: &["--network"],
};

/// The same, of a server that keeps what it fetches.
pub(super) static DOWNLOADS: Terms = Terms {
    policy: PUBLIC.policy,
    flags: &["--network", "--downloads"],
};

/// The same, of a server that asks an API.
pub(super) static API: Terms = Terms {
    policy: PUBLIC.policy,
    flags: &["--network", "--api", "{sink}"],
};

/// The same, of one that serves HTTP and lets a header name the API.
pub(super) static SERVED: Terms = Terms {
    policy: PUBLIC.policy,
    flags: &["--network", "--api", "{sink}", "--header-upstream"],
};

/// A range is denied inside an allowed one, and names.
pub(super) static RANGES: Terms = Terms {
    policy: r#"
[server.network]
allowed_hosts = ["172.20.0.0/16"]
denied_hosts = ["10.0.0.0/8", "172.20.5.0/24", "intranet.example.org", "*.corp.example.org"]
"#,
    flags: &[
        "--allow-host",
        "172.20.0.0/16",
        "--deny-host",
        "10.0.0.0/8",
        "--deny-host",
        "172.20.5.0/24",
        "--deny-host",
        "intranet.example.org",
        "--deny-host",
        "*.corp.example.org",
    ],
};

/// Few hosts are allowed, one resolver, little time and one retry.
pub(super) static LISTED: Terms = Terms {
    policy: r#"
[server]
timeout_seconds = 1
max_retries = 1

[server.network]
allowed_hosts = ["10.0.1.5", "93.184.216.34"]
denied_hosts = ["10.0.0.0/8"]
dns_override = "10.0.1.10"
"#,
    flags: &[
        "--allow-host",
        "10.0.1.5",
        "--allow-host",
        "93.184.216.34",
        "--deny-host",
        "10.0.0.0/8",
        "--dns",
        "10.0.1.10",
        "--timeout",
        "1",
        "--retries",
        "1",
    ],
};

/// Hosts are allowed by name.
pub(super) static NAMED: Terms = Terms {
    policy: r#"
[server.network]
allowed_hosts = ["*.example.org", "api.example.com"]
"#,
    flags: &[
        "--allow-host",
        "*.example.org",
        "--allow-host",
        "api.example.com",
    ],
};

/// Some ports are allowed. There are three, so that each of the places on which a channel is proven has its own.
pub(super) static PORTS: Terms = Terms {
    policy: r#"
[server.network]
allowed_hosts = ["93.184.216.34", "93.184.216.35"]
allowed_ports = [8080, 8443, 9000]
"#,
    flags: &[
        "--allow-host",
        "93.184.216.34",
        "--allow-host",
        "93.184.216.35",
        "--allow-port",
        "8080",
        "--allow-port",
        "8443",
        "--allow-port",
        "9000",
    ],
};

/// Some programs may be run.
pub(super) static EXECUTION: Terms = Terms {
    policy: r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]

[execution]
allowed_commands = ["cat", "ls"]
"#,
    flags: &["--allow-command", "cat", "--allow-command", "ls"],
};

/// Variables that may be told; a log, a command and a network through which others could get out.
pub(super) static VARIABLES: Terms = Terms {
    policy: r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]
"#,
    flags: &[
        "--tell-variable",
        "PATH",
        "--tell-variable",
        "HOME",
        "--audit",
        "stderr",
        "--allow-command",
        "cat",
        "--network",
    ],
};

/// Little memory.
pub(super) static RESOURCES: Terms = Terms {
    policy: r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]

[resources]
max_memory_mb = 256
"#,
    flags: &[],
};

/// An audit log that is rotated.
pub(super) static AUDIT: Terms = Terms {
    policy: r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]

[audit]
enabled = true
log_file = "{home}/audit/server.log"
events = ["file_access", "network_request", "command_execution"]
rotate = { max_size_mb = 0.03125, max_files = 3 }
"#,
    flags: &[
        "--network",
        "--allow-command",
        "cat",
        "--allow-command",
        "ls",
        "--audit",
        "{home}/audit/server.log",
        "--audit-max-bytes",
        "32768",
        "--audit-max-files",
        "3",
    ],
};

/// What can be told of a process from outside.
pub(super) static PROCESS: Terms = Terms {
    policy: r#"
[credentials]
variables = ["DATABASE_URL"]

[process]
user = "nobody"
no_root = true
no_capabilities = true
no_new_privileges = true
read_only_paths = ["{outside}"]

[process.limits]
open_files = 256
file_size_mb = 64
cpu_seconds = 600
"#,
    flags: &["--confine", "{outside}"],
};

/// The terms on which a probe is tested.
pub(super) fn terms(probe: &Probe) -> &'static Terms {
    if probe.technique.as_deref() == Some("watch.headers") {
        return &SERVED;
    }
    if probe.claim == Claim::AuditCommands {
        return &AUDIT;
    }
    if probe
        .roles
        .iter()
        .any(|role| role.executes() || *role == Role::ScopeWiden)
    {
        return &EXECUTION;
    }
    if probe.of_network() && !probe.claim.of_network() {
        return &DOWNLOADS;
    }
    match probe.claim {
        Claim::Execution | Claim::Commands => &EXECUTION,
        Claim::Variables => &VARIABLES,
        Claim::Availability => &RESOURCES,
        Claim::AuditLog
        | Claim::AuditFiles
        | Claim::AuditNetwork
        | Claim::AuditCallers
        | Claim::AuditRotation => &AUDIT,
        Claim::Listed => &READ_ONLY,
        Claim::ReadOnly => &READ_ONLY,
        Claim::Host | Claim::Cancel => &PUBLIC,
        Claim::Base => &API,
        Claim::HostRange | Claim::DeniedName => &RANGES,
        Claim::HostHole
        | Claim::UnlistedHost
        | Claim::Resolver
        | Claim::TimeLimit
        | Claim::RetryLimit => &LISTED,
        Claim::HostName | Claim::OnlyNames => &NAMED,
        Claim::Port => &PORTS,
        Claim::Outside
        | Claim::DeniedInside
        | Claim::DeniedPattern
        | Claim::MaxFileSize
        | Claim::ProtectedNames => &FILES,
        _ => &PROCESS,
    }
}
