//! A run from the first signal to the last: how it is watched, and how a user ends it early.
//!
//! Owns what an interrupt means at each moment. Once, while trials run: the run ends in order, and
//! the report accounts for what was not reached. Before there is a plan, or the second time: it ends
//! at once and without a report. Either way everything that was started or made is gone.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{interrupt::Interrupts, run::Failure};
use crate::{
    exit::Exit,
    judge::{Basis, Verdict},
    probe::{Probe, Severity},
    run::{self, Event, Order, Ran, RunError},
    session::end_all,
};

/// A target that has not answered for so long is worth a word.
const LONG: Duration = Duration::from_secs(8);

/// What has happened so far, as far as an early end must know it.
#[derive(Debug, Default)]
struct Heard {
    ready: Cell<bool>,
    planned: Cell<bool>,
    breached: Cell<bool>,
}

impl Heard {
    fn hear(&self, event: &Event, counts: &dyn Fn(&str) -> bool) {
        match event {
            Event::Ready { .. } => self.ready.set(true),
            Event::Planned { .. } => self.planned.set(true),
            // An access alone may count for less than its probe; only the report weighs that.
            Event::TrialDone {
                id,
                verdict: Verdict::Breached,
                basis,
                ..
            } if *basis != Basis::Access && counts(id) => self.breached.set(true),
            _ => {}
        }
    }

    fn cut_short(&self) -> Failure {
        let (what, exit) = match (self.planned.get(), self.breached.get()) {
            (false, _) => (
                "interrupted before the first trial: nothing was judged",
                Exit::Inconclusive,
            ),
            (true, false) => ("interrupted twice: ended at once", Exit::Inconclusive),
            (true, true) => (
                "interrupted twice: ended at once, after a breach was proven",
                Exit::Breached,
            ),
        };
        Failure::Interrupted {
            message: format!("{what}; no report is written"),
            exit,
        }
    }
}

/// Runs until the plan is done, or the user wants it to end. Breaches of at least `severity` decide
/// the exit code of a run without a report.
pub(super) async fn drive(
    order: Order<'_>,
    stop: &AtomicBool,
    interrupts: &mut Interrupts,
    severity: Severity,
) -> Result<Ran, Failure> {
    let heard = Heard::default();
    let emit = order.emit;
    let probes = order.probes.clone();
    let counts = |trial: &str| {
        let of = |probe: &Probe| trial.split_once('/').map(|(id, _)| id) == Some(&*probe.id.0);
        probes
            .iter()
            .any(|probe| of(probe) && probe.severity >= severity)
    };
    let listen = |event: Event| {
        heard.hear(&event, &counts);
        emit(event);
    };
    // What a launcher fetches when it starts cannot be fetched in the bottle.
    let fetched = order.launcher && order.glass.is_ok();
    let startup = order.options.limits.startup;
    let mut running = Box::pin(run::run(Order {
        emit: &listen,
        ..order
    }));
    let mut waiting = Box::pin(tokio::time::sleep(LONG));
    let mut told = false;
    loop {
        tokio::select! {
            ran = &mut running => return ran.map_err(|error| explain(&error, fetched)),
            _ = interrupts.next() => {
                if !heard.planned.get() || stop.swap(true, Ordering::Relaxed) {
                    // Dropped, sessions end their processes; this catches what they let go of.
                    drop(running);
                    end_all();
                    return Err(heard.cut_short());
                }
                emit(Event::Note(String::from(
                    "interrupted: calls in flight get a few seconds, then the report is written; \
                     once more to end at once",
                )));
            }
            () = &mut waiting, if !told => {
                told = true;
                if !heard.ready.get() {
                    emit(Event::Note(format!(
                        "no answer from the target yet; waiting up to {} s (--startup-timeout)",
                        startup.as_secs()
                    )));
                }
            }
        }
    }
}

fn explain(error: &RunError, fetched: bool) -> Failure {
    Failure::Input(match error {
        RunError::Open(error) if fetched => {
            let told = error.to_string();
            let what = told.split("\nfix:").next().unwrap_or_default();
            format!(
                "{what}\nthe command is a package launcher, and in the bottle there is no registry: only what \
                 it had fetched outside before can start; whether it starts there is told above, where it is warmed\n\
                 fix: install the server first (npm install, uv tool install, pipx install) and give its own \
                 command; or leave the bottle with --testbed host, where hosts are not tested"
            )
        }
        RunError::List(error) => format!(
            "{error}\nfix: a server without tools to call cannot be probed; if it only answers \
             slowly, raise --timeout"
        ),
        other => other.to_string(),
    })
}
