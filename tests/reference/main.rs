//! The reference target, run in this process: sound where it claims to be, and flawed only where it is told to be.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
mod cases;
mod kinds;
mod network;
mod races;
mod sound;
