//! `watertight demo`: a run against the reference target with some flaws switched on.
//!
//! Owns the choice of flaws; everything else is `run`.

use super::{
    RunArgs,
    print::{problem, shout},
    run::settled,
};
use crate::exit::Exit;

/// One flaw of each kind that real servers were found with: a prefix compared as text, a directory
/// link that is followed, a write through a dangling link.
const FLAWS: &[&str] = &[
    "fs.prefix-sibling",
    "fs.follow-dir-link",
    "fs.write-dangling",
];

/// Runs the demonstration.
pub async fn run(args: &RunArgs) -> Exit {
    let program = match std::env::current_exe() {
        Ok(program) => program.display().to_string(),
        Err(error) => {
            shout(&format!("error: the program cannot find itself: {error}\n"));
            return Exit::HarnessFault;
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
    match args.settle_with(command) {
        Ok(settings) => settled(&settings).await,
        Err(problems) => problem(&problems),
    }
}
