//! The probe file format, version 1: what one TOML file under `probes/` may say.
//!
//! Owns the serde types and their reference text (schema and docs are made from it). The rules
//! that serde cannot state live in `check.rs`; nothing here knows how a probe is run.
//!
//! A probe says what is planted, what is sent, and which evidence decides. It never names a tool
//! (roles do) and holds no expressions: a reference is structural, `{ "@" = "secret.path" }`.
//! The *permitted twin* of every attack is the same probe instantiated in a copy of the world
//! that lies wholly inside the allowed root, so a probe file describes both at once.

use std::{borrow::Cow, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::probe::{
    AllowedArgument, Claim, Launch, PartRead, Plant, Role, Slot, Text, Variant, is_watch,
};

/// One probe: one declared question about one boundary.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Version of this format; always 1.
    #[schemars(range(min = 1, max = 1))]
    pub format: u32,
    /// `<boundary>.<name>`; the file is `probes/<boundary>/<name>.toml`.
    pub id: ProbeId,
    /// A few words that name the attack.
    pub title: String,
    /// The one question that this probe answers, ending in a question mark.
    pub question: String,
    /// When the probe belongs into a run: `P0` is the core suite.
    pub priority: Priority,
    /// How bad a breach is.
    pub severity: Severity,
    /// The roles through which the question can be asked; each proven channel of any of them is tried. Left out
    /// when no tool is asked.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub roles: Vec<Role>,
    /// What has to stand behind the attacked parameter for the attack to work: a role that a tool of the target
    /// is proven in. Without one the attack is made all the same, and counts where it succeeds; that it
    /// failed shows nothing.
    #[serde(default)]
    pub behind: Option<Role>,
    /// The policy claim that makes the attack forbidden.
    pub claim: Claim,
    /// Platforms on which the attack exists; empty means all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// What the attacker is assumed to be able to do; printed in reports.
    #[serde(default)]
    pub assumes: Assumption,
    /// What a breach means, for the reader of a report: two or three sentences.
    pub why: String,
    /// How the owner of the server closes the hole.
    pub fix: String,
    /// Where the weakness is catalogued.
    #[serde(default)]
    pub references: References,
    /// Which observations decide a breach.
    #[schemars(length(min = 1))]
    pub evidence: Vec<EvidenceKind>,
    /// Objects that are created for each trial, in this order, and removed after it.
    #[serde(default, rename = "plant")]
    pub plants: Vec<Plant>,
    /// The spellings and shapes of the attack; each is a trial of its own on each channel.
    #[serde(rename = "variant")]
    #[schemars(length(min = 1))]
    pub variants: Vec<Variant>,
    /// Where the payload leads an implementation without checks, for attacks that hide it where no
    /// path of the call says so: in an archive or a patch. Must be forbidden.
    #[serde(default)]
    pub reaches: Option<Text>,
    /// Changes to the launch of the target that this probe needs; such trials get a process of their own.
    #[serde(default)]
    pub launch: Option<Launch>,
    /// Name of the coded technique that runs the trial, for what data cannot say (races, timing).
    #[serde(default)]
    pub technique: Option<String>,
    /// Proof that the probe passes and fails.
    pub selftest: Selftest,
    /// The text of its file.
    #[serde(skip)]
    pub(crate) source: Cow<'static, str>,
}

impl Probe {
    /// The roles that a variant is tried on.
    #[must_use]
    pub fn roles_of<'a>(&'a self, variant: &'a Variant) -> &'a [Role] {
        if variant.roles.is_empty() {
            &self.roles
        } else {
            &variant.roles
        }
    }

    /// The platforms that a variant exists on; empty means all.
    #[must_use]
    pub fn platforms_of<'a>(&'a self, variant: &'a Variant) -> &'a [Platform] {
        if variant.platforms.is_empty() {
            &self.platforms
        } else {
            &variant.platforms
        }
    }

    /// Whether the probe makes no call of its own.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.technique.as_deref().is_some_and(is_watch)
    }

    /// All plants of a variant, in the order in which they are created.
    pub fn plants_of<'a>(&'a self, variant: &'a Variant) -> impl Iterator<Item = &'a Plant> {
        self.plants.iter().chain(&variant.plants)
    }

    /// Whether nothing is asked of the target, and it is looked at from outside.
    #[must_use]
    pub fn observes(&self) -> bool {
        self.roles.is_empty() && self.variants.iter().any(|variant| variant.aspect.is_some())
    }

    /// Whether it is played on the network: some claims on hosts are for tools that reach none, and what a host
    /// answers may be about files.
    #[must_use]
    pub fn of_network(&self) -> bool {
        let reaches = |role: &Role| role.of_network() || role.executes();
        if self.claim.of_network() {
            return self.roles.is_empty() || self.roles.iter().any(reaches);
        }
        !self.roles.is_empty() && self.roles.iter().all(|role| role.of_network())
    }

    /// The launch changes of a variant.
    #[must_use]
    pub fn launch_of<'a>(&'a self, variant: &'a Variant) -> Option<&'a Launch> {
        variant.launch.as_ref().or(self.launch.as_ref())
    }

    /// The coded technique of a variant.
    #[must_use]
    pub fn technique_of<'a>(&'a self, variant: &'a Variant) -> Option<&'a str> {
        variant.technique.as_deref().or(self.technique.as_deref())
    }
}

/// A dotted, greppable probe id such as `fs.read.symlink-dir`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ProbeId(pub String);

impl ProbeId {
    /// Everything before the last dot: the boundary, such as `fs.read`.
    #[must_use]
    pub fn boundary(&self) -> &str {
        self.0
            .rsplit_once('.')
            .map_or(self.0.as_str(), |(boundary, _)| boundary)
    }

    /// Everything after the last dot, such as `symlink-dir`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('.').map_or("", |(_, name)| name)
    }
}

impl fmt::Display for ProbeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a probe belongs into a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Priority {
    /// The core suite.
    P0,
    /// The full suite of a family.
    P1,
    /// Completeness.
    P2,
}

/// How bad a breach is, worst last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Helps an attacker.
    Medium,
    /// Gives an attacker data or effects behind the boundary under some condition.
    High,
    /// Gives an attacker data or effects behind the boundary at will.
    Critical,
}

/// An operating system on which an attack exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Linux.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

macro_rules! display_as_in_files {
    ($($name:ty),+ $(,)?) => {$(
        impl fmt::Display for $name {
            /// The word of the file format.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.serialize(f)
            }
        }
    )+};
}

display_as_in_files!(
    Priority,
    Severity,
    Platform,
    Role,
    Slot,
    Claim,
    Assumption,
    EvidenceKind,
    PartRead,
    AllowedArgument,
);

/// What the attacker is assumed to be able to do besides calling tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Assumption {
    /// Nothing: a tool call is enough.
    #[default]
    Caller,
    /// Can create objects in the allowed root: a hostile repository or archive, another tool, another user.
    Planter,
    /// Can start the server with a configuration of its choice, or the operator made a mistake in it.
    Operator,
}

/// Where the weakness is catalogued.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// CWE numbers.
    #[serde(default)]
    pub cwe: Vec<u32>,
    /// CVE ids of the same weakness in real products.
    #[serde(default)]
    pub cve: Vec<String>,
    /// Entries of the OWASP MCP Top 10, `MCP01` to `MCP10`.
    #[serde(default)]
    pub owasp: Vec<String>,
    /// Sections of the MCP specification or other standards, as words a reader can look up.
    #[serde(default)]
    pub spec: Vec<String>,
}

/// A kind of observation that can decide a breach.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// A token of a forbidden plant in any byte that the server emitted.
    Token,
    /// The file witness saw the forbidden file being read.
    Access,
    /// A forbidden place changed: created, written, moved, deleted.
    Effect,
    /// Size, time, digest or existence of a forbidden file was told.
    Metadata,
    /// A connection, a request or a datagram for a forbidden host arrived at the run's own sink.
    Connection,
    /// A question arrived at a resolver that may not be asked, or for a name that may not be.
    Query,
    /// A limit was exceeded that is counted or timed: attempts, seconds.
    Limit,
    /// The trial's program was started: it left its record, or its output came out of the server.
    Execution,
    /// The answer holds what only an evaluation of the input gives: a product of two numbers of it.
    Computed,
    /// The audit log lacks what happened, or holds what did not.
    Record,
    /// The server ended, stopped serving, or took more memory than it may.
    Exhaustion,
    /// The kernel tells something else of a process than the policy.
    Posture,
    /// A rule of the linter finds it in the launch or in the policy.
    Finding,
}

impl EvidenceKind {
    /// Whether there has to be something that was planted: what changes the disk, or arrives on the network, needs no
    /// token to be seen.
    #[must_use]
    pub fn needs_plant(self) -> bool {
        matches!(
            self,
            Self::Token
                | Self::Access
                | Self::Execution
                | Self::Metadata
                | Self::Posture
                | Self::Finding
        )
    }
}

/// The flaws of the reference target on which this probe must report a breach.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selftest {
    /// Flaw names; never empty, but for what only a launcher can give.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub breached: Vec<String>,
    /// What the probe must say of the sound reference target.
    #[serde(default)]
    pub sound: Sound,
    /// What the reference target needs to be sound in this, and cannot give itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Needs>,
}

/// What the reference target cannot give itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// Root outside of all namespaces, from which the sound target turns into another user.
    Root,
    /// A launcher that confines it, such as a sandbox; tests with real ones stand for the self-test.
    Launcher,
    /// A listener, behind which it is attached to over HTTP.
    Listener,
}

/// What a probe says of the sound reference target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sound {
    /// The boundary holds.
    #[default]
    Held,
    /// Nothing in it decodes the spelling, so that there is nothing to hold.
    NotApplicable,
}
