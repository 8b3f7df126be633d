//! A run whose report somebody else wants as a value: the tests of a user's crate.
//!
//! Owns the way from settings to a report across processes. In a bottle the same program runs once
//! more, with the same command line; that process finds its errand in a variable, makes the report
//! and has it put where the outer process looks for it. What is done with a report is the caller's.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    bottle,
    interrupt::Interrupts,
    print::shout,
    progress::{Detail, Progress},
    promise::policy_path,
    run::{Failure, pour, report},
    select::select,
    shield::shielded,
    style,
};
use crate::{
    config::{Settings, Verbosity},
    diag::Look,
    exit::Exit,
    policy::Policy,
    probe::Probe,
    report::{Report, write::store},
    session::claim_orphans,
    testbed::namespace::{Bottle, Stage},
};

/// The variable in which a process finds its errand.
const ERRAND: &str = "WATERTIGHT_ERRAND";

/// What differs from the settings that the process makes for itself.
#[derive(Debug, Serialize, Deserialize)]
struct Errand {
    rehearsal: bool,
    suites: Vec<String>,
    probes: Vec<String>,
    /// Where the answer goes.
    answer: PathBuf,
}

/// What came of it: a report, or why there is none.
type Answer = Result<Report, String>;

/// Makes the report that the settings ask for, in the world that they ask for. To be called by the
/// process that the user started, which may have threads.
///
/// # Errors
/// Why there is none, for people.
pub(crate) fn report_of(settings: Settings) -> Result<Report, String> {
    for warning in settings.warnings.iter().filter(|_| !settings.rehearsal) {
        shout(&warning.render(Look::of_stderr()));
    }
    let place = tempfile::tempdir().map_err(|error| {
        format!(
            "no directory for temporary files: {error}\nfix: set TMPDIR to one that can be written"
        )
    })?;
    let errand = Errand {
        rehearsal: settings.rehearsal,
        suites: settings.suites.clone(),
        probes: settings.probes.clone(),
        answer: place.path().join("answer.json"),
    };
    let told = serde_json::to_string(&errand).map_err(|error| error.to_string())?;
    match bottle::from_outside(settings, Some((ERRAND, &told))) {
        Ok(settings) => here(&settings),
        Err(exit) => answered(&errand.answer).unwrap_or_else(|| {
            Err(format!(
                "the run ended without a report (exit code {})\nfix: what it said is on standard error, above",
                exit.code()
            ))
        }),
    }
}

/// Does the errand of process 1 of a bottle: to be called before it has any thread. Its settings are
/// made anew, from the same command line and files.
pub(crate) fn perform(stage: Stage, settings: Result<Settings, String>) -> Exit {
    let errand = std::env::var(ERRAND)
        .ok()
        .and_then(|told| serde_json::from_str::<Errand>(&told).ok());
    let Some(errand) = errand else {
        return Exit::HarnessFault;
    };
    shielded(|| {
        let answer = match settings {
            Ok(settings) => {
                let settings = Settings {
                    rehearsal: errand.rehearsal,
                    suites: errand.suites,
                    probes: errand.probes,
                    ..settings
                };
                match bottle::enter(stage, settings) {
                    Ok(settings) => here(&settings),
                    Err(exit) => return exit,
                }
            }
            Err(why) => Err(why),
        };
        let stored = serde_json::to_vec(&answer)
            .map_err(std::io::Error::from)
            .and_then(|bytes| store(&errand.answer, &bytes));
        match stored {
            Ok(()) => Exit::Held,
            Err(_) => Exit::HarnessFault,
        }
    })
}

fn answered(path: &Path) -> Option<Answer> {
    let bytes = std::fs::read(path).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Makes the report in the world that this process is in.
fn here(settings: &Settings) -> Answer {
    // A tracer is this program, and here that may be any.
    let settings = &mut settings.clone();
    if settings.witness.take().is_some() {
        let why = "the syscall witness is one of `watertight run`, and was left out";
        settings.notes.push(why.to_owned());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no asynchronous runtime: {error}"))?;
    let made = runtime.block_on(async {
        let mut interrupts = Interrupts::listen()
            .map_err(|error| Failure::Fault(format!("interrupts cannot be heard: {error}")))?;
        if let Some(bottle) = Bottle::around() {
            // No children are made in there but targets.
            claim_orphans();
            bottle.listening();
        }
        let watched = style::watched() && !settings.rehearsal;
        let progress = Progress::new(if watched && settings.verbosity == Verbosity::Normal {
            Detail::Normal
        } else {
            Detail::Quiet
        });
        let emit = |event| progress.show(&event);
        report(settings, &pour().await, &emit, None, &mut interrupts).await
    });
    // A thread that waits for a pipe nobody opens must not keep the program from ending.
    runtime.shutdown_background();
    made.map_err(|failure| failure.to_string())
}

/// The probes that the settings select.
///
/// # Errors
/// Mistakes in the selection, an empty one included.
pub(crate) fn selected(settings: &Settings) -> Result<Vec<Arc<Probe>>, String> {
    let selection = select(settings).map_err(|problems| problems.render(Look::PLAIN))?;
    Ok(selection.probes)
}

/// Whether a command line can name the policy: it is in a file, or the default one.
pub(crate) fn has_policy_file(settings: &Settings) -> bool {
    policy_path(settings).is_some()
        || settings.policy.source().text() == Policy::default_policy().source().text()
}

/// Says something on standard error.
pub(crate) fn tell(text: &str) {
    shout(text);
}
