//! The self-test in parts: each bench in a process of ours, and so in a world of its own, so many at once.
//!
//! Owns which process makes which cells, and that together they are exactly those that were asked for. Most of
//! a bench is waiting, so that more of them go side by side than there are processors; none shares its
//! network, its disk or its processes with another. What a machine with so much to do leaves undecided is
//! asked once more, alone.

use std::{collections::BTreeMap, num::NonZero, process::Stdio, time::Duration};

use futures::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::process::Command;

use super::{Cell, SelfTestArgs, bench::Bench, conclude, mine};
use crate::{
    cli::{
        children::{Children, Ended, last_lines},
        interrupt::Interrupts,
        print::{complain, shout},
        style,
    },
    exit::Exit,
    judge::Verdict,
};

/// Benches side by side for each processor, unless the user says otherwise.
const PER_PROCESSOR: usize = 3;

/// How many benches go side by side.
pub(super) fn at_once(args: &SelfTestArgs) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    args.jobs
        .map_or(processors * PER_PROCESSOR, |jobs| jobs as usize)
}

/// Runs the self-test in parts and prints what failed.
pub(in crate::cli) async fn run(args: &SelfTestArgs) -> Exit {
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            complain(&format!("interrupts cannot be heard: {error}"));
            return Exit::HarnessFault;
        }
    };
    let mut benches = mine(args);
    let mut parts = Parts {
        args,
        children: Children::default(),
        interrupts,
        made: BTreeMap::new(),
    };
    // Those that take longest first, so that none is left over at the end.
    benches.sort_unstable_by_key(|bench| bench.turn);
    parts.make(&benches, at_once(args)).await;
    benches.retain(|bench| parts.starved(bench));
    if !parts.children.stopped() && !benches.is_empty() {
        let undecided = parts.undecided(&benches);
        shout(&format!("     once more, alone: {undecided}\n"));
        parts.make(&benches, 1).await;
    }
    parts.conclude()
}

/// What the benches have in common.
struct Parts<'a> {
    args: &'a SelfTestArgs,
    children: Children,
    interrupts: Interrupts,
    /// Cells by the place of their bench, or why there are none.
    made: BTreeMap<usize, Result<Vec<Cell>, String>>,
}

impl Parts<'_> {
    /// Makes the cells of the benches, so many at once.
    async fn make(&mut self, benches: &[Bench], at_once: usize) {
        let bar = &bar(benches.len());
        let (args, children) = (self.args, &self.children);
        let parts = stream::iter(benches)
            .map(|bench| async move {
                let cells = cells(bench, args, children).await;
                bar.inc(1);
                (bench.place, cells)
            })
            .buffer_unordered(at_once)
            .collect::<Vec<_>>();
        tokio::pin!(parts);
        let made = loop {
            tokio::select! {
                made = &mut parts => break made,
                signal = self.interrupts.next() => {
                    children.stop(signal);
                }
            }
        };
        bar.finish_and_clear();
        self.made.extend(made);
    }

    /// Whether load may be why something else came out of a bench than must.
    fn starved(&self, bench: &Bench) -> bool {
        let cells = self
            .made
            .get(&bench.place)
            .and_then(|cells| cells.as_ref().ok());
        cells.is_some_and(|cells| cells.iter().any(undecided))
    }

    /// What was undecided on the benches, as a sentence.
    fn undecided(&self, benches: &[Bench]) -> String {
        /// Cells that are named; the others are counted.
        const NAMED: usize = 4;
        let made = benches
            .iter()
            .filter_map(|bench| self.made.get(&bench.place)?.as_ref().ok());
        let names: Vec<String> = made
            .flatten()
            .filter(|cell| undecided(cell))
            .map(|cell| format!("{} on {}", cell.probe, cell.target))
            .collect();
        let (named, more) = names.split_at(names.len().min(NAMED));
        let more = match more.len() {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        format!("{}{more}: not decided among so many", named.join(", "))
    }

    fn conclude(self) -> Exit {
        if self.children.stopped() {
            let done = self.made.values().filter(|cells| cells.is_ok()).count();
            let total = self.made.len();
            complain(&format!(
                "interrupted after {done} of {total} reference targets: nothing is told of the probes"
            ));
            return Exit::Inconclusive;
        }
        let mut all = Vec::new();
        let mut lost = Vec::new();
        for cells in self.made.into_values() {
            match cells {
                Ok(cells) => all.extend(cells),
                Err(why) => lost.push(why),
            }
        }
        conclude(self.args, &all, &lost)
    }
}

/// Whether something else came out than must, and no more than a lack of time may be the reason. No load has a
/// boundary hold that does not, or breached that holds.
fn undecided(cell: &Cell) -> bool {
    !cell.passed() && !matches!(cell.found, Ok(Verdict::Held | Verdict::Breached))
}

/// The cells of one bench, made by a process of its own.
///
/// # Errors
/// Why there are none, in words.
async fn cells(
    bench: &Bench,
    args: &SelfTestArgs,
    children: &Children,
) -> Result<Vec<Cell>, String> {
    let lost = |why: &str| format!("the cells of {} are missing: {why}", bench.name);
    if children.stopped() {
        return Err(lost("the self-test was interrupted before"));
    }
    let arguments = |command: &mut Command| {
        command.args(["self-test", "--json", "--jobs", "1", "--shard"]);
        command.arg(bench.alone());
        for probe in &args.probe {
            command.args(["--probe", probe]);
        }
    };
    let ended = children.run(arguments, Stdio::piped()).await;
    let Ended { out, said, .. } =
        ended.map_err(|error| lost(&format!("no process could be started: {error}")))?;
    let cells: Vec<Cell> = serde_json::from_slice(&out).map_err(|_| {
        let said = last_lines(&said);
        lost(&said.unwrap_or_else(|| String::from("its process ended without a word")))
    })?;
    bench
        .asks_for(&cells)
        .then_some(cells)
        .ok_or_else(|| lost("its process made others"))
}

/// What a person sees who waits for it.
fn bar(total: usize) -> ProgressBar {
    if !style::watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{spinner} [{bar:24}] {pos}/{len} reference targets, {elapsed}",
    );
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
