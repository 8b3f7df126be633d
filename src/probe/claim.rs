//! What a policy can claim, as far as probes ask about it.
//!
//! Owns the names of claims and what each is about. Whether a policy makes one is the policy's to say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The policy claim that makes an attack forbidden. Without the claim the probe is not applicable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// Only the allowed paths may be reached (`allowed_paths`; also the default policy).
    Outside,
    /// A path below an allowed one is denied (`denied_paths`).
    DeniedInside,
    /// A deny rule holds a pattern (`denied_paths` with `*`).
    DeniedPattern,
    /// Files above a size may be neither read nor written (`max_file_size_mb`).
    MaxFileSize,
    /// Nothing may be written at all (`read_only`).
    ReadOnly,
    /// Names inside the allowed root that may not be written (`protected_names`).
    ProtectedNames,
    /// Some host may not be reached (`denied_hosts`, `allowed_hosts`; also the default policy).
    Host,
    /// Ranges of addresses are denied: their edges are attacked, a trial each.
    HostRange,
    /// Some addresses are allowed: their denied neighbours are attacked, a trial each.
    HostHole,
    /// Hosts that no list names may not be reached (`allowed_hosts`).
    UnlistedHost,
    /// Hosts are allowed by name (`allowed_hosts`): a trial for each rule.
    HostName,
    /// Hosts are denied by name, whatever their addresses (`denied_hosts`): a trial for each.
    DeniedName,
    /// Hosts are allowed by name, and none by address: other names need not be looked up.
    OnlyNames,
    /// What a caller gives for a part of a path leaves the base URL of an API alone (claimed of every server that is
    /// told a base at the run's own sink: `{sink}`).
    Base,
    /// Only some ports of permitted hosts may be reached (`allowed_ports`).
    Port,
    /// Only one resolver may be asked (`dns_override`).
    Resolver,
    /// Requests of the server's own end within a time (`timeout_seconds`).
    TimeLimit,
    /// Failed requests of the server's own are repeated a number of times (`max_retries`).
    RetryLimit,
    /// The server goes on serving and stays within its memory, whatever it is sent (`resources`;
    /// claimed of every server that is launched).
    Availability,
    /// There is an audit log (`audit`).
    AuditLog,
    /// Access to files is recorded (`audit.events`: `file_access`).
    AuditFiles,
    /// Requests to hosts are recorded (`audit.events`: `network_request`).
    AuditNetwork,
    /// Commands are recorded (`audit.events`: `command_execution`).
    AuditCommands,
    /// Callers who are not let in are recorded (`audit.events`: `auth_failure`).
    AuditCallers,
    /// The log is rotated (`audit.rotate`).
    AuditRotation,
    /// A server that speaks over its standard input ends with it, and waits for nobody else
    /// (claimed of every server that is launched).
    StandardInput,
    /// It does not run as root (`no_root`).
    NoRoot,
    /// It runs as a user of its own (`user`).
    OwnUser,
    /// It holds no capability of Linux (`no_capabilities`).
    NoCapabilities,
    /// It cannot gain powers by executing something (`no_new_privileges`).
    NoNewPrivileges,
    /// A filter of system calls is on (`seccomp`).
    SystemCallFilter,
    /// A security module confines it (`security_module`).
    SecurityModule,
    /// Namespaces are its own (`own_namespaces`).
    OwnNamespaces,
    /// In a world of its own it has nothing by which the machine is ruled, nor its launcher's secrets (claimed of every
    /// server that is launched).
    OwnWorld,
    /// Its root file system is mounted read-only (`read_only_root`).
    ReadOnlyRoot,
    /// It cannot write where it is installed (`read_only_paths`).
    ReadOnlyPaths,
    /// It inherits no descriptors but the three standard ones (`no_inherited_descriptors`).
    NoInheritedDescriptors,
    /// Its resources are limited (`limits`).
    ProcessLimits,
    /// Work ends when its call is cancelled: expected of any server, whatever its policy says.
    Cancel,
    /// Nothing that a caller sends is executed by tools that are not for it. Every policy claims it.
    Execution,
    /// Only some commands may be run (`allowed_commands`).
    Commands,
    /// Where a tool runs queries and refuses plain changes, no query changes anything (a boundary of the server's own,
    /// found by experiment).
    Queries,
    /// Tools that are not listed do not answer. Every policy claims it.
    Listed,
    /// Secrets in the environment of a server stay in it. Every policy claims it.
    Variables,
    /// A server is given no secrets but those that it needs (`credentials.variables`).
    NeededVariables,
    /// No secret stands on the command line of a process (claimed of every server that is launched).
    CommandLines,
    /// What a server is launched with holds no secret and opens no door (claimed of every server).
    Launch,
    /// The policy itself opens no door (claimed of every policy that somebody wrote).
    OwnPolicy,
}

impl Claim {
    /// Whether the claim is about hosts, and not about files.
    #[must_use]
    pub fn of_network(self) -> bool {
        match self {
            Claim::Host
            | Claim::HostRange
            | Claim::HostHole
            | Claim::UnlistedHost
            | Claim::HostName
            | Claim::DeniedName
            | Claim::OnlyNames
            | Claim::Base
            | Claim::Port
            | Claim::Resolver
            | Claim::TimeLimit
            | Claim::RetryLimit
            | Claim::Cancel
            | Claim::AuditNetwork => true,
            Claim::Availability
            | Claim::AuditLog
            | Claim::AuditFiles
            | Claim::AuditCommands
            | Claim::AuditCallers
            | Claim::AuditRotation
            | Claim::Outside
            | Claim::DeniedInside
            | Claim::DeniedPattern
            | Claim::MaxFileSize
            | Claim::ReadOnly
            | Claim::ProtectedNames
            | Claim::Execution
            | Claim::Commands
            | Claim::Queries
            | Claim::Listed
            | Claim::Launch
            | Claim::OwnPolicy
            | Claim::Variables => false,
            other => {
                debug_assert!(other.of_process());
                false
            }
        }
    }

    /// Whether the claim is that some host is not reached, whatever else a network is limited in.
    #[must_use]
    pub fn denies_hosts(self) -> bool {
        matches!(
            self,
            Claim::Host
                | Claim::HostRange
                | Claim::HostHole
                | Claim::UnlistedHost
                | Claim::HostName
                | Claim::DeniedName
                | Claim::Port
        )
    }

    /// Whether a server that nobody asked for it may make the claim itself, by what its tools refuse.
    #[must_use]
    pub fn of_the_server(self) -> bool {
        matches!(self, Claim::Commands | Claim::Queries)
    }

    /// Whether the claim is about the processes of a target, seen from outside.
    #[must_use]
    pub fn of_process(self) -> bool {
        matches!(
            self,
            Claim::StandardInput
                | Claim::NoRoot
                | Claim::OwnUser
                | Claim::NoCapabilities
                | Claim::NoNewPrivileges
                | Claim::SystemCallFilter
                | Claim::SecurityModule
                | Claim::OwnNamespaces
                | Claim::OwnWorld
                | Claim::ReadOnlyRoot
                | Claim::ReadOnlyPaths
                | Claim::NoInheritedDescriptors
                | Claim::ProcessLimits
                | Claim::NeededVariables
                | Claim::CommandLines
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Claim;

    /// A sandbox that keeps hosts away limits neither time nor repetition.
    #[test]
    fn what_is_limited_on_a_network_is_not_all_reach() {
        assert!(Claim::Host.denies_hosts() && Claim::UnlistedHost.denies_hosts());
        for other in [
            Claim::TimeLimit,
            Claim::RetryLimit,
            Claim::Cancel,
            Claim::Resolver,
            Claim::OnlyNames,
        ] {
            assert!(other.of_network() && !other.denies_hosts(), "{other:?}");
        }
    }
}
