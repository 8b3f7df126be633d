//! The probe file format, version 1: what one TOML file under `probes/` may say.
//!
//! Owns the serde types and their reference text (schema and docs are made from it). The rules
//! that serde cannot state live in `check.rs`; nothing here knows how a probe is run.
//!
//! A probe says what is planted, what is sent, and which evidence decides. It never names a tool
//! (roles do) and holds no expressions: a reference is structural, `{ "@" = "secret.path" }`.
//! The *permitted twin* of every attack is the same probe instantiated in a copy of the world
//! that lies wholly inside the allowed root, so a probe file describes both at once.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::probe::Text;

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
    /// The roles through which the question can be asked; each proven channel of any of them is tried.
    #[schemars(length(min = 1))]
    pub roles: Vec<Role>,
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
    /// Changes to the launch of the target that this probe needs; such trials get a process of their own.
    #[serde(default)]
    pub launch: Option<Launch>,
    /// Name of the coded technique that runs the trial, for what data cannot say (races, timing).
    #[serde(default)]
    pub technique: Option<String>,
    /// Proof that the probe passes and fails.
    pub selftest: Selftest,
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

    /// All plants of a variant, in the order in which they are created.
    pub fn plants_of<'a>(&'a self, variant: &'a Variant) -> impl Iterator<Item = &'a Plant> {
        self.plants.iter().chain(&variant.plants)
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

/// What a tool parameter means to us. A channel drives exactly one role.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Role {
    /// Returns the content of one file. Slot `path`.
    #[serde(rename = "file.read")]
    FileRead,
    /// Returns the content of several files. Slot `paths`.
    #[serde(rename = "file.read-many")]
    FileReadMany,
    /// Returns facts on one file: size, times, mode, digest. Slot `path`.
    #[serde(rename = "file.info")]
    FileInfo,
    /// Finds text or names below a directory. Slots `path`, `pattern`.
    #[serde(rename = "file.search")]
    FileSearch,
    /// Creates or replaces a file with given content. Slots `path`, `content`.
    #[serde(rename = "file.write")]
    FileWrite,
    /// Changes part of a file. Slots `path`, `find`, `content`.
    #[serde(rename = "file.edit")]
    FileEdit,
    /// Renames or moves a file. Slots `source`, `path` (the destination).
    #[serde(rename = "file.move")]
    FileMove,
    /// Copies a file. Slots `source`, `path` (the destination).
    #[serde(rename = "file.copy")]
    FileCopy,
    /// Deletes a file. Slot `path`. Destructive.
    #[serde(rename = "file.delete")]
    FileDelete,
    /// Writes output of its own making to a file that the caller names. Slot `path`.
    #[serde(rename = "file.save")]
    FileSave,
    /// Applies a unified diff. Slot `content`.
    #[serde(rename = "file.patch")]
    FilePatch,
    /// Takes a file in and gives its content out through another tool. Slot `path`.
    #[serde(rename = "file.stage")]
    FileStage,
    /// Names the entries of a directory. Slot `path`.
    #[serde(rename = "dir.list")]
    DirList,
    /// Creates a directory. Slot `path`.
    #[serde(rename = "dir.create")]
    DirCreate,
    /// Unpacks an archive. Slots `source` (the archive), `path` (the destination directory).
    #[serde(rename = "archive.extract")]
    ArchiveExtract,
    /// Names or shows members of an archive. Slot `path`.
    #[serde(rename = "archive.read")]
    ArchiveRead,
    /// Returns a document by an identifier that is no path. Slot `ident`.
    #[serde(rename = "ident.read")]
    IdentRead,
    /// Returns history or content of a version-control repository. Slot `path`.
    #[serde(rename = "repo.read")]
    RepoRead,
    /// Creates a repository or project. Slot `path`.
    #[serde(rename = "repo.create")]
    RepoCreate,
    /// An MCP resource read by URI. Slot `path`.
    #[serde(rename = "resource.read")]
    ResourceRead,
}

/// A named argument of a role; a channel knows where in the tool's arguments it goes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// The path that the tool reads, or the destination that it writes.
    Path,
    /// Several paths that the tool reads.
    Paths,
    /// The path that a two-path tool takes from.
    Source,
    /// Text that is written.
    Content,
    /// Text that an edit replaces.
    Find,
    /// Text or pattern that a search looks for.
    Pattern,
    /// An identifier that is no path.
    Ident,
    /// How many lines or bytes from the start a read returns. Optional, a number.
    Head,
    /// How many lines or bytes from the end a read returns. Optional, a number.
    Tail,
    /// The byte at which a read starts. Optional, a number.
    Offset,
    /// How many bytes a read returns. Optional, a number.
    Length,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Role] = &[
        Role::FileRead,
        Role::FileReadMany,
        Role::FileInfo,
        Role::FileSearch,
        Role::FileWrite,
        Role::FileEdit,
        Role::FileMove,
        Role::FileCopy,
        Role::FileDelete,
        Role::FileSave,
        Role::FilePatch,
        Role::FileStage,
        Role::DirList,
        Role::DirCreate,
        Role::ArchiveExtract,
        Role::ArchiveRead,
        Role::IdentRead,
        Role::RepoRead,
        Role::RepoCreate,
        Role::ResourceRead,
    ];

    /// The slots that a channel of this role must fill, main slot first.
    #[must_use]
    pub fn slots(self) -> &'static [Slot] {
        match self {
            Role::FileRead
            | Role::FileInfo
            | Role::FileDelete
            | Role::FileSave
            | Role::FileStage
            | Role::DirList
            | Role::DirCreate
            | Role::ArchiveRead
            | Role::RepoRead
            | Role::RepoCreate
            | Role::ResourceRead => &[Slot::Path],
            Role::FileReadMany => &[Slot::Paths],
            Role::FileSearch => &[Slot::Path, Slot::Pattern],
            Role::FileWrite => &[Slot::Path, Slot::Content],
            Role::FileEdit => &[Slot::Path, Slot::Find, Slot::Content],
            Role::FileMove | Role::FileCopy | Role::ArchiveExtract => &[Slot::Path, Slot::Source],
            Role::FilePatch => &[Slot::Content],
            Role::IdentRead => &[Slot::Ident],
        }
    }

    /// Slots that a channel of this role may have; variants with `part` need them.
    #[must_use]
    pub fn optional_slots(self) -> &'static [Slot] {
        match self {
            Role::FileRead => &[Slot::Head, Slot::Tail, Slot::Offset, Slot::Length],
            _ => &[],
        }
    }
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
}

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
}

/// An object that is created for each trial. Exactly one kind is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    /// The name by which texts refer to it.
    pub name: String,
    /// A regular file that carries a fresh token at its head, middle and tail, each beside its tag.
    #[serde(default)]
    pub file: Option<FilePlant>,
    /// A directory.
    #[serde(default)]
    pub dir: Option<Placed>,
    /// A symbolic link.
    #[serde(default)]
    pub symlink: Option<LinkPlant>,
    /// A hard link.
    #[serde(default)]
    pub hardlink: Option<LinkPlant>,
    /// A named pipe.
    #[serde(default)]
    pub fifo: Option<Placed>,
    /// A git repository whose one commit carries a fresh token in its message.
    #[serde(default)]
    pub repo: Option<Placed>,
    /// An archive.
    #[serde(default)]
    pub archive: Option<ArchivePlant>,
}

/// A place and nothing more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// Where it is created; missing parents are created too.
    pub at: Text,
}

/// A regular file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilePlant {
    /// Where it is created; missing parents are created too.
    pub at: Text,
    /// Exact content instead of a token document; may refer to the tokens of this or other plants.
    #[serde(default)]
    pub content: Option<Text>,
    /// Size in bytes relative to the policy's size limit; negated in the twin. The token then
    /// stands, after its tag, in the very last bytes and nowhere else, and only the whole of it
    /// is evidence: an answer that was cut at the limit is none.
    #[serde(default)]
    pub over: Option<i64>,
}

/// A symbolic or hard link.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkPlant {
    /// Where the link is created.
    pub at: Text,
    /// What it points at; may be relative, and need not exist for a symbolic link.
    pub to: Text,
}

/// An archive made of the listed members.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchivePlant {
    /// Where it is created.
    pub at: Text,
    /// The container format.
    pub format: ArchiveFormat,
    /// Its members, in order.
    #[schemars(length(min = 1))]
    pub members: Vec<ArchiveMember>,
}

/// An archive container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveFormat {
    /// ZIP.
    Zip,
    /// Uncompressed tar.
    Tar,
    /// Gzipped tar.
    TarGz,
}

/// A member of an archive: a file unless `symlink` or `hardlink` is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveMember {
    /// The member's name as stored, traversal included.
    pub name: Text,
    /// Content of a file member; the trial's payload when absent.
    #[serde(default)]
    pub content: Option<Text>,
    /// Unpacked size of a file member relative to the policy's size limit, negated in the twin:
    /// filler that ends in the archive's tag and token, as in a file plant.
    #[serde(default)]
    pub over: Option<i64>,
    /// Target of a symbolic link member.
    #[serde(default)]
    pub symlink: Option<Text>,
    /// Target of a hard link member (tar only).
    #[serde(default)]
    pub hardlink: Option<Text>,
}

/// One spelling or shape of the attack.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Kebab-case, unique in the probe; part of the trial id.
    pub name: String,
    /// Main slot of single-path roles: what is read, listed or written.
    #[serde(default)]
    pub path: Option<Text>,
    /// Slot `paths`: several files in one call.
    #[serde(default)]
    pub paths: Option<Vec<Text>>,
    /// Slot `source` of two-path roles.
    #[serde(default)]
    pub source: Option<Text>,
    /// Slot `content`; the trial's payload when absent.
    #[serde(default)]
    pub content: Option<Text>,
    /// Slot `find`; a line of the planted file when absent.
    #[serde(default)]
    pub find: Option<Text>,
    /// Slot `pattern`.
    #[serde(default)]
    pub pattern: Option<Text>,
    /// Slot `ident`.
    #[serde(default)]
    pub ident: Option<Text>,
    /// The main slot as exact JSON text, for values that are no strings; `@path@` inside a JSON
    /// string stands for the rendered `path`.
    #[serde(default)]
    pub path_json: Option<String>,
    /// Only on these roles; all of the probe's when empty.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Only on these platforms; the probe's when empty.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// Plants that only this variant needs, after the probe's own.
    #[serde(default, rename = "plant")]
    pub plants: Vec<Plant>,
    /// Why this variant can have no permitted twin. Without a reason the twin is sent too.
    #[serde(default)]
    pub no_twin: Option<String>,
    /// Reads only a part of the file, through optional arguments of the channel; the variant
    /// applies to the channels that have them.
    #[serde(default)]
    pub part: Option<PartRead>,
    /// Launch changes of this variant, instead of the probe's.
    #[serde(default)]
    pub launch: Option<Launch>,
    /// Technique of this variant, instead of the probe's.
    #[serde(default)]
    pub technique: Option<String>,
    /// A second call, made when the first was answered, through the proven `file.read` channel:
    /// what a chain put inside the allowed root is fetched from there.
    #[serde(default)]
    pub then_read: Option<Text>,
}

/// A part of a file that a reading tool is asked for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PartRead {
    /// Slot `head` with 1000000: all of any file, asked for as its first lines.
    Head,
    /// Slot `tail` with 64: the end of the file, be it counted in lines or in bytes.
    Tail,
    /// Slots `offset` and `length`: the last 64 bytes of the planted file.
    Span,
}

impl PartRead {
    /// The optional slots that a channel needs for it.
    #[must_use]
    pub fn slots(self) -> &'static [Slot] {
        match self {
            PartRead::Head => &[Slot::Head],
            PartRead::Tail => &[Slot::Tail],
            PartRead::Span => &[Slot::Offset, Slot::Length],
        }
    }
}

/// Changes to the launch of the target.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// Working directory of the target.
    #[serde(default)]
    pub cwd: Option<Text>,
    /// What stands in the command line where `{allowed}` stood.
    #[serde(default)]
    pub allowed: Option<AllowedArgument>,
}

/// What replaces the allowed directory in the command line and environment of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllowedArgument {
    /// The argument is left out.
    Removed,
    /// The argument is the empty string.
    Empty,
    /// The argument names a directory that does not exist.
    Missing,
}

/// The flaws of the reference target on which this probe must report a breach.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selftest {
    /// Flaw names; never empty. On the sound reference target the probe must be `held`.
    #[schemars(length(min = 1))]
    pub breached: Vec<String>,
}
