//! Configuration: `watertight.toml` and the flags of `run`, made into one [`Settings`].
//!
//! Owns the format of the file, precedence and defaults. Whether suites, probes and tools of the
//! given names exist is known further down.

mod baseline;
mod check;
mod file;
mod fleet;
mod layer;
mod settings;
mod shard;

pub use baseline::*;
pub(crate) use check::Checker;
pub use file::*;
pub use fleet::*;
pub use layer::{DEFAULT_COVERAGE, DEFAULT_STARTUP_TIMEOUT, DEFAULT_TIMEOUT, Layer};
pub use settings::*;
pub use shard::Shard;

/// Name of the config file that is read when no other is given.
pub const FILE_NAME: &str = "watertight.toml";

/// JSON Schema of `watertight.toml`.
#[must_use]
pub fn schema() -> schemars::Schema {
    crate::diag::schema_of::<ConfigFile>("watertight.toml, version 1")
}

/// JSON Schema of `fleet.toml`.
#[must_use]
pub fn fleet_schema() -> schemars::Schema {
    crate::diag::schema_of::<FleetFile>("fleet.toml, version 1")
}

/// JSON Schema of baseline files.
#[must_use]
pub fn baseline_schema() -> schemars::Schema {
    crate::diag::schema_of::<BaselineFile>("Watertight baseline, version 1")
}

/// The word by which a value such as a role is written in files.
pub(crate) fn word<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
