//! What is launched, and in which environment.
//!
//! Owns how a command line becomes a program to launch, what of our own environment a target may
//! see, and the files of MCP clients that name servers. Knows nothing of the protocol.

mod client;
mod command;
mod environment;
mod wrapper;

pub use client::{ClientConfig, ClientServer, Scalar};
pub use command::{Launcher, OFFLINE, Resolved, changes_user, launcher, resolve};
pub use environment::{Base, Environment, FETCHING, environment, make_caches};
pub use wrapper::{nests, wrapper};
