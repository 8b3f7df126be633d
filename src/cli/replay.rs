//! `watertight replay`: one trial of a stored report once more, alone, with everything that is said.
//!
//! Owns which trial is meant, and how its request is handed out. What a trial is, and what it comes to,
//! is the same as in a run.

mod show;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{
    LaunchArgs, RunArgs,
    failure::Failure,
    interrupt::Interrupts,
    print::{complain, deliver, problem, shout},
    progress::{Detail, Progress},
    repeat::{self, no_trial},
    run::{made, pour},
    style,
};
use crate::{
    config::{Settings, Testbed},
    exit::Exit,
    judge::Verdict,
    plan::alike,
    report::{LAUNCHED_HTTP, Report, TrialReport, read_report, verdict_word, visible},
    run::Event,
    session::{Direction, Transcript},
};

/// Arguments of `watertight replay`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Replaying starts the command that stands in the report: replay only reports that you trust.\n\n\
    Exit codes: as `run`, of the one trial"
)]
pub struct ReplayArgs {
    /// The JSON report
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,

    /// Id of the trial: PROBE/VARIANT@TOOL:PARAMETER
    #[arg(value_name = "TRIAL")]
    pub trial: String,

    /// Print the request as raw JSON-RPC lines instead, and leave its files planted
    #[arg(long)]
    pub emit: bool,

    /// Show the messages of discovery too
    #[arg(long, short, conflicts_with = "emit")]
    pub verbose: bool,

    /// The target, where it is not to be that of the report.
    #[command(flatten)]
    pub launch: LaunchArgs,
}

/// The settings of the replay.
///
/// # Errors
/// The exit code, once it is told what is wrong.
pub(super) fn settle(args: &ReplayArgs) -> Result<Settings, Exit> {
    if args.report.as_os_str() == "-" {
        complain("standard input can be read once only\nfix: give the report as a file");
        return Err(Exit::BadInput);
    }
    let report = stored(args)?;
    let trial = trial_of(&report, &args.trial).map_err(|problems| problem(&problems))?;
    let Some(told) = &report.repeat else {
        complain(
            "the report does not say how its target was started: it was written by an older program\nfix: repeat the run",
        );
        return Err(Exit::BadInput);
    };
    let given = RunArgs {
        launch: args.launch.clone(),
        ..RunArgs::default()
    };
    let mut settings =
        repeat::settle(told, given, &args.report).map_err(|failure| failure.tell())?;
    settings.suites = Vec::new();
    settings.probes = vec![trial.id.split('/').next().unwrap_or_default().to_owned()];
    settings.seed = Some(report.harness.seed);
    settings.only = Some((trial.id.clone(), args.emit));
    if args.emit {
        if settings.testbed == Testbed::Namespace || report.testbed.kind == "namespace" {
            settings
                .notes
                .push(String::from("outside of the namespaces"));
        }
        // What is planted in a bottle is gone with it.
        settings.testbed = Testbed::Host;
    }
    Ok(settings)
}

fn stored(args: &ReplayArgs) -> Result<Report, Exit> {
    read_report(&args.report).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })
}

/// The trial that is meant.
fn trial_of<'a>(report: &'a Report, id: &str) -> Result<&'a TrialReport, crate::diag::Problems> {
    let trials = || report.probes.iter().flat_map(|probe| &probe.trials);
    let Some(trial) = trials().find(|trial| trial.id == id) else {
        let near = alike(id, trials().map(|trial| trial.id.as_str()), 5);
        let near: Vec<String> = near
            .iter()
            .map(|id| visible(id, 200).into_owned())
            .collect();
        let help = match near.is_empty() {
            true => String::from("ids of trials are in the JSON report: probes[].trials[].id"),
            false => format!("did you mean\n{}", near.join("\n")),
        };
        let message = format!("the report has no trial `{}`", visible(id, 200));
        return Err(no_trial(message, help));
    };
    if trial.verdict == Verdict::NotApplicable {
        let message = format!(
            "`{}` was not applicable: nothing was sent",
            visible(id, 200)
        );
        return Err(no_trial(message, visible(&trial.reason, 400).into_owned()));
    }
    Ok(trial)
}

/// Replays with settings that are complete.
pub(super) async fn settled(args: &ReplayArgs, settings: &Settings) -> Exit {
    let old = match stored(args) {
        Ok(report) => report,
        Err(exit) => return exit,
    };
    let Ok(old) = trial_of(&old, &args.trial).cloned() else {
        return Exit::BadInput;
    };
    let mut interrupts = match Interrupts::for_run() {
        Ok(interrupts) => interrupts,
        Err(exit) => return exit,
    };
    let progress = Progress::new(Detail::Normal);
    let transcript = Transcript::new();
    let glass = pour().await;
    let tell = |event: Event| progress.show(&event);
    let made = made(
        settings,
        &glass,
        &tell,
        None,
        &mut interrupts,
        transcript.clone(),
    )
    .await;
    drop(progress);
    let made = match made {
        Ok(made) => made,
        Err(failure) => return failure.tell(),
    };
    let trials = made.report.probes.iter().flat_map(|probe| &probe.trials);
    let Some(new) = trials.clone().next() else {
        return Failure::Fault(String::from("the trial was lost")).tell();
    };
    let call = made.asked.as_ref().map(|asked| request(asked, &transcript));
    if args.emit {
        return match (call, new.verdict) {
            (Some(call), _) => emit(&made.report, new, &transcript, &call),
            (None, _) => Failure::Input(format!(
                "the scene of `{}` cannot be set outside of its run: {}\nfix: replay it without --emit",
                visible(&new.id, 200),
                visible(&new.reason, 400)
            ))
            .tell(),
        };
    }
    let page = show::page(&show::Replay {
        report: &made.report,
        old: &old,
        new,
        transcript: &transcript,
        steps: &made.steps,
        call: call.as_ref(),
        look: style::look(args.verbose),
    });
    match deliver(&page) {
        Err(error) => {
            complain(&format!("the replay cannot be printed: {error}"));
            Exit::HarnessFault
        }
        Ok(()) => match new.verdict {
            Verdict::Held => Exit::Held,
            Verdict::Breached => Exit::Breached,
            Verdict::Inconclusive | Verdict::NotApplicable => Exit::Inconclusive,
        },
    }
}

/// Messages that we sent, in order.
fn sent(transcript: &Transcript) -> Vec<Value> {
    let records = transcript.records().filter_map(Result::ok);
    records
        .filter(|record| record.entry.direction == Direction::Sent && record.cut.is_none())
        .filter_map(|record| serde_json::from_slice(&record.entry.bytes).ok())
        .collect()
}

/// The request by itself, under an id that no other has; with what the stateless era wants in each.
fn request(asked: &Value, transcript: &Transcript) -> Value {
    const ID: u32 = 1_000;
    let mut request =
        json!({ "jsonrpc": "2.0", "id": ID, "method": asked["method"], "params": asked["params"] });
    let messages = sent(transcript);
    let handshake = messages.iter().any(|one| one["method"] == "initialize");
    let meta = messages
        .iter()
        .rev()
        .find_map(|one| one["params"].get("_meta"));
    if let (false, Some(meta), Some(params)) = (handshake, meta, request["params"].as_object_mut())
    {
        let mut meta = meta.clone();
        if let Some(meta) = meta.as_object_mut() {
            meta.shift_remove("progressToken");
        }
        params.insert(String::from("_meta"), meta);
    }
    request
}

/// What has to be sent before: the handshake that worked, and the calls of the set-up.
fn opening(transcript: &Transcript) -> Vec<Value> {
    let mut opening = Vec::new();
    for message in sent(transcript) {
        match message["method"].as_str() {
            // A later one is that of another try.
            Some("initialize") => opening = vec![message],
            Some("notifications/initialized" | "tools/call") => opening.push(message),
            Some("tools/list") => break,
            _ => {}
        }
    }
    opening
}

/// Prints the lines, and says what stands ready for them.
fn emit(report: &Report, trial: &TrialReport, transcript: &Transcript, call: &Value) -> Exit {
    let mut lines = String::new();
    for message in opening(transcript).iter().chain([call]) {
        lines.push_str(&crate::report::json::compact(message));
    }
    if let Err(error) = deliver(&lines) {
        complain(&format!("the lines cannot be printed: {error}"));
        return Exit::HarnessFault;
    }
    let bed = PathBuf::from(&report.testbed.denied);
    let bed = bed.parent().unwrap_or(&bed);
    // Around it is what was made for it alone.
    let whole = bed.parent().filter(|parent| {
        let name = parent.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with("watertight-replay-")
    });
    let bed = whole.unwrap_or(bed).display().to_string();
    let target = &report.target;
    let send = match &*target.transport {
        "http" => format!(
            "each line as the body of a POST to {}",
            visible(&target.display, 400)
        ),
        LAUNCHED_HTTP => format!(
            "each line as the body of a POST to where this serves: {}",
            visible(&target.display, 400)
        ),
        _ => format!("(cat FILE; sleep 2) | {}", visible(&target.display, 400)),
    };
    let mut told = vec![
        ("planted", visible(&bed, 400).into_owned()),
        ("send", send),
        (
            "remove",
            format!("rm -r {}", shell_words::quote(&visible(&bed, 400))),
        ),
    ];
    if let Some(object) = &trial.object {
        told.insert(1, ("forbidden", visible(object, 400).into_owned()));
    }
    for (label, text) in told {
        shout(&format!("{label:>12} {text}\n"));
    }
    Exit::Held
}

/// A verdict in words.
fn word(trial: &TrialReport) -> &'static str {
    verdict_word(trial.verdict)
}
