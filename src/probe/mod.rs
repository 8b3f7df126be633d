//! Probes as declared: the file format, its checks and the catalogue.
//!
//! Owns what a probe file says. Knows nothing of targets, tools or verdicts.

mod model;

pub use model::*;

mod text;

pub use text::*;
