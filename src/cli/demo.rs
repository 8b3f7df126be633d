//! `watertight demo`: a run against the reference target with some flaws switched on.
//!
//! Owns the choice of flaws; everything else is `run`.

use super::{
    RunArgs,
    print::{problem, shout},
};
use crate::{config::Settings, exit::Exit};

/// One flaw of each kind that real servers were found with: a prefix compared as text, a directory
/// link that is followed, a write through a dangling link.
const FLAWS: &[&str] = &[
    "fs.prefix-sibling",
    "fs.follow-dir-link",
    "fs.write-dangling",
];

/// The settings of the demonstration.
///
/// # Errors
/// The exit code, once it is told what is wrong.
pub(super) fn settle(args: &RunArgs) -> Result<Settings, Exit> {
    let program = match std::env::current_exe() {
        Ok(program) => program.display().to_string(),
        Err(error) => {
            shout(&format!("error: the program cannot find itself: {error}\n"));
            return Err(Exit::HarnessFault);
        }
    };
    let mut command = vec![program, String::from("reference")];
    command.extend(
        FLAWS
            .iter()
            .flat_map(|flaw| ["--flaw", flaw])
            .map(String::from),
    );
    command.push(String::from("{allowed}"));
    args.settle_with(command)
        .map_err(|problems| problem(&problems))
}
