//! The world in which a target runs: directories, planted objects, and how texts name them.
//!
//! Owns everything that the harness creates on disk, and its removal. Knows nothing of tools,
//! calls or verdicts.

mod address;
mod bait;
mod bed;
pub mod document;
mod geometry;
mod litter;
pub mod make;
pub mod namespace;
pub mod net;
mod owner;
mod peer;
pub mod program;
mod scene;
mod spelling;
mod tell;
mod variables;
mod view;

pub use bait::{Decoy, lay_decoys};
pub use bed::*;
pub use geometry::*;
pub use litter::Litter;
pub use scene::*;
pub use spelling::spell;
pub use variables::{Variable, plant_variables};
pub use view::*;

pub(crate) use namespace::unescaped;
