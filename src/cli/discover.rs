//! `watertight discover`: which tools do what, with proof, and the lock file of it.
//!
//! Owns what is shown of a discovery and when the lock is written. How channels are found is the
//! channel module's.

mod show;

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use clap::Args;

use super::{
    LaunchArgs, RunArgs,
    interrupt::Interrupts,
    lock,
    print::{problem, put},
    progress::{Detail, Progress},
    promise::exists,
    run::{Failure, JOBS, bed, endpoint, given, options, placeholders, pour, setup, trust},
    style,
};
use crate::{
    canary::Mint,
    channel::{Change, Discovery, Lock},
    config::{Settings, Verbosity},
    exit::Exit,
    report::json::plain,
    run::{Event, Found, Order},
    session::{ServerInfo, Tool, Transcript, claim_orphans, end_all},
};

/// Arguments of `watertight discover`.
#[derive(Debug, Clone, Default, Args)]
pub struct DiscoverArgs {
    /// The target.
    #[command(flatten)]
    pub launch: LaunchArgs,

    /// Print JSON instead of text
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Print no progress
    #[arg(long, short, help_heading = "Output", conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print every step of each proof
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
}

/// What was found, and what became of the lock.
struct Outcome {
    display: String,
    info: ServerInfo,
    tools: Vec<Tool>,
    discovery: Discovery,
    notes: Vec<String>,
    /// Path of the allowed directory, which texts name as `{allowed}`.
    allowed: PathBuf,
    lock: Option<Locked>,
}

/// What became of the lock file.
struct Locked {
    path: PathBuf,
    /// Whether there was a file before.
    existed: bool,
    /// Whether the file was written.
    written: bool,
    changes: Vec<Change>,
}

/// The settings that flags and configuration say.
///
/// # Errors
/// The exit code, once it is told what is wrong.
pub(super) fn settle(args: &DiscoverArgs) -> Result<Settings, Exit> {
    let here = std::env::current_dir().unwrap_or_default();
    let run = RunArgs {
        launch: args.launch.clone(),
        quiet: args.quiet || args.json,
        verbose: args.verbose,
        ..RunArgs::default()
    };
    run.settle(&here).map_err(|problems| problem(&problems))
}

/// Discovers what the settings say.
pub(super) async fn settled(args: &DiscoverArgs, settings: &Settings) -> Exit {
    // The program makes no children but targets.
    claim_orphans();
    let progress = Progress::new(match settings.verbosity {
        Verbosity::Quiet => Detail::Quiet,
        Verbosity::Normal | Verbosity::Verbose => Detail::Normal,
    });
    let found = find(settings, &|event| progress.show(&event)).await;
    drop(progress);
    let outcome = match found {
        Ok(outcome) => outcome,
        Err(failure) => return failure.tell(),
    };
    put(&if args.json {
        plain(&show::json(&outcome))
    } else {
        show::text(&outcome, &style::look(args.verbose))
    });
    let proven = outcome
        .discovery
        .channels
        .iter()
        .any(|channel| channel.proof.proven());
    if proven {
        Exit::Held
    } else {
        Exit::Inconclusive
    }
}

async fn find(settings: &Settings, emit: &dyn Fn(Event)) -> Result<Outcome, Failure> {
    let old = lock::of(settings)?;
    let bed = bed(settings)?;
    let places = placeholders(&bed);
    let policy = settings.policy.expand(&places).map_err(Failure::Problems)?;
    exists(&policy)?;
    let glass = pour().await;
    let mut target = endpoint(&settings.target, &places, &bed)?;
    trust(&mut target.endpoint, &glass);
    let display = crate::run::display(&target.endpoint);
    let stop = AtomicBool::new(false);
    let order = Order {
        bed: &bed,
        endpoint: target.endpoint,
        options: options(settings, &places)?,
        setup: setup(settings, &places)?,
        policy: &policy,
        probes: Vec::new(),
        given: given(settings, &places)?,
        lock: old.clone(),
        allow_destructive: &settings.target.allow_destructive,
        allowed_is_argument: target.allowed_is_argument,
        jobs: settings.jobs.unwrap_or(JOBS),
        deadline: settings.timeout,
        seed: 0,
        only: None,
        shard: None,
        stop: &stop,
        emit,
        transcript: Transcript::new(),
        glass: glass.as_ref().map_err(Clone::clone),
        postures: None,
    };
    let mint = Mint::new();
    let mut interrupts = Interrupts::listen()
        .map_err(|error| Failure::Fault(format!("interrupts cannot be heard: {error}")))?;
    let found = tokio::select! {
        found = Found::find(&order, &mint) => found.map_err(|error| Failure::Input(error.to_string()))?,
        _ = interrupts.next() => {
            end_all();
            return Err(Failure::Interrupted {
                message: String::from("interrupted: nothing was locked"),
                exit: Exit::Inconclusive,
            });
        }
    };
    let info = found.info();
    let (tools, discovery, notes) = found.into_parts().await;
    drop(order);
    let allowed = bed.allowed.clone();
    let mut notes = [target.notes, notes].concat();
    if !bed.remove() {
        notes.push(String::from("something was left behind in the testbed"));
    }
    let lock = match &settings.lock {
        Some(path) => update(path, old, &discovery, &tools)?,
        None => None,
    };
    Ok(Outcome {
        display,
        info,
        tools,
        discovery,
        notes,
        allowed,
        lock,
    })
}

/// Writes the lock, unless that would change nothing, or nothing was found.
fn update(
    path: &Path,
    old: Option<Lock>,
    discovery: &Discovery,
    tools: &[Tool],
) -> Result<Option<Locked>, Failure> {
    if discovery.channels.is_empty() {
        return Ok(None);
    }
    let new = Lock::new(&discovery.channels, tools);
    let changes = old.as_ref().map_or_else(Vec::new, |old| old.changes(&new));
    let written = old.is_none() || !changes.is_empty();
    if written {
        lock::write(path, &new)?;
    }
    let here = std::env::current_dir().unwrap_or_default();
    Ok(Some(Locked {
        path: path.strip_prefix(here).unwrap_or(path).to_owned(),
        existed: old.is_some(),
        written,
        changes,
    }))
}
