//! The processes of a target behind its link: what they are and take, and what strains them.
//!
//! Owns looks at them and limits on them. Their end, apart from the one by `SIGTERM` alone, is the link's.

use std::{io, time::Duration};

use tokio::sync::watch;

use super::{Body, Link, locked};
use crate::session::{Bounds, Burden, Ending, Member, burden, group::Group, processes};

impl Link {
    /// What the living processes of the tree take; `None` of a server inside of this process.
    pub(in crate::session) fn burden(&self) -> Option<Burden> {
        burden::of(&self.living())
    }

    /// Limits the living processes of the tree, and so all that they start from now on.
    pub(in crate::session) fn bound(&self, bounds: Bounds) -> usize {
        let living = self.living();
        // Where no group is to be had, the limits of each process are all there is.
        if let Ok(group) = Group::make()
            && group.bound(bounds).is_ok()
        {
            for process in &living {
                let _gone = group.take(process.pid);
            }
            *locked(&self.group) = Some(group);
        }
        burden::bound(&living, bounds)
    }

    fn living(&self) -> Vec<processes::Process> {
        match &self.body {
            Body::Processes(tree) => tree.living(),
            Body::Thread(_) => Vec::new(),
        }
    }

    /// Sends bytes that need not be a message, as fast as the target takes them. Returns when all is
    /// in the pipe but the last few, or when the conversation is over.
    pub(in crate::session) async fn raw(&self, bytes: Vec<u8>) -> io::Result<()> {
        /// What may wait: enough to keep the pipe full.
        const WAITING: usize = 4 << 20;
        while *locked(&self.backlog) > WAITING {
            if self.board.dead().is_some() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.send(bytes)
    }

    /// Asks the launched command alone to end, as clients do that have no time, waits, and ends
    /// whatever is left.
    pub(in crate::session) async fn terminate(&self, grace: Duration) -> Ending {
        let living = self.living();
        let launched = living.iter().find(|process| Some(process.pid) == self.pid);
        if let Some(launched) = launched {
            processes::signal(launched, processes::Ending::Terminate);
        }
        let left = if self.gone(grace).await {
            Vec::new()
        } else {
            self.living()
        };
        let mut ending = self.end(Duration::ZERO).await;
        // Some end with their input, which they were not to wait for.
        ending.killed.extend(left.iter().map(|process| process.pid));
        ending.killed.sort_unstable();
        ending.killed.dedup();
        ending
    }

    /// Exit status or signal, as soon as the launched command has ended.
    pub(in crate::session) fn exits(&self) -> watch::Receiver<Option<String>> {
        self.exit.clone()
    }

    /// The living processes of the tree.
    pub(in crate::session) fn members(&self) -> Vec<Member> {
        self.living().into_iter().map(Member::from).collect()
    }
}
