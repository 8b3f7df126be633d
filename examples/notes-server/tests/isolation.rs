//! Each trial of Watertight as a test of this server.

use std::process::ExitCode;

use watertight::{cargo_test::IsolationTest, policy::Policy};

fn main() -> ExitCode {
    IsolationTest::command(env!("CARGO_BIN_EXE_notes-server"))
        .arg("{allowed}")
        .policy(Policy::builder().allow_path("{allowed}"))
        .suite("core")
        .run()
}
