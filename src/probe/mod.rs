//! Probes as declared: the file format, its checks and the catalogue.
//!
//! Owns what a probe file says. Knows nothing of targets, tools or verdicts.

mod aspect;
mod catalog;
mod check;
mod check_forms;
mod check_rules;
mod check_texts;
mod claim;
mod meaning;
mod model;
mod net_plant;
mod plant;
mod record_check;
mod role;
mod schema;
mod spans;
mod spelling;
mod strain;
mod technique_names;
mod text;
mod variant;

pub use aspect::*;
pub use catalog::*;
pub use check::{Problem, read_probe};
pub use claim::*;
pub use meaning::digest_of_probes;
pub use model::*;
pub use net_plant::*;
pub use plant::*;
pub use record_check::*;
pub use role::*;
pub use schema::probe_schema;
pub use spelling::*;
pub use strain::*;
pub use technique_names::*;
pub use text::*;
pub use variant::*;

pub(crate) use catalog::{SUITES, embedded_editions, embedded_suites, kept_probes};
pub(crate) use check::{decode, near, parse_toml};
pub(crate) use check_rules::is_kebab;
pub(crate) use schema::schema_of;
