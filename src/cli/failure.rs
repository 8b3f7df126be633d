//! Why there is no report, and how that is told.
//!
//! Owns the exit code of each reason.

use super::print::{complain, problem};
use crate::{diag::Problems, exit::Exit};

/// Why there is no report.
#[derive(Debug)]
pub enum Failure {
    /// Mistakes in what the user gave.
    Problems(Problems),
    /// The target or another input cannot be used; the message says what to do.
    Input(String),
    /// The harness failed.
    Fault(String),
    /// The user ended it before there was anything to report.
    Interrupted {
        /// At which moment.
        message: String,
        /// The exit code: of a breach that was proven until then, or of an open question.
        exit: Exit,
    },
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Problems(problems) => problems.fmt(f),
            Self::Input(message) | Self::Fault(message) | Self::Interrupted { message, .. } => {
                f.write_str(message)
            }
        }
    }
}

impl Failure {
    /// Tells it on standard error.
    pub fn tell(&self) -> Exit {
        match self {
            Self::Problems(problems) => problem(problems),
            Self::Input(message) => {
                complain(message);
                Exit::BadInput
            }
            Self::Fault(message) => {
                complain(message);
                Exit::HarnessFault
            }
            Self::Interrupted { message, exit } => {
                complain(message);
                *exit
            }
        }
    }
}
