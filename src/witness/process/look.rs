//! The look at a target that is being talked to.
//!
//! Owns the experiment by which the server is found among its wrappers, and the reading of all.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use super::{
    Accounts, Activity, Endings, Gain, Part, Posture, Postures, Read, Status, World,
    doors::{self, Outside},
    files::Writer,
    gain,
    kin::Work,
    parts, read,
};
use crate::session::{Caller as _, Member, Session};

/// Requests by which the server is found. Answered by every server, whatever else it does.
const REQUESTS: u64 = 12;

/// Time for one of them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is looked at beside what is looked at always.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Directories of which is told whether the processes that are judged could write below them.
    pub paths: Vec<PathBuf>,
    /// Whether doors of the machine are looked for in their world.
    pub doors: bool,
    /// Whether programs are looked for by which they could become another user.
    pub gain: bool,
}

/// Looks at every process of the target.
pub async fn look(session: &Session, wanted: &Wanted) -> Postures {
    let own = std::process::id();
    let (members, found) = kin(session, own).await;
    let mut accounts = read::accounts();
    let (serving, told) = match found {
        Ok(found) => {
            let how = format!(
                "{REQUESTS} requests were made, and of {} processes it was the one that worked for each",
                members.len()
            );
            (found, Ok(how))
        }
        Err(why) => (BTreeMap::new(), Err(why)),
    };
    let ours = posture(own, 0, Part::Wrapper);
    let around = Around::new(&ours, wanted);
    let mut processes: Vec<Posture> = members
        .iter()
        .map(|one| {
            let part = serving.get(&one.pid).copied().unwrap_or_default();
            let mut posture = posture(one.pid, one.parent, part);
            if part.judged() {
                posture.writable = writable(&posture, &ours, &wanted.paths);
                posture.variables = variables(one.pid);
                posture.world = around.world(&posture);
                posture.gain = around.gain(&posture);
            }
            posture
        })
        .collect();
    processes.sort_by_key(|one| (one.part, one.pid));
    keep_known(&mut accounts, &processes);
    Postures {
        checked: checked(&ours),
        doors_found: around.doors_found(),
        gain_found: around.gain_found(),
        own: ours,
        processes,
        serving: told,
        accounts,
        endings: Endings::default(),
        lent: BTreeMap::new(),
    }
}

/// What a process that is judged is set against: the harness, which launched it.
struct Around<'a> {
    ours: Read<&'a Status>,
    user_namespace: Option<String>,
    wanted: &'a Wanted,
    outside: Read<Outside>,
}

impl<'a> Around<'a> {
    fn new(ours: &'a Posture, wanted: &'a Wanted) -> Self {
        let status = ours.status.as_ref().map_err(Clone::clone);
        let outside = status.clone().and_then(|status| {
            let powers = true;
            Outside::of(ours.pid, &Writer { status, powers })
        });
        Self {
            ours: status,
            user_namespace: user_namespace(ours),
            wanted,
            outside,
        }
    }

    /// Capabilities count for files of ours where they are those of our user namespace.
    fn powers(&self, posture: &Posture) -> bool {
        self.user_namespace.is_some() && self.user_namespace == user_namespace(posture)
    }

    fn world(&self, posture: &Posture) -> Read<World> {
        wanted(self.wanted.doors)?;
        let status = posture.status.as_ref().map_err(Clone::clone)?;
        let outside = self.outside.as_ref().map_err(Clone::clone)?;
        let powers = self.powers(posture);
        doors::world(posture.pid, &Writer { status, powers }, outside)
    }

    fn doors_found(&self) -> Read<String> {
        wanted(self.wanted.doors)?;
        let outside = self.outside.as_ref().map_err(Clone::clone)?;
        doors::rehearse(self.ours.clone()?, outside)
    }

    fn gain(&self, posture: &Posture) -> Read<Gain> {
        wanted(self.wanted.gain)?;
        let status = posture.status.as_ref().map_err(Clone::clone)?;
        match (&self.user_namespace, user_namespace(posture)) {
            (Some(ours), Some(theirs)) => gain::gain(posture.pid, status, *ours == theirs),
            _ => Err(String::from("its user namespace cannot be told")),
        }
    }

    fn gain_found(&self) -> Read<String> {
        wanted(self.wanted.gain)?;
        gain::rehearse()
    }
}

fn wanted(it: bool) -> Read<()> {
    match it {
        true => Ok(()),
        false => Err(String::from("it was not looked for")),
    }
}

fn user_namespace(one: &Posture) -> Option<String> {
    one.namespaces.as_ref().ok()?.get("user").cloned()
}

/// The members, and which part each is.
async fn kin(session: &Session, own: u32) -> (Vec<Member>, Read<BTreeMap<u32, Part>>) {
    let Some(launched) = session.pid() else {
        let why = String::from("the target was not launched by the harness");
        return (Vec::new(), Err(why));
    };
    let before: BTreeMap<u32, Work> = session
        .processes()
        .iter()
        .map(|one| (one.pid, read::work(one.pid)))
        .collect();
    let mut answered = 0;
    for _ in 0..REQUESTS {
        let exchange = session.request("tools/list", json!({}), PATIENCE).await;
        answered += u64::from(exchange.outcome.answered());
    }
    let members = session.processes();
    if answered * 2 < REQUESTS {
        let why = String::from("the target does not answer, so that its process cannot be found");
        return (members, Err(why));
    }
    let pipes = |pid: u32| {
        [0, 1].map(|number| fs::read_link(read::place(pid, &format!("fd/{number}"))).ok())
    };
    let ours = pipes(launched);
    let activities = members
        .iter()
        .map(|one| {
            let theirs = pipes(one.pid);
            let namespaces = read::namespaces(one.pid).unwrap_or_default();
            let activity = Activity {
                work: read::work(one.pid).since(before.get(&one.pid).copied().unwrap_or_default()),
                holds: theirs
                    .iter()
                    .zip(&ours)
                    .any(|(theirs, ours)| theirs.is_some() && theirs == ours),
                inside: ["user", "mnt", "pid"]
                    .into_iter()
                    .filter_map(|kind| namespaces.get(kind).cloned())
                    .collect(),
            };
            (one.pid, activity)
        })
        .collect();
    let found = parts(&members, launched, own, answered, &activities);
    (members, found)
}

/// Everything that can be read of a process.
fn posture(pid: u32, parent: u32, part: Part) -> Posture {
    let all = read::descriptors(pid);
    let listeners = all
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|all| read::listeners(pid, all));
    Posture {
        pid,
        parent,
        name: name(pid),
        part,
        status: read::status(pid),
        label: read::label(pid),
        namespaces: read::namespaces(pid),
        root_read_only: read::root_read_only(pid),
        descriptors: all.map(|mut all| {
            // Copies of the standard ones are the standard ones.
            let standard: Vec<String> = (0..3).filter_map(|number| all.remove(&number)).collect();
            all.retain(|_, link| !standard.contains(link));
            all
        }),
        listeners,
        limits: read::limits(pid),
        cgroup: read::cgroup(pid),
        writable: BTreeMap::new(),
        world: Err(String::from("it is not judged")),
        gain: Err(String::from("it is not judged")),
        arguments: command_line(pid).map(|bytes| words(&bytes)),
        variables: Err(String::from("it is not judged")),
    }
}

fn writable(
    posture: &Posture,
    ours: &Posture,
    paths: &[PathBuf],
) -> BTreeMap<PathBuf, Read<Option<PathBuf>>> {
    let root = read::place(posture.pid, "root");
    paths
        .iter()
        .map(|path| {
            let found = posture.status.as_ref().map_err(Clone::clone);
            let found = found.and_then(|status| {
                let writer = Writer {
                    status,
                    powers: user_namespace(posture).is_some()
                        && user_namespace(posture) == user_namespace(ours),
                };
                writer.writable(&root, path)
            });
            (path.clone(), found)
        })
        .collect()
}

/// What was read of the harness, beside what it knows of itself.
fn checked(ours: &Posture) -> Read<String> {
    let status = ours.status.as_ref().map_err(Clone::clone)?;
    let (user, group) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    if (status.users[1], status.groups[1]) != (user, group) {
        return Err(format!(
            "/proc tells another user of the harness ({}) than it is ({user})",
            status.users[1]
        ));
    }
    ours.descriptors.as_ref().map_err(Clone::clone)?;
    ours.namespaces.as_ref().map_err(Clone::clone)?;
    Ok(format!(
        "the same look at the harness itself told its user {user} and group {group}, as it knows them"
    ))
}

/// Only the names that occur: the others are nobody's business.
fn keep_known(accounts: &mut Accounts, processes: &[Posture]) {
    let known: Vec<_> = processes
        .iter()
        .filter_map(|one| one.status.as_ref().ok())
        .collect();
    accounts
        .users
        .retain(|id, _| known.iter().any(|status| status.users.contains(id)));
    accounts.groups.retain(|id, _| {
        known
            .iter()
            .any(|status| status.groups.contains(id) || status.more_groups.contains(id))
    });
}

/// The name of a process.
#[must_use]
pub fn name(pid: u32) -> String {
    let name = fs::read(read::place(pid, "comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end().to_owned()
}

/// The command line of a process.
///
/// # Errors
/// When it may not be read.
pub fn command_line(pid: u32) -> Read<Vec<u8>> {
    file(pid, "cmdline")
}

/// The environment with which a process was started.
///
/// # Errors
/// When it may not be read.
pub fn environment(pid: u32) -> Read<Vec<u8>> {
    file(pid, "environ")
}

/// Texts that end with a null byte each.
fn words(bytes: &[u8]) -> Vec<String> {
    let ended = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    ended
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

fn variables(pid: u32) -> Read<BTreeMap<String, String>> {
    let named = |word: String| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let bytes = environment(pid)?;
    // `env -i` gives none at all.
    if !bytes.is_empty() && !is_environment(&bytes) {
        return Err(format!(
            "/proc/{pid}/environ holds no environment: the process has written over it"
        ));
    }
    Ok(words(&bytes).into_iter().filter_map(named).collect())
}

/// Whether bytes are an environment, and not what a process has written over it, nor nothing: what has ended has none.
#[must_use]
pub fn is_environment(bytes: &[u8]) -> bool {
    let entries = bytes.split(|byte| *byte == 0);
    let mut entries = entries.filter(|entry| !entry.is_empty()).peekable();
    entries.peek().is_some() && entries.all(|entry| entry.iter().skip(1).any(|byte| *byte == b'='))
}

fn file(pid: u32, name: &str) -> Read<Vec<u8>> {
    let path: &Path = &read::place(pid, name);
    fs::read(path).map_err(|error| read::told(pid, name, &error))
}

#[cfg(test)]
mod tests {
    use super::is_environment;

    #[test]
    fn a_title_is_no_environment() {
        assert!(is_environment(b"PATH=/bin\0HOME=/bed/home\0"));
        assert!(!is_environment(b"server: worker\0\0\0\0"));
        assert!(!is_environment(b""));
    }
}
