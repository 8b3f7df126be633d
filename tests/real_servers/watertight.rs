//! The program under test: run on a real server, and its report read back.
//!
//! Owns the command line, and what must be true after every run whatever the verdict: the exit code is the one of
//! the report, the testbed is gone, and no process of the server is left. Must not know any server or verdict.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Failed;
use watertight::judge::{Basis, Verdict};
use watertight::probe::Role;
use watertight::report::{ProbeReport, Report};

use crate::servers::Installed;

/// A run that ended with a report.
pub(crate) struct Run {
    pub(crate) report: Report,
    /// What went to standard output and standard error, for messages of failed trials.
    said: String,
}

/// Launches the server and probes it.
pub(crate) fn probe(server: &Installed, flags: &[&str]) -> Result<Run, Failed> {
    launch(&server.argv(&[]), &server.env, flags)
}

/// The same for a command line of its own; `{allowed}` is the program's to fill.
pub(crate) fn launch(
    argv: &[String],
    variables: &BTreeMap<String, String>,
    flags: &[&str],
) -> Result<Run, Failed> {
    let mut words: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
    for (name, value) in variables {
        words.extend([String::from("--env"), format!("{name}={value}")]);
    }
    words.push(String::from("--"));
    words.extend_from_slice(argv);
    let run = run(&words)?;
    let bed = bed(&run.report)?;
    if bed.exists() {
        return Err(run.failed(&format!("{} is left behind", bed.display())));
    }
    match alive(&bed)?.as_slice() {
        [] => Ok(run),
        left => Err(run.failed(&format!("still running: {}", left.join(", ")))),
    }
}

/// Attaches to a server that shares the directory `allowed`.
pub(crate) fn attach(url: &str, allowed: &Path, flags: &[&str]) -> Result<Run, Failed> {
    let allowed_text = allowed.display().to_string();
    let words = ["--url", url, "--allowed", &allowed_text];
    let words: Vec<String> = words
        .iter()
        .chain(flags)
        .map(|&word| word.to_owned())
        .collect();
    let run = run(&words)?;
    let beside = allowed
        .parent()
        .ok_or("a directory of the test has a parent")?;
    let left: Vec<PathBuf> = [allowed, beside]
        .into_iter()
        .flat_map(walk)
        .filter(|path| path != allowed)
        .collect();
    match left.as_slice() {
        [] => Ok(run),
        left => Err(run.failed(&format!("left behind: {left:?}"))),
    }
}

/// Names directly in a directory.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

fn run(words: &[String]) -> Result<Run, Failed> {
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_watertight"))
        .args(["run", "--progress", "none", "--report"])
        .arg(format!("json={}", path.display()))
        .args(words)
        // No configuration of the repository or of whoever runs the tests may take part.
        .current_dir(scratch.path())
        .output()?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let failed = |why: &str| Failed::from(format!("{why}\n{said}"));
    let text = fs::read_to_string(&path)
        .map_err(|error| failed(&format!("{}: no report: {error}", output.status)))?;
    let report: Report = serde_json::from_str(&text)?;
    let code = output.status.code();
    if code != Some(i32::from(report.summary.exit_code)) {
        return Err(failed(&format!(
            "ended with {code:?}, but reports {}",
            report.summary.exit_code
        )));
    }
    if !report.testbed.clean {
        return Err(failed(
            "the report says that something is left of the testbed",
        ));
    }
    Ok(Run { report, said })
}

/// The directory that holds the testbed of a launched server.
fn bed(report: &Report) -> Result<PathBuf, Failed> {
    let allowed = Path::new(&report.testbed.allowed);
    Ok(allowed
        .parent()
        .ok_or("the allowed directory has a parent")?
        .to_owned())
}

/// Processes whose command line or environment names the testbed, as every launched server's does.
fn alive(bed: &Path) -> Result<Vec<String>, Failed> {
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    let bed = bed.display().to_string();
    let names_it = |process: &Path| {
        ["cmdline", "environ"].iter().any(|file| {
            // Processes end while they are looked at, and those of others cannot be read.
            fs::read(process.join(file))
                .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&bed))
        })
    };
    let processes = fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
    Ok(processes
        .filter(|process| names_it(process))
        .map(|process| process.display().to_string())
        .collect())
}

/// Verdicts that a run must have come to, one by one.
pub(crate) struct Expected<'e> {
    /// Probes that must be breached, each by a token or an effect.
    pub(crate) breached: &'e [&'e str],
    /// Probes that must hold.
    pub(crate) held: &'e [&'e str],
}

impl Expected<'_> {
    /// Flags that select these probes and no others.
    pub(crate) fn flags(&self) -> Vec<&str> {
        let probes = self.breached.iter().chain(self.held);
        probes.flat_map(|&probe| ["--probe", probe]).collect()
    }
}

impl Run {
    /// A failure with what the program said.
    pub(crate) fn failed(&self, why: &str) -> Failed {
        Failed::from(format!("{why}\n{}", self.said))
    }

    /// All mistakes in the verdicts at once.
    pub(crate) fn must(&self, expected: &Expected<'_>) -> Result<(), Failed> {
        let breached = expected.breached.iter().map(|id| (id, Verdict::Breached));
        let held = expected.held.iter().map(|id| (id, Verdict::Held));
        let wrong: Vec<String> = breached
            .chain(held)
            .filter_map(|(id, verdict)| self.mistake(id, verdict))
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(self.failed(&wrong.join("\n")))
        }
    }

    fn mistake(&self, id: &str, expected: Verdict) -> Option<String> {
        let Some(probe) = self
            .report
            .probes
            .iter()
            .find(|probe| probe.id.to_string() == id)
        else {
            return Some(format!("{id} is not in the report"));
        };
        if probe.verdict != expected {
            let trials = probe
                .trials
                .iter()
                .filter(|trial| trial.verdict == probe.verdict);
            let told: Vec<String> = trials
                .map(|trial| format!("  {}: {}", trial.id, trial.reason))
                .collect();
            return Some(format!(
                "{id} is {:?} instead of {expected:?}\n{}",
                probe.verdict,
                told.join("\n")
            ));
        }
        (expected == Verdict::Breached && !proven(probe))
            .then(|| format!("{id} is breached without a token or an effect"))
    }

    /// The verdict of the run and its exit code.
    pub(crate) fn ends(&self, verdict: Verdict, exit: u8) -> Result<(), Failed> {
        let summary = &self.report.summary;
        if (summary.verdict, summary.exit_code) == (verdict, exit) {
            return Ok(());
        }
        Err(self.failed(&format!(
            "ended {:?} with {} instead of {verdict:?} with {exit}",
            summary.verdict, summary.exit_code
        )))
    }

    /// The tools that were pinned are listed, and the one that reads was proven to.
    pub(crate) fn knows(&self, server: &Installed) -> Result<(), Failed> {
        let tools = &self.report.target.tools;
        for name in &server.tools {
            let Some(tool) = tools.iter().find(|tool| tool.name == *name) else {
                return Err(self.failed(&format!("no tool {name}")));
            };
            if server.read.as_ref() == Some(name) && !tool.proven.contains(&Role::FileRead) {
                return Err(self.failed(&format!("{name} was not proven: {:?}", tool.unproven)));
            }
        }
        Ok(())
    }
}

/// Whether a token came out, a forbidden place changed or a forbidden host was reached, with the observation that says so.
fn proven(probe: &ProbeReport) -> bool {
    probe.trials.iter().any(|trial| {
        trial.verdict == Verdict::Breached
            && matches!(
                trial.basis,
                Basis::Token | Basis::Effect | Basis::Connection
            )
            && !trial.evidence.is_empty()
            && trial.asked.is_some()
    })
}
