//! What a run is told, and what it comes to.
//!
//! Owns the two ends of a run as plain data. Must not know what happens between them.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::{Counted, Event, Outcome, Setup, Step};
use crate::{
    canary::Mint,
    channel::{Channel, Discovery, Lock},
    config::Shard,
    diag::Source,
    policy::Policy,
    probe::Probe,
    session::{
        Ending, Endpoint, ListError, Noise, OpenError, Options, ServerInfo, Tool, Transcript,
    },
    testbed::{
        Bed, BedError, Decoy, Rule, Seen, Variable,
        net::{Glass, Sight},
    },
    witness::{process::Postures, syscalls::SyscallWitness},
};

/// What a run needs to know. All placeholders are replaced.
pub struct Order<'r> {
    /// The directories.
    pub bed: &'r Bed,
    /// How the target is launched or reached.
    pub endpoint: Endpoint,
    /// How it is shown to people.
    pub display: String,
    /// How it is spoken to.
    pub options: Options,
    /// Calls to make before probing.
    pub setup: Vec<Setup>,
    /// The contract.
    pub policy: &'r Policy,
    /// The questions.
    pub probes: Vec<Arc<Probe>>,
    /// Channels that the user bound.
    pub given: Vec<Channel>,
    /// Channels of an earlier discovery, to be tried first.
    pub lock: Option<Lock>,
    /// Destructive tools that may be called.
    pub allow_destructive: &'r [String],
    /// Whether the command line names the allowed directory.
    pub allowed_is_argument: bool,
    /// The first argument of the command that is the server's own and not that of a wrapper; nothing when
    /// that is not known.
    pub server_at: Option<usize>,
    /// Where the target has paths of ours, as the user says.
    pub maps: Vec<Rule>,
    /// Calls in flight at once.
    pub jobs: usize,
    /// Time that a call may take.
    pub deadline: Duration,
    /// Orders the words of a run.
    pub seed: u64,
    /// The one trial to run, alone.
    pub only: Option<Only<'r>>,
    /// The part of the plan to run; all of it when none.
    pub shard: Option<Shard>,
    /// Set when the run is to end.
    pub stop: &'r AtomicBool,
    /// Hears what happens.
    pub emit: &'r dyn Fn(Event),
    /// Every byte of the conversation.
    pub transcript: Transcript,
    /// The network of the run's own, or why there is none.
    pub glass: Result<&'r Glass, String>,
    /// Whether the target is told that its API is there.
    pub sink: bool,
    /// Makes the words that are planted.
    pub mint: &'r Mint,
    /// Decoys that stand already, with words of that mint.
    pub decoys: Vec<Decoy>,
    /// Variables of the target that hold words of that mint.
    pub variables: Vec<Variable>,
    /// Whether a package launcher starts the target, and what leaves may be the launcher's.
    pub launcher: bool,
    /// How the target is launched, as the target of a config file; nothing where it runs in this process.
    pub launch: Option<Source>,
    /// What was seen of the target's processes before the run; else they are looked at after the trials.
    pub postures: Option<Result<Postures, String>>,
    /// The witness of system calls, if the target is started by a tracer of it.
    pub syscalls: Option<&'r SyscallWitness>,
}

/// One trial of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Only<'r> {
    /// Its id.
    pub trial: &'r str,
    /// Whether its scene is set and its request made, but not sent; the scene stays.
    pub rehearsed: bool,
}

/// The plan that a part belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Its trials, counted.
    pub planned: usize,
    /// Its [digest](crate::plan::Plan::digest).
    pub digest: String,
}

/// What a run came to.
pub struct Ran {
    /// The plan that this is a part of, if it is one.
    pub whole: Option<Whole>,
    /// Every trial of the plan, or of the part.
    pub outcomes: Vec<Outcome>,
    /// What was found of the target's tools.
    pub discovery: Discovery,
    /// The tools as listed.
    pub tools: Vec<Tool>,
    /// What a reader should know of them.
    pub notes: Vec<String>,
    /// What the target said of itself.
    pub info: ServerInfo,
    /// What it said that is no answer.
    pub noise: Vec<Noise>,
    /// How it ended.
    pub ending: Ending,
    /// How often it was started anew.
    pub restarts: usize,
    /// What was sent by trials and controls.
    pub counted: Counted,
    /// The directories of the run as the target has them.
    pub places: Vec<(PathBuf, Seen)>,
    /// Why the file witness was blind, if it was.
    pub blind: Option<String>,
    /// Whether the witness of the network saw, before and after; nothing when there is no network.
    pub network: Option<Sight>,
    /// Whether the witness of system calls saw, and what is to be known of it; nothing when there was none.
    pub syscalls: Option<(bool, String)>,
    /// What the calls were for, in the order in which they began.
    pub steps: Vec<(Instant, Step)>,
    /// Wall time.
    pub took: Duration,
    /// Whether trials were left out because the run was to end.
    pub interrupted: bool,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no testbed.
    #[error(transparent)]
    Bed(#[from] BedError),
    /// The target did not start, or is no MCP server.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The target does not list its tools.
    #[error(transparent)]
    List(#[from] ListError),
    /// A call that was to be made before probing came to nothing.
    #[error(
        "the set-up call of `{tool}` failed: {why}\nfix: correct its tool and arguments (`setup`, --setup): what it prepares is not there, so that nothing can be judged"
    )]
    SetUp {
        /// The tool.
        tool: String,
        /// The answer, escaped and cut.
        why: String,
    },
    /// The plan does not hold the one trial that is wanted.
    #[error(
        "the target has no trial `{trial}` any more{}\nfix: look with `watertight discover` what drives its tools now",
        listed(near)
    )]
    NoTrial {
        /// Its id.
        trial: String,
        /// Trials that look like it.
        near: Vec<String>,
    },
}

fn listed(near: &[String]) -> String {
    match near.is_empty() {
        true => String::new(),
        false => format!("; it has {}", near.join(", ")),
    }
}
