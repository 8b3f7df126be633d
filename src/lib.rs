//! Watertight: an isolation conformance harness that probes running MCP servers.
//!
//! Modules are listed in the order in which data flows; a module may use those above it and
//! none below it (`tests/layers.rs` checks this).

pub mod exit;

pub mod diag;

pub mod config;
pub mod policy;
pub mod probe;
pub mod suite;

pub mod canary;
pub mod session;
pub mod target;
pub mod testbed;
pub mod witness;

pub mod channel;
pub mod judge;
pub mod plan;
pub mod report;
pub mod run;
pub mod technique;

pub mod cli;
pub mod reference;
