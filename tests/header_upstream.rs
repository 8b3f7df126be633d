//! Servers over HTTP that find the service behind them by a header, run as users run them: which are breached, which
//! hold, and of which nothing may be said.
//!
//! The server is in Python. Without it, or without namespaces, the tests are ignored and say so; with `CI=true` they
//! fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/needs.rs"]
mod needs;
#[path = "support/report.rs"]
mod report;

use std::fs;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");
const SERVER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/header_upstream/server.py"
);
const PROBE: &str = "net.egress.header-upstream";

needs::main! {
    &["python3", needs::NAMESPACES];
    a_header_that_nobody_checks_is_breached_wherever_its_name_is_from,
    half_a_check_is_none,
    who_refuses_so_many_headers_is_asked_with_those_that_it_tells,
    who_looks_up_and_checks_the_host_or_lists_it_holds,
    of_who_takes_no_header_nothing_is_said,
    a_header_of_the_users_is_tried,
    it_takes_a_command_that_serves,
}

/// The probe in the report of a run.
fn probe(flags: &[&str]) -> Value {
    let desk = tempfile::tempdir().unwrap();
    fs::write(
        desk.path().join("policy.toml"),
        "[server.network]\nallowed_hosts = [\"depot.example.org\"]\n",
    )
    .unwrap();
    let report = report::report(desk.path(), &[&["--probe", PROBE], flags].concat());
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

fn a_header_that_nobody_checks_is_breached_wherever_its_name_is_from() {
    // Told in the description of a tool, with a credential beside it, of a usual shape, made of the server's name.
    for style in ["told", "token", "usual", "product", "host"] {
        all_are(style, "breached", &[]);
    }
}

fn half_a_check_is_none() {
    // Names are not looked up; of the URL no more is kept than the host.
    for style in ["literal", "origin"] {
        all_are(style, "breached", &[]);
    }
}

fn who_refuses_so_many_headers_is_asked_with_those_that_it_tells() {
    all_are("crowded", "breached", &[]);
}

fn who_looks_up_and_checks_the_host_or_lists_it_holds() {
    for style in ["checked", "door"] {
        all_are(style, "held", &[]);
    }
    all_are("listed", "held", &["--policy", "policy.toml"]);
    all_are("told", "breached", &["--policy", "policy.toml"]);
}

fn of_who_takes_no_header_nothing_is_said() {
    // What is passed on to a host of the server's own choice has chosen nothing.
    for style in ["ignored", "passed-on"] {
        all_are(style, "not-applicable", &["--env", "API_URL={sink}"]);
    }
    // Its list is another than the policy's.
    all_are("listed", "not-applicable", &[]);
}

fn a_header_of_the_users_is_tried() {
    let header = ["--header", "X-Depot-Base: https://depot.example.org"];
    let found = of_style("told", &header);
    assert_eq!(found["verdict"], "breached", "{found:#}");
}

fn it_takes_a_command_that_serves() {
    let found = probe(&["--", PROGRAM, "reference", "{allowed}"]);
    assert_eq!(found["verdict"], "not-applicable");
    assert!(found.to_string().contains("--url"), "{found:#}");
}
