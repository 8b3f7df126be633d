//! Watertight: an isolation conformance harness that probes running MCP servers.
//!
//! Modules are listed in the order in which data flows; a module may use those above it and
//! none below it (`tests/layers.rs` checks this).

pub mod exit;

pub mod diag;

pub mod probe;

pub mod policy;
pub mod suite;

pub mod config;

pub mod canary;
pub mod session;
pub mod target;
pub mod testbed;

pub mod lint;

pub mod technique;
pub mod witness;

pub mod channel;
pub mod judge;
pub mod plan;

pub mod run;

pub mod report;

pub mod reference;

pub mod cli;

pub mod cargo_test;
