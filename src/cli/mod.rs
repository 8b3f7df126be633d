//! stub

mod run_args;

pub use run_args::RunArgs;
