//! The line that repeats an attack.
//!
//! Owns how a trial is spelled as a command line of ours. Whether such a line is possible depends
//! on the target only: one that runs inside the harness has none.

use std::path::Path;

use crate::{
    config::{DEFAULT_STARTUP_TIMEOUT, DEFAULT_TIMEOUT},
    report::{LAUNCHED_HTTP, Repeat, TargetReport, TestbedReport, TrialReport},
};

/// A shell line that runs the trial's probe again on the same target, or `None` for a target that
/// no command line reaches.
///
/// The allowed directory of the finished run is gone; where it stood in the command, the
/// placeholder `{allowed}` stands again. What `repeat` withholds is there by its name, to be filled in. Every word is
/// quoted for a POSIX shell.
#[must_use]
pub fn repro(
    target: &TargetReport,
    testbed: &TestbedReport,
    policy: Option<&Path>,
    seed: u64,
    repeat: Option<&Repeat>,
    trial: &TrialReport,
) -> Option<String> {
    let probe = trial
        .id
        .split_once('/')
        .map_or(&*trial.id, |(probe, _)| probe);
    let mut words: Vec<String> = ["watertight", "run", "--probe", probe, "--seed"]
        .map(String::from)
        .into();
    words.push(seed.to_string());
    if let Some(policy) = policy {
        words.push(String::from("--policy"));
        words.push(policy.display().to_string());
    }
    let attached = target.transport != LAUNCHED_HTTP;
    let given = repeat.into_iter().flat_map(flags);
    words.extend(given.filter(|flag| !(attached && flag.starts_with("--url="))));
    match &*target.transport {
        "stdio" | LAUNCHED_HTTP => {
            words.push(String::from("--"));
            // A display that is no shell text is repeated as one word: wrong but visible.
            let command = shell_words::split(&target.display)
                .unwrap_or_else(|_| vec![target.display.clone()]);
            let told = repeat.map_or(&[] as &[String], |repeat| repeat.flags.as_slice());
            let told = told.iter().skip_while(|flag| *flag != "--").skip(1);
            let told = told.map(Some).chain(std::iter::repeat(None));
            words.extend(command.into_iter().zip(told).map(|(word, told)| {
                // Where the sink is, only the next run knows.
                let of_sink = told.filter(|told| told.contains("{sink}"));
                of_sink.map_or_else(|| placeholder(word, testbed), String::clone)
            }));
        }
        "http" => {
            words.push(String::from("--url"));
            words.push(target.display.clone());
            if repeat.is_none() {
                words.push(String::from("--allowed"));
                words.push(testbed.allowed.clone());
            }
        }
        _ => return None,
    }
    Some(shell_words::join(words))
}

/// The flags that were given, without those that say what is so anyway and those that reach the target.
fn flags(repeat: &Repeat) -> Vec<String> {
    let usual = [
        String::from("--era=auto"),
        String::from("--testbed=auto"),
        format!("--timeout={}", DEFAULT_TIMEOUT.as_secs()),
        format!("--startup-timeout={}", DEFAULT_STARTUP_TIMEOUT.as_secs()),
    ];
    let given = repeat.flags.iter().take_while(|flag| *flag != "--");
    let withheld = repeat.withheld.iter();
    given
        .filter(|flag| !usual.contains(flag))
        .cloned()
        .chain(withheld.flat_map(|(flag, name)| [flag.clone(), Repeat::shape(flag, name)]))
        .collect()
}

/// Puts `{allowed}` and `{denied}` back where the directories of the run stood.
fn placeholder(word: String, testbed: &TestbedReport) -> String {
    [
        (&testbed.allowed, "{allowed}"),
        (&testbed.denied, "{denied}"),
    ]
    .into_iter()
    .filter(|(path, _)| !path.is_empty())
    .fold(word, |word, (path, name)| word.replace(path.as_str(), name))
}
