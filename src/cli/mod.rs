//! The command line: one file per subcommand.
//!
//! Owns what users type and see. Everything else is called.

pub mod explain;
pub mod list;
pub mod progress;
mod run_args;
pub mod style;

pub use run_args::RunArgs;
