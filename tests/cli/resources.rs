//! A server that has no tools and names its files by a scheme of its own: it is probed by its resources.

use std::process::Command;

use crate::run::{Ran, Run};

/// A run against `notes.py`; `None` where there is no Python.
fn run(checks: &str) -> Option<Ran> {
    Command::new("python3").arg("--version").output().ok()?;
    let flags = [
        "run",
        "--testbed",
        "host",
        "--no-lock",
        "--probe",
        "fs.read.dotdot",
        "--probe",
        "fs.read.outside-abs",
        "--report",
        "json=report.json",
        "--",
        "python3",
        "notes.py",
        checks,
        "{allowed}",
    ];
    let run = Run::new(&flags).file("notes.py", include_str!("notes.py"));
    Some(run.go())
}

#[test]
fn who_joins_names_unchecked_is_breached() {
    let Some(ran) = run("unchecked") else { return };
    ran.code(1);
    let report = ran.json("report.json").to_string();
    // As a client would escape it, and as it can be sent again.
    assert!(report.contains("notes://..%2F"), "{report}");
}

#[test]
fn who_checks_them_holds() {
    let Some(ran) = run("checked") else { return };
    ran.code(0);
    let report = ran.json("report.json");
    for probe in report["probes"].as_array().expect("a list") {
        assert_eq!(probe["verdict"], "held", "{probe:#}");
    }
}
