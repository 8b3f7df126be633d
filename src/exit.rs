//! Exit codes: the part of the command line that scripts and CI read.
//!
//! Owns the numbers and what they mean; the same for every subcommand. Knows nothing of how a run
//! comes to its verdict.

use std::process::{ExitCode, Termination};

/// How the program ends. The numbers are public and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Every boundary that applied held; for subcommands that judge nothing: success.
    Held = 0,
    /// At least one boundary was breached, with proof.
    Breached = 1,
    /// The command line, a file or the target command is wrong; nothing was judged.
    BadInput = 2,
    /// Nothing was breached, but a boundary or too many probes could not be judged, nothing was, or no tool was driven.
    Inconclusive = 3,
    /// The harness itself failed; no verdict of the run can be relied on.
    HarnessFault = 4,
}

impl Exit {
    /// All codes, in order, with one line each for help texts and documents.
    pub const ALL: [(Exit, &'static str); 5] = [
        (Exit::Held, "every boundary that applied held"),
        (Exit::Breached, "a boundary was breached"),
        (Exit::BadInput, "bad input: command line, file or target"),
        (
            Exit::Inconclusive,
            "a boundary or too many probes could not be judged, nothing was, or no tool was driven",
        ),
        (Exit::HarnessFault, "the harness itself failed"),
    ];

    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn codes_are_the_documented_ones() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
    }
}
