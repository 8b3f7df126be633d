//! The namespace testbed: a bottle around harness and target, and a disk that forgets.
//!
//! Three processes of the same program. The **outer** one stays where the user is. It starts the
//! **gate**, which unshares the namespaces and starts the **inner** one, process 1 of the bottle:
//! that builds the disk, gives its powers away and does the whole run. They speak over a socket
//! that is the standard input of gate and inner process ([`wire`]).
//!
//! Owns namespaces, mounts and capabilities. Knows nothing of probes, and of the network only that
//! there must be none but `lo`.

mod caps;
mod changes;
mod decoy;
mod disk;
mod gate;
mod guard;
mod mounts;
mod outer;
mod plan;
mod special;
mod tried;
pub mod wire;

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use serde::{Deserialize, Serialize};

pub use caps::raised;
pub use changes::{Change, ChangeKind};
pub use disk::Disk;
pub use gate::gate;
pub use guard::guard;
pub(crate) use mounts::unescaped;
pub use outer::{Word, launch, serve};
pub use plan::Wanted;
pub use tried::Tried;
use wire::{Message, Wire};

use crate::{canary::Mint, testbed::Decoy};

/// Tells a process of ours which one it is.
pub const MARK: &str = "WATERTIGHT_BOTTLE";

/// Which of the three processes this is.
#[derive(Debug)]
pub enum Stage {
    /// The one that the user started.
    Outer,
    /// The one that unshares.
    Gate(Wire),
    /// Process 1 of the bottle.
    Inner {
        /// To the outer process.
        wire: Wire,
        /// Inode of the network namespace that the user is in.
        outer_net: u64,
    },
}

impl Stage {
    /// Reads the mark. A mark without the socket that belongs to it is somebody else's.
    #[must_use]
    pub fn of_process() -> Self {
        let Some(mark) = std::env::var_os(MARK) else {
            return Self::Outer;
        };
        let mark = mark.to_string_lossy().into_owned();
        match (mark.split_once(':'), Wire::of_stdin()) {
            (Some(("gate", _)), Some(wire)) => Self::Gate(wire),
            (Some(("inner", net)), Some(wire)) => match net.parse() {
                Ok(outer_net) => Self::Inner { wire, outer_net },
                Err(_) => Self::Outer,
            },
            _ => Self::Outer,
        }
    }
}

/// The mark of a stage.
#[must_use]
pub fn mark(stage: &str, outer_net: u64) -> OsString {
    format!("{stage}:{outer_net}").into()
}

/// What the bottle needs from the machine, in the order in which it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// Linux namespaces, a user namespace first.
    Namespaces,
    /// The user's id in the user namespace.
    Ids,
    /// Mounts of its own, and another root.
    Root,
    /// A fresh `/proc`.
    Proc,
    /// Overlay file systems.
    Overlay,
    /// Capabilities can be given away.
    Capabilities,
    /// Nothing but `lo`.
    Sealed,
}

/// Why there is no bottle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Refusal {
    /// What could not be had.
    pub step: Step,
    /// What the system said.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.step {
            Step::Namespaces => "no namespaces",
            Step::Ids => "no user in the user namespace",
            Step::Root => "no root directory of its own",
            Step::Proc => "no /proc of its own",
            Step::Overlay => "no overlay file systems",
            Step::Capabilities => "capabilities cannot be given away",
            Step::Sealed => "the network namespace is not sealed",
        };
        write!(f, "{what}: {}", self.why)
    }
}

impl Refusal {
    /// A refusal at a step.
    pub(crate) fn new(step: Step, why: impl fmt::Display) -> Self {
        Self {
            step,
            why: why.to_string(),
        }
    }
}

/// The bottle around this process.
#[derive(Debug)]
pub struct Bottle {
    wire: Wire,
    disk: Disk,
    outer_net: u64,
    /// What was planted for the policy's paths and over real secrets.
    decoys: Vec<Decoy>,
    /// Made their tokens, and makes those of the runs here.
    mint: Mint,
    /// What could not be had as it should be, as sentences for a report.
    notes: Vec<String>,
}

static BOTTLE: OnceLock<Bottle> = OnceLock::new();

impl Bottle {
    /// The bottle around this process, if there is one.
    #[must_use]
    pub fn around() -> Option<&'static Self> {
        BOTTLE.get()
    }

    /// Builds the disk around this process, gives away what no target may have, and tells the outer
    /// process. To be called once, by the inner process, before it has any thread.
    ///
    /// # Errors
    /// When the machine refuses. The process is of no further use then.
    pub fn build(wire: Wire, outer_net: u64, wanted: &Wanted) -> Result<&'static Self, Refusal> {
        let mint = Mint::new();
        let built = Self::try_build(&wire, outer_net, wanted, &mint);
        let (disk, decoys, notes) = match built {
            Ok(built) => built,
            Err(refusal) => {
                // Whoever cannot hear it sees that we end.
                let _gone = wire.send(&Message::Refused(refusal.clone()), &[]);
                return Err(refusal);
            }
        };
        wire.send(&Message::Ready, &[])
            .map_err(|error| Refusal::new(Step::Root, error))?;
        let bottle = Self {
            wire,
            disk,
            outer_net,
            decoys,
            mint,
            notes,
        };
        Ok(BOTTLE.get_or_init(|| bottle))
    }

    fn try_build(
        wire: &Wire,
        outer_net: u64,
        wanted: &Wanted,
        mint: &Mint,
    ) -> Result<(Disk, Vec<Decoy>, Vec<String>), Refusal> {
        let capabilities = |error| Refusal::new(Step::Capabilities, error);
        // Without a controlling terminal nothing can be typed into it on behalf of the user.
        let _leader_already = rustix::process::setsid();
        let (disk, decoys, notes) = disk::build(wanted, mint)?;
        wire.leave_stdin()
            .map_err(|error| Refusal::new(Step::Root, error))?;
        caps::give_away(wanted.nests).map_err(capabilities)?;
        guard::guard(outer_net).map_err(|why| Refusal::new(Step::Sealed, why))?;
        Ok((disk, decoys, notes))
    }

    /// Tells the outer process that signals are heard from now on.
    pub fn listening(&self) {
        // Without an outer process there are no signals either.
        let _gone = self.wire.send(&Message::Listening, &[]);
    }

    /// Tries what witnesses and overlays need besides, and tells the outer process.
    pub fn try_more(&self) {
        // Without an outer process nobody asked.
        let _gone = self
            .wire
            .send(&Message::Tried(tried::tried(self.beds())), &[]);
    }

    /// Puts a file into its place on the real disk, by the hand of the outer process.
    ///
    /// # Errors
    /// Those of the outer process.
    pub fn store(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        self.wire.store(path, bytes)
    }

    /// What the outer process found out before it made the bottle.
    ///
    /// # Errors
    /// When it is gone.
    pub fn recall(&self) -> std::io::Result<Option<String>> {
        self.wire.recall()
    }

    /// What differs from the real disk and was not made by [`build`](Self::build): the writes of
    /// everybody in the bottle, in the order of paths. The directory of testbeds is left out.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        changes::changes(&self.disk, &self.wire)
    }

    /// Decoys with the tokens that they hold.
    #[must_use]
    pub fn decoys(&self) -> &[Decoy] {
        &self.decoys
    }

    /// Makes tokens that are told apart from those of the decoys.
    #[must_use]
    pub fn mint(&self) -> &Mint {
        &self.mint
    }

    /// What could not be had as it should be, as sentences for a report.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Where testbeds are made: on memory of the bottle, outside all overlays.
    #[must_use]
    pub fn beds(&self) -> &Path {
        &self.disk.beds
    }

    /// Proves again that nothing can leave, see [`guard`].
    ///
    /// # Errors
    /// What is open, in words.
    pub fn sealed(&self) -> Result<(), String> {
        guard::guard(self.outer_net)
    }

    /// Makes a directory for the target at an absolute path inside, with its parents. What is made
    /// counts as the harness's own.
    ///
    /// # Errors
    /// When the path is not absolute, or lies where nothing can be made.
    pub fn directory(&self, path: &Path) -> std::io::Result<()> {
        let missing: Vec<PathBuf> = path
            .ancestors()
            .take_while(|path| !path.exists())
            .map(Path::to_path_buf)
            .collect();
        raised(caps::FILES, || std::fs::create_dir_all(path))?;
        self.disk.made(missing);
        Ok(())
    }

    /// Makes a file for the target at an absolute path inside, with its parents. What is made counts
    /// as the harness's own, until it is changed.
    ///
    /// # Errors
    /// As [`directory`](Self::directory), or when there is something else.
    pub fn file(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        raised(caps::FILES, || std::fs::write(path, content))?;
        self.disk.made([path.to_path_buf()]);
        Ok(())
    }
}
