//! Where system calls cannot be traced: other systems than Linux, other architectures than the two that are known.

use std::{ffi::OsString, io, path::Path, process::Command};

use super::Event;

const WHY: &str = "system calls can be traced on Linux only, of x86-64 and AArch64";

/// Cannot be made here.
#[derive(Debug)]
pub enum SyscallWitness {}

impl SyscallWitness {
    /// Always fails.
    ///
    /// # Errors
    /// Always.
    pub fn start() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    /// Is never called.
    #[must_use]
    pub fn events_to(&self) -> &Path {
        match *self {}
    }

    /// Is never called.
    #[must_use]
    pub fn mark(&self) -> u64 {
        match *self {}
    }

    /// Is never called.
    ///
    /// # Errors
    /// Never.
    pub fn since(&self, _mark: u64) -> Result<Vec<Event>, String> {
        match *self {}
    }

    /// Is never called.
    #[must_use]
    pub fn hidden(&self) -> Option<&'static str> {
        match *self {}
    }
}

/// How a target ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {}

impl Ended {
    /// Is never called.
    #[must_use]
    pub fn follow(self) -> u8 {
        match self {}
    }
}

/// Always fails.
#[must_use]
pub fn become_target(_command: &[OsString]) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, WHY)
}

/// Always fails.
///
/// # Errors
/// Always.
pub fn trace(_events: &Path, _shim: Command) -> io::Result<Ended> {
    Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
}
