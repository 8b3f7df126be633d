//! The variables with tokens, and which process of the target has them.
//!
//! Owns the look at the environments of processes, as the kernel has them (proc_pid_environ(5)).

use crate::{
    canary::Slot,
    judge::Wall,
    session::Session,
    testbed::Variable,
    witness::process::{environment, is_environment},
};

/// What is planted in the environment of the target, and where it came to.
#[derive(Debug)]
pub(in crate::run) struct Planted<'r> {
    /// The variables.
    pub(in crate::run) all: &'r [Variable],
    /// The process that was seen to have them, or that none was.
    pub(in crate::run) holder: Result<u32, String>,
    /// Whether a sandbox keeps them from the process that serves.
    pub(in crate::run) wall: Wall,
}

impl<'r> Planted<'r> {
    /// Looks at the processes of a target that serves.
    pub(in crate::run) fn look(all: &'r [Variable], session: &Session) -> Self {
        let environ = |pid: u32| environment(pid).ok();
        let has = |environ: &[u8]| {
            let mut tokens = all.iter().map(|one| one.token.as_str().as_bytes());
            tokens.any(|token| memchr::memmem::find(environ, token).is_some())
        };
        let serving = session.serving().ok();
        let own = serving.and_then(|pid| Some((pid, environ(pid)?)));
        let without = own.filter(|(_, own)| is_environment(own) && !has(own));
        let processes = session.processes();
        let processes = processes.iter().map(|process| process.pid);
        let mut holders = serving.into_iter().chain(processes);
        let holder = holders.find(|pid| environ(*pid).is_some_and(|environ| has(&environ)));
        Self {
            all,
            holder: holder.ok_or_else(|| {
                String::from("no process of the target was seen to have the planted variables")
            }),
            wall: without.map_or(Wall::None, |(pid, _)| {
                Wall::Around(format!(
                    "process {pid}, which serves, was started without the variables that the target was launched with"
                ))
            }),
        }
    }

    /// The variable whose token has that slot.
    pub(in crate::run) fn of(&self, slot: Slot) -> Option<&'r Variable> {
        self.all.iter().find(|one| one.token.slot() == slot)
    }
}
