//! `watertight run`: the whole way from settings to exit code.
//!
//! Owns the order of things and what is printed. Each step is somebody else's.

use std::{collections::BTreeMap, path::Path, sync::atomic::AtomicBool};

use serde_json::Value;

pub use super::failure::Failure;
pub(super) use super::manner::{given, options, setup};
use super::{
    RunArgs, bottle,
    calibration::recall,
    conclude::conclude,
    drive::drive,
    event_log::EventLog,
    interrupt::Interrupts,
    lock,
    print::{problem, shout},
    progress::{Detail, Progress},
    promise::{exists, policy_path},
    repeat,
    select::{Selection, select},
    shards,
    shield::REPORT_IT,
    visit,
};
use crate::{
    config::{Reach, Settings, TargetSpec, Verbosity},
    diag::{Diagnostic, Look},
    exit::Exit,
    policy::Placeholders,
    report::{Calibration, Harness, Report, Surroundings, Thresholds, assemble},
    run::{self, Event, Order},
    session::{Endpoint, HttpEndpoint, Launch, Transcript, claim_orphans},
    target::{Base, OFFLINE, environment, resolve},
    testbed::{
        Bed,
        namespace::Bottle,
        net::{Glass, GlassSpec},
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
    args.settle(&here).map_err(|problems| problem(&problems))
}

/// Runs with settings that are complete.
pub async fn settled(settings: &Settings) -> Exit {
    for warning in &settings.warnings {
        shout(&warning.render(Look::of_stderr()));
    }
    // The program makes no children but targets.
    claim_orphans();
    // From here on an interrupt is heard, not obeyed by the system: there is something to tidy up.
    let mut interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            return Failure::Fault(format!("interrupts cannot be heard: {error}")).tell();
        }
    };
    if let Some(bottle) = Bottle::around() {
        bottle.listening();
    }
    let progress = Progress::new(match settings.verbosity {
        Verbosity::Quiet => Detail::Quiet,
        Verbosity::Normal => Detail::Normal,
        Verbosity::Verbose => Detail::Verbose,
    });
    let log = EventLog::open(settings);
    let made = report(
        settings,
        &pour().await,
        &|event| {
            log.tell(&event);
            progress.show(&event);
        },
        recall(),
        &mut interrupts,
    )
    .await;
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
    let Selection { probes, words } = select(settings).map_err(Failure::Problems)?;
    let bed = bed(settings)?;
    let places = placeholders(&bed);
    let policy = settings.policy.expand(&places).map_err(Failure::Problems)?;
    exists(&policy)?;
    let mut target = endpoint(&settings.target, &places, &bed)?;
    trust(&mut target.endpoint, glass);
    let seed = shards::seed(settings);
    // A run that is to end before its first trial is its plan.
    let stop = AtomicBool::new(settings.rehearsal);
    let started = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let order = Order {
        bed: &bed,
        endpoint: target.endpoint.clone(),
        options: options(settings, &places)?,
        setup: setup(settings, &places)?,
        policy: &policy,
        probes: probes.clone(),
        given: given(settings, &places)?,
        lock: lock::of(settings)?,
        allow_destructive: &settings.target.allow_destructive,
        allowed_is_argument: target.allowed_is_argument,
        jobs: settings.jobs.unwrap_or(JOBS),
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
        postures: visit::recall(),
    };
    let mut ran = drive(order, &stop, interrupts, settings.thresholds.severity).await?;
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
            interrupted: false,
            shard: shards::part(settings, &probes, &ran),
            parts: Vec::new(),
        },
        probes: &probes,
        display: run::display(&target.endpoint),
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
/// When they cannot be made.
pub(super) fn bed(settings: &Settings) -> Result<Bed, Failure> {
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

/// The values of placeholders in this run.
pub(super) fn placeholders(bed: &Bed) -> Placeholders {
    let text = |path: &Path| path.display().to_string();
    Placeholders::new()
        .with("allowed", text(&bed.allowed))
        .with("denied", text(&bed.denied))
        .with("outside", text(&bed.outside))
        .with("home", text(&bed.home))
        .with("tmp", text(&bed.tmp))
}

/// How the target is reached in this run.
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) transport: &'static str,
    pub(super) environment: Vec<String>,
    pub(super) cwd: Option<String>,
    pub(super) allowed_is_argument: bool,
    pub(super) notes: Vec<String>,
}

/// Makes launch or attachment out of the settings.
pub(super) fn endpoint(
    spec: &TargetSpec,
    places: &Placeholders,
    bed: &Bed,
) -> Result<Target, Failure> {
    let expand = |text: &str| {
        places
            .expand(text)
            .map_err(|error| Failure::Input(error.to_string()))
    };
    match &spec.reach {
        Reach::Url {
            url,
            headers,
            bearer_env,
        } => {
            let bearer = match bearer_env {
                None => None,
                Some(name) => Some(std::env::var(name).map_err(|_| {
                    Failure::Input(format!(
                        "the environment variable {name} of --bearer-env is not set, or is no text\nfix: set it, and export it, before the run"
                    ))
                })?),
            };
            let headers = headers
                .iter()
                .map(|(name, value)| Ok((name.clone(), expand(value)?)))
                .collect::<Result<_, Failure>>()?;
            let url = expand(url)?;
            Ok(Target {
                endpoint: Endpoint::Http(HttpEndpoint {
                    url,
                    headers,
                    bearer,
                }),
                transport: "http",
                environment: Vec::new(),
                cwd: None,
                allowed_is_argument: false,
                notes: Vec::new(),
            })
        }
        Reach::Command(command) => {
            let here = std::env::current_dir()
                .map_err(|error| Failure::Input(format!("no working directory: {error}")))?;
            let words = command
                .iter()
                .map(|word| expand(word))
                .collect::<Result<Vec<_>, _>>()?;
            let (program, args) = words
                .split_first()
                .map_or((String::new(), Vec::new()), |(program, args)| {
                    (program.clone(), args.to_vec())
                });
            let resolved = resolve(&program, &args, std::env::var_os("PATH").as_deref(), &here)
                .map_err(|error| Failure::Input(error.to_string()))?;
            let set: BTreeMap<String, String> = spec
                .env
                .iter()
                .map(|(name, value)| Ok((name.clone(), expand(value)?)))
                .collect::<Result<_, Failure>>()?;
            let own = std::env::vars_os().collect();
            let base = Base {
                home: &bed.home,
                tmp: &bed.tmp,
            };
            let mut made = environment(&own, base, resolved.launcher, &spec.pass_env, &set);
            if Bottle::around().is_some() {
                for (name, value) in OFFLINE {
                    let variable = made.variables.entry((*name).to_owned());
                    variable.or_insert_with(|| (*value).to_owned());
                }
            }
            let mut notes: Vec<String> = made
                .missing
                .iter()
                .map(|name| {
                    format!(
                        "the environment variable {name} is to be passed on, but is not set here"
                    )
                })
                .collect();
            notes.extend(resolved.launcher.map(|launcher| launcher.note().to_owned()));
            let cwd = match &spec.cwd {
                Some(cwd) => here.join(expand(cwd)?),
                None => here,
            };
            if !cwd.is_dir() {
                return Err(Failure::Input(format!(
                    "the working directory {} does not exist\nfix: create it, or give another with --cwd",
                    cwd.display()
                )));
            }
            let allowed_is_argument = command.iter().any(|word| word.contains("{allowed}"))
                || spec
                    .env
                    .iter()
                    .any(|(_, value)| value.contains("{allowed}"));
            Ok(Target {
                environment: made.variables.keys().cloned().collect(),
                cwd: Some(cwd.display().to_string()),
                endpoint: Endpoint::Stdio(Launch {
                    program: resolved.program.display().to_string(),
                    args,
                    env: made.variables,
                    cwd,
                }),
                transport: "stdio",
                allowed_is_argument,
                notes,
            })
        }
    }
}
