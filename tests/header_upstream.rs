//! Servers over HTTP that find the service behind them by a header, run as users run them: which are breached, which
//! hold, and of which nothing may be said.
//!
//! The server is in Python. Without it, or without namespaces, the tests say so and pass.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "what is skipped is told")]

use std::{fs, process::Command};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");
const SERVER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/header_upstream/server.py"
);
const PROBE: &str = "net.egress.header-upstream";

/// Whether there is what a run needs.
fn ready() -> bool {
    let python = Command::new("python3").arg("--version").output().is_ok();
    let doctor = Command::new(PROGRAM).arg("doctor").output().unwrap();
    if !python || !doctor.status.success() {
        eprintln!("skipped: there is no python3, or no namespaces");
        return false;
    }
    true
}

/// The probe in the report of a run.
fn probe(flags: &[&str]) -> Value {
    let desk = tempfile::tempdir().unwrap();
    fs::write(
        desk.path().join("policy.toml"),
        "[server.network]\nallowed_hosts = [\"depot.example.org\"]\n",
    )
    .unwrap();
    let output = Command::new(PROGRAM)
        .current_dir(desk.path())
        .args(["run", "--quiet", "--no-lock", "--probe", PROBE])
        .args(["--report", "json=report.json"])
        .args(flags)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let text = fs::read_to_string(desk.path().join("report.json"));
    let report: Value = serde_json::from_str(&text.unwrap_or_else(|_| panic!("{told}"))).unwrap();
    report["probes"][0].clone()
}

/// A run against a style of the server.
fn of_style(style: &str, flags: &[&str]) -> Value {
    let served = ["--url", "http://127.0.0.1:8123/mcp"];
    let command = ["--", "python3", SERVER, "8123", style];
    probe(&[&served, flags, &command[..]].concat())
}

/// The verdicts of the variants, by name.
fn verdicts(probe: &Value) -> Vec<(&str, &str)> {
    let trials = probe["trials"].as_array().unwrap().iter();
    trials
        .map(|trial| {
            let (_, variant) = trial["id"].as_str().unwrap().split_once('/').unwrap();
            let variant = variant.split('@').next().unwrap();
            (variant, trial["verdict"].as_str().unwrap())
        })
        .collect()
}

#[track_caller]
fn all_are(style: &str, verdict: &str, flags: &[&str]) {
    let found = of_style(style, flags);
    let all = ["denied", "loopback", "metadata"].map(|variant| (variant, verdict));
    assert_eq!(verdicts(&found), all, "{style}: {found:#}");
}

#[test]
fn a_header_that_nobody_checks_is_breached_wherever_its_name_is_from() {
    if !ready() {
        return;
    }
    // Told in the description of a tool, with a credential beside it, of a usual shape, made of the server's name.
    for style in ["told", "token", "usual", "product", "host"] {
        all_are(style, "breached", &[]);
    }
}

#[test]
fn half_a_check_is_none() {
    if !ready() {
        return;
    }
    // Names are not looked up; of the URL no more is kept than the host.
    for style in ["literal", "origin"] {
        all_are(style, "breached", &[]);
    }
}

#[test]
fn who_refuses_so_many_headers_is_asked_with_those_that_it_tells() {
    if ready() {
        all_are("crowded", "breached", &[]);
    }
}

#[test]
fn who_looks_up_and_checks_the_host_or_lists_it_holds() {
    if !ready() {
        return;
    }
    for style in ["checked", "door"] {
        all_are(style, "held", &[]);
    }
    all_are("listed", "held", &["--policy", "policy.toml"]);
    all_are("told", "breached", &["--policy", "policy.toml"]);
}

#[test]
fn of_who_takes_no_header_nothing_is_said() {
    if !ready() {
        return;
    }
    // What is passed on to a host of the server's own choice has chosen nothing.
    for style in ["ignored", "passed-on"] {
        all_are(style, "not-applicable", &["--env", "API_URL={sink}"]);
    }
    // Its list is another than the policy's.
    all_are("listed", "not-applicable", &[]);
}

#[test]
fn a_header_of_the_users_is_tried() {
    if !ready() {
        return;
    }
    let header = ["--header", "X-Depot-Base: https://depot.example.org"];
    let found = of_style("told", &header);
    assert_eq!(found["verdict"], "breached", "{found:#}");
}

#[test]
fn it_takes_a_command_that_serves() {
    if !ready() {
        return;
    }
    let found = probe(&["--", PROGRAM, "reference", "{allowed}"]);
    assert_eq!(found["verdict"], "not-applicable");
    assert!(found.to_string().contains("--url"), "{found:#}");
}
