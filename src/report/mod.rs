//! Reports: one model, and pure renderers of it.
//!
//! Owns the accounting (planned = held + breached + inconclusive + not applicable) and the formats.
//! Knows nothing of how a run is made.

mod accept;
mod account;
mod assemble;
mod boundary;
mod diff;
mod events;
mod fleet;
mod html;
mod in_toto;
mod join;
pub(crate) mod json;
mod junit;
mod layers;
mod markdown;
mod merge;
mod model;
mod oscal;
mod part;
mod read;
mod repro;
mod sanitize;
mod sarif;
pub(crate) mod story;
mod tally;
pub(crate) mod terminal;
mod veil;
mod words;
pub(crate) mod write;

pub use accept::*;
pub use account::*;
pub use assemble::*;
pub use boundary::*;
pub use diff::*;
pub use events::{conclusion_line, event_line, render as render_jsonl};
pub use fleet::*;
pub use html::render as render_html;
pub use in_toto::render as render_in_toto;
pub use json::{diff_schema, render as render_json, schema};
pub use junit::render as render_junit;
pub use layers::*;
pub use markdown::render as render_markdown;
pub use merge::{Foreign, MergeError, merge};
pub use model::*;
pub use oscal::render as render_oscal;
pub use part::*;
pub use read::*;
pub use repro::*;
pub use sanitize::*;
pub use sarif::render as render_sarif;
pub(crate) use story::counted;
pub use tally::*;
pub use terminal::{Look, render as render_terminal, render_diff};
pub use veil::{WORDS, veil};
pub use words::*;
pub use write::*;
