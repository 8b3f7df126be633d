//! The `watertight` command: parses, calls, exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    watertight::cli::main()
}
