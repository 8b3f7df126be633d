//! Counts of what was sent and how far it came.
//!
//! Owns the proof of attempt: a report says how many calls reached a tool at all.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use crate::session::{Exchange, Outcome};

/// What a call of a trial is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A permitted request, to see whether the tool works.
    Control,
    /// The attack.
    Attack,
    /// The attack with a target that is permitted.
    Twin,
}

/// Counters of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sent: AtomicUsize,
    reached: AtomicUsize,
    rejected: AtomicUsize,
    unanswered: AtomicUsize,
    silent: AtomicUsize,
    steps: Mutex<Vec<(Instant, Step)>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests sent by trials and controls.
    pub sent: usize,
    /// Of them, answered by the tool itself.
    pub reached: usize,
    /// Of them, refused before the tool ran: the arguments did not fit the schema.
    pub rejected: usize,
    /// Of them, never answered.
    pub unanswered: usize,
}

/// JSON-RPC "Invalid params": the code with which servers refuse arguments before a tool runs.
const INVALID_PARAMS: i64 = -32602;

impl Tally {
    /// Notes that a call begins.
    pub(super) fn begin(&self, step: Step) {
        self.steps().push((Instant::now(), step));
    }

    /// The calls that have begun, in order. Only a trial that runs alone has them in a row.
    pub(super) fn steps(&self) -> MutexGuard<'_, Vec<(Instant, Step)>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one exchange.
    pub(super) fn count(&self, exchange: &Exchange) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let counter = if !exchange.outcome.answered() {
            &self.unanswered
        } else if rejected(&exchange.outcome) {
            &self.rejected
        } else {
            &self.reached
        };
        counter.fetch_add(1, Ordering::Relaxed);
        match exchange.outcome {
            Outcome::Timeout => self.silent.fetch_add(1, Ordering::Relaxed),
            _ => self.silent.swap(0, Ordering::Relaxed),
        };
    }

    /// How many calls in a row were not answered.
    pub(super) fn silent(&self) -> usize {
        self.silent.load(Ordering::Relaxed)
    }

    /// Forgets how many calls in a row were not answered.
    pub(super) fn forgive(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }

    /// The counters now.
    pub(super) fn counted(&self) -> Counted {
        Counted {
            sent: self.sent.load(Ordering::Relaxed),
            reached: self.reached.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            unanswered: self.unanswered.load(Ordering::Relaxed),
        }
    }
}

/// SDKs differ: some send the error itself, others its code within a result that is an error.
fn rejected(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Error { code, .. } => *code == Some(INVALID_PARAMS),
        Outcome::Result(_) => outcome.is_error() && outcome.text().contains("-32602"),
        _ => false,
    }
}
