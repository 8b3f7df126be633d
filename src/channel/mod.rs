//! Channels: tools and arguments, proven by experiment to drive a role.
//!
//! Owns the way from a tool list to proven channels: flatten, score, fill, prove, repair, lock.
//! Knows nothing of probes or verdicts.

mod model;

pub use model::*;
