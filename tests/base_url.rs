//! Servers that ask an API, run as users run them: each way of making a URL of what the caller gives, and what may be
//! said of it.
//!
//! The server is in Python. Without it, or without namespaces, the tests are ignored and say so; with `CI=true` they
//! fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/needs.rs"]
mod needs;
#[path = "support/report.rs"]
mod report;

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/base_url/server.py");
const PROBE: &str = "net.egress.base-url";

needs::main! {
    &["python3", needs::NAMESPACES];
    who_escapes_or_checks_what_is_given_holds,
    a_reference_takes_the_place_of_the_base,
    what_is_put_into_a_text_climbs_and_cuts,
    dots_for_one_part_move_the_other,
    what_stands_behind_a_host_becomes_part_of_it,
    another_path_of_the_servers_own_choice_is_no_escape,
    what_never_stands_in_a_path_is_not_judged,
    the_base_may_stand_in_a_command_line_and_in_a_file,
    what_goes_to_the_api_by_itself_is_no_leak,
    without_it_nothing_is_asked_and_the_reason_says_how_to_give_it,
}

/// The probe in the report of a run in a directory.
fn probe(desk: &Path, flags: &[&str]) -> Value {
    probes(desk, &[&["--probe", PROBE], flags].concat())[0].clone()
}

/// The probes in the report of a run.
fn probes(desk: &Path, flags: &[&str]) -> Vec<Value> {
    let report = report::report(desk, flags);
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

fn who_escapes_or_checks_what_is_given_holds() {
    for style in ["quoted", "checked"] {
        breached_by(style, &[]);
    }
}

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

fn what_is_put_into_a_text_climbs_and_cuts() {
    let [one, encoded, inside, root] = UPWARD;
    breached_by(
        "formatted",
        &[one, encoded, inside, root, "fragment", "query"],
    );
    breached_by("half-quoted", &[one, inside, root]);
    breached_by("query-behind", &["fragment", "query"]);
}

fn dots_for_one_part_move_the_other() {
    breached_by("two-checked", &[]);
    breached_by("two-encoded", &["dot-before", "dots-before"]);
}

fn what_stands_behind_a_host_becomes_part_of_it() {
    breached_by("concatenated", &["host-suffix"]);
    breached_by("parsed", &["host-suffix", "userinfo", "userinfo-port"]);
}

fn another_path_of_the_servers_own_choice_is_no_escape() {
    breached_by("other-place", &[]);
}

fn what_never_stands_in_a_path_is_not_judged() {
    for style in ["in-query", "numbers"] {
        let probe = of_style(style);
        assert_eq!(probe["verdict"], "not-applicable", "{style}: {probe:#}");
    }
}

fn the_base_may_stand_in_a_command_line_and_in_a_file() {
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

fn what_goes_to_the_api_by_itself_is_no_leak() {
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

fn without_it_nothing_is_asked_and_the_reason_says_how_to_give_it() {
    let desk = tempfile::tempdir().unwrap();
    let command = ["--", "python3", SERVER, "joined", "http://api.example.org"];
    let probe = probe(desk.path(), &command);
    assert_eq!(probe["verdict"], "not-applicable");
    assert!(probe.to_string().contains("{sink}"), "{probe:#}");
}
