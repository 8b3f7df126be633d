//! The command line: one file per subcommand.
//!
//! Owns what users type and see. Everything else is called.

pub mod explain;
pub mod list;
pub mod progress;
pub mod style;
