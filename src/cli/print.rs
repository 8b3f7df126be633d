//! The only places that write to standard output and standard error.
//!
//! Owns what happens when nobody listens: a closed pipe is no fault.

use std::io::Write as _;

use crate::{
    diag::{Look, Problems},
    exit::Exit,
};

/// Writes to standard output; colours only where they are wanted.
pub(super) fn put(text: &str) {
    // Whoever closed the pipe has seen enough.
    let _ = anstream::stdout().write_all(text.as_bytes());
}

/// Writes to standard error.
pub(super) fn shout(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// Tells mistakes in what the user gave.
pub(super) fn problem(problems: &Problems) -> Exit {
    shout(&problems.render(Look::of_stderr()));
    Exit::BadInput
}
