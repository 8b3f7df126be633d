//! The judge: a pure function from stored observations to verdicts. No clock, no I/O.
//!
//! Owns the rule table. Text of a target never decides: evidence does.

mod facts;
mod observed;
mod rule;
mod verdict;

pub use facts::*;
pub use rule::*;
pub use verdict::*;
