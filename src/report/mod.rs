//! Reports: one model, and pure renderers of it.
//!
//! Owns the accounting (planned = held + breached + inconclusive + not applicable) and the formats.
//! Knows nothing of how a run is made.

mod model;

pub use model::*;
