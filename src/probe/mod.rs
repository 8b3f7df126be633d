//! Probes as declared: the file format, its checks and the catalogue.
//!
//! Owns what a probe file says. Knows nothing of targets, tools or verdicts.

mod catalog;
mod check;
mod check_texts;
mod model;
mod schema;
mod spans;
mod technique_names;
mod text;

pub use catalog::*;
pub use check::{Problem, read_probe};
pub use model::*;
pub use schema::probe_schema;
pub use technique_names::*;
pub use text::*;

pub(crate) use catalog::embedded_suites;
pub(crate) use check::{decode, is_kebab, near, parse_toml};
pub(crate) use schema::schema_of;
