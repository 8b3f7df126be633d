//! `watertight discover`: which tools do what, with proof, and the lock file of it.
//!
//! Owns what is shown of a discovery and when the lock is written. How channels are found is the
//! channel module's.

mod show;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use clap::Args;

use super::{
    LaunchArgs, RunArgs,
    interrupt::Interrupts,
    lock,
    order::{endpoint, given, launch_text, maps, options, placeholders, setup},
    print::{problem, put},
    progress::Progress,
    promise::exists,
    run::{Failure, JOBS, bed, pour, trust},
    style,
};
use crate::{
    canary::Mint,
    channel::{Change, Discovery, Lock, tidy},
    config::Settings,
    exit::Exit,
    probe::Role,
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
    /// Why the lock could not be written, if it was to be.
    lost: Option<Failure>,
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

/// What a discovery came to, for who goes on from there.
pub(super) struct Explored {
    /// Roles that tools were found in, proven or not.
    pub(super) roles: BTreeSet<Role>,
    /// Channels that were proven.
    pub(super) proven: usize,
    /// Those that were not.
    pub(super) unproven: usize,
    /// Whether the lock was written.
    pub(super) locked: bool,
}

/// Discovers what the settings say, and writes the lock.
///
/// # Errors
/// When the target cannot be used, or the lock cannot be written.
pub(super) async fn explore(settings: &Settings) -> Result<Explored, Failure> {
    claim_orphans();
    let progress = Progress::of(settings);
    let mut outcome = find(settings, &|event| progress.show(&event)).await?;
    if let Some(lost) = outcome.lost.take() {
        return Err(lost);
    }
    let channels = &outcome.discovery.channels;
    let proven = outcome.discovery.proven();
    Ok(Explored {
        roles: channels.iter().map(|channel| channel.role).collect(),
        proven,
        unproven: channels.len() - proven,
        locked: outcome.lock.is_some_and(|lock| lock.written),
    })
}

/// Discovers what the settings say.
pub(super) async fn settled(args: &DiscoverArgs, settings: &Settings) -> Exit {
    // The program makes no children but targets.
    claim_orphans();
    let progress = Progress::of(settings);
    let found = find(settings, &|event| progress.show(&event)).await;
    drop(progress);
    let mut outcome = match found {
        Ok(outcome) => outcome,
        Err(failure) => return failure.tell(),
    };
    let printed = put(&if args.json {
        plain(&show::json(&outcome))
    } else {
        show::text(&outcome, &style::look(args.verbose))
    });
    // What was found is worth more than where it is kept.
    if let Some(lost) = outcome.lost.take() {
        lost.tell()
    } else if printed != Exit::Held {
        printed
    } else if outcome.discovery.proven() > 0 {
        Exit::Held
    } else {
        Exit::Inconclusive
    }
}

async fn find(settings: &Settings, emit: &dyn Fn(Event)) -> Result<Outcome, Failure> {
    let old = lock::of(settings)?;
    let bed = bed(settings)?;
    let places = placeholders(&bed, settings);
    let policy = settings.policy.expand(&places).map_err(Failure::Problems)?;
    exists(&policy)?;
    let glass = pour().await;
    let mut target = endpoint(&settings.target, &places, &bed)?;
    trust(&mut target.endpoint, &glass);
    let display = target.display.clone();
    let stop = AtomicBool::new(false);
    let mint = Mint::new();
    let order = Order {
        bed: &bed,
        endpoint: target.endpoint,
        display: display.clone(),
        options: options(settings, &places)?,
        setup: setup(settings, &places)?,
        policy: &policy,
        probes: Vec::new(),
        given: given(settings, &places)?,
        lock: old.clone(),
        allow_destructive: &settings.target.allow_destructive,
        allowed_is_argument: target.allowed_is_argument,
        server_at: target.server_at,
        maps: maps(&settings.target, &places)?,
        jobs: settings.jobs.unwrap_or(JOBS),
        deadline: settings.timeout,
        seed: 0,
        only: None,
        shard: None,
        stop: &stop,
        emit,
        transcript: Transcript::new(),
        glass: glass.as_ref().map_err(Clone::clone),
        sink: settings.target.names_sink(),
        mint: &mint,
        decoys: Vec::new(),
        variables: Vec::new(),
        launcher: false,
        launch: launch_text(&settings.target),
        postures: None,
        syscalls: None,
    };
    let mut interrupts = Interrupts::listen()
        .map_err(|error| Failure::Fault(format!("interrupts cannot be heard: {error}")))?;
    let found = tokio::select! {
        found = Found::find(&order) => found.map_err(|error| Failure::Input(error.to_string()))?,
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
    tidy(&bed.allowed);
    if !bed.remove() {
        notes.push(String::from("something was left behind in the testbed"));
    }
    let updated = match &settings.lock {
        Some(path) => update(path, old, &discovery, &tools, glass.is_ok()),
        None => Ok((None, 0)),
    };
    let (lock, lost) = match updated {
        Ok((lock, kept)) => {
            if kept > 0 {
                notes.push(format!(
                    "{kept} ways to reach hosts stay in the lock as they were: they can only be tried in the \
                     namespace testbed"
                ));
            }
            (lock, None)
        }
        Err(failure) => (None, Some(failure)),
    };
    Ok(Outcome {
        display,
        info,
        tools,
        discovery,
        notes,
        allowed,
        lock,
        lost,
    })
}

/// Writes the lock, unless that would change nothing, or nothing was found. Also returns how many entries it
/// keeps that could not be tried.
fn update(
    path: &Path,
    old: Option<Lock>,
    discovery: &Discovery,
    tools: &[Tool],
    network: bool,
) -> Result<(Option<Locked>, usize), Failure> {
    if discovery.channels.is_empty() {
        return Ok((None, 0));
    }
    let mut new = Lock::new(&discovery.channels, tools);
    // What was not tried is no worse than it was.
    let kept = match &old {
        Some(old) if !network => new.keep_of_network(old, tools),
        _ => 0,
    };
    let changes = old.as_ref().map_or_else(Vec::new, |old| old.changes(&new));
    let written = old.is_none() || !changes.is_empty();
    if written {
        lock::write(path, &new)?;
    }
    let here = std::env::current_dir().unwrap_or_default();
    let locked = Locked {
        path: path.strip_prefix(here).unwrap_or(path).to_owned(),
        existed: old.is_some(),
        written,
        changes,
    };
    Ok((Some(locked), kept))
}
