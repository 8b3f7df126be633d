//! Why a policy forbids nothing that a probe asks about: the words, by claim.
//!
//! Owns wording only.

use crate::probe::Claim;

/// What a policy lacks that does not make the claim.
pub(super) fn words(claim: Claim) -> &'static str {
    match claim {
        Claim::Outside => "the policy says nothing on files",
        Claim::DeniedInside => "the policy denies nothing below an allowed path (`denied_paths`)",
        Claim::DeniedPattern => "the policy denies no pattern (`denied_paths` with `*`)",
        Claim::MaxFileSize => "the policy sets no size limit (`max_file_size_mb`)",
        Claim::ReadOnly => "the policy does not forbid writing (`read_only`)",
        Claim::ProtectedNames => "the policy protects no names (`protected_names`)",
        Claim::Host => "the policy denies no host",
        Claim::HostRange => "the policy says nothing on hosts",
        Claim::HostHole => "the policy has no list of allowed hosts (`allowed_hosts`)",
        Claim::UnlistedHost => "the policy has no list of allowed hosts (`allowed_hosts`)",
        Claim::HostName => "the policy allows no host by name (`allowed_hosts`)",
        Claim::DeniedName => "the policy denies no host by name (`denied_hosts`)",
        Claim::OnlyNames => "the policy does not allow hosts by name only (`allowed_hosts`)",
        Claim::Base => {
            "the launch does not tell the server where its API is: give it `{sink}` for the base URL, in its command line \
             or in a variable (--env API_URL={sink})"
        }
        Claim::Port => "the policy lists no ports (`allowed_ports`)",
        Claim::Resolver => "the policy names no resolver (`dns_override`)",
        Claim::TimeLimit => "the policy limits no time (`timeout_seconds`)",
        Claim::RetryLimit => "the policy limits no retries (`max_retries`)",
        Claim::Cancel => "calls are not cancelled",
        Claim::Execution | Claim::Listed | Claim::Variables | Claim::Launch => {
            "the policy permits it"
        }
        Claim::Commands => {
            "the policy lists no commands (`execution.allowed_commands`), and no tool was seen to refuse some and run others"
        }
        Claim::Queries => {
            "no tool was seen to run queries and refuse plain changes, in a process whose disk forgets what they change"
        }
        Claim::OwnPolicy => "the policy is the default one, which somebody else answers for",
        Claim::Availability => "the policy says nothing on resources",
        Claim::AuditLog => {
            "the policy names no audit log (`audit.log_file`); without one nobody can tell later what the server was made to do"
        }
        Claim::AuditFiles => {
            "the policy has no access to files recorded (`audit.events`: `file_access`)"
        }
        Claim::AuditNetwork => {
            "the policy has no requests to hosts recorded (`audit.events`: `network_request`)"
        }
        Claim::AuditCommands => {
            "the policy has no commands recorded (`audit.events`: `command_execution`)"
        }
        Claim::AuditCallers => {
            "the policy has no callers recorded who are not let in (`audit.events`: `auth_failure`)"
        }
        Claim::AuditRotation => "the policy does not have the log rotated (`audit.rotate`)",
        Claim::StandardInput | Claim::CommandLines | Claim::OwnWorld => "the policy claims nothing",
        Claim::NoRoot => "the policy does not forbid root (`process.no_root`)",
        Claim::OwnUser => "the policy names no user (`process.user`)",
        Claim::NoCapabilities => {
            "the policy does not forbid capabilities (`process.no_capabilities`)"
        }
        Claim::NoNewPrivileges => "the policy does not ask for it (`process.no_new_privileges`)",
        Claim::SystemCallFilter => "the policy asks for no filter (`process.seccomp`)",
        Claim::SecurityModule => {
            "the policy asks for no security module (`process.security_module`)"
        }
        Claim::OwnNamespaces => "the policy names no namespaces (`process.own_namespaces`)",
        Claim::ReadOnlyRoot => "the policy does not ask for it (`process.read_only_root`)",
        Claim::ReadOnlyPaths => "the policy names no such directories (`process.read_only_paths`)",
        Claim::NoInheritedDescriptors => {
            "the policy does not ask for it (`process.no_inherited_descriptors`)"
        }
        Claim::ProcessLimits => "the policy sets no limits (`process.limits`)",
        Claim::NeededVariables => {
            "the policy does not say which variables the server needs (`credentials.variables`)"
        }
    }
}
