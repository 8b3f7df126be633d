//! A run: launch, discover, plan, execute, look.
//!
//! Owns all input and output of a run. What it stores are facts; what they mean is the judge's.

mod calls;
mod control;
mod conversation;
mod engine;
mod event;
mod launch;
mod liveness;
mod sightings;
mod stage;
mod values;

pub use calls::Counted;
pub use conversation::Setup;
pub use engine::Outcome;
pub use event::*;
