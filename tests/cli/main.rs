//! The program from the outside: what a user gets who gave something wrong, or ends a run early.
//!
//! Every run here, whatever it is about, is also held to leave nothing behind: no process that knows
//! the testbed, no testbed, and no file in the working directory that was not asked for.

#![cfg(target_os = "linux")]

mod attached;
mod baseline;
mod codes;
mod diff;
mod fleet;
mod input;
#[path = "../support/program.rs"]
mod program;
mod render;
mod replay;
mod reports;
mod resources;
mod run;
mod sandboxes;
mod self_test;
mod shards;
mod signals;
mod syscalls;
mod targets;
