//! Isolation tests in `cargo test`: each trial is a test of your crate.
//!
//! # A server with a `watertight.toml`
//!
//! Put the file beside your `Cargo.toml`, or let `watertight init` write it:
//!
//! ```toml
//! [target]
//! command = ["notes-server", "{allowed}"]
//! ```
//!
//! A program that is called as a binary of your package is the one that Cargo has just built. Tell
//! Cargo of a test that brings its own `main`:
//!
//! ```toml
//! [dev-dependencies]
//! watertight = "0.1"
//!
//! [[test]]
//! name = "isolation"
//! harness = false
//! ```
//!
//! This is `tests/isolation.rs`:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     watertight::cargo_test::main()
//! }
//! ```
//!
//! # In code
//!
//! [`IsolationTest`] says the same things in Rust, from the command to the policy:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use watertight::{cargo_test::IsolationTest, policy::Policy};
//!
//! fn main() -> ExitCode {
//!     // In a test of yours: env!("CARGO_BIN_EXE_notes-server").
//!     IsolationTest::command("notes-server")
//!         .arg("{allowed}")
//!         .policy(
//!             Policy::builder()
//!                 .allow_path("{allowed}")
//!                 .deny_path("{allowed}/private"),
//!         )
//!         .suite("core")
//!         .run()
//! }
//! ```
//!
//! # What the tests say
//!
//! They are called after probe, variant, tool and parameter, as in
//! `fs.read.symlink-dir::file::read_note:name`, and `watertight::run` stands for the run as a whole.
//!
//! | Verdict          | Test                                                           |
//! |------------------|----------------------------------------------------------------|
//! | `held`           | passes                                                         |
//! | `breached`       | fails, with what was asked, what was seen, and how to fix it   |
//! | `inconclusive`   | fails, with the reason                                         |
//! | `not-applicable` | is ignored, with the reason                                    |
//!
//! `watertight::run` fails when the server does not start, when no trial is planned or none is
//! judged, and when fewer probes are judged than [`IsolationTest::min_coverage`] wants: an empty
//! selection is no success.
//!
//! Filters, `--exact`, `--skip`, `--list`, `--ignored` and `--format json` work as in other tests.
//! `--list` starts the server, because only the server knows its tools. With [cargo-nextest], which
//! starts a process for each test, the first one does the run and the others read its report; a test
//! that is retried has a run of its own.
//!
//! # The world of the server
//!
//! As under `watertight run`, the server runs in namespaces where the machine allows them, with a
//! network of its own. For that the test program is started again, with the same arguments: call
//! [`main`] or [`IsolationTest::run`] first thing in your `main`, before there are threads, and make
//! nothing there that a second process must not make.
//!
//! [cargo-nextest]: https://nexte.st

mod binary;
mod cases;
mod share;
mod trials;

mod isolation;

use std::{path::PathBuf, process::ExitCode};

pub use isolation::IsolationTest;

use crate::config::FILE_NAME;

/// Runs what the `watertight.toml` beside the `Cargo.toml` of the test says. This is the whole `main`
/// of a test:
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     watertight::cargo_test::main()
/// }
/// ```
#[must_use = "the exit code tells Cargo whether the tests passed"]
pub fn main() -> ExitCode {
    IsolationTest::config(package().join(FILE_NAME)).run()
}

/// The directory of the package whose test this is; empty for the working directory, which it is
/// unless somebody starts the test by hand.
fn package() -> PathBuf {
    let here = std::env::current_dir().ok();
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|package| Some(package) != here.as_ref())
        .unwrap_or_default()
}
