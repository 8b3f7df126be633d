//! When a probe applies: what a policy has to say, in words, by claim.
//!
//! Owns wording only.

use crate::probe::Claim;

pub(super) fn claim(claim: Claim) -> &'static str {
    match claim {
        Claim::Outside => {
            "The policy confines the target to its allowed directories, as the default one does,"
        }
        Claim::DeniedInside => {
            "The policy denies a path inside an allowed directory (`denied_paths`)"
        }
        Claim::DeniedPattern => "The policy denies a pattern of paths (`denied_paths` with `*`)",
        Claim::MaxFileSize => "The policy limits the size of files (`max_file_size_mb`)",
        Claim::ReadOnly => "The policy forbids all writing (`read_only`)",
        Claim::ProtectedNames => {
            "The policy protects file names from being written (`protected_names`)"
        }
        Claim::Host => {
            "The policy denies some host (`denied_hosts`, `allowed_hosts`), as the default one does,"
        }
        Claim::HostRange => "The policy denies ranges of addresses (`denied_hosts`)",
        Claim::HostHole => "The policy allows some addresses only (`allowed_hosts`)",
        Claim::UnlistedHost => "The policy lists the hosts that may be reached (`allowed_hosts`)",
        Claim::HostName => "The policy allows hosts by name (`allowed_hosts`)",
        Claim::DeniedName => "The policy denies hosts by name (`denied_hosts`)",
        Claim::OnlyNames => "The policy allows hosts by name only (`allowed_hosts`)",
        Claim::Port => "The policy lists the ports that may be reached (`allowed_ports`)",
        Claim::Resolver => "The policy names the only resolver (`dns_override`)",
        Claim::TimeLimit => "The policy limits the time of a request (`timeout_seconds`)",
        Claim::RetryLimit => "The policy limits how often a request is repeated (`max_retries`)",
        Claim::Execution => {
            "Nothing that a caller sends may be executed by tools that are not for it, under any policy,"
        }
        Claim::Commands => "The policy lists the commands that may be run (`allowed_commands`)",
        Claim::Queries => {
            "A tool runs queries and refuses a plain `CREATE TABLE`, on a disk that forgets what is changed,"
        }
        Claim::Listed => "Only tools that are listed may answer, under any policy,",
        Claim::Variables => {
            "The harness launches the target, whose environment holds secrets, under any policy,"
        }
        Claim::Availability => {
            "The harness launches the target, which then has to go on serving (`resources`),"
        }
        Claim::AuditLog => "The policy names an audit log (`audit`)",
        Claim::AuditFiles => {
            "The policy has access to files recorded (`audit.events`: `file_access`)"
        }
        Claim::AuditNetwork => {
            "The policy has requests to hosts recorded (`audit.events`: `network_request`)"
        }
        Claim::AuditCommands => {
            "The policy has commands recorded (`audit.events`: `command_execution`)"
        }
        Claim::AuditCallers => {
            "The policy has callers recorded who are not let in (`audit.events`: `auth_failure`), the target is attached to over HTTP, and the run sends it a credential,"
        }
        Claim::AuditRotation => "The policy has the log rotated (`audit.rotate`)",
        Claim::StandardInput | Claim::CommandLines | Claim::Launch => "Whatever the policy says,",
        Claim::OwnWorld => {
            "The target is launched with mounts or a root directory of its own, under any policy,"
        }
        Claim::OwnPolicy => "The policy is not the default one,",
        Claim::NoRoot => "The policy forbids root (`process.no_root`)",
        Claim::OwnUser => "The policy names the user of the server (`process.user`)",
        Claim::NoCapabilities => "The policy forbids capabilities (`process.no_capabilities`)",
        Claim::NoNewPrivileges => {
            "The policy says that no powers can be gained (`process.no_new_privileges`)"
        }
        Claim::SystemCallFilter => "The policy asks for a filter (`process.seccomp`)",
        Claim::SecurityModule => "The policy asks for one (`process.security_module`)",
        Claim::OwnNamespaces => "The policy names namespaces (`process.own_namespaces`)",
        Claim::ReadOnlyRoot => "The policy asks for it (`process.read_only_root`)",
        Claim::ReadOnlyPaths => {
            "The policy names directories that the server cannot write (`process.read_only_paths`)"
        }
        Claim::NoInheritedDescriptors => {
            "The policy forbids inherited descriptors (`process.no_inherited_descriptors`)"
        }
        Claim::ProcessLimits => "The policy limits what the server uses (`process.limits`)",
        Claim::NeededVariables => {
            "The policy says which variables the server needs (`credentials.variables`)"
        }
        Claim::Base => "The launch tells the server that its API is at `{sink}`",
        Claim::Cancel => "Whatever the policy says,",
    }
}
