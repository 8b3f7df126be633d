//! Tools of shapes that the reference target does not have, run as users run them: each once sound, where nothing may
//! be breached, and once with a hole, which must be found.
//!
//! The servers are in Python; without it the tests say so and pass.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "what is skipped is told")]

use std::process::Command;

use serde_json::Value;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/roles/server.py");

/// The JSON report of a run against a tool of the server; none where there is no Python.
fn report(tool: &str) -> Option<Value> {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3");
        return None;
    }
    let desk = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_watertight"))
        .current_dir(desk.path())
        .args([
            "run",
            "--quiet",
            "--suite",
            "filesystem",
            "--report",
            "json=report.json",
        ])
        .args(["--", "python3", SERVER, tool, "{allowed}"])
        .output()
        .unwrap();
    let text = std::fs::read_to_string(desk.path().join("report.json"));
    let told = String::from_utf8_lossy(&output.stderr);
    Some(serde_json::from_str(&text.unwrap_or_else(|_| panic!("{told}"))).unwrap())
}

/// The verdicts of a probe's trials, each once.
fn verdicts<'r>(report: &'r Value, probe: &str) -> Vec<&'r str> {
    let probes = report["probes"].as_array().unwrap();
    let probe = probes.iter().find(|one| one["id"] == probe).unwrap();
    let trials = probe["trials"].as_array().unwrap().iter();
    let mut verdicts: Vec<&str> = trials
        .map(|trial| trial["verdict"].as_str().unwrap())
        .collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    verdicts
}

/// Of a probe on a tool: what is said of the sound one, and of the one with the hole.
#[track_caller]
fn compare(tool: &str, hole: &str, probe: &str, sound: &str, flawed: &str) {
    for (tool, expected) in [(tool.to_owned(), sound), (format!("{tool}!{hole}"), flawed)] {
        let Some(report) = report(&tool) else { return };
        assert_eq!(verdicts(&report, probe), [expected], "{tool} {probe}");
    }
}

#[test]
fn a_writer_is_asked_to_write_over_files_where_it_has_to_be_told_so() {
    for tool in ["gated", "chosen"] {
        compare(tool, "w", "fs.write.symlink-overwrite", "held", "breached");
    }
}

#[test]
fn a_writer_that_leaves_all_files_alone_holds_none() {
    let probe = "fs.write.symlink-overwrite";
    compare("never", "w", probe, "not-applicable", "not-applicable");
    compare("never", "w", "fs.write.prefix-sibling", "held", "breached");
}

#[test]
fn what_only_an_error_or_a_description_tells_is_asked_with() {
    for tool in ["told_format", "told_mode", "told_by_error"] {
        compare(tool, "r", "fs.read.outside-abs", "held", "breached");
    }
    for tool in ["told_mode", "told_by_description"] {
        compare(tool, "w", "fs.write.prefix-sibling", "held", "breached");
    }
}
