//! Nothing that a target started survives it.
//!
//! Owns the tree of processes below a launched command: who belongs to it, how it is ended, who
//! buries the dead. On Linux we become the subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so that a
//! process whose parent ended becomes our child instead of vanishing to pid 1, whatever group or
//! session it moved to. Elsewhere only the process group is ended. Knows nothing of MCP.
//!
//! The difficulty is to tell orphans of a target from children which the host process made for
//! itself (a test runner, a program that uses this library) and from orphans of another session
//! in the same process. A process belongs to a tree when one of these holds:
//!
//! 1. it was seen as a descendant before (pid and start time are remembered on every look),
//! 2. its chain of parents leads to the launched command or to a process of rule 1,
//! 3. the chain leads to an orphan of ours that is in the process group of the launched command,
//! 4. or to an orphan of ours outside our own process group that carries the environment which
//!    only this session gave out. If several living sessions gave out the same one, the last of
//!    them ends it.
//! 5. A process that has wiped all of these traces belongs to us only if the program has declared,
//!    by [`claim_orphans`], that it makes no children of its own in other process groups.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockWriteGuard},
    time::{Duration, Instant},
};

use super::processes::{self, Process, Table};

/// How long a killed process may take to disappear: it does at once, unless it is stuck in the kernel.
const BURIAL: Duration = Duration::from_secs(3);

static TREES: Mutex<Vec<Arc<Tree>>> = Mutex::new(Vec::new());
/// Written while a command is launched, read while somebody looks who belongs to whom.
static LAUNCHES: RwLock<()> = RwLock::new(());
/// Children that were there when the claim was made, by pid and start time: those of the program
/// that became this one by exec(2).
static CLAIM: OnceLock<HashSet<(u32, u64)>> = OnceLock::new();

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Declares that every orphan which turns up as a child of this process from now on, outside its
/// own process group, comes from a target. True for the `watertight` program; not for a process that hosts
/// this library beside other things.
pub fn claim_orphans() {
    CLAIM.get_or_init(|| {
        let table = Table::read();
        table
            .iter()
            .filter(|process| process.parent == table.own)
            .map(|process| (process.pid, process.start))
            .collect()
    });
}

/// Ends all processes of all sessions now, without any grace, and waits until they are gone. For
/// Ctrl-C and panics: synchronous, safe to call from any thread, more than once. Returns the pids
/// that it had to end.
pub fn end_all() -> Vec<u32> {
    let trees = locked(&TREES).clone();
    trees.iter().flat_map(|tree| tree.end_now().0).collect()
}

/// A launch under way; see [`Tree::launching`].
pub(super) struct Launching(
    #[expect(dead_code, reason = "held, and let go")] RwLockWriteGuard<'static, ()>,
);

/// The processes below one launched command.
#[derive(Debug)]
pub(super) struct Tree {
    root: u32,
    start: u64,
    /// Pairs of the child's environment that our own does not have.
    marks: Vec<Vec<u8>>,
    seen: Mutex<HashMap<u32, u64>>,
}

impl Tree {
    /// To be called before each launch, and held until its tree is there. From then on orphans come to us, and
    /// nobody looks: a child that no tree has yet would be taken for an orphan of another session with the same
    /// environment, and go with it.
    pub(super) fn launching() -> Launching {
        processes::become_subreaper();
        Launching(LAUNCHES.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The tree below the child `root`, which was just launched with `env`.
    pub(super) fn new(_launch: Launching, root: u32, env: &BTreeMap<String, String>) -> Arc<Self> {
        let marks = marks(env);
        let start = processes::start_time(root).unwrap_or(0);
        let tree = Arc::new(Tree {
            root,
            start,
            marks,
            seen: Mutex::new(HashMap::from([(root, start)])),
        });
        locked(&TREES).push(Arc::clone(&tree));
        tree
    }

    /// Looks who belongs to the tree now and remembers it, so that a later orphan is recognised;
    /// buries orphans that have ended. To be called now and then while the session lives.
    pub(super) fn look(&self) -> Vec<Process> {
        let no_launch = LAUNCHES.read().unwrap_or_else(PoisonError::into_inner);
        let table = Table::read();
        let members = self.members(&table);
        drop(no_launch);
        let mut seen = locked(&self.seen);
        seen.extend(members.iter().map(|process| (process.pid, process.start)));
        drop(seen);
        for process in &members {
            // The launched command itself is waited for by whoever spawned it.
            if process.zombie && process.parent == table.own && process.pid != self.root {
                processes::bury(process.pid);
            }
        }
        members
    }

    /// Living processes of the tree.
    pub(super) fn living(&self) -> Vec<Process> {
        self.look()
            .into_iter()
            .filter(|process| !process.zombie)
            .collect()
    }

    /// Sends `signal` to each living process of the tree; returns whom it reached.
    pub(super) fn signal(&self, signal: processes::Ending) -> Vec<u32> {
        let living = self.living();
        if living.is_empty() && !processes::SEES_TREES {
            processes::signal_group(self.root, signal);
            return Vec::new();
        }
        living
            .iter()
            .filter(|process| processes::signal(process, signal))
            .map(|process| process.pid)
            .collect()
    }

    /// Kills everything and waits for it to be gone. Returns whom it ended, and who is left
    /// because we may not signal it (another user's process).
    pub(super) fn end_now(&self) -> (Vec<u32>, Vec<u32>) {
        let until = Instant::now() + BURIAL;
        let mut ended = Vec::new();
        loop {
            // A tree may grow while it is cut down, hence again and again until a look finds none.
            for pid in self.signal(processes::Ending::Kill) {
                if !ended.contains(&pid) {
                    ended.push(pid);
                }
            }
            let living = self.living();
            if living.is_empty() || Instant::now() > until {
                return (ended, living.iter().map(|process| process.pid).collect());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Forgets the tree, once it is gone.
    pub(super) fn forget(self: &Arc<Self>) {
        locked(&TREES).retain(|tree| !Arc::ptr_eq(tree, self));
    }

    fn members(&self, table: &Table) -> Vec<Process> {
        let others: Vec<_> = locked(&TREES)
            .iter()
            .filter(|tree| tree.root != self.root)
            .cloned()
            .collect();
        let seen = locked(&self.seen).clone();
        let mut known: HashMap<u32, bool> = HashMap::new();
        let mut members = Vec::new();
        for process in table.iter() {
            if self.owns(process, table, &seen, &others, &mut known, 0) {
                members.push(process.clone());
            }
        }
        members
    }

    fn owns(
        &self,
        process: &Process,
        table: &Table,
        seen: &HashMap<u32, u64>,
        others: &[Arc<Tree>],
        known: &mut HashMap<u32, bool>,
        level: usize,
    ) -> bool {
        if let Some(known) = known.get(&process.pid) {
            return *known;
        }
        let owns = if seen.get(&process.pid) == Some(&process.start) {
            true
        } else if process.pid == table.own || process.parent == 0 || level > 4096 {
            false
        } else if process.parent == table.own {
            self.adopts(process, table, others)
        } else {
            table
                .get(process.parent)
                .is_some_and(|parent| self.owns(parent, table, seen, others, known, level + 1))
        };
        known.insert(process.pid, owns);
        owns
    }

    fn adopts(&self, orphan: &Process, table: &Table, others: &[Arc<Tree>]) -> bool {
        if orphan.group == self.root && orphan.start >= self.start {
            return true;
        }
        // Children that the host process made by ordinary means share its process group; targets
        // start in a group of their own, so theirs never do.
        if orphan.group == table.own_group
            || others.iter().any(|other| {
                orphan.pid == other.root
                    || orphan.group == other.root
                    || locked(&other.seen).get(&orphan.pid) == Some(&orphan.start)
            })
        {
            return false;
        }
        let environment = processes::environment(orphan.pid);
        if orphan.start >= self.start && self.marked(&environment) {
            return !others.iter().any(|other| other.marked(&environment));
        }
        // Also what an earlier session could not be told to be the origin of.
        let claimed = CLAIM
            .get()
            .is_some_and(|before| !before.contains(&(orphan.pid, orphan.start)));
        claimed && others.is_empty()
    }

    fn marked(&self, environment: &[u8]) -> bool {
        !self.marks.is_empty()
            && self.marks.iter().all(|mark| {
                environment
                    .split(|byte| *byte == 0)
                    .any(|pair| pair == mark)
            })
    }
}

/// Pairs that tell a child of this session from all others: its own home and temporary directory
/// where it has them (nothing rewrites those), else all pairs that we do not have ourselves.
fn marks(env: &BTreeMap<String, String>) -> Vec<Vec<u8>> {
    let foreign = |(name, value): &(&String, &String)| {
        std::env::var_os(name.as_str()).is_none_or(|own| own.as_encoded_bytes() != value.as_bytes())
    };
    let pairs: Vec<(&String, &String)> = env.iter().filter(foreign).collect();
    let lasting: Vec<_> = pairs
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "HOME" | "TMPDIR"))
        .copied()
        .collect();
    let chosen = if lasting.is_empty() { pairs } else { lasting };
    chosen
        .into_iter()
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        os::unix::process::CommandExt,
        process::{Child, Command},
        thread::sleep,
    };

    use super::*;

    fn sleeper(env: &BTreeMap<String, String>) -> Child {
        let mut command = Command::new("sleep");
        command.arg("60").env_clear().envs(env).process_group(0);
        command.spawn().expect("there is sleep(1)")
    }

    #[test]
    fn what_another_session_launches_is_nobodys_orphan() {
        let env = BTreeMap::from([("HOME".to_owned(), "/nowhere/of-two-sessions".to_owned())]);
        let launching = Tree::launching();
        let mut first = sleeper(&env);
        let tree = Tree::new(launching, first.id(), &env);

        let launching = Tree::launching();
        let mut second = sleeper(&env);
        let looker = {
            let tree = Arc::clone(&tree);
            std::thread::spawn(move || tree.look())
        };
        // Long enough for a look that does not wait: between a launch and its tree.
        sleep(Duration::from_millis(100));
        let other = Tree::new(launching, second.id(), &env);
        let seen: Vec<u32> = looker
            .join()
            .expect("a look")
            .iter()
            .map(|it| it.pid)
            .collect();
        assert_eq!(seen, [first.id()]);

        for (tree, child) in [(tree, &mut first), (other, &mut second)] {
            // Not by its tree: a test of panics, in this process too, ends all that trees have.
            let _ended_by_then = child.kill();
            child.wait().expect("it ends");
            tree.forget();
        }
    }
}
