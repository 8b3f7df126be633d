//! Aspects: what is looked at from outside, where nothing has to be asked of the target.
//!
//! Owns the words with which a probe names them. How they are looked at is the run's business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that is looked at from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// User id 0, real, effective or saved.
    RootUser,
    /// Group id 0, also as a supplementary one.
    RootGroup,
    /// The user that the policy names.
    NamedUser,
    /// Whether that user is another than the one who started it.
    OwnUser,
    /// A shell with which that user could log in.
    LoginShell,
    /// Groups by which a user becomes root: `docker`, `sudo`, `wheel`, `adm` and the like.
    PowerGroups,
    /// Capabilities that it holds.
    Capabilities,
    /// Capabilities that it could gain by executing something.
    BoundingSet,
    /// `no_new_privs`.
    NoNewPrivileges,
    /// A filter of system calls.
    Seccomp,
    /// The label of a security module.
    SecurityModule,
    /// Namespaces that are its own.
    Namespaces,
    /// Sockets of container engines in a world of its own.
    EngineSockets,
    /// Files of the kernel and the tree of control groups, in a world of its own.
    KernelFiles,
    /// Disks of the machine in a world of its own.
    Disks,
    /// The root directory of its launcher in a world of its own.
    HostRoot,
    /// Credentials that were mounted into a world of its own.
    CredentialMounts,
    /// Programs by which it could become another user.
    SetUserId,
    /// A root file system that is mounted read-only.
    RootMount,
    /// Whether it could write where the policy says that it cannot.
    InstallTree,
    /// Descriptors that it inherited from its launcher.
    Descriptors,
    /// Sockets on which a server that speaks over its standard input waits for others.
    Listeners,
    /// Limits of open files, processes, memory and so on.
    Limits,
    /// What lives on when its input has ended.
    InputEnd,
    /// What lives on after `SIGTERM`.
    Terminate,
    /// Secrets of its launcher that reach it, although something stands between them.
    InheritedVariables,
    /// Other secrets in its environment that it does not need.
    SecretVariables,
    /// Secrets on its command line, and on those of what is around it.
    CommandLines,
    /// Secrets that are written out in the launch.
    LaunchSecrets,
    /// Doors that the launch opens: directories, containers, addresses in clear.
    LaunchDoors,
    /// Secrets that are written out in the policy.
    PolicySecrets,
    /// Doors that the policy opens: directories, networks, credentials.
    PolicyDoors,
}

impl Aspect {
    /// Whether the target has to be ended to see it.
    #[must_use]
    pub fn of_ending(self) -> bool {
        matches!(self, Self::InputEnd | Self::Terminate)
    }

    /// Whether it is something of the machine that stands in the world of a process.
    #[must_use]
    pub fn of_doors(self) -> bool {
        matches!(
            self,
            Self::EngineSockets
                | Self::KernelFiles
                | Self::Disks
                | Self::HostRoot
                | Self::CredentialMounts
        )
    }

    /// Whether it is seen in texts of the user's, and not in processes.
    #[must_use]
    pub fn of_text(self) -> bool {
        matches!(
            self,
            Self::LaunchSecrets | Self::LaunchDoors | Self::PolicySecrets | Self::PolicyDoors
        )
    }
}
