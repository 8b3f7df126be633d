//! Plants: the objects that a trial creates.
//!
//! Owns their declared form. Making and removing them is the testbed's business.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::probe::{RecordPlant, SitePlant, Text};

/// An object that is created for each trial. Exactly one kind is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    /// The name by which texts refer to it.
    pub name: String,
    /// A regular file that carries a fresh token at its head, middle and tail, each beside its tag.
    #[serde(default)]
    pub file: Option<FilePlant>,
    /// A directory; one that is there already is kept.
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
    pub repo: Option<RepoPlant>,
    /// A program: started, it records by whom and with which arguments, prints the plant's token,
    /// which does not stand in it as it is, and ends.
    #[serde(default)]
    pub program: Option<Placed>,
    /// A process of the harness's own that waits beside the target, with the plant's token on its command line.
    /// Its path is that of its command line, `/proc/PID/cmdline`; in the twin a file of the same content stands
    /// where this says.
    #[serde(default)]
    pub process: Option<Placed>,
    /// An archive.
    #[serde(default)]
    pub archive: Option<ArchivePlant>,
    /// A place at the run's own sink.
    #[serde(default)]
    pub site: Option<SitePlant>,
    /// A host name.
    #[serde(default)]
    pub record: Option<RecordPlant>,
    /// A Unix socket at which the harness listens: a service of the machine that is not the target's.
    #[serde(default)]
    pub socket: Option<Placed>,
}

impl Plant {
    /// The places of the kinds that are a place and nothing more.
    pub(super) fn placed(&self) -> impl Iterator<Item = &Placed> {
        let kinds = [
            &self.dir,
            &self.fifo,
            &self.program,
            &self.process,
            &self.socket,
        ];
        kinds.into_iter().flatten()
    }

    /// Whether it stands on the network, and not on the disk.
    #[must_use]
    pub fn on_network(&self) -> bool {
        self.site.is_some() || self.record.is_some() || self.socket.is_some()
    }
}

/// A place and nothing more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// Where it is created; missing parents are created too.
    pub at: Text,
}

/// A git repository.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepoPlant {
    /// Where it is created; missing parents are created too.
    pub at: Text,
    /// Lines that are added to its configuration, `.git/config`.
    #[serde(default)]
    pub config: Option<Text>,
    /// The branch that is checked out, instead of `main`.
    #[serde(default)]
    pub branch: Option<Text>,
    /// A tag of its commit.
    #[serde(default)]
    pub tag: Option<Text>,
}

impl RepoPlant {
    /// The texts that stand in it.
    pub(super) fn contents(&self) -> impl Iterator<Item = &Text> {
        [&self.config, &self.branch, &self.tag]
            .into_iter()
            .flatten()
    }
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
    /// So many bytes that were never written, instead of a token document: zeros that take no room.
    #[serde(default)]
    pub hollow: Option<u64>,
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
    /// So many zeros as the content of a file member (zip only).
    #[serde(default)]
    pub zeros: Option<u64>,
    /// Target of a hard link member (tar only).
    #[serde(default)]
    pub hardlink: Option<Text>,
}
