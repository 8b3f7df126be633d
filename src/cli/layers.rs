//! `--layers`: the runs that tell what the server does and what the sandbox around it does.
//!
//! Owns their command lines. What they come to is compared by the report.

use std::{fs, path::PathBuf};

use super::{failure::Failure, interrupt::Interrupts, order::wrapped, run::report};
use crate::{
    config::{Reach, Settings, TargetSpec},
    judge::Verdict,
    report::{Passes, Report, attribute},
    run::Event,
    testbed::{Bed, net::Glass},
};

/// Name under which the program of ours lies in the allowed directory: the one place that a sandbox surely
/// shows.
const STUB: &str = ".watertight-stub";

/// Why layers cannot be told apart, if so.
pub(super) fn unfit(settings: &Settings) -> Option<&'static str> {
    if settings.layers && settings.target.serves.is_some() {
        return Some(
            "--layers puts another server into the sandbox, and that one speaks over its standard input and output\n\
             fix: leave --layers out, or have the server speak so and leave --url out",
        );
    }
    (settings.layers && wrapped(&settings.target).is_none()).then_some(
        "--layers must know what of the command is the sandbox\n\
         fix: write `--` between the two (watertight run --layers -- bwrap ... -- server ...), or give the \
         sandbox with --wrapper",
    )
}

/// Runs what the report of a run is compared with, and marks its trials.
pub(super) async fn tell_apart(
    settings: &Settings,
    made: &mut Report,
    glass: &Result<Glass, String>,
    show: &dyn Fn(Event),
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    let (Some(wrapped), Reach::Command(words)) =
        (wrapped(&settings.target), &settings.target.reach)
    else {
        return Ok(());
    };
    let held: Vec<String> = made
        .probes
        .iter()
        .filter(|probe| {
            probe
                .trials
                .iter()
                .any(|trial| trial.verdict == Verdict::Held)
        })
        .map(|probe| probe.id.0.clone())
        .collect();
    let Some(told) = made.testbed.paths.first() else {
        return Ok(());
    };
    let (host, inside) = (told.host.clone(), told.inside.clone());
    if held.is_empty() {
        return Ok(());
    }
    // A sandbox may show the directory by its own name, which is another one in each run.
    let told = match inside {
        Some(inside) if inside != host => inside,
        _ => String::from("{allowed}"),
    };
    let base = Settings {
        probes: held,
        suites: Vec::new(),
        reports: Vec::new(),
        lock: None,
        witness: None,
        notes: Vec::new(),
        ..settings.clone()
    };
    let (sandbox, server) = words.split_at(wrapped);
    let stub = |told: &str| {
        [
            format!("{told}/{STUB}"),
            String::from("stub"),
            told.to_owned(),
        ]
    };
    let with_stub = |words: Vec<String>| Settings {
        bindings: Vec::new(),
        target: TargetSpec {
            reach: Reach::Command(words),
            carries: true,
            setup: Vec::new(),
            allow_destructive: vec![String::from("delete_file")],
            ..settings.target.clone()
        },
        ..base.clone()
    };
    let plain = TargetSpec {
        wrapped: Some(0),
        ..settings.target.clone()
    };
    let mut passes = Passes::default();
    let runs: [(&str, Settings, &mut Option<Report>); 3] = [
        (
            "the sandbox around a server that permits everything",
            with_stub([sandbox, &stub(&told)].concat()),
            &mut passes.stub_inside,
        ),
        (
            "that server without the sandbox",
            with_stub(stub("{allowed}").to_vec()),
            &mut passes.stub_outside,
        ),
        (
            "the server without the sandbox",
            Settings {
                target: TargetSpec {
                    reach: Reach::Command(server.iter().map(|word| outside(word, &told)).collect()),
                    ..plain
                },
                ..base.clone()
            },
            &mut passes.server_outside,
        ),
    ];
    for (what, settings, slot) in runs {
        show(Event::Note(format!(
            "once more, to tell layers apart: {what}"
        )));
        match report(&settings, glass, &|_| {}, None, interrupts).await {
            Ok(report) => *slot = Some(report),
            Err(interrupted @ Failure::Interrupted { .. }) => return Err(interrupted),
            Err(failure) => made.notes.push(format!(
                "what it does by itself could not be told: {what} could not be run: {}",
                failure.to_string().lines().next().unwrap_or_default()
            )),
        }
    }
    attribute(made, &passes);
    Ok(())
}

/// A word of the server's command line with the allowed directory as it is called without a sandbox.
fn outside(word: &str, told: &str) -> String {
    let named = |part: &str| part == told || part.starts_with(&format!("{told}/"));
    if told != "{allowed}" && word.rsplit(['=', ':', ',']).any(named) {
        word.replace(told, "{allowed}")
    } else {
        word.to_owned()
    }
}

/// The program of ours in the allowed directory of a run; removed when dropped.
pub(super) struct Carried(PathBuf);

impl Carried {
    /// Puts it there.
    pub(super) fn into(bed: &Bed) -> std::io::Result<Self> {
        let carried = Self(bed.allowed.join(STUB));
        fs::copy("/proc/self/exe", &carried.0)?;
        Ok(carried)
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        // The testbed's own removal has the last word.
        let _gone = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::outside;

    #[test]
    fn only_the_directory_itself_is_renamed() {
        for (word, expected) in [
            ("/work", "{allowed}"),
            ("--root=/work/x", "--root={allowed}/x"),
            ("/workspace", "/workspace"),
            ("/usr/bin/work", "/usr/bin/work"),
        ] {
            assert_eq!(outside(word, "/work"), expected);
        }
        assert_eq!(outside("{allowed}", "{allowed}"), "{allowed}");
    }
}
