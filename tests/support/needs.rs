//! Tests that need something of this machine: where it is missing they are ignored with the reason in the output, and
//! where `CI` is set they fail. It knows nothing of what they test.

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Trial};

/// What is needed beside programs: that a run may have namespaces of its own.
pub(crate) const NAMESPACES: &str = "namespaces";

/// That control groups are delegated to us, which a machine does or does not: CI may be without.
pub(crate) const GROUPS: &str = "delegated control groups";

/// Runs tests that need all of that: programs, by name, [`NAMESPACES`], [`GROUPS`]. A test fails by panicking.
pub(crate) fn run(needs: &'static [&str], tests: &[(&'static str, fn())]) -> ExitCode {
    let trials = tests.iter().map(|&(name, test)| {
        Trial::ignorable_test(name, move || {
            match needs.iter().find(|need| !is_there(need)) {
                Some(need) if std::env::var_os("CI").is_some() && **need != *GROUPS => {
                    return Err(format!("CI must have {need}").into());
                }
                Some(need) => {
                    return Ok(Completion::ignored_with(format!("no {need} here")));
                }
                None => test(),
            }
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// The `main` of a file of such tests: what they need, and their names.
macro_rules! main {
    ($needs:expr; $($test:ident),+ $(,)?) => {
        fn main() -> std::process::ExitCode {
            $crate::needs::run($needs, &[$((stringify!($test), $test)),+])
        }
    };
}
pub(crate) use main;

fn is_there(need: &str) -> bool {
    let (program, argument) = match need {
        GROUPS => return watertight::session::controllers().is_ok_and(|had| had.contains(&"pids")),
        NAMESPACES => (env!("CARGO_BIN_EXE_watertight"), "doctor"),
        program => (program, "--version"),
    };
    let asked = Command::new(program).arg(argument).output();
    asked.is_ok_and(|output| output.status.success())
}
