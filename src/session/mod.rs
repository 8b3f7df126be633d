//! A conversation with a target: rmcp over a link of ours, every byte kept.
//!
//! Owns calls, deadlines, limits, the transcript and the end of the conversation. Knows nothing of
//! probes or verdicts: it says what happened, never what it means.

mod exchange;

pub use exchange::*;
