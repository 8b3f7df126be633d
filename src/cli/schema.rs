//! `watertight schema WHAT`: the JSON Schema of a file format, for editors and validators.
//!
//! Owns the names of the formats. The schemas are those of the types that read and write the files.

use clap::{Args, ValueEnum};

use crate::{
    config, lint, policy, probe,
    report::{self, json::plain},
    suite,
};

/// Arguments of `watertight schema`.
#[derive(Debug, Clone, Copy, Args)]
pub struct SchemaArgs {
    /// The file format
    #[arg(value_name = "FORMAT")]
    pub format: SchemaOf,
}

/// A file format that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Policy files
    Policy,
    /// watertight.toml
    Config,
    /// Probe files
    Probe,
    /// Suite files
    Suite,
    /// JSON reports
    Report,
    /// Files of known verdicts
    Baseline,
    /// What `lint --json` prints
    Lint,
    /// What `diff --json` prints
    Diff,
}

/// The schema as text, the same bytes as the file under `reports/`.
#[must_use]
pub fn run(args: &SchemaArgs) -> String {
    let schema = match args.format {
        SchemaOf::Policy => policy::schema(),
        SchemaOf::Config => config::schema(),
        SchemaOf::Probe => probe::probe_schema(),
        SchemaOf::Suite => suite::suite_schema(),
        SchemaOf::Report => report::schema(),
        SchemaOf::Baseline => config::baseline_schema(),
        SchemaOf::Lint => lint::schema(),
        SchemaOf::Diff => report::diff_schema(),
    };
    plain(&schema)
}
