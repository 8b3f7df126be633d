//! `watertight run`: the whole way from settings to exit code.
//!
//! Owns the order of things and what is printed. Each step is somebody else's.

use std::sync::atomic::AtomicBool;

use serde_json::Value;

pub use super::failure::Failure;
use super::{
    RunArgs, bottle,
    calibration::recall,
    conclude::conclude,
    drive::drive,
    event_log::EventLog,
    interrupt::Interrupts,
    layers::{self, Carried},
    lock,
    order::{endpoint, given, launch_text, launcher_of, maps, options, placeholders, setup},
    print::{complain, problem, shout},
    progress::Progress,
    promise::{exists, policy_path},
    repeat,
    select::{Selection, select},
    shards,
    shield::REPORT_IT,
    trace, visit,
};
use crate::{
    canary::Mint,
    channel::tidy,
    config::{Reach, Settings},
    diag::{Diagnostic, Look},
    exit::Exit,
    report::{Calibration, Harness, Report, Surroundings, Thresholds, assemble, veil},
    run::{self, Event, Order, looks_for_variables},
    session::{Endpoint, Transcript},
    testbed::{
        Bed,
        namespace::Bottle,
        net::{Glass, GlassSpec},
        plant_variables,
    },
};

/// Calls in flight at once, unless the user says otherwise.
pub(super) const JOBS: usize = 32;

/// What the flags and the configuration say.
///
/// # Errors
/// The exit code, once the mistakes in them are told.
pub(super) fn settle(args: &RunArgs) -> Result<Settings, Exit> {
    let here = std::env::current_dir().unwrap_or_default();
    if let Some(missing) = args.launch.lock.as_ref().filter(|path| !path.is_file()) {
        let told = Diagnostic::error(
            "lock::missing",
            format!("there is no file {}", missing.display()),
        );
        return Err(problem(&told.help("`watertight discover` makes it").into()));
    }
    let settings = args.settle(&here).map_err(|problems| problem(&problems))?;
    if let Some(why) = layers::unfit(&settings) {
        complain(why);
        return Err(Exit::BadInput);
    }
    if let (Some(_), false) = (
        settings.witness,
        matches!(settings.target.reach, Reach::Command(_)),
    ) {
        complain(
            "--witness syscalls traces a server from its start, and this one runs already\n\
             fix: give the command that starts it",
        );
        return Err(Exit::BadInput);
    }
    Ok(settings)
}

/// Runs with settings that are complete.
pub async fn settled(settings: &Settings) -> Exit {
    for warning in &settings.warnings {
        shout(&warning.render(Look::of_stderr()));
    }
    let mut interrupts = match Interrupts::for_run() {
        Ok(interrupts) => interrupts,
        Err(exit) => return exit,
    };
    let progress = Progress::of(settings);
    let log = EventLog::open(settings);
    let glass = pour().await;
    let made = report(
        settings,
        &glass,
        &|event| {
            log.tell(&event);
            progress.show(&event);
        },
        recall(),
        &mut interrupts,
    )
    .await;
    let made = match made {
        Ok(mut made) if settings.layers && !made.harness.interrupted => {
            let show = |event| progress.show(&event);
            layers::tell_apart(settings, &mut made, &glass, &show, &mut interrupts)
                .await
                .map(|()| made)
        }
        made => made,
    };
    drop(progress);
    match made {
        Ok(report) => conclude(settings, report, log, &mut interrupts).await,
        Err(failure) => {
            // What was lost is of no account beside that there is no report.
            let _ = log.lost();
            failure.tell()
        }
    }
}

/// The report of a run.
///
/// # Errors
/// As [`made`].
pub(super) async fn report(
    settings: &Settings,
    glass: &Result<Glass, String>,
    emit: &dyn Fn(Event),
    calibration: Option<Calibration>,
    interrupts: &mut Interrupts,
) -> Result<Report, Failure> {
    let transcript = Transcript::new();
    let made = made(settings, glass, emit, calibration, interrupts, transcript).await?;
    Ok(made.report)
}

/// What was made of a run.
pub(super) struct Made {
    pub(super) report: Report,
    /// The request of the first trial, whole.
    pub(super) asked: Option<Value>,
    /// What the calls were for.
    pub(super) steps: Vec<(std::time::Instant, run::Step)>,
}

/// Makes the report of a run.
///
/// # Errors
/// When something that the user gave cannot be used, or the harness fails.
pub(super) async fn made(
    settings: &Settings,
    glass: &Result<Glass, String>,
    emit: &dyn Fn(Event),
    calibration: Option<Calibration>,
    interrupts: &mut Interrupts,
    transcript: Transcript,
) -> Result<Made, Failure> {
    let Selection {
        probes,
        words,
        asked,
    } = select(settings).map_err(Failure::Problems)?;
    let watching = settings.witness.map(|_| trace::witness()).transpose();
    let watching = watching.map_err(|why| Failure::Input(trace::refused(&why)))?;
    let bed = bed(settings)?;
    let _carried = settings
        .target
        .carries
        .then(|| Carried::into(&bed))
        .transpose()
        .map_err(|error| Failure::Fault(format!("the program cannot be copied: {error}")))?;
    let places = placeholders(&bed, settings);
    let policy = settings.policy.expand(&places).map_err(Failure::Problems)?;
    exists(&policy)?;
    let mut target = endpoint(&settings.target, &places, &bed)?;
    trust(&mut target.endpoint, glass);
    if let Some(witness) = &watching {
        trace::around(&mut target.endpoint, witness);
    }
    let seed = shards::seed(settings);
    // A run that is to end before its first trial is its plan.
    let stop = AtomicBool::new(settings.rehearsal);
    let started = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let mint = Mint::new();
    let mint = Bottle::around().map_or(&mint, Bottle::mint);
    let variables = match &mut target.endpoint {
        Endpoint::Stdio(launch) if looks_for_variables(&probes) => {
            plant_variables(mint, &mut launch.env, &policy.needed_variables())
        }
        _ => Vec::new(),
    };
    let order = Order {
        bed: &bed,
        endpoint: target.endpoint.clone(),
        display: target.display.clone(),
        options: options(settings, &places)?,
        setup: setup(settings, &places)?,
        policy: &policy,
        probes: probes.clone(),
        given: given(settings, &places)?,
        lock: lock::of(settings)?,
        allow_destructive: &settings.target.allow_destructive,
        allowed_is_argument: target.allowed_is_argument,
        server_at: target.server_at,
        maps: maps(&settings.target, &places)?,
        // Side by side, nothing would tell which call made the server attempt what.
        jobs: if watching.is_some() {
            1
        } else {
            settings.jobs.unwrap_or(JOBS)
        },
        deadline: settings.timeout,
        seed,
        only: settings.only.as_ref().map(|(trial, rehearsed)| run::Only {
            trial,
            rehearsed: *rehearsed,
        }),
        shard: settings.shard,
        stop: &stop,
        emit,
        transcript,
        glass: glass.as_ref().map_err(Clone::clone),
        sink: settings.target.names_sink(),
        mint,
        variables,
        decoys: Bottle::around().map_or_else(Vec::new, |bottle| bottle.decoys().to_vec()),
        launcher: launcher_of(&settings.target).is_some(),
        launch: launch_text(&settings.target),
        postures: visit::recall(),
        syscalls: watching.as_ref(),
    };
    let ran = drive(order, &stop, interrupts, settings.thresholds.severity).await;
    tidy(&bed.allowed);
    // Before it is looked at what is left.
    drop(watching);
    let mut ran = ran?;
    let mut notes = target.notes;
    notes.extend_from_slice(&settings.notes);
    notes.extend(
        Bottle::around()
            .into_iter()
            .flat_map(Bottle::notes)
            .cloned(),
    );
    notes.append(&mut ran.notes);
    notes.extend(bottle::strays(&bed.allowed));
    let surroundings = Surroundings {
        harness: Harness {
            name: String::from("watertight"),
            version: String::from(env!("CARGO_PKG_VERSION")),
            run: format!("{:08x}", fastrand::u32(..)),
            seed,
            started,
            took_ms: 0,
            startup_ms: 0,
            selection: words,
            asked: Some(asked),
            interrupted: false,
            shard: shards::part(settings, &probes, &ran),
            parts: Vec::new(),
        },
        probes: &probes,
        display: target.display,
        transport: target.transport,
        environment: target.environment,
        cwd: target.cwd,
        policy: serde_json::to_value(policy.document()).unwrap_or(Value::Null),
        policy_path: policy_path(settings),
        lines: &policy,
        testbed: match (Bottle::around(), &settings.target.allowed) {
            (Some(_), _) => "namespace",
            (None, Some(_)) => "remote",
            (None, None) => "host",
        },
        allowed: bed.allowed.display().to_string(),
        denied: bed.denied.display().to_string(),
        clean: true,
        calibration,
        thresholds: Thresholds {
            min_severity: settings.thresholds.severity,
            min_coverage: settings.thresholds.coverage,
        },
        repeat: Some(repeat::of(settings)),
        baseline: settings.baseline.clone(),
        notes,
    };
    let kept = matches!(settings.only, Some((_, true)));
    let clean = if kept {
        // It is the user's now.
        std::mem::forget(bed);
        true
    } else {
        bed.remove()
    };
    let report = assemble(
        &ran,
        Surroundings {
            clean,
            ..surroundings
        },
    );
    let report = report.map_err(|error| {
        Failure::Fault(format!("the report does not add up: {error}\n{REPORT_IT}"))
    })?;
    let report = veil(report, &repeat::secrets(&settings.target)).map_err(|error| {
        Failure::Fault(format!(
            "a value of a variable is a word of the report ({error}), which so cannot be kept out of it"
        ))
    })?;
    let mut outcomes = ran.outcomes.into_iter();
    Ok(Made {
        report,
        asked: outcomes.next().and_then(|outcome| outcome.asked),
        steps: ran.steps,
    })
}

/// The directories of a run.
///
/// # Errors
/// When they cannot be made, or not be filled.
pub(super) fn bed(settings: &Settings) -> Result<Bed, Failure> {
    let bed = empty_bed(settings)?;
    let (Some(fixture), target) = (&settings.target.fixture, &settings.target) else {
        return Ok(bed);
    };
    if let Reach::Url { .. } = target.reach {
        return Err(Failure::Input(String::from(
            "`fixture` is there before a server starts, and this one runs already\n\
             fix: leave it out, or give the command of the server instead of its URL",
        )));
    }
    if target.allowed.is_some() {
        return Err(Failure::Input(String::from(
            "`fixture` fills a directory that the run makes, and `allowed` shares one of yours\n\
             fix: leave one of them out",
        )));
    }
    bed.furnish(fixture).map_err(|error| {
        Failure::Input(format!("{} cannot be copied: {error}", fixture.display()))
    })?;
    Ok(bed)
}

fn empty_bed(settings: &Settings) -> Result<Bed, Failure> {
    let shared = match Bottle::around() {
        Some(_) => bottle::shared(settings),
        None => settings.target.allowed.clone(),
    };
    if let (None, Some((_, true))) = (&shared, &settings.only) {
        return repeat::kept_bed();
    }
    let bed = match shared {
        Some(shared) => Bed::around(&shared),
        None => Bed::create(),
    };
    bed.map_err(|error| Failure::Input(error.to_string()))
}

/// The network of a run's own, or why there is none.
pub(super) async fn pour() -> Result<Glass, String> {
    let Some(bottle) = Bottle::around() else {
        return Err(String::from(
            "hosts are only reached in a network of the run's own: the namespace testbed",
        ));
    };
    let directory = bottle.beds().join("authority");
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("no directory for certificates: {error}"))?;
    Glass::pour(GlassSpec::new(directory))
        .await
        .map_err(|error| format!("the network of the run's own cannot be made: {error}"))
}

/// Has a target trust the certificates of the run's own network. What the user sets stays.
pub(super) fn trust(endpoint: &mut Endpoint, glass: &Result<Glass, String>) {
    let (Endpoint::Stdio(launch), Ok(glass)) = (endpoint, glass) else {
        return;
    };
    for name in [
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ] {
        launch
            .env
            .entry(name.to_owned())
            .or_insert_with(|| glass.authority_file().display().to_string());
    }
}
