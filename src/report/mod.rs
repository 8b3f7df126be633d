//! Reports: one model, and pure renderers of it.
//!
//! Owns the accounting (planned = held + breached + inconclusive + not applicable) and the formats.
//! Knows nothing of how a run is made.

mod account;
mod assemble;
mod boundary;
mod html;
pub(crate) mod json;
mod model;
mod read;
mod repro;
mod sanitize;
mod story;
mod tally;
pub(crate) mod terminal;
mod words;
pub(crate) mod write;

pub use account::*;
pub use assemble::*;
pub use boundary::*;
pub use html::render as render_html;
pub use json::{render as render_json, schema};
pub use model::*;
pub use read::*;
pub use repro::*;
pub use sanitize::*;
pub use tally::*;
pub use terminal::{Look, render as render_terminal};
pub use words::*;
pub use write::*;
