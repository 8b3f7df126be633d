//! Observers beside the wire: each proves that it is awake, or says that it is blind.
//!
//! Owns what is seen on disk besides the conversation. Knows nothing of tools or verdicts.

mod access;
mod effect;
mod log;
mod metadata;
pub mod process;
mod processes;
pub mod syscalls;

pub use access::*;
pub use effect::*;
pub use log::*;
pub use metadata::*;
pub use processes::*;
