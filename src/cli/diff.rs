//! `watertight diff`: two stored reports beside each other.
//!
//! Owns the flags and the exit code. What counts as worse is the report module's.

use std::path::PathBuf;

use clap::Args;

use super::{
    print::{complain, deliver},
    style,
};
use crate::{
    exit::Exit,
    report::{Worse, compare, json::plain, read_report, render_diff},
};

/// Arguments of `watertight diff`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit codes:\n  \
    0  nothing got worse\n  \
    1  something did, of a kind in --fail-on\n  \
    2  bad input: a report that cannot be read or does not add up\n\n\
    Trials are matched by their id: probe, variant, tool and parameter. One that was\n\
    breached and is not judged any more counts as lost, never as fixed.")]
pub struct DiffArgs {
    /// The JSON report to compare with
    #[arg(value_name = "OLD")]
    pub old: PathBuf,

    /// The JSON report that is compared; - reads standard input
    #[arg(value_name = "NEW")]
    pub new: PathBuf,

    /// What is a regression: breached, lost, weaker; repeatable [default: all]
    #[arg(long, value_name = "KIND", value_enum, hide_possible_values = true)]
    pub fail_on: Vec<Worse>,

    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Name every trial
    #[arg(long, short)]
    pub verbose: bool,
}

/// Compares two reports and prints what changed.
#[must_use]
pub fn run(args: &DiffArgs) -> Exit {
    if args.old.as_os_str() == "-" && args.new.as_os_str() == "-" {
        complain("both reports are standard input\nfix: give one of them as a file");
        return Exit::BadInput;
    }
    let (old, new) = match (read_report(&args.old), read_report(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            for error in [old.err(), new.err()].into_iter().flatten() {
                complain(&error.to_string());
            }
            return Exit::BadInput;
        }
    };
    let fails_on = match args.fail_on.is_empty() {
        true => vec![Worse::Breached, Worse::Lost, Worse::Weaker],
        false => args.fail_on.clone(),
    };
    let diff = compare(&old, &new, &fails_on);
    let text = match args.json {
        true => plain(&diff),
        false => render_diff(&diff, &new, &style::look(args.verbose)),
    };
    match deliver(&text) {
        // A regression is one, whether or not all could read of it.
        _ if diff.regression => Exit::Breached,
        Ok(()) => Exit::Held,
        Err(error) => {
            complain(&format!("the diff cannot be written: {error}"));
            Exit::HarnessFault
        }
    }
}
