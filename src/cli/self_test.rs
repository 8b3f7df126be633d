//! `watertight self-test`: shows on this machine that each probe passes and fails.
//!
//! Owns the cells: every probe against the sound reference target and against each flaw that it
//! names, and the dummies on none of which anything may be held. The verdicts come from real runs.

mod terms;

use std::path::Path;

use clap::{Args, Parser};
use futures::{StreamExt as _, future::join, stream};
use serde::{Deserialize, Serialize};

use terms::{
    API, AUDIT, DOWNLOADS, EXECUTION, FILES, LISTED, NAMED, PORTS, PROCESS, PUBLIC, RANGES,
    READ_ONLY, RESOURCES, Terms, VARIABLES, terms,
};

use super::{
    RunArgs,
    calibration::keep,
    interrupt::Interrupts,
    print::{put, shout},
    run::{Failure, pour, report},
};
use crate::{
    config::Settings,
    diag::Source,
    exit::Exit,
    judge::Verdict,
    policy::Policy,
    probe::{Catalog, Claim, Needs, Platform, Probe, Sound},
    report::{Calibration, Report, verdict_word},
    testbed::{namespace::Bottle, net::Glass},
};

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

/// Dummies on which nothing may be held.
const DUMMIES: &[&str] = &["dead", "mute", "refuse-all", "echo", "silently-empty"];

/// A dummy that answers "Refused" to everything, and reaches it all the same: it must be breached by
/// all that a target without any check is breached by.
const SILENT: (&str, &str) = ("silent-exfil", "net.no-check");

/// Cells side by side: the machine of a CI job has two cores.
const AT_ONCE: usize = 2;

/// Runs the self-test and prints what failed.
pub async fn run(args: &SelfTestArgs) -> Exit {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            shout(&format!("error: the program cannot find itself: {error}\n"));
            return Exit::HarnessFault;
        }
    };
    let cells = cells(&program, &args.probe).await;
    let calibration = calibration(&cells);
    if args.json {
        put(&serde_json::to_string_pretty(&cells).unwrap_or_default());
    } else {
        for cell in cells.iter().filter(|cell| args.verbose || !cell.passed()) {
            put(&line(cell));
        }
        put(&format!(
            "{} of {} cells came out as they must\n",
            calibration.passed, calibration.total
        ));
    }
    if args.probe.is_empty() {
        keep(&calibration);
    }
    if calibration.total == 0 {
        Exit::BadInput
    } else if calibration.passed == calibration.total {
        Exit::Held
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

/// All cells, in the order of targets and probes.
pub async fn cells(program: &Path, only: &[String]) -> Vec<Cell> {
    let covered = |probe: &&Probe| {
        only.is_empty()
            || only
                .iter()
                .any(|id| probe.id.0 == *id || probe.id.0.starts_with(&format!("{id}.")))
    };
    let probes: Vec<&Probe> = Catalog::embedded()
        .probes()
        .filter(covered)
        .filter(|probe| can_be_sound(probe))
        .collect();
    let mut benches: Vec<Bench<'_>> = Vec::new();
    for on in [
        &FILES, &READ_ONLY, &PUBLIC, &API, &RANGES, &LISTED, &NAMED, &PORTS, &DOWNLOADS,
        &EXECUTION, &RESOURCES, &AUDIT, &PROCESS, &VARIABLES,
    ] {
        let of: Vec<&Probe> = probes
            .iter()
            .copied()
            .filter(|probe| std::ptr::eq(terms(probe), on))
            .collect();
        if of.is_empty() {
            continue;
        }
        let bench = |name, flaw, kind, probes| Bench {
            name,
            flaw,
            kind,
            terms: on,
            probes,
        };
        benches.push(bench("sound", None, None, of.clone()));
        let mut flaws: Vec<&str> = of
            .iter()
            .flat_map(|probe| &probe.selftest.breached)
            .map(String::as_str)
            .collect();
        flaws.sort_unstable();
        flaws.dedup();
        for flaw in flaws {
            let named = of
                .iter()
                .copied()
                .filter(|probe| probe.selftest.breached.iter().any(|name| name == flaw));
            benches.push(bench(flaw, Some(flaw), None, named.collect()));
        }
        let (silent, like) = SILENT;
        let unchecked = of
            .iter()
            .copied()
            .filter(|probe| probe.selftest.breached.iter().any(|name| name == like))
            .collect::<Vec<_>>();
        if !unchecked.is_empty() {
            benches.push(bench(silent, None, Some(silent), unchecked));
        }
        // As processes they are as good as any.
        if std::ptr::eq(on, &PROCESS) {
            continue;
        }
        // Who does nothing contacts nobody: that is held, and rightly so.
        let silent = |probe: &&Probe| probe.technique.as_deref() == Some("watch.unasked");
        let asking: Vec<&Probe> = of.iter().copied().filter(|probe| !silent(probe)).collect();
        for dummy in DUMMIES.iter().filter(|_| !asking.is_empty()) {
            benches.push(bench(dummy, None, Some(*dummy), asking.clone()));
        }
    }
    let glass = &pour().await;
    // On one network, what a target does to one host would be taken for what another does.
    let (on_network, on_files): (Vec<_>, Vec<_>) = benches.into_iter().partition(Bench::of_network);
    let made = |benches, at_once| {
        stream::iter::<Vec<Bench<'_>>>(benches)
            .map(|bench| async move { bench.cells(program, glass).await })
            .buffered(at_once)
            .collect::<Vec<_>>()
    };
    let (files, network) = join(made(on_files, AT_ONCE), made(on_network, 1)).await;
    [files, network].concat().concat()
}

/// Whether the reference target can be sound here in what the probe asks.
fn can_be_sound(probe: &Probe) -> bool {
    match probe.selftest.needs {
        None => true,
        // In namespaces of ours there is one user.
        Some(Needs::Root) => Bottle::around().is_none() && rustix::process::geteuid().is_root(),
        Some(Needs::Launcher | Needs::Listener) => false,
    }
}

/// One reference target and the probes that are asked of it.
struct Bench<'a> {
    name: &'a str,
    flaw: Option<&'a str>,
    kind: Option<&'a str>,
    terms: &'static Terms,
    probes: Vec<&'a Probe>,
}

impl Bench<'_> {
    fn of_network(&self) -> bool {
        self.probes
            .iter()
            .any(|probe| probe.claim.of_network() || probe.of_network())
    }

    async fn cells(&self, program: &Path, glass: &Result<Glass, String>) -> Vec<Cell> {
        let settings = self.settings(program);
        let made = match Interrupts::listen() {
            Ok(mut interrupts) => report(&settings, glass, &|_| {}, None, &mut interrupts).await,
            Err(error) => Err(Failure::Fault(error.to_string())),
        };
        self.probes
            .iter()
            .map(|probe| {
                let cell = Cell {
                    probe: probe.id.to_string(),
                    target: self.name.to_owned(),
                    expected: self.expected(probe, glass.is_ok()),
                    found: match &made {
                        Ok(report) => verdict(report, probe),
                        Err(failure) => Err(failure.to_string()),
                    },
                    why: None,
                };
                let why = made.as_ref().ok().filter(|_| !cell.passed());
                Cell {
                    why: why.and_then(|report| decided(report, probe)),
                    ..cell
                }
            })
            .collect()
    }

    fn expected(&self, probe: &Probe, network: bool) -> Expected {
        // What lists its tools and does nothing bears raw frames as well as any server.
        let bears = probe.claim == Claim::Availability && probe.roles.is_empty();
        if bears && matches!(self.kind, Some("refuse-all" | "echo" | "silently-empty")) {
            return Expected::Exactly(Verdict::Held);
        }
        if self.kind.is_some_and(|kind| kind != SILENT.0) {
            return Expected::Undecided;
        }
        let of_network = probe.claim.of_network() || probe.of_network();
        if (of_network || probe.claim == Claim::Queries) && !network {
            return Expected::Exactly(Verdict::NotApplicable);
        }
        let here = if cfg!(target_os = "macos") {
            Platform::Macos
        } else {
            Platform::Linux
        };
        let exists = probe.variants.iter().any(|variant| {
            let platforms = probe.platforms_of(variant);
            platforms.is_empty() || platforms.contains(&here)
        });
        Expected::Exactly(match (exists, self.flaw, probe.selftest.sound) {
            (false, _, _) => Verdict::NotApplicable,
            (true, Some(_), _) => Verdict::Breached,
            (true, None, _) if self.kind.is_some() => Verdict::Breached,
            (true, None, Sound::Held) => Verdict::Held,
            (true, None, Sound::NotApplicable) => Verdict::NotApplicable,
        })
    }

    fn settings(&self, program: &Path) -> Settings {
        let Terms { policy, flags } = self.terms;
        let mut command = vec![program.display().to_string(), String::from("reference")];
        command.extend(self.kind.map(str::to_owned));
        command.extend(
            self.flaw
                .into_iter()
                .flat_map(|flaw| [String::from("--flaw"), flaw.to_owned()]),
        );
        command.extend(flags.iter().map(|flag| (*flag).to_owned()));
        command.push(String::from("{allowed}"));
        // Only one of them never answers. A machine under load may take its time with the others.
        let startup = match self.kind {
            Some("mute") => "4",
            _ => "30",
        };
        let mut words: Vec<String> = ["run", "--timeout", "3", "--startup-timeout", startup]
            .map(String::from)
            .to_vec();
        words.extend(["--allow-destructive", "delete_file"].map(String::from));
        for probe in &self.probes {
            words.extend([String::from("--probe"), probe.id.to_string()]);
        }
        words.push(String::from("--"));
        words.extend(command);
        let mut settings = settings_of(words);
        settings.policy = Policy::load(&Source::new("self-test.toml", *policy))
            .expect("the policies are checked by every self-test");
        settings
    }
}

/// The settings by which the world of all cells is made.
pub(super) fn settle() -> Settings {
    settings_of(
        ["run", "--", "watertight", "reference"]
            .map(String::from)
            .to_vec(),
    )
}

fn settings_of(words: Vec<String>) -> Settings {
    let flags = Flags::try_parse_from(words).expect("the flags are ours");
    flags.run.layer().settle().expect("the settings are ours")
}

#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    run: RunArgs,
}

/// The first trial that has the verdict of the probe, and its reason.
fn decided(report: &Report, probe: &Probe) -> Option<String> {
    let found = report.probes.iter().find(|found| found.id == probe.id)?;
    let mut trials = found.trials.iter();
    let trial = trials.find(|trial| trial.verdict == found.verdict)?;
    Some(format!("{}: {}", trial.id, trial.reason))
}

fn verdict(report: &Report, probe: &Probe) -> Result<Verdict, String> {
    report
        .probes
        .iter()
        .find(|found| found.id == probe.id)
        .map(|found| found.verdict)
        .ok_or_else(|| String::from("the probe is not in the report"))
}
