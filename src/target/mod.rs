//! What is launched, and in which environment.
//!
//! Owns how a command line becomes a program to launch, and what of our own environment a target
//! may see. Knows nothing of MCP.

mod command;
mod environment;

pub use command::{Launcher, OFFLINE, Resolved, launcher, resolve};
pub use environment::{Base, Environment, environment};
