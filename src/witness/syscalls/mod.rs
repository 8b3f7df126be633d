//! The witness of system calls: what a target attempted, and what the kernel said to it.
//!
//! Owns the pipe on which the tracers of a run's targets tell what they see, and the reading of it. A call is told
//! before it returns to the target, so what an answer rests on is there when the answer is. Measured limits: what a
//! target does by a ring (io_uring(7)), in a sandbox that makes calls in its own name, or as another user, is not seen;
//! nor what a filter of the sandbox's own answers before the tracer is asked (seccomp(2)). A filter cannot look behind
//! a pointer, though: it treats the permitted call like the forbidden one. So the witness may be believed only where
//! it saw the permitted one.

mod attempt;
mod errno;
mod event;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod pipe;
mod search;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod tracer;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod untraced;

pub use attempt::{Attempted, How};
pub use errno::Layer;
pub use event::{Deed, Event, Object};
pub use search::{Search, Sought, Wants, lexical};
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub use untraced::*;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub use {
    pipe::SyscallWitness,
    tracer::{Ended, become_target, trace},
};

/// The variable that tells a tracer where its events go. It is no variable of the target: the tracer takes it away.
pub const EVENTS: &str = "WATERTIGHT_TRACE";
