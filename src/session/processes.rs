//! The processes of this machine, as far as ending a tree of them needs it.
//!
//! Owns /proc and signals on Linux, and the process group elsewhere. Knows nothing of sessions.

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// `SIGTERM`: it may tidy up.
    Terminate,
    /// `SIGKILL`.
    Kill,
}

/// A process at one moment. Pid and start time together never come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Clock ticks since boot.
    pub(super) start: u64,
    /// Ended, but not waited for.
    pub(super) zombie: bool,
}

/// A living process of a target, as others may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its pid, as we see it.
    pub pid: u32,
    /// That of its parent.
    pub parent: u32,
    /// Clock ticks since boot at which it began: with the pid it never comes back.
    pub start: u64,
}

impl From<Process> for Member {
    fn from(process: Process) -> Self {
        Self {
            pid: process.pid,
            parent: process.parent,
            start: process.start,
        }
    }
}

/// All processes at one moment.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) own: u32,
    pub(super) own_group: u32,
    processes: std::collections::HashMap<u32, Process>,
}

impl Table {
    pub(super) fn get(&self, pid: u32) -> Option<&Process> {
        self.processes.get(&pid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }
}

pub(super) use platform::*;

#[cfg(target_os = "linux")]
mod platform {
    use std::{fs, sync::Once};

    use rustix::process::{
        Pid, PidfdFlags, Signal, WaitOptions, getpgrp, getpid, kill_process_group, pidfd_open,
        pidfd_send_signal, set_child_subreaper, waitpid,
    };

    use super::{Ending, Process, Table};

    /// Whether trees can be seen here, or only the group of the launched command be signalled.
    pub(in super::super) const SEES_TREES: bool = true;

    pub(in super::super) fn become_subreaper() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            if let Err(error) = set_child_subreaper(Some(getpid())) {
                tracing::warn!("cannot become subreaper, orphans of targets may survive: {error}");
            }
        });
    }

    impl Table {
        pub(in super::super) fn read() -> Self {
            let processes = fs::read_dir("/proc")
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
                .filter_map(process)
                .map(|process| (process.pid, process))
                .collect();
            Table {
                own: number(getpid()),
                own_group: number(getpgrp()),
                processes,
            }
        }
    }

    fn number(pid: Pid) -> u32 {
        pid.as_raw_nonzero().get().cast_unsigned()
    }

    fn pid(number: u32) -> Option<Pid> {
        Pid::from_raw(number.cast_signed())
    }

    /// proc_pid_stat(5); the name in field 2 may hold anything, so fields count from its last
    /// parenthesis.
    fn process(pid: u32) -> Option<Process> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(&stat[end + 1..])
            .ok()?
            .split_ascii_whitespace()
            .collect();
        Some(Process {
            pid,
            zombie: matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
        })
    }

    pub(in super::super) fn start_time(pid: u32) -> Option<u64> {
        process(pid).map(|process| process.start)
    }

    /// The environment with which a process was started; empty when it may not be read.
    pub(in super::super) fn environment(pid: u32) -> Vec<u8> {
        fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
    }

    /// Signals exactly this process: its pid may have been given to another one meanwhile, so
    /// it is pinned by a descriptor before its start time is compared.
    pub(in super::super) fn signal(process: &Process, ending: Ending) -> bool {
        let Some(pid) = pid(process.pid) else {
            return false;
        };
        let Ok(pinned) = pidfd_open(pid, PidfdFlags::empty()) else {
            return false;
        };
        start_time(process.pid) == Some(process.start)
            && pidfd_send_signal(&pinned, number_of(ending)).is_ok()
    }

    pub(in super::super) fn signal_group(group: u32, ending: Ending) {
        if let Some(group) = pid(group) {
            // Fails when the group is empty, which is the aim.
            let _gone = kill_process_group(group, number_of(ending));
        }
    }

    fn number_of(ending: Ending) -> Signal {
        match ending {
            Ending::Terminate => Signal::TERM,
            Ending::Kill => Signal::KILL,
        }
    }

    /// Waits for a dead child that was adopted, so that it leaves the process table.
    pub(in super::super) fn bury(number: u32) {
        if let Some(pid) = pid(number) {
            // Another thread of the host may have buried it first.
            let _gone = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::{Ending, Process, Table};

    pub(in super::super) const SEES_TREES: bool = false;

    pub(in super::super) fn become_subreaper() {}

    impl Table {
        pub(in super::super) fn read() -> Self {
            Table {
                own: std::process::id(),
                own_group: 0,
                processes: std::collections::HashMap::new(),
            }
        }
    }

    pub(in super::super) fn start_time(_pid: u32) -> Option<u64> {
        None
    }

    pub(in super::super) fn environment(_pid: u32) -> Vec<u8> {
        Vec::new()
    }

    pub(in super::super) fn signal(_process: &Process, _ending: Ending) -> bool {
        false
    }

    #[cfg(unix)]
    pub(in super::super) fn signal_group(group: u32, ending: Ending) {
        use rustix::process::{Pid, Signal, kill_process_group};
        if let Some(group) = Pid::from_raw(group.cast_signed()) {
            let signal = match ending {
                Ending::Terminate => Signal::TERM,
                Ending::Kill => Signal::KILL,
            };
            // Fails when the group is empty, which is the aim.
            let _gone = kill_process_group(group, signal);
        }
    }

    #[cfg(not(unix))]
    pub(in super::super) fn signal_group(_group: u32, _ending: Ending) {}

    pub(in super::super) fn bury(_pid: u32) {}
}
