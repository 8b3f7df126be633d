//! What a launched target takes of the machine, and what it may take.
//!
//! Owns reading the memory of its processes and setting their limits (`prlimit(2)`), so that a target
//! which is put under a strain harms itself at most. Knows nothing of trials.

use super::processes::Process;

/// What the processes of a target take at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Burden {
    /// Bytes of memory of their own: anonymous, shared and swapped, without what files on disk back.
    pub memory: u64,
    /// How many they are.
    pub processes: usize,
}

/// Bounds for a target that is put under a strain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of data that one process may have: the backstop behind whoever watches the sum.
    pub data: u64,
    /// Bytes of a file that it may write.
    pub file: u64,
    /// Seconds of processor time that one process may use.
    pub seconds: u64,
    /// Bytes of memory that all of them may have, where control groups are delegated to us.
    pub memory: u64,
    /// How many threads they may have in all, where control groups are delegated to us.
    pub threads: u64,
}

/// Sums up what living processes take. `None` where that cannot be told.
pub(super) fn of(processes: &[Process]) -> Option<Burden> {
    let mut burden = Burden::default();
    for process in processes {
        // One that has just ended takes nothing.
        if let Some(memory) = memory(process.pid) {
            burden.memory += memory;
            burden.processes += 1;
        }
    }
    (burden.processes > 0).then_some(burden)
}

/// proc_pid_status(5): lines of kB.
fn memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        matches!(name, "RssAnon" | "RssShmem" | "VmSwap")
            .then(|| rest.split_whitespace().next()?.parse::<u64>().ok())
            .flatten()
    };
    let told: Vec<u64> = status.lines().filter_map(kilobytes).collect();
    (!told.is_empty()).then(|| told.iter().sum::<u64>() * 1024)
}

/// Limits each process; children inherit it. Says how many could be limited.
#[cfg(target_os = "linux")]
pub(super) fn bound(processes: &[Process], bounds: Bounds) -> usize {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let limit = |resource: Resource, wanted: u64| {
        // Nobody may raise a hard limit, and what is stricter already stays so.
        let now = getrlimit(resource);
        let value = now.maximum.map_or(wanted, |most| most.min(wanted));
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        }
    };
    let limits = [
        (Resource::Data, limit(Resource::Data, bounds.data)),
        (Resource::Fsize, limit(Resource::Fsize, bounds.file)),
        (Resource::Cpu, limit(Resource::Cpu, bounds.seconds)),
        (Resource::Core, limit(Resource::Core, 0)),
    ];
    processes
        .iter()
        .filter_map(|process| Pid::from_raw(process.pid.cast_signed()))
        .filter(|pid| {
            limits
                .iter()
                .all(|(resource, limit)| prlimit(Some(*pid), *resource, *limit).is_ok())
        })
        .count()
}

/// Elsewhere there is no such call.
#[cfg(not(target_os = "linux"))]
pub(super) fn bound(_processes: &[Process], _bounds: Bounds) -> usize {
    0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn our_own_memory_is_told() {
        let own = memory(std::process::id()).expect("/proc tells of ourselves");
        assert!(own > 100 << 10, "{own}");
        assert_eq!(memory(u32::MAX), None);
        assert_eq!(of(&[]), None);
    }
}
