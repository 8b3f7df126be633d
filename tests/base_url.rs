//! Servers that ask an API, run as users run them: each way of making a URL of what the caller gives, and what may be
//! said of it.
//!
//! The server is in Python. Without it, or without namespaces, the tests say so and pass.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "what is skipped is told")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/base_url/server.py");
const PROBE: &str = "net.egress.base-url";

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

/// The probe in the report of a run in a directory.
fn probe(desk: &Path, flags: &[&str]) -> Value {
    probes(desk, &[&["--probe", PROBE], flags].concat())[0].clone()
}

/// The probes in the report of a run.
fn probes(desk: &Path, flags: &[&str]) -> Vec<Value> {
    let output = Command::new(PROGRAM)
        .current_dir(desk)
        .args(["run", "--quiet", "--no-lock"])
        .args(["--report", "json=report.json"])
        .args(flags)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let text = fs::read_to_string(desk.join("report.json"));
    let report: Value = serde_json::from_str(&text.unwrap_or_else(|_| panic!("{told}"))).unwrap();
    report["probes"].as_array().unwrap().clone()
}

/// A run against a style of the server, which is told its base in a variable.
fn of_style(style: &str) -> Value {
    let desk = tempfile::tempdir().unwrap();
    let command = ["--env", "API_URL={sink}", "--", "python3", SERVER, style];
    probe(desk.path(), &command)
}

/// The verdicts by variant.
fn verdicts(probe: &Value) -> BTreeMap<String, String> {
    let trials = probe["trials"].as_array().unwrap().iter();
    trials
        .map(|trial| {
            let id = trial["id"].as_str().unwrap();
            let (_, rest) = id.split_once('/').unwrap();
            let variant = rest.split('@').next().unwrap();
            let verdict = trial["verdict"].as_str().unwrap();
            (variant.to_owned(), verdict.to_owned())
        })
        .collect()
}

/// The variants that breached a style; all others must have been held, or could do nothing.
#[track_caller]
fn breached_by(style: &str, expected: &[&str]) {
    if !ready() {
        return;
    }
    let probe = of_style(style);
    let found = verdicts(&probe);
    let breached: Vec<&str> = found
        .iter()
        .filter(|(_, verdict)| *verdict == "breached")
        .map(|(variant, _)| variant.as_str())
        .collect();
    assert_eq!(breached, expected, "{style}: {probe:#}");
    let open: Vec<_> = found
        .iter()
        .filter(|(_, verdict)| *verdict == "inconclusive")
        .collect();
    assert!(open.is_empty(), "{style}: {open:?}");
    assert!(
        found.values().any(|verdict| verdict == "held"),
        "{style}: {found:?}"
    );
}

const UPWARD: [&str; 4] = [
    "dotdot",
    "dotdot-encoded",
    "dotdot-inside",
    "dotdot-to-root",
];

#[test]
fn who_escapes_or_checks_what_is_given_holds() {
    for style in ["quoted", "checked"] {
        breached_by(style, &[]);
    }
}

#[test]
fn a_reference_takes_the_place_of_the_base() {
    breached_by(
        "joined",
        &[
            "absolute",
            "absolute-address",
            "absolute-leading-space",
            "absolute-upper-case",
            "dotdot",
            "dotdot-encoded",
            "dotdot-inside",
            "dotdot-to-root",
            "root-relative",
            "scheme-relative",
        ],
    );
}

#[test]
fn what_is_put_into_a_text_climbs_and_cuts() {
    let [one, encoded, inside, root] = UPWARD;
    breached_by(
        "formatted",
        &[one, encoded, inside, root, "fragment", "query"],
    );
    breached_by("half-quoted", &[one, inside, root]);
    breached_by("query-behind", &["fragment", "query"]);
}

#[test]
fn what_stands_behind_a_host_becomes_part_of_it() {
    breached_by("concatenated", &["host-suffix"]);
    breached_by("parsed", &["host-suffix", "userinfo", "userinfo-port"]);
}

#[test]
fn another_path_of_the_servers_own_choice_is_no_escape() {
    breached_by("other-place", &[]);
}

#[test]
fn what_never_stands_in_a_path_is_not_judged() {
    if !ready() {
        return;
    }
    for style in ["in-query", "numbers"] {
        let probe = of_style(style);
        assert_eq!(probe["verdict"], "not-applicable", "{style}: {probe:#}");
    }
}

#[test]
fn the_base_may_stand_in_a_command_line_and_in_a_file() {
    if !ready() {
        return;
    }
    let desk = tempfile::tempdir().unwrap();
    let command = ["--", "python3", SERVER, "half-quoted", "{sink}/api"];
    let by_argument = probe(desk.path(), &command);
    assert_eq!(by_argument["verdict"], "breached");
    assert!(by_argument.to_string().contains("/api/v1/items/"));
    let desk = tempfile::tempdir().unwrap();
    let file = format!(
        "[target]\ncommand = ['python3', {SERVER:?}, 'quoted']\nenv = {{ API_URL = '{{sink}}' }}\n"
    );
    fs::write(desk.path().join("watertight.toml"), file).unwrap();
    assert_eq!(probe(desk.path(), &[])["verdict"], "held");
}

#[test]
fn what_goes_to_the_api_by_itself_is_no_leak() {
    if !ready() {
        return;
    }
    let desk = tempfile::tempdir().unwrap();
    let asked = [
        "--probe",
        "net.egress.startup-beacon",
        "--probe",
        "env.outbound",
    ];
    let command = ["--env", "API_URL={sink}", "--", "python3", SERVER, "eager"];
    let found = probes(desk.path(), &[&asked[..], &command].concat());
    assert_eq!(found.len(), 2);
    for probe in found {
        assert_eq!(probe["verdict"], "held", "{probe:#}");
    }
}

#[test]
fn without_it_nothing_is_asked_and_the_reason_says_how_to_give_it() {
    if !ready() {
        return;
    }
    let desk = tempfile::tempdir().unwrap();
    let command = ["--", "python3", SERVER, "joined", "http://api.example.org"];
    let probe = probe(desk.path(), &command);
    assert_eq!(probe["verdict"], "not-applicable");
    assert!(probe.to_string().contains("{sink}"), "{probe:#}");
}
