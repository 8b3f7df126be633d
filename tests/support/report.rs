//! The JSON report of a run, as users make one. It knows nothing of what is in it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// `watertight run FLAGS...` in a directory, and its report if it came to one.
///
/// # Panics
/// If the program cannot be started, or the report is no JSON.
pub(crate) fn run(desk: &Path, flags: &[&str]) -> (Output, Option<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_watertight"))
        .current_dir(desk)
        .args(["run", "--quiet", "--no-lock"])
        .args(["--report", "json=report.json"])
        .args(flags)
        .output()
        .expect("the program starts");
    let report = fs::read_to_string(desk.join("report.json")).ok();
    let report = report.map(|text| serde_json::from_str(&text).expect("the report is JSON"));
    (output, report)
}

/// The report of a run.
///
/// # Panics
/// If there is none, with what the run said instead.
pub(crate) fn report(desk: &Path, flags: &[&str]) -> Value {
    let (output, report) = run(desk, flags);
    report.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}
