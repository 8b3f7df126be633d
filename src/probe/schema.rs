//! The JSON Schema of probe files, made from the model.
//!
//! Owns the schema's head. Its texts are the doc comments of the model.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};

use crate::probe::Probe;

/// The JSON Schema of probe files (draft 2020-12), as checked in under `reports/`.
#[must_use]
pub fn probe_schema() -> Schema {
    schema_of::<Probe>("Watertight probe, version 1")
}

/// The JSON Schema of a type under a title.
pub(crate) fn schema_of<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft2020_12();
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema
}
