//! `watertight self-test`: shows on this machine that each probe passes and fails.
//!
//! Owns the cells: every probe against the sound reference target and against each flaw that it
//! names, and the dummies on none of which anything may be held. The verdicts come from real runs. Which
//! these are is the business of `bench`; `parts` has them made by processes side by side.

mod bench;
pub(super) mod parts;
mod terms;

use std::path::Path;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    calibration::keep,
    interrupt::Interrupts,
    print::{complain, problem, put, shout},
    run::{Failure, pour, report},
    run_args::shard_of_flag,
};
use crate::{
    config::{Settings, Shard},
    diag::Diagnostic,
    exit::Exit,
    judge::Verdict,
    report::{Calibration, verdict_word},
    session::end_all,
    testbed::namespace::Stage,
};
use bench::{Bench, benches, part, settings_of};

/// Arguments of `watertight self-test`.
#[derive(Debug, Clone, Default, Args)]
pub struct SelfTestArgs {
    /// Only this probe, or those below it (repeatable)
    #[arg(long, value_name = "ID")]
    pub probe: Vec<String>,
    /// Print every cell, not only those that fail
    #[arg(long, short)]
    pub verbose: bool,
    /// Print all cells as JSON
    #[arg(long, conflicts_with = "verbose")]
    pub json: bool,
    /// Reference targets probed at once [default: three for each processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: Option<u32>,
    /// Do one part of it: I/N, auto or auto/N (see `run`)
    #[arg(long, value_name = "I/N", value_parser = shard_of_flag)]
    pub shard: Option<Shard>,
}

/// One probe on one reference target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The probe.
    pub probe: String,
    /// `sound`, a flaw, or a dummy.
    pub target: String,
    /// What must come out.
    pub expected: Expected,
    /// What came out, or why nothing did.
    pub found: Result<Verdict, String>,
    /// Where something else came out: the trial that decided, and its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What must come out of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Exactly this verdict.
    Exactly(Verdict),
    /// Anything but `held` and `breached`.
    Undecided,
}

impl Cell {
    /// Whether it came out as it must.
    #[must_use]
    pub fn passed(&self) -> bool {
        match (self.expected, &self.found) {
            (Expected::Exactly(verdict), Ok(found)) => *found == verdict,
            (Expected::Undecided, Ok(found)) => !matches!(found, Verdict::Held | Verdict::Breached),
            // A dummy that is no server at all ends before any verdict.
            (Expected::Undecided, Err(_)) => true,
            (Expected::Exactly(_), Err(_)) => false,
        }
    }
}

/// The settings by which the world of all cells is made; none where [`parts`] are to be made in worlds of
/// their own.
///
/// # Errors
/// The exit code, once it is told that there is nothing to test.
pub(super) fn settle(args: &SelfTestArgs, stage: &Stage) -> Result<Option<Settings>, Exit> {
    for id in &args.probe {
        if benches(std::slice::from_ref(id)).is_empty() {
            let told = Diagnostic::error("self-test::probe", format!("no cell is of `{id}`"));
            let told =
                told.help("`watertight list` shows the probes, and `explain` how each is tested");
            return Err(problem(&told.into()));
        }
    }
    let whole = matches!(stage, Stage::Outer) && parts::at_once(args) > 1 && mine(args).len() > 1;
    let words = ["run", "--", "watertight", "reference"];
    Ok((!whole).then(|| settings_of(words.map(String::from).to_vec())))
}

/// Runs the self-test, one bench after the other, and prints what failed.
pub async fn run(args: &SelfTestArgs) -> Exit {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            shout(&format!("error: the program cannot find itself: {error}\n"));
            return Exit::HarnessFault;
        }
    };
    let mut interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            complain(&format!("interrupts cannot be heard: {error}"));
            return Exit::HarnessFault;
        }
    };
    tokio::select! {
        cells = cells(&program, args) => conclude(args, &cells, &[]),
        _ = interrupts.next() => {
            // Dropped, sessions end their processes; this catches what they let go of.
            end_all();
            complain("interrupted: nothing is told of the probes");
            Exit::Inconclusive
        }
    }
}

/// The benches that the arguments ask for.
fn mine(args: &SelfTestArgs) -> Vec<Bench> {
    let all = benches(&args.probe);
    match args.shard {
        Some(shard) => part(all, shard),
        None => all,
    }
}

/// All cells, one bench after the other: on one network, what a target does to one host would be taken for
/// what another does.
async fn cells(program: &Path, args: &SelfTestArgs) -> Vec<Cell> {
    let glass = pour().await;
    let mut cells = Vec::new();
    for bench in mine(args).into_iter().filter_map(Bench::here) {
        let settings = bench.settings(program);
        let made = match Interrupts::listen() {
            Ok(mut interrupts) => report(&settings, &glass, &|_| {}, None, &mut interrupts).await,
            Err(error) => Err(Failure::Fault(error.to_string())),
        };
        cells.extend(bench.cells(&made, glass.is_ok()));
    }
    cells
}

/// Prints what failed, and keeps the figure of a self-test of all; `lost` is why cells are missing.
fn conclude(args: &SelfTestArgs, cells: &[Cell], lost: &[String]) -> Exit {
    let calibration = calibration(cells);
    let printed = put(&if args.json {
        serde_json::to_string_pretty(cells).unwrap_or_default()
    } else {
        let shown = cells.iter().filter(|cell| args.verbose || !cell.passed());
        let (passed, total) = (calibration.passed, calibration.total);
        let sum = format!("{passed} of {total} cells came out as they must\n");
        shown.map(line).chain([sum]).collect()
    });
    for why in lost {
        complain(why);
    }
    if !lost.is_empty() {
        return Exit::HarnessFault;
    }
    if args.probe.is_empty() && args.shard.is_none() {
        keep(&calibration);
    }
    if calibration.passed == calibration.total {
        printed
    } else {
        Exit::HarnessFault
    }
}

/// The figure for reports.
#[must_use]
pub fn calibration(cells: &[Cell]) -> Calibration {
    Calibration {
        passed: cells.iter().filter(|cell| cell.passed()).count(),
        total: cells.len(),
    }
}

fn line(cell: &Cell) -> String {
    let mark = if cell.passed() { "ok  " } else { "FAIL" };
    let expected = match cell.expected {
        Expected::Exactly(verdict) => verdict_word(verdict),
        Expected::Undecided => "undecided",
    };
    let found = match &cell.found {
        Ok(verdict) => verdict_word(*verdict).to_owned(),
        Err(why) => why.lines().next().unwrap_or_default().to_owned(),
    };
    let why = cell.why.as_ref().map(|why| format!("     {why}\n"));
    format!(
        "{mark} {:28} {:26} {expected}, found {found}\n{}",
        cell.probe,
        cell.target,
        why.unwrap_or_default()
    )
}
