//! What a policy says of processes: which claims it makes, and where.
//!
//! Owns the meaning of `process`. What is seen of a process is not known here.

use std::{ops::Range, path::PathBuf};

use super::{
    Policy,
    document::{Namespace, ProcessLimits},
};
use crate::{diag::At, probe::Claim};

impl Policy {
    /// Whether a claim on processes is made.
    pub(super) fn claims_of_process(&self, claim: Claim) -> bool {
        match claim {
            // Nobody has to be told that a server ends with its input, or that `ps` shows command lines; and a wrapper
            // that makes another world tells by that what it is for.
            Claim::StandardInput | Claim::CommandLines | Claim::OwnWorld => true,
            other => self.place_of_process(other).is_some(),
        }
    }

    /// Where a claim on processes stands in the source; `None` where none is made.
    pub(super) fn place_of_process(&self, claim: Claim) -> Option<Range<usize>> {
        if claim == Claim::NeededVariables {
            let credentials = self.document.credentials.as_ref()?;
            return Some(credentials.variables.first()?.span.clone());
        }
        let process = self.document.process.as_ref()?;
        let on = |at: &Option<At<bool>>| {
            let at = at.as_ref().filter(|at| at.value)?;
            Some(at.span.clone())
        };
        match claim {
            Claim::NoRoot => on(&process.no_root),
            Claim::OwnUser => Some(process.user.as_ref()?.span.clone()),
            Claim::NoCapabilities => on(&process.no_capabilities),
            Claim::NoNewPrivileges => on(&process.no_new_privileges),
            Claim::SystemCallFilter => on(&process.seccomp),
            Claim::SecurityModule => on(&process.security_module),
            Claim::OwnNamespaces => Some(process.own_namespaces.first()?.span.clone()),
            Claim::ReadOnlyRoot => on(&process.read_only_root),
            Claim::ReadOnlyPaths => Some(process.read_only_paths.first()?.span.clone()),
            Claim::NoInheritedDescriptors => on(&process.no_inherited_descriptors),
            Claim::ProcessLimits => {
                let limits = process.limits.as_ref()?;
                let first = [
                    &limits.open_files,
                    &limits.processes,
                    &limits.memory_mb,
                    &limits.file_size_mb,
                    &limits.cpu_seconds,
                ];
                let first = first.into_iter().flatten().next()?;
                Some(first.span.clone())
            }
            _ => None,
        }
    }

    /// The user that the server runs as, and nothing else does.
    #[must_use]
    pub fn process_user(&self) -> Option<&str> {
        Some(&self.document.process.as_ref()?.user.as_ref()?.value)
    }

    /// Namespaces that are the server's own.
    pub fn own_namespaces(&self) -> impl Iterator<Item = Namespace> {
        let process = self.document.process.iter();
        process.flat_map(|process| process.own_namespaces.iter().map(|at| at.value))
    }

    /// Directories that the server cannot write.
    #[must_use]
    pub fn read_only_paths(&self) -> Vec<PathBuf> {
        let process = self.document.process.iter();
        process
            .flat_map(|process| &process.read_only_paths)
            .map(|at| PathBuf::from(&at.value))
            .collect()
    }

    /// What the server may use at most.
    #[must_use]
    pub fn process_limits(&self) -> Option<&ProcessLimits> {
        self.document.process.as_ref()?.limits.as_ref()
    }
}
