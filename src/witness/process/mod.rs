//! Processes as the kernel tells of them: whose they are, what they may, what they have open.
//!
//! Owns the look at the whole tree of a target from outside, and which process of it serves. What a
//! policy makes of it is not known here. Everything is read from `/proc`; nothing is read that a
//! target could write, but names, which decide nothing, and command lines and variables, of which only what stands
//! there decides.

mod credentials;
mod doors;
mod files;
mod gain;
mod inside;
mod kin;
mod look;
mod mounts;
mod read;

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use doors::{Door, DoorKind, World};
pub use gain::Gain;
pub use kin::{Activity, Part, parts};
pub use look::{Wanted, command_line, environment, is_environment, look, name};

/// Something that was read, or why it could not be.
pub type Read<T> = Result<T, String>;

/// The processes of a target at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Postures {
    /// The harness itself, read the same way: what it knows of itself shows that the look is right,
    /// and its namespaces are those that are not the target's own.
    pub own: Posture,
    /// Whether what was read of the harness is what it knows of itself; else what differs.
    pub checked: Read<String>,
    /// Every process of the target, wrappers first.
    pub processes: Vec<Posture>,
    /// How the process that serves was found, or why it was not.
    pub serving: Read<String>,
    /// User and group names of this machine, of the ids that occur.
    pub accounts: Accounts,
    /// What did not end in time after the end of the input, and after `SIGTERM`.
    pub endings: Endings,
    /// What shows that doors of the machine would be found.
    pub doors_found: Read<String>,
    /// What shows that programs would be found by which a process becomes another user.
    pub gain_found: Read<String>,
    /// Variables of the launch that hold what looks like secrets and is none, with their values.
    pub lent: BTreeMap<String, String>,
}

impl Postures {
    /// The processes that a policy is about: the one that serves, and all that it started.
    pub fn judged(&self) -> impl Iterator<Item = &Posture> {
        self.processes.iter().filter(|one| one.part.judged())
    }

    /// The one that serves.
    #[must_use]
    pub fn server(&self) -> Option<&Posture> {
        self.processes.iter().find(|one| one.part == Part::Server)
    }
}

/// A process at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posture {
    /// Its pid, as the harness sees it.
    pub pid: u32,
    /// That of its parent.
    pub parent: u32,
    /// Its name.
    pub name: String,
    /// What it is in its tree.
    pub part: Part,
    /// From `/proc/PID/status`.
    pub status: Read<Status>,
    /// The label of a security module, `unconfined` and none alike as nothing.
    pub label: Read<Option<String>>,
    /// Namespaces by kind: `user`, `mnt`, `net` and so on, with their ids.
    pub namespaces: Read<BTreeMap<String, String>>,
    /// Whether its root file system is mounted read-only.
    pub root_read_only: Read<bool>,
    /// Descriptors beside the standard ones, with what they lead to.
    pub descriptors: Read<BTreeMap<u32, String>>,
    /// Sockets on which it waits for others.
    pub listeners: Read<Vec<Listener>>,
    /// Soft limits by their name in `/proc/PID/limits`; nothing for those that are unlimited.
    pub limits: Read<BTreeMap<String, Option<u64>>>,
    /// Limits of its cgroup: `pids.max`, `memory.max`; only those that limit.
    pub cgroup: BTreeMap<String, u64>,
    /// Of the paths that were asked about: the first below each that it could write, if any.
    pub writable: BTreeMap<PathBuf, Read<Option<PathBuf>>>,
    /// What of the machine stands in its world, of one that is judged.
    pub world: Read<World>,
    /// Whether it could become another user by executing a program, of one that is judged.
    pub gain: Read<Gain>,
    /// Words of its command line, as it was started; a program can write over them.
    pub arguments: Read<Vec<String>>,
    /// Variables by name, as it was started with, of one that is judged; a program can write over them.
    pub variables: Read<BTreeMap<String, String>>,
}

/// Ids and powers of a process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Real, effective, saved and file system user id, in the eyes of the harness.
    pub users: [u32; 4],
    /// The same of groups.
    pub groups: [u32; 4],
    /// Supplementary groups.
    pub more_groups: Vec<u32>,
    /// Capability sets by their name in `/proc/PID/status`: `CapEff` and so on.
    pub capabilities: BTreeMap<String, u64>,
    /// Whether it can gain powers by executing something.
    pub no_new_privileges: Option<bool>,
    /// 0 none, 1 strict, 2 filter.
    pub seccomp: Option<u32>,
    /// How many filters of system calls are on.
    pub filters: Option<u32>,
}

/// A socket on which a process waits for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Address and port.
    pub at: std::net::SocketAddr,
}

/// Names of ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Accounts {
    /// Users by id.
    pub users: BTreeMap<u32, Account>,
    /// Groups by id.
    pub groups: BTreeMap<u32, String>,
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its shell.
    pub shell: String,
}

/// Which processes outlived their input, and `SIGTERM`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Endings {
    /// Names of those that lived on after the input ended, or why that was not tried.
    pub input: Option<Read<Vec<String>>>,
    /// Names of those that lived on after `SIGTERM`, or why that was not tried.
    pub terminate: Option<Read<Vec<String>>>,
}

/// What tests of judgements begin with: nothing was read.
#[cfg(test)]
impl Posture {
    pub(crate) fn unread() -> Self {
        fn why<T>() -> Read<T> {
            Err(String::from("not read"))
        }
        Self {
            pid: 7,
            parent: 1,
            name: String::from("server"),
            part: Part::Server,
            status: why(),
            label: why(),
            namespaces: why(),
            root_read_only: why(),
            descriptors: why(),
            listeners: why(),
            limits: why(),
            cgroup: BTreeMap::new(),
            writable: BTreeMap::new(),
            world: why(),
            gain: why(),
            arguments: why(),
            variables: why(),
        }
    }
}

/// What tests of judgements begin with: no process beside the harness, and all controls passed.
#[cfg(test)]
impl Postures {
    pub(crate) fn around(own: Posture) -> Self {
        Self {
            own,
            checked: Ok(String::new()),
            processes: Vec::new(),
            serving: Ok(String::new()),
            accounts: Accounts::default(),
            endings: Endings::default(),
            doors_found: Ok(String::new()),
            gain_found: Ok(String::new()),
            lent: BTreeMap::new(),
        }
    }
}
