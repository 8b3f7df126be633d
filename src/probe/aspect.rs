//! Aspects: what is looked at from outside, where nothing has to be asked of the target.
//!
//! Owns the words with which a probe names them. How they are looked at is the run's business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that is looked at from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// Planted variables in answers of tools, resources and prompts that call themselves no error.
    Answers,
    /// Planted variables in errors.
    Errors,
    /// Planted variables in what the server says of itself: its greeting and its lists.
    Advertised,
    /// Planted variables in notifications, and in requests of the server's own.
    Notifications,
    /// Planted variables on standard error.
    StandardError,
    /// Planted variables in what arrives at the run's own sink or resolver.
    Outbound,
    /// Planted variables on command lines of the server's processes.
    CommandLines,
    /// Variables that the policy does not name, in the environment of the server.
    ExcessVariables,
    /// Planted variables in the environment of processes that the server starts.
    ChildVariables,
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
}

impl Aspect {
    /// Whether it is about the variables that the run planted.
    #[must_use]
    pub fn of_environment(self) -> bool {
        matches!(
            self,
            Self::Answers
                | Self::Errors
                | Self::Advertised
                | Self::Notifications
                | Self::StandardError
                | Self::Outbound
                | Self::CommandLines
                | Self::ExcessVariables
                | Self::ChildVariables
        )
    }
}
