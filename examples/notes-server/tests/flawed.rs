//! The same tests with the flaw of the server switched on. They fail: `cargo test --test flawed` shows
//! what a breach looks like, and `tests/found.rs` that it is found.

use std::process::ExitCode;

use watertight::{cargo_test::IsolationTest, policy::Policy};

fn main() -> ExitCode {
    IsolationTest::command(env!("CARGO_BIN_EXE_notes-server"))
        .args(["--trusting", "{allowed}"])
        .policy(Policy::builder().allow_path("{allowed}"))
        .suite("core")
        .run()
}
