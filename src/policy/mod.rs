//! Policies: the contract under test, from a JSON, YAML or TOML file.
//!
//! Owns what a policy says, its checks, its schema and the decision on a path. Knows nothing of
//! targets and testbeds; the values of placeholders come from outside.

mod audit;
mod build;
mod check;
mod document;
mod filesystem;
mod hosts;
mod network;
mod placeholder;
mod process;

use std::{path::Path, time::Duration};

use serde::{Serialize, Serializer};

pub use audit::{AuditLog, STDERR};
pub use build::PolicyBuilder;
pub use document::*;
pub use filesystem::{Access, Decision, DeniedInside, Entry, Location, Rule, RuleKind};
pub use hosts::{Base, Hosts, Named};
pub use network::{NameRule, Network, SPECIAL, carried, carrying};
pub use placeholder::*;

use crate::{
    diag::{At, Diagnostic, Problems, Source, schema_of},
    policy::filesystem::Filesystem,
    probe::Claim,
};

/// The policy of a run that was given none.
const DEFAULT: &str = include_str!("default.toml");

/// A policy without mistakes.
#[derive(Debug, Clone)]
pub struct Policy {
    document: Document,
    source: Source,
    filesystem: Option<Filesystem>,
    network: Network,
    warnings: Vec<Diagnostic>,
}

impl Policy {
    /// Reads a policy file; its format is known by its ending, else by its content.
    ///
    /// # Errors
    ///
    /// All mistakes that were found, each with its place.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        Self::load(&Source::read(path)?)
    }

    /// Reads a policy from a text.
    ///
    /// # Errors
    ///
    /// All mistakes that were found, each with its place.
    pub fn load(source: &Source) -> Result<Self, Problems> {
        Self::new(source.parse(source.format())?, source)
    }

    /// A policy that stands inside of another file.
    ///
    /// # Errors
    ///
    /// All mistakes that were found, each with its place in `source`.
    pub fn new(document: Document, source: &Source) -> Result<Self, Problems> {
        let mut found = Vec::new();
        let filesystem = check::check(&document, source, &mut found);
        found.sort_by_key(|one| one.span().map_or(0, |span| span.start));
        match Problems::new(found.clone()) {
            Some(problems) => Err(problems),
            None => Ok(Self {
                network: document
                    .server
                    .as_ref()
                    .and_then(|server| server.network.as_ref())
                    .map_or_else(Network::expected, Network::read),
                document,
                source: source.clone(),
                filesystem,
                warnings: found,
            }),
        }
    }

    /// The policy of a run that was given none: files only inside `{allowed}`,
    /// and public hosts, as where nothing is said of them.
    #[must_use]
    pub fn default_policy() -> Self {
        let source = Source::new("default-policy.toml", DEFAULT);
        Self::load(&source).expect("the default policy has no mistakes; a test reads it")
    }

    /// A policy that is written in Rust.
    ///
    /// ```
    /// use watertight::policy::Policy;
    ///
    /// let policy = Policy::builder()
    ///     .allow_path("{allowed}")
    ///     .deny_path("{allowed}/private")
    ///     .deny_host("10.0.0.0/8")
    ///     .build()?;
    /// assert!(!policy.network().permits([10, 0, 0, 5].into()));
    /// # Ok::<(), watertight::diag::Problems>(())
    /// ```
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// What it says, as written.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The file that it was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What is allowed but probably not meant.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The same policy with real paths: only then [`decide`](Self::decide) knows the places that
    /// are written with placeholders. Lines and columns stay those of the file.
    ///
    /// # Errors
    ///
    /// When a placeholder has no value in this run; the diagnostic points at it.
    pub fn expand(&self, placeholders: &Placeholders) -> Result<Self, Problems> {
        let mut found = Vec::new();
        let mut document = self.document.clone();
        for (at, glob) in document.texts() {
            // In a pattern, a directory called `[x]` must stay a directory.
            let values = if glob {
                placeholders.escaped()
            } else {
                placeholders.clone()
            };
            match values.expand(&at.value) {
                Ok(text) => at.value = text,
                Err(unknown) => found.push(
                    Diagnostic::error("policy::no-value", unknown.to_string())
                        .within(&self.source)
                        .label(at.span.clone(), "cannot be replaced")
                        .help("remove it from the policy of this run"),
                ),
            }
        }
        match Problems::new(found) {
            Some(problems) => Err(problems),
            None => Ok(Self {
                warnings: self.warnings.clone(),
                ..Self::new(document, &self.source)?
            }),
        }
    }

    /// Whether an access is permitted, and by which rule. The path is absolute and is compared as
    /// it is written: the caller resolves links, `.` and `..` where that is meant. A policy
    /// without a filesystem section claims nothing, so everything is permitted.
    #[must_use]
    pub fn decide(&self, path: &Path, access: Access) -> Decision {
        match &self.filesystem {
            Some(filesystem) => filesystem.decide(path, access),
            None => Decision {
                allowed: true,
                rule: Rule {
                    kind: RuleKind::NoClaim,
                    entry: String::from("capabilities.filesystem"),
                    location: None,
                },
            },
        }
    }

    /// Whether the policy makes a claim. What it does not claim is not tested.
    #[must_use]
    pub fn claims(&self, claim: Claim) -> bool {
        match claim {
            Claim::Host | Claim::Base | Claim::Cancel => return true,
            Claim::HostRange => return self.network.claimed,
            Claim::HostHole => return self.network.allowed.is_some(),
            Claim::UnlistedHost => return self.network.allowed.is_some(),
            Claim::HostName => return !self.network.allowed_names.is_empty(),
            Claim::DeniedName => return !self.network.denied_names.is_empty(),
            Claim::OnlyNames => {
                let ranges = self.network.allowed.as_deref().unwrap_or_default();
                return !self.network.allowed_names.is_empty() && ranges.is_empty();
            }
            Claim::Port => return self.network.ports.is_some(),
            Claim::Resolver => return self.network.resolver.is_some(),
            Claim::TimeLimit => return self.time_limit().is_some(),
            Claim::RetryLimit => return self.max_retries().is_some(),
            Claim::Execution | Claim::Listed | Claim::Variables | Claim::Launch => return true,
            Claim::OwnPolicy => return self.source.text() != DEFAULT,
            Claim::Commands => return self.allowed_commands().is_some(),
            Claim::Availability => return true,
            Claim::AuditLog => return self.audit().is_some(),
            Claim::AuditFiles => return self.records(AuditEvent::FileAccess),
            Claim::AuditNetwork => return self.records(AuditEvent::NetworkRequest),
            Claim::AuditCommands => return self.records(AuditEvent::CommandExecution),
            Claim::AuditCallers => return self.records(AuditEvent::AuthFailure),
            Claim::AuditRotation => return self.audit().is_some_and(|log| log.rotation.is_some()),
            other if other.of_process() => {
                return self.claims_of_process(other);
            }
            _ => {}
        }
        let Some(filesystem) = &self.filesystem else {
            return false;
        };
        match claim {
            Claim::Outside => filesystem.confines(),
            Claim::DeniedInside => self.denied_inside().iter().any(|denied| !denied.pattern),
            Claim::DeniedPattern => self.denied_inside().iter().any(|denied| denied.pattern),
            Claim::MaxFileSize => filesystem.max_file_bytes.is_some(),
            Claim::ReadOnly => filesystem.read_only,
            Claim::ProtectedNames => !filesystem.protected.is_empty(),
            _ => false,
        }
    }

    /// Names of the variables that the server needs.
    #[must_use]
    pub fn needed_variables(&self) -> Vec<String> {
        let credentials = self.document.credentials.iter();
        let names = credentials.flat_map(|credentials| &credentials.variables);
        names.map(|name| name.value.clone()).collect()
    }

    /// The line of its source, from 1, where the policy makes a claim; `None` when it makes none
    /// or its source is no text of the user's.
    #[must_use]
    pub fn line_of(&self, claim: Claim) -> Option<usize> {
        if let Some(line) = self.line_of_audit(claim) {
            return Some(line);
        }
        if claim.of_network() {
            return self.line_of_network(claim);
        }
        if claim == Claim::Commands {
            let first = self.allowed_commands()?.first()?;
            return self.line_at(&first.span);
        }
        if claim.of_process() {
            return self.line_at(&self.place_of_process(claim)?);
        }
        let files = self.filesystem.as_ref()?;
        let written = self.document.capabilities.as_ref();
        let written = written.and_then(|all| all.filesystem.as_ref())?;
        let denied = |pattern| {
            let denied = files.denied_inside();
            let first = denied.iter().find(|denied| denied.pattern == pattern)?;
            Some(first.entry.location.as_ref()?.line)
        };
        match claim {
            Claim::Outside => Some(files.allowed_at.as_ref()?.line),
            Claim::DeniedInside => denied(false),
            Claim::DeniedPattern => denied(true),
            Claim::MaxFileSize => self.line_at(&written.max_file_size_mb.as_ref()?.span),
            Claim::ReadOnly => Some(files.read_only_at.as_ref()?.line),
            Claim::ProtectedNames => {
                let (entry, _) = files.protected.first()?;
                Some(entry.location.as_ref()?.line)
            }
            _ => None,
        }
    }

    /// The commands that may be run, if the policy says so: by name or absolute path.
    #[must_use]
    pub fn allowed_commands(&self) -> Option<&[At<String>]> {
        let execution = self.document.execution.as_ref()?;
        Some(&execution.allowed_commands)
    }

    /// Whether the policy lists a command, by its name or with its directory.
    #[must_use]
    pub fn runs(&self, command: &str) -> bool {
        let name = |text: &str| text.rsplit('/').next() == Some(command);
        let listed = self.allowed_commands().unwrap_or_default();
        listed.iter().any(|one| name(&one.value))
    }

    fn line_of_audit(&self, claim: Claim) -> Option<usize> {
        let written = self.document.audit.as_ref();
        let event = |kind| {
            let at = written?.events.iter().find(|at| at.value == kind)?;
            self.line_at(&at.span)
        };
        match claim {
            Claim::AuditFiles => event(AuditEvent::FileAccess),
            Claim::AuditNetwork => event(AuditEvent::NetworkRequest),
            Claim::AuditCommands => event(AuditEvent::CommandExecution),
            Claim::AuditLog => {
                let audit = written?;
                let at = audit.log_file.as_ref().or(audit.log_files.first())?;
                self.line_at(&at.span)
            }
            Claim::AuditRotation => self.line_at(&written?.rotate.as_ref()?.max_size_mb.span),
            Claim::Availability => {
                let limit = self.document.resources.as_ref()?.max_memory_mb.as_ref()?;
                self.line_at(&limit.span)
            }
            _ => None,
        }
    }

    fn line_of_network(&self, claim: Claim) -> Option<usize> {
        let server = self.document.server.as_ref()?;
        let hosts = || {
            let network = server.network.as_ref()?;
            let listed = network.denied_hosts.first();
            listed.or_else(|| network.allowed_hosts.as_ref()?.first())
        };
        let allowed = || server.network.as_ref()?.allowed_hosts.as_ref()?.first();
        let span = match claim {
            Claim::Host | Claim::HostRange => &hosts()?.span,
            Claim::HostHole | Claim::UnlistedHost | Claim::HostName => &allowed()?.span,
            Claim::DeniedName => &network::first_name(&server.network.as_ref()?.denied_hosts)?.span,
            Claim::Port => &server.network.as_ref()?.allowed_ports.as_ref()?.span,
            Claim::Resolver => &server.network.as_ref()?.dns_override.as_ref()?.span,
            Claim::TimeLimit => &server.timeout_seconds.as_ref()?.span,
            Claim::RetryLimit => &server.max_retries.as_ref()?.span,
            _ => return None,
        };
        self.line_at(span)
    }

    fn line_at(&self, span: &std::ops::Range<usize>) -> Option<usize> {
        (!span.is_empty()).then(|| self.source.position(span.start).0)
    }

    /// Denied places and patterns that lie below an allowed path, in the order of the file; all
    /// of them when there is no allow-list.
    #[must_use]
    pub fn denied_inside(&self) -> Vec<DeniedInside<'_>> {
        self.filesystem
            .as_ref()
            .map_or_else(Vec::new, Filesystem::denied_inside)
    }

    /// The allow-list, if there is one.
    #[must_use]
    pub fn allowed_paths(&self) -> Option<&[Entry]> {
        self.filesystem.as_ref()?.allowed.as_deref()
    }

    /// Size in bytes above which a file may be neither read nor written: `max_file_size_mb` at
    /// 1,048,576 bytes each, since a file above that is too large in every reading of MB.
    #[must_use]
    pub fn max_file_bytes(&self) -> Option<u64> {
        self.filesystem.as_ref()?.max_file_bytes
    }

    /// Which hosts may be reached. A policy that does not say so means public addresses.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How long a request of the server's own may take (`timeout_seconds`).
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        let seconds = self.document.server.as_ref()?.timeout_seconds.as_ref()?;
        Duration::try_from_secs_f64(seconds.value).ok()
    }

    /// How often a failed request of the server's own may be repeated (`max_retries`).
    #[must_use]
    pub fn max_retries(&self) -> Option<u32> {
        Some(self.document.server.as_ref()?.max_retries.as_ref()?.value)
    }

    /// Names that may be read but not written, as they are written.
    pub fn protected_names(&self) -> impl Iterator<Item = &Entry> {
        self.filesystem
            .iter()
            .flat_map(|filesystem| filesystem.protected.iter().map(|(entry, _)| entry))
    }
}

/// The policy as a document again: reading that gives the same policy.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document.serialize(serializer)
    }
}

impl Document {
    /// Everything in which placeholders may stand, and whether it is a pattern.
    fn texts(&mut self) -> Vec<(&mut At<String>, bool)> {
        let files = self
            .capabilities
            .as_mut()
            .and_then(|capabilities| capabilities.filesystem.as_mut());
        let (mut plain, mut denied) = (Vec::new(), Vec::new());
        if let Some(files) = files {
            plain.extend(
                files
                    .allowed_paths
                    .iter_mut()
                    .flat_map(|list| &mut list.value),
            );
            denied.extend(&mut files.denied_paths);
        }
        plain.extend(
            self.audit
                .iter_mut()
                .flat_map(|audit| audit.log_file.iter_mut().chain(&mut audit.log_files)),
        );
        plain.extend(
            self.process
                .iter_mut()
                .flat_map(|process| &mut process.read_only_paths),
        );
        plain.extend(
            self.execution
                .iter_mut()
                .flat_map(|execution| &mut execution.allowed_commands),
        );
        plain
            .into_iter()
            .map(|at| (at, false))
            .chain(denied.into_iter().map(|at| {
                let glob = filesystem::is_pattern(&at.value);
                (at, glob)
            }))
            .collect()
    }
}

/// JSON Schema of policy files.
#[must_use]
pub fn schema() -> schemars::Schema {
    schema_of::<Document>("Watertight policy, version 1")
}
