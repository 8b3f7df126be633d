//! Roles and slots: what a tool parameter means to us.
//!
//! Owns the words with which a probe, which names no tool, says what it drives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Fetches what a URL names. Slot `url`.
    #[serde(rename = "http.fetch")]
    HttpFetch,
    /// Connects to a port of a host. Slots `host`, `port`.
    #[serde(rename = "net.connect")]
    NetConnect,
    /// Looks up a host name. Slot `host`.
    #[serde(rename = "net.resolve")]
    NetResolve,
    /// Joins what the caller gives to the base URL of an API, as a part of the path, and asks for that. Slot `ident`.
    #[serde(rename = "api.path")]
    ApiPath,
    /// Any text parameter of any tool that is not for execution. Slot `text`. Needs no proof of what
    /// it does: whether it reaches a command is told by the command lines of processes.
    #[serde(rename = "param.text")]
    ParamText,
    /// Runs a command that the caller gives. Slot `text`.
    #[serde(rename = "exec.command")]
    ExecCommand,
    /// Runs a program that the caller gives as text. Slot `text`.
    #[serde(rename = "exec.code")]
    ExecCode,
    /// Evaluates an expression. Slot `text`.
    #[serde(rename = "exec.expression")]
    ExecExpression,
    /// Runs a query in SQL. Slot `text`.
    #[serde(rename = "sql.query")]
    SqlQuery,
    /// Adds a directory to those that the server may use. Slot `path`.
    #[serde(rename = "scope.widen")]
    ScopeWiden,
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
    /// Text or pattern that a search looks for. Optional where a tool reads a file: what it shows of it.
    Pattern,
    /// An identifier that is no path.
    Ident,
    /// The URL that a tool fetches.
    Url,
    /// Name or address of a host.
    Host,
    /// Number of a port.
    Port,
    /// Header fields of a request by name. Optional, an object.
    Headers,
    /// The directory in which a command or code runs. Optional.
    Cwd,
    /// Variables of the environment of a command or code by name. Optional, an object.
    Env,
    /// How many lines or bytes from the start a read returns. Optional, a number.
    Head,
    /// How many lines or bytes from the end a read returns. Optional, a number.
    Tail,
    /// The byte at which a read starts. Optional, a number.
    Offset,
    /// How many bytes a read returns. Optional, a number.
    Length,
    /// A command, a program, an expression, a query, or any other text. Last, so that it takes the
    /// place of what another slot put into the same parameter.
    Text,
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
        Role::HttpFetch,
        Role::NetConnect,
        Role::NetResolve,
        Role::ApiPath,
        Role::ParamText,
        Role::ExecCommand,
        Role::ExecCode,
        Role::ExecExpression,
        Role::SqlQuery,
        Role::ScopeWiden,
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
            | Role::ResourceRead
            | Role::ScopeWiden => &[Slot::Path],
            Role::FileReadMany => &[Slot::Paths],
            Role::FileSearch => &[Slot::Path, Slot::Pattern],
            Role::FileWrite => &[Slot::Path, Slot::Content],
            Role::FileEdit => &[Slot::Path, Slot::Find, Slot::Content],
            Role::FileMove | Role::FileCopy | Role::ArchiveExtract => &[Slot::Path, Slot::Source],
            Role::FilePatch => &[Slot::Content],
            Role::IdentRead | Role::ApiPath => &[Slot::Ident],
            Role::HttpFetch => &[Slot::Url],
            Role::NetConnect => &[Slot::Host, Slot::Port],
            Role::NetResolve => &[Slot::Host],
            Role::ParamText
            | Role::ExecCommand
            | Role::ExecCode
            | Role::ExecExpression
            | Role::SqlQuery => &[Slot::Text],
        }
    }

    /// Whether the role reaches hosts, and not files.
    #[must_use]
    pub fn of_network(self) -> bool {
        matches!(
            self,
            Role::HttpFetch | Role::NetConnect | Role::NetResolve | Role::ApiPath
        )
    }

    /// Whether its tools reach what does not exist yet.
    #[must_use]
    pub fn creates(self) -> bool {
        match self {
            Role::FileWrite
            | Role::FileEdit
            | Role::FileMove
            | Role::FileCopy
            | Role::FileDelete
            | Role::FileSave
            | Role::FilePatch
            | Role::DirCreate
            | Role::ArchiveExtract
            | Role::RepoCreate => true,
            Role::ParamText
            | Role::ExecCommand
            | Role::ExecCode
            | Role::ExecExpression
            | Role::SqlQuery
            | Role::ScopeWiden => false,
            Role::FileRead
            | Role::FileReadMany
            | Role::FileInfo
            | Role::FileSearch
            | Role::FileStage
            | Role::DirList
            | Role::ArchiveRead
            | Role::IdentRead
            | Role::RepoRead
            | Role::ResourceRead
            | Role::HttpFetch
            | Role::NetConnect
            | Role::NetResolve
            | Role::ApiPath => false,
        }
    }

    /// Whether the tool is there to execute what the caller gives.
    #[must_use]
    pub fn executes(self) -> bool {
        matches!(
            self,
            Role::ExecCommand | Role::ExecCode | Role::ExecExpression | Role::SqlQuery
        )
    }

    /// Slots that a channel of this role may have; variants with `part`, `headers`, `cwd`, `env` or `pattern` need them.
    #[must_use]
    pub fn optional_slots(self) -> &'static [Slot] {
        match self {
            Role::FileRead => &[
                Slot::Head,
                Slot::Tail,
                Slot::Offset,
                Slot::Length,
                Slot::Pattern,
            ],
            Role::HttpFetch => &[Slot::Headers],
            Role::ExecCommand | Role::ExecCode => &[Slot::Cwd, Slot::Env],
            _ => &[],
        }
    }
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
